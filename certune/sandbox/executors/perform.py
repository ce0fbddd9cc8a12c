"""What happens where the work is done: pinned, one measurement at a time, errors as data.

Orders and answers travel as pickles between processes of the judge's own; nothing that a
candidate wrote is ever read this way.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certune.core.errors import Crashed, TimedOut
from certune.sandbox.machine.record import state_folder

_PATIENCE = 600.0


@dataclass(frozen=True)
class Order:
    """A call with the CPUs it is to be made on.

    `domain` names the cores that disturb each other when the work is measured; None otherwise.
    `folder` holds the locks of measuring cores; None is the user's state folder.
    """

    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    cpus: tuple[int, ...]
    domain: int | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class Answer:
    """The value of a call, or what it raised."""

    value: Any = None
    error: Exception | None = None


def perform(order: Order) -> Answer:
    """Carry out an order in this process. Raises nothing: errors are answers, too."""
    try:
        with _pinned(order.cpus), _alone(order):
            return Answer(order.call(*order.arguments))
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to who asked
        return Answer(error=portable(error))


def written(order: Order) -> bytes:
    """An order as bytes.

    Raises:
        Crashed: it holds what no other process can read (a closure, an open file).
    """
    try:
        return pickle.dumps(order)
    except Exception as error:  # noqa: BLE001 - whatever pickling may raise
        raise Crashed(
            f"{getattr(order.call, '__qualname__', order.call)} cannot be sent to another "
            f"process: {error}; use a function of a module and plain data"
        ) from None


def carry_out(data: bytes) -> bytes:
    """Read an order, carry it out, write the answer."""
    try:
        order = pickle.loads(data)  # noqa: S301 - from the judge
    except Exception as error:  # noqa: BLE001 - a module that cannot be imported here
        told = f"the work cannot be read where it is to be done: {type(error).__name__}: {error}"
        return pickle.dumps(Answer(error=Crashed(told)))
    answer = perform(order)
    try:
        return pickle.dumps(answer)
    except Exception as error:  # noqa: BLE001 - a value that cannot leave the process
        return pickle.dumps(Answer(error=Crashed(f"the result cannot be sent back: {error}")))


def value_of(data: bytes) -> Any:
    """The value that an answer holds; raises what it holds instead."""
    answer = pickle.loads(data)  # noqa: S301 - from a process of our own
    if answer.error is not None:
        raise answer.error
    return answer.value


def portable(error: Exception) -> Exception:
    """The error if it survives being pickled, else `Crashed` with its words."""
    try:
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - what was just written
        if type(again) is type(error) and str(again) == str(error):
            return error
    except Exception:  # noqa: BLE001, S110 - unpicklable in whatever way
        pass
    return Crashed(f"{type(error).__name__}: {error}")


# The CPUs of this process when it is not pinned to those of a work.
_outer: list[frozenset[int]] = []


def free_cpus() -> frozenset[int] | None:
    """The CPUs that this process may use when it is not at work; None where that is not told."""
    if _outer:
        return _outer[0]
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


@contextmanager
def _pinned(cpus: tuple[int, ...]) -> Iterator[None]:
    """This process on some CPUs, and what it starts; as before afterwards."""
    if not cpus or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cpus) & before or before)
    _outer.append(frozenset(before))
    try:
        yield
    finally:
        _outer.pop()
        os.sched_setaffinity(0, before)


@contextmanager
def _alone(order: Order) -> Iterator[None]:
    """Hold the lock on measuring cores, which other sessions of this user take as well.

    Where there is no folder for it, other sessions are not kept away; validation sees them.
    """
    if order.domain is None:
        yield
        return
    folder = order.folder or state_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / f"measuring-{order.domain}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield
        return
    try:
        # The kernel lets go of it however the process ends.
        end = time.monotonic() + _PATIENCE
        while not _locked(lock):
            if time.monotonic() > end:
                raise TimedOut(
                    f"another certune has measured on this machine for {_PATIENCE:.0f} s"
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


# One thread for each library: a pool of threads would run on cores that are not ours.
SINGLE_THREADED: Mapping[str, str] = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
}

"""Work for other processes and machines, what became of it, and who does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Literal, Protocol, Self, TypeAlias, TypeVar

from certune.sandbox.machine import MachineReport

T = TypeVar("T")

# check: a proof, a test, anything whose result does not depend on how fast it was.
# measure: one at a time on cores that disturb each other, on a validated machine alone.
Kind: TypeAlias = Literal["check", "measure"]


@dataclass(frozen=True)
class Work(Generic[T]):
    """A call to be made elsewhere: a function of a module, and arguments that can be pickled.

    It is trusted code of the judge's; candidates reach it as bytes and run in its sandbox.
    `labels` are the resources it needs on one node (``{"GPU": 1}``; an amount of 0 asks for the
    label alone, as in ``{"machine:amd-epyc": 0}``). `seconds` bounds each attempt; `attempts`
    says how often it is begun in all when a process or a node is lost under it.
    """

    call: Callable[..., T]
    arguments: tuple[Any, ...] = ()
    kind: Kind = "check"
    labels: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    attempts: int = 3

    @property
    def name(self) -> str:
        """The function's name, for reports."""
        call = getattr(self.call, "func", self.call)  # beneath a functools.partial
        kind = call if hasattr(call, "__qualname__") else type(call)
        return f"{kind.__module__}.{kind.__qualname__}"


@dataclass(frozen=True)
class Loss:
    """An attempt that was lost: on which node, and what was seen of it."""

    work: str
    node: str
    attempt: int
    reason: str


@dataclass(frozen=True)
class Placed(Generic[T]):
    """A result, where it was computed, and the attempts that were lost before."""

    value: T
    node: str
    cpus: tuple[int, ...]
    lost: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class Node:
    """A machine of an executor: what it offers, how it was found, why it gets no work if so."""

    name: str
    labels: Mapping[str, float]
    report: MachineReport | None = None
    gone: str = ""
    quarantined: tuple[str, ...] = ()


class Executor(Protocol):
    """Runs work beside each other. Plug-ins are found as entry points ``certune.executors``.

    Nothing of it writes a ledger: results come back to the driver, which alone records them.
    """

    @property
    def name(self) -> str:
        """A short name, as on the command line."""
        ...

    def nodes(self) -> Sequence[Node]:
        """The machines, those that are gone or quarantined included."""
        ...

    def losses(self) -> Sequence[Loss]:
        """Every attempt that was lost so far."""
        ...

    def submit(self, work: Work[T]) -> Future[Placed[T]]:
        """Have work done. What the call raises, the future raises.

        The future's own errors: `Crashed` when every attempt was lost, `TimedOut` when one
        took too long, `Unavailable` when no node that is left can do it (for measured work:
        none is fit, with the evidence).

        Raises:
            Unavailable: no node has what the work needs, or the executor is closed.
        """
        ...

    def close(self) -> None:
        """End everything, work that runs included; futures that wait raise `Unavailable`."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

"""The judge's hand on a keeper process."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from certune.core.errors import Crashed, InvalidInput, TimedOut, Unavailable
from certune.sandbox.isolation import readable as files
from certune.sandbox.isolation.identities import may_become_another, unused_ids
from certune.sandbox.isolation.probe import NOT_LINUX, available, explain
from certune.sandbox.keeper import wire
from certune.sandbox.keeper.spawn import PROLOGUE, environment, one_way
from certune.sandbox.keeper.worker import Worker
from certune.sandbox.model import LAYERS, Isolation, Launch, Layer, Profile

_START_SECONDS = 60.0
_END_SECONDS = 20.0
_PROCESS = PROLOGUE + "from certune.sandbox.keeper.process import main\nmain(sys.argv[2:])\n"
# As many workers of one keeper have a user id of their own.
_IDS = 128
_ENTRY = re.compile(r"[a-z][a-z0-9_]*")


class Keeper(AbstractContextManager["Keeper"]):
    """A keeper process and what it may start.

    Safe to use from several threads. `level` None is the best that this machine allows. `layers`
    replaces the level's own, for the self-test only. `preload` names modules that workers which
    are not fresh find imported. `readable` adds files and folders to the interpreter's own and
    to the system's libraries; device nodes among them may be written to as well, and relax the
    system calls for drivers of accelerators.

    Raises:
        Unavailable: the level cannot be had here, with the remedy.
        Crashed: the keeper did not start.
    """

    def __init__(
        self,
        level: Isolation | None = None,
        *,
        profile: Profile = "compute",
        preload: Sequence[str] = (),
        readable: Sequence[Path] = (),
        layers: frozenset[Layer] | None = None,
    ) -> None:
        level, walls = _choose(level)
        self.level = level
        self.profile = profile
        self.layers = walls if layers is None else layers
        settings = {
            "layers": sorted(layer.value for layer in self.layers),
            "profile": profile,
            "preload": list(preload),
            "root": files.package(),
            "python": files.interpreter(),
            "path": files.module_path(),
            "readable": [*files.readable(), *map(str, readable)],
            "tools": files.tools() if profile == "toolchain" else [],
            "devices": [str(path) for path in readable if path.is_relative_to("/dev")],
            "ids": _ids(self.layers, profile == "compute"),
        }
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        clean = Layer.ENVIRONMENT in self.layers
        alone = Layer.DESCRIPTORS in self.layers
        theirs.set_inheritable(not alone)
        try:
            self._process = subprocess.Popen(
                [
                    *(files.interpreter(), "-P", "-s", "-S", "-B", "-c", _PROCESS),
                    files.package(),
                    str(theirs.fileno()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(1) if clean else {**os.environ, **one_way(1)},
                cwd="/" if clean else None,
                close_fds=alone,
                pass_fds=(theirs.fileno(),) if alone else (),
                start_new_session=True,
            )
        except OSError as error:
            self._control.close()
            raise Crashed(f"the keeper did not start: {error.strerror}") from None
        finally:
            theirs.close()
        self._finalizer = weakref.finalize(self, _end, self._control, self._process)
        try:
            judge = os.pidfd_open(os.getpid())
            try:
                wire.send(self._control, settings, (judge,))
            finally:
                os.close(judge)
            self._expect(self._control, "the keeper", "ready")
        except OSError as error:
            self.close()
            raise Crashed(f"the keeper died while it started: {error.strerror}") from None
        except BaseException:
            self.close()
            raise

    def start(self, launch: Launch) -> Worker:
        """A new worker on `launch`, which has to be of this keeper's level and profile.

        Raises:
            InvalidInput: it is not, or names no entry.
            Crashed: the keeper died or could not start it.
        """
        self._check(launch)
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {
            "entry": launch.entry,
            "limits": vars(launch.limits),
            "profile": launch.profile,
            "fresh": launch.fresh,
            "code": list(launch.code),
        }
        try:
            with self._lock, theirs:
                wire.send(self._control, request, (theirs.fileno(), *launch.fds))
            _, fds = self._expect(mine, "a worker", "started")
            return Worker(mine, fds[0])
        except OSError as error:
            mine.close()
            raise Crashed(f"the keeper died: {error.strerror}") from None
        except BaseException:
            mine.close()
            raise

    def close(self) -> None:
        """End the keeper and all of its workers."""
        self._finalizer()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self, launch: Launch) -> None:
        if launch.level is not self.level or launch.profile != self.profile:
            raise InvalidInput(
                f"a keeper of {self.level.word} {self.profile} workers was asked for "
                f"{launch.level.word} {launch.profile}"
            )
        if not _ENTRY.fullmatch(launch.entry):
            raise InvalidInput(f"{launch.entry!r} names no entry of certune.sandbox.inside")
        if len(launch.fds) > wire.MOST_FDS - 1:
            raise InvalidInput(f"at most {wire.MOST_FDS - 1} descriptors can be passed")

    def _expect(
        self, channel: socket.socket, who: str, word: str
    ) -> tuple[Mapping[str, Any], list[int]]:
        poller = select.poll()
        poller.register(channel, select.POLLIN)
        if not poller.poll(_START_SECONDS * 1e3):
            raise TimedOut(f"{who} did not start within {_START_SECONDS:.0f} seconds")
        received = wire.receive(channel)
        if received is None:
            raise Crashed(f"{who} died while it started")
        message, fds = received
        if word not in message:
            told = message.get("failed", "for no reason given")
            if message.get("wall"):
                raise Unavailable(f"isolation {self.level.word!r} cannot be had: {explain(told)}")
            raise Crashed(f"{who} could not start: {told}")
        return message, fds


def _choose(level: Isolation | None) -> tuple[Isolation, frozenset[Layer]]:
    """The level and its layers; the best one found by trying stands behind None and DECLARED."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        raise Unavailable(f"untrusted code cannot be run on {sys.platform}: {NOT_LINUX}")
    if level is not None and level is not Isolation.DECLARED:
        return level, LAYERS[level]
    report = available()
    if level is None and report.best < Isolation.CONFINED:
        raise Unavailable(report.refusal())
    return level or report.best, LAYERS[report.best]


def _ids(layers: frozenset[Layer], compute: bool) -> list[int]:
    """Unused user ids for the workers, when root starts them and they can be read by others."""
    if os.geteuid() != 0 or Layer.PRIVILEGES not in layers or not may_become_another():
        return []
    # A toolchain's workers need nothing more of the interpreter once they are locked.
    if compute and Layer.NAMESPACES not in layers and not files.by_others():
        return []
    try:
        first = unused_ids(_IDS)
    except OSError:
        return []
    return list(range(first, first + _IDS))


def _end(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    control.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

"""A worker as the judge sees it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from typing import Any

from certune.core.errors import Crashed, TimedOut
from certune.sandbox.inside import status as said
from certune.sandbox.keeper import endings, wire
from certune.sandbox.model import Ended

_MOST_TOLD, _MOST_SAID = 4096, 1 << 16


class Worker:
    """A started worker. Dropping it kills it.

    `pid` is its number where the judge runs.
    """

    def __init__(self, channel: socket.socket, pidfd: int) -> None:
        self._channel = channel
        self._pidfd = pidfd
        self._ended: Ended | None = None
        self._waiting = threading.Lock()
        self.pid = _number(pidfd)
        self._clock = ~self.pid << 3 | 2

    def cpu_seconds(self) -> float:
        """The kernel's CPU clock of the whole worker, all threads; its last value once ended.

        Raises:
            Crashed: the keeper died.
        """
        try:
            used = time.clock_gettime(self._clock)
        except OSError:
            return self.wait().cpu_seconds
        # Was it this process's clock? Its number may be another's as soon as it has ended.
        if self._ended or self._gone():
            return self.wait().cpu_seconds
        return used

    def stop(self) -> None:
        """SIGSTOP; nothing if it has ended."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT; nothing if it has ended."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once; `wait` tells that it was killed."""
        try:
            self._channel.shutdown(socket.SHUT_WR)
        except OSError:  # it has ended
            return

    def wait(self, timeout: float | None = None) -> Ended:
        """How it ended, once it has.

        Raises:
            TimedOut: it has not, after `timeout` seconds.
            Crashed: the keeper died.
        """
        with self._waiting:
            if self._ended is None:
                poller = select.poll()
                poller.register(self._channel, select.POLLIN)
                if not poller.poll(None if timeout is None else max(0.0, timeout * 1e3)):
                    raise TimedOut(f"a worker still runs after {timeout} seconds")
                self._ended = self._receive()
                self.close()
            return self._ended

    def fileno(self) -> int:
        """Readable once it has ended; for `poll`."""
        return self._channel.fileno()

    def close(self) -> None:
        """Let go of it, which kills it if it runs."""
        self._channel.close()
        if self._pidfd >= 0:
            pidfd, self._pidfd = self._pidfd, -1
            os.close(pidfd)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _receive(self) -> Ended:
        try:
            received = wire.receive(self._channel)
        except OSError as error:
            raise Crashed(f"the keeper of a worker broke off: {error.strerror}") from None
        if received is None:
            raise Crashed("the keeper of a worker died")
        message, fds = received
        try:
            if "ended" not in message:
                raise Crashed(f"the keeper of a worker died: {message.get('failed')}")
            told, diagnostics = fds
            try:
                letters = os.read(told, _MOST_TOLD)
            except BlockingIOError:
                letters = b""
            return _ended(message, letters, os.pread(diagnostics, _MOST_SAID, 0))
        finally:
            for fd in fds:
                os.close(fd)

    def _gone(self) -> bool:
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        return bool(poller.poll(0))

    def _signal(self, number: signal.Signals) -> None:
        if self._pidfd < 0:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)


def _number(pidfd: int) -> int:
    with open(f"/proc/self/fdinfo/{pidfd}") as file:
        for line in file:
            if line.startswith("Pid:"):
                return int(line.split()[1])
    raise Crashed("the kernel does not tell a worker's number")


def _ended(message: dict[str, Any], told: bytes, diagnostics: bytes) -> Ended:
    status, killed_for = message["ended"], message["killed_for"]
    started = not told.startswith(said.FAILED_TO_START)
    cpu = message["cpu_seconds"]
    return Ended(
        ending=endings.ending(status, told, killed_for, cpu, message["most_cpu"]),
        loaded=started and said.LOADED in told,
        status=status,
        cpu_seconds=cpu,
        peak_bytes=message["peak_bytes"],
        detail=endings.detail(status, killed_for) if started else told[1:].decode(errors="replace"),
        diagnostics=diagnostics,
    )

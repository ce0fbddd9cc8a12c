"""One worker as the keeper sees it: its limits, what it says, how it ended."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import time
from typing import Any

from certune.sandbox.isolation import privileges
from certune.sandbox.keeper import wire
from certune.sandbox.keeper.descendants import children, kill_orphans, tree
from certune.sandbox.keeper.folders import size, unlinked

_KEPT = 32 * 1024
_LEAST_PAUSE = 0.01
_SURVEY_PAUSE = 0.05
_POOLS = 4
_SYS_PTRACE = 1 << 19


class Child:
    """A running worker. Limits are enforced when the loop wakes, which `due` sees to."""

    def __init__(
        self,
        pid: int,
        pidfd: int,
        channel: socket.socket,
        diagnostics: int,
        told: int,
        limits: dict[str, Any],
        uid: int | None,
        null: int,
    ) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.channel = channel
        self.diagnostics_fd = diagnostics
        self.told = told
        self.limits = limits
        self.uid = uid
        self.hung_up = False
        self.folder = ""
        self._proc = -1
        self._outer = ""
        self._used = 0.0
        self.killed_for = ""
        self._heard = 0
        self._null = null
        self.said = os.memfd_create("said", os.MFD_CLOEXEC)
        self._deadline = time.monotonic() + limits["wall_seconds"]
        self._look = time.monotonic() + self._pause(0.0)
        # The kernel's CPU clock of a process: clock_getcpuclockid(3).
        self._clock = ~pid << 3 | 2

    def _pause(self, used: float) -> float:
        """Seconds until the limit on CPU can be reached at the earliest."""
        if self._proc >= 0:
            return _SURVEY_PAUSE
        runners = max(self.limits["threads"], self.limits["processes"])
        left = self.limits["cpu_seconds"] - used
        return max(_LEAST_PAUSE, float(left) / float(max(1, runners)))

    def watch(self, proc: int, folder: str) -> None:
        """Count its processes and what it writes to `folder` (if any) from now on."""
        self._proc, self.folder = proc, folder
        self._look = time.monotonic() + _SURVEY_PAUSE

    def _survey(self, known: set[int]) -> float:
        """See what all of its processes use together; CPU seconds."""
        self.find()
        most, threads = self.limits["processes"], self.limits["threads"]
        found, running, used, resident = tree(self._proc, self._outer, most + 1)
        self._used = max(self._used, used)
        if resident > self.limits["memory_bytes"]:
            self.kill("out-of-memory")
        # The worker itself, which only waits, is none of the tool's. Who leaves the tree is lost.
        strays = kill_orphans(self._proc, known).get(self._outer, 0)
        if len(found) - 1 + strays > most or (threads > 1 and running > most + _POOLS * threads):
            self.kill("too-many-processes")
        if self.folder and self._written(found) > self.limits["file_bytes"]:
            self.kill("file-too-large")
        return used

    def _written(self, processes: list[str]) -> int:
        def nameless() -> int:
            found: dict[tuple[int, int], int] = {}
            for one in processes:
                found |= unlinked(self._proc, one, self.folder)
            return sum(found.values())

        # Root in a container may not look into the processes of others.
        others = self.uid is not None and not privileges.capabilities() & _SYS_PTRACE
        hidden = privileges.ask_as(self.uid, nameless) if others and self.uid else nameless()
        return size(self.folder, self.limits["file_bytes"]) + hidden

    def find(self) -> None:
        """Its number in /proc, which is that of its session too; before it is waited for."""
        if self._proc >= 0 and not self._outer:
            self._outer = next((one for one, own in children(self._proc) if own == self.pid), "")

    def strays(self, found: dict[str, int]) -> None:
        """So many processes of each session were left: a bomb that choked on its own limit?"""
        if self._outer and found.get(self._outer, 0) >= self.limits["processes"]:
            self.killed_for = self.killed_for or "too-many-processes"

    def due(self) -> float:
        """When to look at it next, on the monotonic clock."""
        return min(self._deadline, self._look) if not self.killed_for else float("inf")

    def enforce(self, known: set[int]) -> None:
        """Kill it if it is over a limit. `known` are the numbers of all workers."""
        now = time.monotonic()
        if now >= self._look:
            try:
                used = time.clock_gettime(self._clock)
            except OSError:  # it has just ended
                used = 0.0
            if self._proc >= 0:
                used = max(used, self._survey(known))
            if used >= self.limits["cpu_seconds"]:
                self.kill("out-of-cpu")
            self._look = now + self._pause(used)
        if now >= self._deadline:
            self.kill("out-of-time")

    def read(self) -> bool:
        """Take what it says on standard error; False when nobody can say any more.

        No byte of it comes into this process's own memory, which the next warm worker will have.
        """
        while True:
            left = _KEPT - self._heard
            sink, most = (self.said, left) if left > 0 else (self._null, 1 << 20)
            try:
                count = os.splice(self.diagnostics_fd, sink, most)
            except BlockingIOError:
                return True
            except OSError:  # a pipe that cannot be read is nobody's to fill
                return False
            if not count:
                return False
            self._heard += count
            if self._heard > self.limits["output_bytes"]:
                self.kill("too-much-output")
                return True

    def kill(self, why: str) -> None:
        """SIGKILL, for the first reason given."""
        self.killed_for = self.killed_for or why
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def kill_group(self) -> None:
        """SIGKILL to its group, which exists as long as it has not been waited for."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def finish(self, status: int, usage: resource.struct_rusage) -> None:
        """Report how it ended to the judge, and forget it."""
        message = {
            "ended": status,
            "killed_for": self.killed_for,
            "most_cpu": self.limits["cpu_seconds"],
            "cpu_seconds": max(self._used, usage.ru_utime + usage.ru_stime),
            "peak_bytes": usage.ru_maxrss * 1024,
        }
        with contextlib.suppress(OSError):  # the judge may not care any more
            wire.send(self.channel, message, (self.told, self.said))
        self.channel.close()
        for fd in (self.pidfd, self.diagnostics_fd, self.told, self.said):
            os.close(fd)

"""The keeper: a small trusted process between the judge and the workers.

It is started by exec with a clean environment, takes orders on one socket, starts workers as its
own children, ends whatever oversteps a limit, and leaves nothing: it kills everything below it
when the judge closes the socket or dies, and the workers die with it.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import Any

from certune.sandbox.isolation import landlock, namespaces, seccomp, syscalls
from certune.sandbox.keeper import endings, spawn, wire
from certune.sandbox.keeper.child import Child
from certune.sandbox.keeper.descendants import kill_orphans
from certune.sandbox.keeper.folders import Folders, remove

_MOST_RULESETS = 16
_SPARE_PROCESSES = 8
_SPARE_PROCESSES_SHARED = 256
_POOLS = 4


class Keeper:
    """The loop's state. `settings` are the judge's first message."""

    def __init__(
        self, control: socket.socket, settings: dict[str, Any], proc: int, judge: int
    ) -> None:
        self.control = control
        self.settings = settings
        self.layers: frozenset[str] = frozenset(settings["layers"])
        self.proc = proc
        self.null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self.pid = os.getpid()
        self.rulesets: dict[tuple[Any, ...], int] = {}
        self.children: dict[int, Child] = {}
        self.started = 0
        self.judge = judge
        apart = "namespaces" in self.layers
        self.folders = Folders() if settings["profile"] == "toolchain" and not apart else None
        self.may_fork = settings["profile"] == "toolchain" or "seccomp" not in self.layers
        self.uids: list[int] = settings["ids"]
        # Whether the kernel counts each worker's processes apart.
        self.exact = "namespaces" in settings["layers"] or bool(self.uids)

    def serve(self) -> None:
        """Take orders until the judge is gone; then kill all that is left."""
        poller = select.poll()
        poller.register(self.control, select.POLLIN)
        poller.register(self.judge, select.POLLIN)
        try:
            wire.send(self.control, {"ready": True})
            while True:
                ready = {fd for fd, _ in poller.poll(self._patience())}
                if self.judge in ready:
                    return
                if self.control.fileno() in ready:
                    received = wire.receive(self.control)
                    if received is None:
                        return
                    self._start(*received, poller)
                for child in list(self.children.values()):
                    if child.channel.fileno() in ready:
                        child.kill(endings.BY_JUDGE)
                        poller.unregister(child.channel)
                    if child.diagnostics_fd in ready and not child.read():
                        poller.unregister(child.diagnostics_fd)
                        child.hung_up = True
                    child.enforce(set(self.children))
                    if child.pidfd in ready:
                        self._end(child, poller)
        finally:
            self._end_all()

    def _patience(self) -> float | None:
        due = min((child.due() for child in self.children.values()), default=math.inf)
        return None if due == math.inf else max(0.0, (due - time.monotonic()) * 1e3)

    def _start(self, request: dict[str, Any], fds: list[int], poller: select.poll) -> None:
        channel = socket.socket(fileno=fds[0])
        try:
            child = self._fork(request, fds[1:], channel)
        except OSError as error:
            wire.send(channel, {"failed": f"{type(error).__name__}: {error}"})
            channel.close()
            return
        finally:
            for fd in fds[1:]:
                os.close(fd)
        self.children[child.pid] = child
        for source in (child.channel.fileno(), child.diagnostics_fd, child.pidfd):
            poller.register(source, select.POLLIN)
        wire.send(channel, {"started": child.pid}, (child.pidfd,))

    def _fork(self, request: dict[str, Any], fds: list[int], channel: socket.socket) -> Child:
        plan = self._plan(request, fds)
        # No pipe: through /proc a worker could open its reading end, and take back what it told.
        reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        writing.shutdown(socket.SHUT_RD)
        told, tells = reading.detach(), writing.detach()
        try:
            heard, says = os.pipe2(os.O_CLOEXEC)
        except OSError:
            os.close(told)
            os.close(tells)
            raise
        try:
            pid = os.fork()
            if pid == 0:
                spawn.child(plan, says, tells)
            pidfd = os.pidfd_open(pid)
        except OSError:
            os.close(told)
            os.close(heard)
            raise
        finally:
            os.close(tells)
            os.close(says)
        os.set_blocking(heard, False)
        os.set_blocking(told, False)
        child = Child(pid, pidfd, channel, heard, told, request["limits"], plan.uid, self.null)
        if request["profile"] == "toolchain":
            child.watch(self.proc, plan.folder)
        elif request["limits"]["threads"] > 1 and not self.exact:
            child.watch(self.proc, "")
        return child

    def _plan(self, request: dict[str, Any], fds: list[int]) -> spawn.Plan:
        limits = request["limits"]
        # Each library has a pool of its own, and numba more than one. A toolchain's processes are
        # counted by the loop, which ends a worker before this wall is reached.
        most = int(limits["processes"]) + _POOLS * (int(limits["threads"]) - 1)
        if request["profile"] == "toolchain":
            most += _SPARE_PROCESSES
        if not self.exact:
            # Every process of this user counts, those of other workers too: a coarse wall behind
            # what the loop counts for each.
            most += _SPARE_PROCESSES_SHARED
            with open(os.open("loadavg", os.O_RDONLY, dir_fd=self.proc), "rb") as file:
                most += int(file.read().split()[3].split(b"/")[1])
        self.started += 1
        uid = None
        if self.uids:
            taken = {child.uid for child in self.children.values()}
            for step in range(len(self.uids)):
                uid = self.uids[(self.started + step) % len(self.uids)]
                if uid not in taken:
                    break
        folder = self.folders.make(uid) if self.folders else ""
        return spawn.Plan(
            request=request,
            layers=self.layers,
            fds=fds,
            ruleset=self._ruleset(request, folder) if "landlock" in self.layers else -1,
            proc=self.proc,
            keeper=self.pid,
            uid=uid,
            devices=bool(self.settings["devices"]),
            folder=folder,
            most_processes=most,
            root=self.settings["root"],
            python=self.settings["python"],
            path=self.settings["path"],
        )

    def _ruleset(self, request: dict[str, Any], folder: str) -> int:
        own = []
        if request["profile"] == "toolchain":
            own = [folder or os.path.dirname(namespaces.WORK)]
        key = tuple(own)
        if key not in self.rulesets:
            if len(self.rulesets) >= _MOST_RULESETS:
                os.close(self.rulesets.pop(next(iter(self.rulesets))))
            self.rulesets[key] = landlock.ruleset(
                readable=[*self.settings["readable"], os.path.dirname(namespaces.CODE)],
                executable=self.settings["tools"],
                own=own,
                devices=self.settings["devices"],
            )
        return self.rulesets[key]

    def _end(self, child: Child, poller: select.poll) -> None:
        if "session" in self.layers:
            child.kill_group()
            child.find()
        _, status, usage = os.wait4(child.pid, 0)
        if "session" in self.layers and self.may_fork:
            child.strays(kill_orphans(self.proc, set(self.children)))
        for source in (child.channel, child.pidfd):
            with contextlib.suppress(KeyError):
                poller.unregister(source)
        if not child.hung_up:
            poller.unregister(child.diagnostics_fd)
            child.read()
        del self.children[child.pid]
        if child.folder:
            with contextlib.suppress(OSError):  # tried once more with the folder that it is in
                remove(child.folder)
        child.finish(status, usage)

    def give_up(self, reason: str) -> None:
        """Tell whoever waits for a worker why the keeper dies."""
        for child in self.children.values():
            try:
                wire.send(child.channel, {"failed": reason})
            except OSError:
                continue

    def _end_all(self) -> None:
        for child in list(self.children.values()):
            child.kill(endings.BY_JUDGE)
            child.kill_group()
        kill_orphans(self.proc, set())
        if self.folders:
            self.folders.close()


def main(arguments: list[str]) -> None:
    """The keeper's process: `arguments` is the number of the socket to the judge."""
    control = socket.socket(fileno=int(arguments[0]))
    try:
        for number in range(1, 32):
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        # A few for each worker; the workers' own limit is lowered again.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        received = wire.receive(control)
        if received is None:
            return
        settings, (judge,) = received
        proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        keeper = _set_up(control, settings, proc, judge)
    except BaseException as error:  # noqa: BLE001  told to the judge
        wall = isinstance(error, Refused)
        told = str(error) if wall else f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):
            wire.send(control, {"failed": told, "wall": wall})
        os._exit(1)
    try:
        keeper.serve()
    except BaseException as error:  # noqa: BLE001  told to the judge
        keeper.give_up(f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


class Refused(Exception):
    """A layer cannot be had; the text names the system call and the kernel's answer."""


def _set_up(control: socket.socket, settings: dict[str, Any], proc: int, judge: int) -> Keeper:
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    layers, ids = settings["layers"], settings["ids"]
    try:
        if "landlock" in layers:
            landlock.version()
        if "seccomp" in layers:
            seccomp.check()
        if "namespaces" in layers:
            visible = [*settings["readable"], *settings["tools"]]
            namespaces.contain(proc, visible, ids[0] if ids else None)
    except OSError as error:
        raise Refused(error.strerror) from error
    if "namespaces" in layers:
        settings["ids"] = []
        if first := os.fork():
            _guard(first, judge, control)
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    sys.path.extend(settings["path"])
    for name in settings["preload"]:
        __import__(name)
    if settings["profile"] == "toolchain":
        __import__("certune.sandbox.inside.tool")
    if settings["preload"] and syscalls.threads() != 1:
        raise RuntimeError("a preloaded package started a thread, so that no fork can be locked")
    return Keeper(control, settings, proc, judge)


def _guard(first: int, judge: int, control: socket.socket) -> None:
    """Outside of the pid namespace: its end is this process's, and the judge's end is its."""
    control.close()
    poller = select.poll()
    pidfd = os.pidfd_open(first)
    for fd in (pidfd, judge):
        poller.register(fd, select.POLLIN)
    poller.poll()
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.waitpid(first, 0)
    os._exit(0)

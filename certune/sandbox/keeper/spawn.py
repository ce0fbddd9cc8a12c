"""The child's side of starting a worker: from a fork of the keeper to the entry."""

from __future__ import annotations

import os
import signal
from binascii import b2a_base64
from dataclasses import dataclass
from typing import Any

from certune.sandbox.inside import bootstrap, status
from certune.sandbox.isolation import allowed, bpf, namespaces, privileges, syscalls
from certune.sandbox.isolation.numbers import MACHINE

# Imports of the package's parents would load what only the judge needs.
PROLOGUE = """import sys
root = sys.argv[1]
for name, path in (("certune", ""), ("certune.sandbox", "/sandbox"),
                   ("certune.sandbox.keeper", "/sandbox/keeper")):
    package = type(sys)(name)
    package.__path__ = [root + path]
    sys.modules[name] = package
"""
FRESH = PROLOGUE + "from certune.sandbox.inside.bootstrap import main\nmain(sys.argv[2:])\n"


@dataclass
class Plan:
    """All that the child needs; made by the keeper before it forks."""

    request: dict[str, Any]
    layers: frozenset[str]
    fds: list[int]
    ruleset: int
    proc: int
    keeper: int
    uid: int | None
    devices: bool
    folder: str
    most_processes: int
    root: str
    python: str
    path: list[str]


def environment(threads: int) -> dict[str, str]:
    """Variables of a worker, none of them anybody's own."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        **one_way(threads),
    }


def one_way(threads: int) -> dict[str, str]:
    """Variables for `threads` threads in the usual libraries.

    Threads that wait must not spin: that would be charged as hidden work.
    """
    names = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
    return {
        **{f"{name}_NUM_THREADS": str(threads) for name in names},
        "OMP_WAIT_POLICY": "PASSIVE",
        "KMP_BLOCKTIME": "0",
        "OPENBLAS_THREAD_TIMEOUT": "4",
    }


def child(plan: Plan, diagnostics: int, told: int) -> None:
    """Turn this fork of the keeper into the worker; never returns."""
    try:
        _become(plan, diagnostics, told)
    except BaseException as error:  # noqa: BLE001  told; nothing of the keeper runs on
        status.failed_to_start(f"{type(error).__name__}: {error}")
    finally:
        os._exit(70)


def _become(plan: Plan, diagnostics: int, told: int) -> None:
    request, layers = plan.request, plan.layers
    limits = request["limits"]
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    if "session" in layers:
        os.setsid()
    # Opened for this worker alone: what is shared could be set to append, or be a way to talk.
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    carried = [null, diagnostics, diagnostics, told, *plan.fds]
    ruleset, statm = -1, -1
    if plan.ruleset >= 0:
        ruleset = len(carried)
        carried.append(plan.ruleset)
    if "limits" in layers:
        statm = len(carried)
        carried.append(os.open("self/statm", os.O_RDONLY, dir_fd=plan.proc))
    if "namespaces" in layers:
        _apart(plan)
    elif plan.folder:
        os.chdir(plan.folder)
    _arrange(carried, alone="descriptors" in layers)
    if "limits" in layers:
        privileges.limit(limits, None)
        privileges.limit_processes(plan.most_processes)
    if "privileges" in layers:
        if plan.uid is not None:
            privileges.become(plan.uid)
        privileges.drop_capabilities()
        # Here already: an exec gives root back whatever could not be dropped from its bounds.
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    if "session" in layers:
        privileges.die_with(plan.keeper)
    if request["profile"] == "toolchain":
        # Else a tool could write to its worker's descriptors through /proc; exec undoes it.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    program = _filter(plan) if "seccomp" in layers else b""
    memory = limits["memory_bytes"] if "limits" in layers else 0
    locking = (ruleset, statm, int(memory), program, "privileges" in layers)
    count = len(plan.fds)
    if not request["fresh"]:
        bootstrap.run(request["entry"], count, locking)
    arguments = [
        *(request["entry"], str(count), str(ruleset), str(statm), str(memory)),
        *(b2a_base64(program, newline=False).decode(), *plan.path),
    ]
    arguments.insert(5, "1" if "privileges" in layers else "0")
    command = [plan.python, "-P", "-s", "-S", "-B", "-c", FRESH, plan.root, *arguments]
    clean = "environment" in layers
    variables = environment(limits["threads"])
    os.execve(  # noqa: S606
        plan.python, command, variables if clean else dict(os.environ)
    )


def _apart(plan: Plan) -> None:
    """A user namespace of the worker's own, and memory for its files where it needs some."""
    request = plan.request
    sizes = {number: os.fstat(plan.fds[number]).st_size for number in request["code"]}
    folder, size = None, 0
    if request["profile"] == "toolchain":
        folder, size = namespaces.WORK, int(request["limits"]["file_bytes"])
    elif sizes:
        # Whole pages, and one for each name.
        folder, size = namespaces.CODE, sum(sizes.values()) + 8192 * (len(sizes) + 1)
    namespaces.contain_worker(plan.proc, folder, size)
    if folder == namespaces.WORK:
        os.chdir(folder)
        return
    for number, length in sizes.items():
        copy = os.open(
            f"{folder}/{bootstrap.FIRST_FD + number}", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o400
        )
        at = 0
        while at < length:
            at += os.sendfile(copy, plan.fds[number], at, length - at)
        os.close(copy)


def _arrange(carried: list[int], *, alone: bool) -> None:
    """Make `carried` the descriptors 0, 1, ...; with `alone`, close all others."""
    import fcntl

    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3 + len(carried)) for fd in carried]
    for number, fd in enumerate(moved):
        os.dup2(fd, number, inheritable=True)
    if alone:
        try:
            syscalls.call("close_range", len(carried), 0x7FFF_FFFF, 0)
        except OSError:  # a kernel before 5.9
            os.closerange(len(carried), os.sysconf("SC_OPEN_MAX"))
    else:
        for fd in moved:
            os.close(fd)


def _filter(plan: Plan) -> bytes:
    request = plan.request
    pid = os.getpid()
    refused = allowed.REFUSED
    if request["profile"] == "toolchain":
        rules, refused = allowed.toolchain(pid), allowed.REFUSED_TO_TOOLS
    else:
        threads = request["limits"]["threads"] > 1
        rules = allowed.compute(pid, threads=threads, devices=plan.devices)
    return bpf.compile_filter(rules, refused, MACHINE)

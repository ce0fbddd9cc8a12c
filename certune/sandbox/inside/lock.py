"""The last step before a candidate: files, system calls and memory of this process, for good."""

from __future__ import annotations

import os
import resource

from certune.sandbox.isolation import landlock, seccomp
from certune.sandbox.isolation.syscalls import PR_SET_NO_NEW_PRIVS, prctl, threads


class Unlocked(Exception):
    """The worker could not be locked; it must not go on."""


def lock(ruleset: int, statm: int, memory: int, program: bytes, unprivileged: bool) -> None:
    """Lock the calling process, which has one thread.

    `ruleset` is a Landlock ruleset's descriptor and `statm` one of /proc/self/statm (-1: none;
    both are closed), `memory` what may be mapped on top of what is (0: no limit), `program` the
    seccomp filter (empty: none), `unprivileged` whether to set `no_new_privs` in any case.

    Raises:
        Unlocked: a layer cannot be had, or several threads run: those that exist already would
            stay outside.
    """
    try:
        if (ruleset >= 0 or program) and threads() != 1:
            raise Unlocked("a thread runs besides the one that locks")
        if statm >= 0:
            pages = int(os.pread(statm, 100, 0).split()[0])
            os.close(statm)
            if memory:
                most = pages * resource.getpagesize() + memory
                resource.setrlimit(resource.RLIMIT_AS, (most, most))
        if unprivileged or ruleset >= 0 or program:
            prctl(PR_SET_NO_NEW_PRIVS, 1)
        if ruleset >= 0:
            landlock.enforce(ruleset)
            os.close(ruleset)
        if program:
            seccomp.install(program)
    except OSError as error:
        raise Unlocked(f"{error.strerror or error}") from error

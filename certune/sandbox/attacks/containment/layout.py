"""Switch off the protections of its own process, or bend how it is seen.

Tries: personality without address randomisation, dumpable, a tracer named, the parent-death signal
    removed, a new name, subreaper, LDT, a timer slack.
Escape: the parent-death signal is gone, or the personality was changed.
Held by: seccomp
"""

import ctypes

from certune.sandbox.attacks.kit import attempt, libc, syscall


def prctl(which: int, *arguments: int) -> None:
    padded = [*arguments, 0, 0, 0, 0][:4]
    if libc().prctl(which, *[ctypes.c_ulong(number % 2**64) for number in padded]) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


@attempt("personality")
def personality() -> str:
    before = syscall("personality", 0xFFFFFFFF)
    syscall("personality", before | 0x0040000)
    return "address randomisation off for what it starts"


@attempt("no parent-death signal")
def parent_death() -> str:
    prctl(1, 0)
    return "it no longer dies with its parent"


@attempt("reap others' children")
def reaper() -> str:
    prctl(36, 1)
    return "its grandchildren stay its own"


@attempt("anybody may trace it")
def tracer() -> str:
    prctl(0x59616D61, -1)
    return "named a tracer"


@attempt("where its arguments lie")
def memory_map() -> str:
    prctl(35, 8, 4096)
    return "changed what its command line seems to be"


@attempt("time namespaces by prctl: cycle counter off")
def cycles() -> str:
    prctl(26, 2)
    return "the cycle counter raises a signal"


@attempt("local descriptor table")
def table() -> str:
    return f"modify_ldt: {syscall('modify_ldt', 0, ctypes.create_string_buffer(16), 16)}"

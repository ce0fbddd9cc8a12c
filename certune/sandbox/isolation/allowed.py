"""What system calls a worker may make, and why.

Two lists: `compute` for code that works on passed memory, `toolchain` for compilers and provers.
Memory may be made executable in both: ctypes' callbacks and numba need it, and it gives nothing
to a candidate, which may bring machine code anyway; the walls are around the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from certune.sandbox.isolation.bpf import EAGAIN, ENOSYS, Rule

_WORD = 0xFFFF_FFFF
_WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | os.O_APPEND | (os.O_TMPFILE & ~os.O_DIRECTORY)
_CREATING = os.O_CREAT | os.O_TRUNC | (os.O_TMPFILE & ~os.O_DIRECTORY)

_MEMORY = "mmap mprotect munmap mremap madvise brk mincore membarrier get_mempolicy msync"
_FILES = (
    "read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 close close_range "
    "lseek stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat "
    "getdents64 dup dup2 dup3 fadvise64 getcwd umask poll ppoll select pselect6"
)
_TIME = "nanosleep gettimeofday time alarm setitimer getitimer times getrusage"
_CLOCKS = "clock_gettime clock_getres clock_nanosleep"
_SIGNALS = (
    "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait "
    "sigaltstack restart_syscall"
)
_SELF = (
    "getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp "
    "getpgid getsid uname sysinfo getcpu sched_yield sched_getscheduler sched_getparam "
    "sched_get_priority_max sched_get_priority_min getpriority getrlimit getrandom arch_prctl "
    "set_robust_list get_robust_list set_tid_address rseq futex exit exit_group"
)
_TOOLS = (
    "fork vfork execve wait4 waitid pipe pipe2 chdir fchdir mkdir mkdirat unlink unlinkat rmdir "
    "rename renameat renameat2 link linkat symlink symlinkat ftruncate fallocate fsync fdatasync "
    "sendfile copy_file_range statfs fstatfs setpgid epoll_create1 epoll_ctl epoll_pwait "
    "epoll_wait eventfd2 creat"
)
# Landlock does not cover these, and a plain user's worker could do them to all of that user's
# files. Linkers call them on what they made: they are told that it is done.
_PRETENDED = "chmod fchmod fchmodat utimensat utime utimes futimesat flock"
# What glibc 2.34 and later pass to clone for a thread: at least these, and no namespace.
_THREAD = 0x0001_0000 | 0x0000_0100 | 0x0000_0800
_NAMESPACES = 0x7E02_0000  # every CLONE_NEW* that clone knows
_PARENT = 0x0000_8000  # CLONE_PARENT: a child that the keeper would take for its own

# Set in the names of CPU clocks of other processes and threads, and of clocks of devices.
_FOREIGN_CLOCK = 0x8000_0000

# dup, getfd, setfd, getfl, setfl, dup with close-on-exec, get seals
_FCNTL = (0, 1, 2, 3, 4, 1030, 1034)
# TCGETS, FIONBIO, FIONREAD, FIONCLEX, FIOCLEX: isatty and descriptor flags
_IOCTL = (0x5401, 0x5421, 0x541B, 0x5450, 0x5451)
# set and get name, get dumpable, no_new_privs and seccomp, name a mapping
_PRCTL = (15, 16, 3, 39, 21, 0x53564D41)

# Whoever forks is told what a spent process limit tells; newer calls do not exist, so that the C
# library uses those whose arguments a filter can see.
REFUSED = {
    "fork": EAGAIN,
    "vfork": EAGAIN,
    "clone": EAGAIN,
    "clone3": ENOSYS,
    "openat2": ENOSYS,
    "io_uring_setup": ENOSYS,
    "futex_waitv": ENOSYS,
    "futex_wake": ENOSYS,
    "futex_wait": ENOSYS,
    "futex_requeue": ENOSYS,
    "epoll_pwait2": ENOSYS,
    "map_shadow_stack": ENOSYS,
}
REFUSED_TO_TOOLS = REFUSED | dict.fromkeys(_PRETENDED.split(), 0)


def _one_of(argument: int, values: Iterable[int]) -> Rule:
    return tuple(((argument, _WORD, value),) for value in values)


def compute(pid: int, *, threads: bool = False, devices: bool = False) -> dict[str, Rule]:
    """For code on passed memory in process `pid`: reads files, writes to what it was given.

    `devices` adds what drivers of accelerators need (ioctl, opening for reading and writing
    what Landlock allows, anonymous files, threads); it has not run on one.
    """
    refused = _CREATING if devices else _WRITING
    rules: dict[str, Rule] = {
        "open": (((1, refused, 0),),),
        "openat": (((2, refused, 0),),),
        "fcntl": _one_of(1, _FCNTL),
        "ioctl": True if devices else _one_of(1, _IOCTL),
        "prctl": _one_of(0, _PRCTL),
        "kill": _one_of(0, (pid,)),
        "tgkill": _one_of(0, (pid,)),
        "prlimit64": _one_of(0, (0, pid)),
        "sched_getaffinity": _one_of(0, (0, pid)),
    }
    if devices:
        rules["memfd_create"] = rules["ftruncate"] = rules["eventfd2"] = True
    if threads or devices:
        rules["clone"] = (((0, _THREAD | _NAMESPACES | _PARENT, _THREAD),),)
    rules.update(dict.fromkeys(_CLOCKS.split(), (((0, _FOREIGN_CLOCK, 0),),)))
    for names in (_MEMORY, _FILES, _TIME, _SIGNALS, _SELF):
        rules.update(dict.fromkeys(names.split(), True))
    return rules


def toolchain(pid: int) -> dict[str, Rule]:
    """For compilers and provers: may start read-only tools and write where Landlock allows."""
    rules = compute(pid)
    rules.update(dict.fromkeys(_TOOLS.split(), True))
    rules["open"] = rules["openat"] = True
    rules["clone"] = (((0, _NAMESPACES | _PARENT, 0),),)
    # A process of its own cannot know its number here, and any other number is refused.
    rules["prlimit64"] = _one_of(0, (0,))
    rules["kill"] = rules["tgkill"] = False
    return rules

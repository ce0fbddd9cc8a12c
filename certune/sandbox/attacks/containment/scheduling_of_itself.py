"""Its own priority and cores, by which a measurement could be bent.

Tries: choose its cores, a real-time policy, a better nice value, a better I/O class.
Escape: one of them was accepted.
Held by: seccomp
"""

import os

from certune.sandbox.attacks.kit import attempt, syscall


@attempt("its own cores")
def cores() -> str:
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    return "may choose its cores"


@attempt("real time")
def real_time() -> str:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return "real-time scheduling"


@attempt("batch")
def batch() -> str:
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    return "may choose its policy"


@attempt("a better nice value")
def nice() -> str:
    os.setpriority(os.PRIO_PROCESS, 0, -5)
    return "a nice value of -5"


@attempt("a better class of input and output")
def io_class() -> str:
    syscall("ioprio_set", 1, 0, (2 << 13) | 0)
    return "a better I/O priority"

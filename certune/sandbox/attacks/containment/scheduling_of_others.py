"""Priority, policy and cores of other processes.

Tries: setpriority, sched_setaffinity, sched_setscheduler, ioprio_set, oom_score_adj.
Escape: one of them differs afterwards.
Held by: seccomp, namespaces
"""

import os
from pathlib import Path

from certune.sandbox.attacks.kit import aim, attempt, syscall

pid = aim["victim"]


@attempt("nice")
def nice() -> None:
    os.setpriority(os.PRIO_PROCESS, pid, 7)


@attempt("nice of every process of the user")
def user() -> None:
    # Only the process of the judge's is looked at, and its group is its own.
    os.setpriority(os.PRIO_PGRP, aim["victim_group"], 8)


@attempt("cores")
def cores() -> None:
    os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})


@attempt("policy")
def policy() -> None:
    os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))


@attempt("input and output priority")
def io_priority() -> None:
    syscall("ioprio_set", 1, pid, (3 << 13) | 0)


@attempt("who is killed first")
def oom() -> None:
    Path(f"/proc/{pid}/oom_score_adj").write_text("999")

"""What /proc tells of others and of the machine.

Tries: list processes, read command lines and status, sys, kallsyms, kcore, mounts; write to sys.
Escape: another process is seen, or a setting may be written.
Held by: landlock, namespaces
"""

import os
from pathlib import Path

from certune.sandbox.attacks.kit import aim, attempt


@attempt("list processes")
def processes() -> str | None:
    others = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    return f"sees {len(others)} other processes" if others else None


@attempt("the command line of a process of the judge's")
def command() -> str:
    path = Path(f"/proc/{aim['victim']}/cmdline")
    return f"read the command line of another process, {len(path.read_bytes())} bytes"


for name in ("kallsyms", "kcore", "kmsg", "sched_debug", "self/mountinfo", "net/tcp", "keys"):

    @attempt(f"/proc/{name}")
    def read(name: str = name) -> str:
        fd = os.open(f"/proc/{name}", os.O_RDONLY | os.O_NONBLOCK)
        os.read(fd, 10)
        return f"read /proc/{name}"


@attempt("write a setting of the kernel")
def setting() -> str:
    fd = os.open("/proc/sys/kernel/randomize_va_space", os.O_WRONLY)
    os.close(fd)
    return "may write settings of the kernel"


@attempt("sysrq")
def sysrq() -> str:
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    return "may halt the machine"


@attempt("its own oom score")
def oom() -> str:
    Path("/proc/self/oom_score_adj").write_text("-500")
    return "will not be the one that is killed when memory is short"

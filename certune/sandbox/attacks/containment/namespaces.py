"""New namespaces, where it would be root.

Tries: unshare of each kind, clone and clone3 with CLONE_NEWUSER, setns to a process of the judge's.
Escape: a namespace was made or entered.
Held by: seccomp
"""

import ctypes
import os
import signal

from certune.sandbox.attacks.kit import aim, attempt, did, syscall

KINDS = {
    "user": 0x10000000,
    "mount": 0x00020000,
    "pid": 0x20000000,
    "network": 0x40000000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
    "cgroup": 0x02000000,
    "time": 0x00000080,
}

for word, flag in KINDS.items():

    @attempt(f"unshare {word}")
    def unshare(word: str = word, flag: int = flag) -> str:
        syscall("unshare", flag)
        return f"a new {word} namespace"


@attempt("user and mount together, as every exploit begins")
def both() -> str:
    syscall("unshare", KINDS["user"] | KINDS["mount"])
    return "new user and mount namespaces"


@attempt("clone into a user namespace")
def clone() -> None:
    pid = syscall("clone", KINDS["user"] | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        did("a child in a new user namespace")
        os._exit(0)
    os.waitpid(pid, 0)


@attempt("clone3 into a user namespace")
def clone3() -> None:
    arguments = (ctypes.c_uint64 * 11)()
    arguments[0], arguments[4] = KINDS["user"], signal.SIGCHLD
    pid = syscall("clone3", ctypes.byref(arguments), 88)
    if pid == 0:
        did("a child in a new user namespace")
        os._exit(0)
    os.waitpid(pid, 0)


@attempt("setns by a process handle")
def enter() -> str:
    syscall("setns", syscall("pidfd_open", aim["victim"], 0), KINDS["network"])
    return "entered the judge's network namespace"


@attempt("setns by a file")
def enter_file() -> str:
    syscall("setns", os.open(f"/proc/{aim['victim']}/ns/net", os.O_RDONLY), KINDS["network"])
    return "entered the judge's network namespace"

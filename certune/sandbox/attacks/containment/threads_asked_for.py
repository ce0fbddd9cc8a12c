"""What may be started where threads may be.

Tries: processes and namespaces by clone with a thread's flags left out or added to, many threads.
Escape: a process or a namespace was made, or many more threads run than were asked for.
Held by: seccomp, limits
Threads: 2
"""

import _thread
import os
import signal
import time

from certune.sandbox.attacks.kit import attempt, did, syscall

FS, FILES, SIGHAND, THREAD, PARENT = 0x200, 0x400, 0x800, 0x10000, 0x8000
USER, MOUNT, NETWORK = 0x10000000, 0x20000, 0x40000000

for word, flags in (
    ("a process", signal.SIGCHLD),
    ("a process that shares files", FS | FILES | signal.SIGCHLD),
    ("a process of the parent's", PARENT | signal.SIGCHLD),
    ("a process in a user namespace", USER | signal.SIGCHLD),
):

    @attempt(word)
    def clone(word: str = word, flags: int = int(flags)) -> None:
        pid = syscall("clone", flags, 0, 0, 0, 0)
        if pid == 0:
            did(word)
            os._exit(0)


for word, flags in (("user", USER), ("mount", MOUNT), ("network", NETWORK)):

    @attempt(f"a thread in a new {word} namespace")
    def thread(word: str = word, flags: int = flags) -> None:
        # The kernel refuses a thread without shared memory with EINVAL: past the filter.
        try:
            syscall("clone", THREAD | SIGHAND | flags, 0, 0, 0, 0)
        except OSError as error:
            if error.errno != 22:
                raise
        did(f"clone with a {word} namespace passes the filter")


@attempt("forty threads")
def bomb() -> str | None:
    ran: list[int] = []

    def body() -> None:
        ran.append(1)
        time.sleep(1.0)

    try:
        for _ in range(40):
            _thread.start_new_thread(body, ())
    except RuntimeError:
        if not ran:
            raise
    time.sleep(0.5)
    return f"{len(ran)} threads beside the first" if len(ran) > 8 else None

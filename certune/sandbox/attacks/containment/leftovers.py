"""A message from one run to the next.

Tries: leave marks in files, shared memory, keys, the interpreter's caches; a second run looks.
Escape: the second run finds a mark of the first.
Held by: landlock, seccomp, namespaces, environment
Runs: 2
"""

import builtins
import os
import sys
from pathlib import Path

from certune.sandbox.attacks.kit import aim, attempt, did, syscall

mark = aim["nonce"]
first = aim["run"] == 1
places = [f"{folder}/{mark}-mark" for folder in [*aim["folders"], ".", "/tmp", "/dev/shm"]]


@attempt("files")
def files() -> None:
    refused: OSError | None = None
    for place in places:
        try:
            if first:
                Path(place).write_text(mark)
            elif Path(place).read_text() == mark:
                did(f"the second run read {place}")
        except OSError as error:
            refused = error
    if refused is not None:
        raise refused


@attempt("shared memory")
def shared() -> str | None:
    if first:
        syscall("shmget", aim["left_key"], 4096, 0o1666)
        return None
    syscall("shmget", aim["left_key"], 0, 0)
    return "the second run found the first's shared memory"


@attempt("the interpreter")
def interpreter() -> str | None:
    if first:
        builtins.certune_mark = mark  # type: ignore[attr-defined]
        os.environ["CERTUNE_MARK"] = mark
        sys.modules["certune_mark"] = sys
        return None
    if hasattr(builtins, "certune_mark") or "certune_mark" in sys.modules:
        return "the second run found what the first left in the interpreter"
    return "the second run found the first's variable" if "CERTUNE_MARK" in os.environ else None


@attempt("its limits and signal mask")
def state() -> str | None:
    import signal

    if first:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        os.umask(0o123)
        os.nice(3)
        return None
    changed = signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return "the second run has the first's signal mask" if changed else None

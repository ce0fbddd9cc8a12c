"""Change what is mounted.

Tries: mount, the new mount calls, umount, pivot_root, chroot and its way out.
Escape: something was mounted or the root was changed.
Held by: seccomp, privileges
"""

import os

from certune.sandbox.attacks.kit import aim, attempt, call, syscall


@attempt("mount a tmpfs")
def tmpfs() -> None:
    syscall("mount", b"none", aim["folder"].encode(), b"tmpfs", 0, None)


@attempt("bind a folder over another")
def bind() -> None:
    # Never the root: at level "none" whoever clears up would clear up the machine.
    syscall("mount", aim["names"].encode(), aim["folder"].encode(), None, 4096, None)


@attempt("fsopen")
def fsopen() -> str:
    os.close(syscall("fsopen", b"tmpfs", 0))
    return "a file system of its own could be opened"


@attempt("open_tree")
def tree() -> str:
    os.close(syscall("open_tree", -100, b"/", 1))
    return "the whole tree could be cloned"


@attempt("umount")
def umount() -> str:
    try:
        syscall("umount2", aim["folder"].encode(), 2)
    except OSError as error:
        if error.errno != 22:  # EINVAL: allowed, but it is no mount
            raise
    return "may unmount"


@attempt("pivot_root")
def pivot() -> str:
    try:
        syscall("pivot_root", b"/", b"/")
    except OSError as error:
        if error.errno not in (16, 22):  # EBUSY, EINVAL: allowed, but nonsense
            raise
    return "may change the root"


@attempt("chroot")
def chroot() -> str:
    call("chroot", b"/")
    return "may change its root"

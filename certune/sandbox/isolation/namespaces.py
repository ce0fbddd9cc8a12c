"""Own user, mount, pid, net, ipc, uts and cgroup namespaces around a small private root.

Two ways, for root and for everybody else. Root builds the new root with its own rights, since
only those may reach an interpreter below a closed home; then it becomes an unused user. Others
get the rights from the user namespace. In both, what comes out is an ordinary user inside a user
namespace that owns all the others.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable

from certune.sandbox.isolation import privileges
from certune.sandbox.isolation import syscalls as sys_
from certune.sandbox.isolation.syscalls import call

_ALL_BUT_USER = (
    sys_.CLONE_NEWNS
    | sys_.CLONE_NEWPID
    | sys_.CLONE_NEWNET
    | sys_.CLONE_NEWIPC
    | sys_.CLONE_NEWUTS
    | sys_.CLONE_NEWCGROUP
)
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000

# Where the new root is put together; hidden from this process alone, and only until it has moved.
_SITES = ("/mnt", "/media", "/srv", "/run", "/sys", "/home")
# Folders of the private root on which a worker may mount memory of its own. Landlock passes over
# what a mount hides, so that rules about them are to name the folder above.
WORK, CODE = "/.work/own", "/.code/own"


def contain(proc: int, visible: Iterable[str], uid: int | None) -> None:
    """Move this process into namespaces of its own; its next child is the first of the pid one.

    `proc` is a descriptor of /proc. `visible` is all that the private root shows, read-only; `uid`
    whom root becomes (None: nobody else).

    Raises:
        OSError: the kernel, a filter or a security module refuses; what and why is in its text.
    """
    if uid is not None:
        call("unshare", sys_.CLONE_NEWNS)
        _new_root(visible)
        privileges.become(uid)
        call("unshare", sys_.CLONE_NEWUSER | _ALL_BUT_USER)
        _map_oneself(proc, uid, uid)
    else:
        oneself, group = os.geteuid(), os.getegid()
        call("unshare", sys_.CLONE_NEWUSER | _ALL_BUT_USER)
        _map_oneself(proc, oneself, group)
        _new_root(visible)
    call("sethostname", b"worker", 6)


def _map_oneself(proc: int, uid: int, gid: int) -> None:
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        fd = os.open(f"self/{name}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc)
        try:
            os.write(fd, text.encode())
        except OSError as error:
            raise OSError(error.errno, f"{name}: {error.strerror}") from None
        finally:
            os.close(fd)


def _new_root(visible: Iterable[str]) -> None:
    visible = sorted(visible, key=len)
    call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    sites = (one for one in _SITES if os.path.isdir(one))
    root = next((one for one in sites if not any(_below(path, one) for path in visible)), None)
    if root is None:
        raise OSError(2, f"mount: none of {', '.join(_SITES)} is there to put a root together")
    _tmpfs(root, "size=1m,nr_inodes=4k,mode=755", _MS_NOEXEC)
    shown: list[str] = []
    for path in visible:
        _show(root, path, shown)
    for folder in (WORK, CODE):
        os.makedirs(root + folder, 0o755, exist_ok=True)
    _restrict(root, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0)
    os.chdir(root)
    # The old root ends up below the new one, and leaves with everything that is mounted on it.
    call("pivot_root", b".", b".")
    call("umount2", b".", _MNT_DETACH)
    os.chdir("/")


def contain_worker(proc: int, folder: str | None, size: int) -> None:
    """Give this child of a contained keeper a user namespace, so that its processes are counted
    apart, and with `folder` (WORK or CODE) writable memory of `size` bytes there, its alone.

    Raises:
        OSError: the kernel refuses.
    """
    if folder is None:
        call("unshare", sys_.CLONE_NEWUSER)
        return
    uid, gid = os.geteuid(), os.getegid()
    call("unshare", sys_.CLONE_NEWUSER | sys_.CLONE_NEWNS)
    _map_oneself(proc, uid, gid)
    _tmpfs(folder, f"size={max(4096, size)},nr_inodes=4k,mode=700", 0)


def _tmpfs(where: str, options: str, more: int) -> None:
    flags = _MS_NOSUID | _MS_NODEV | more
    call("mount", b"tmpfs", os.fsencode(where), b"tmpfs", flags, options.encode())


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _show(root: str, path: str, shown: list[str]) -> None:
    """Make `path` appear in the new root, with the links that lead to it."""
    parts = path.strip("/").split("/")
    for depth in range(1, len(parts) + 1):
        here = "/" + "/".join(parts[:depth])
        if any(_below(here, one) for one in shown):
            return
        if os.path.islink(here):
            target = os.readlink(here)
            if not os.path.lexists(root + here):
                os.symlink(target, root + here)
            onward = os.path.join(os.path.dirname(here), target, *parts[depth:])
            _show(root, os.path.normpath(onward), shown)
            return
        if depth < len(parts):
            os.makedirs(root + here, 0o755, exist_ok=True)
    _bind(root, path)
    shown.append(path)


def _bind(root: str, path: str) -> None:
    kind = os.stat(path).st_mode
    if stat.S_ISDIR(kind):
        os.makedirs(root + path, 0o755, exist_ok=True)
    else:
        os.close(os.open(root + path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    call("mount", os.fsencode(path), os.fsencode(root + path), None, _MS_BIND | _MS_REC, None)
    device = stat.S_ISCHR(kind)
    _restrict(
        root + path,
        _ATTR_NOSUID | (0 if device else _ATTR_RDONLY | _ATTR_NODEV),
        _AT_RECURSIVE,
    )


def _restrict(path: str, attributes: int, how: int) -> None:
    wanted = struct.pack("=QQQQ", attributes, 0, 0, 0)
    call("mount_setattr", _AT_FDCWD, os.fsencode(path), how, wanted, len(wanted))

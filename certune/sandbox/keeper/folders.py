"""Writable folders of toolchain workers where no memory can be mounted for them.

One folder a keeper, locked as long as the keeper lives: the next keeper removes those that
nobody holds any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import tempfile

_PREFIX = "certune-toolchain-"
# No tool needs as many files, and removing them may take a file system milliseconds each.
_MOST_ENTRIES = 4096


class Folders:
    """Makes and removes folders below the system's temporary one."""

    def __init__(self) -> None:
        below = tempfile.gettempdir()
        _sweep(below)
        self.base = os.path.join(below, _PREFIX + secrets.token_hex(8))
        os.mkdir(self.base, 0o711)
        self._held = os.open(self.base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._held, fcntl.LOCK_EX)
        self._count = 0

    def make(self, uid: int | None) -> str:
        """An empty folder for user `uid` (None: this one)."""
        self._count += 1
        path = os.path.join(self.base, str(self._count))
        os.mkdir(path, 0o700)
        if uid is not None:
            os.chown(path, uid, uid)
        return path

    def close(self) -> None:
        """Remove all of them."""
        remove(self.base)
        os.close(self._held)


def _sweep(below: str) -> None:
    """Remove what keepers left that were killed together with their judge."""
    for name in os.listdir(below):
        path = os.path.join(below, name)
        if not name.startswith(_PREFIX):
            continue
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if os.fstat(fd).st_uid == os.geteuid():
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(path)
            finally:
                os.close(fd)


def remove(path: str) -> None:
    """Remove a folder whatever is in it: however deep, however it forbids itself; no link is
    followed. Nobody may be at work in it any more.
    """
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        count = 0
        while names := os.listdir(top):
            for name in names:
                info = os.stat(name, dir_fd=top, follow_symlinks=False)
                if not stat.S_ISDIR(info.st_mode):
                    os.unlink(name, dir_fd=top)
                    continue
                os.chmod(name, 0o700, dir_fd=top)
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(name, flags, dir_fd=top)
                try:
                    # What is below comes up, so that no depth needs a stack or descriptors.
                    for inner in os.listdir(below):
                        count += 1
                        own = os.stat(inner, dir_fd=below, follow_symlinks=False)
                        if stat.S_ISDIR(own.st_mode):
                            os.chmod(inner, 0o700, dir_fd=below)
                        moved = f"{secrets.token_hex(8)}-{count}"
                        os.rename(inner, moved, src_dir_fd=below, dst_dir_fd=top)
                finally:
                    os.close(below)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(path)


def size(path: str, most: int) -> int:
    """Bytes on disk below `path`; counting stops beyond `most` bytes or 4,096 entries."""
    total, left, folders = 0, _MOST_ENTRIES, [path]
    while folders and left > 0 and total <= most:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    left -= 1
                    info = entry.stat(follow_symlinks=False)
                    total += info.st_blocks * 512
                    if stat.S_ISDIR(info.st_mode):
                        folders.append(entry.path)
        except OSError:  # it changes while it is read
            continue
    return total if left > 0 else most + 1


def unlinked(proc: int, one: str, below: str) -> dict[tuple[int, int], int]:
    """Bytes of files without a name that process `one` holds open or mapped, by device and inode.

    `proc` is a descriptor of /proc; only files of the file system of `below` are counted.
    """
    device, found = os.stat(below).st_dev, {}
    try:
        for name in _names(proc, f"{one}/fd"):
            with contextlib.suppress(OSError):
                info = os.stat(f"{one}/fd/{name}", dir_fd=proc)
                if info.st_nlink == 0 and info.st_dev == device and stat.S_ISREG(info.st_mode):
                    found[info.st_dev, info.st_ino] = info.st_blocks * 512
        with open(os.open(f"{one}/maps", os.O_RDONLY, dir_fd=proc), errors="replace") as file:
            for line in file:
                span, _, _, where, inode, *path = line.split(maxsplit=5)
                major, minor = (int(part, 16) for part in where.split(":"))
                if path and path[0].endswith(" (deleted)\n") and os.makedev(major, minor) == device:
                    low, high = (int(part, 16) for part in span.split("-"))
                    key = (device, int(inode))
                    found[key] = max(found.get(key, 0), high - low)
    except (OSError, ValueError):  # it has ended meanwhile
        pass
    return found


def _names(proc: int, folder: str) -> list[str]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc)
    try:
        return os.listdir(fd)
    finally:
        os.close(fd)

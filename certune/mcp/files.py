"""Payloads by path: a file inside the project folder, read without following a link."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from certune.core.errors import InvalidInput
from certune.ledger import FOLDER

_PARTS = 32
_ACCEPTED = (FOLDER, "accepted")


def _shown(path: str) -> str:
    return path[:200].encode(errors="replace").decode()


def _parts(project: Path, path: str) -> tuple[str, ...]:
    """The components of `path` below the project folder."""
    where = "path"
    if not path or len(path) > 4096 or "\0" in path:
        raise InvalidInput("no path of a file", place=where, remedy="name a file of the project")
    pure = PurePosixPath(path)
    if pure.is_absolute():
        for root in (project, project.resolve()):
            try:
                pure = PurePosixPath(path).relative_to(PurePosixPath(root.absolute()))
                break
            except ValueError:
                continue
        else:
            raise InvalidInput(
                f"{_shown(path)!r} lies outside the project folder",
                place=where,
                remedy="write the payload to a file of the project and name that",
            )
    parts = pure.parts
    if not parts or ".." in parts or len(parts) > _PARTS:
        raise InvalidInput(
            f"{_shown(path)!r} lies outside the project folder",
            place=where,
            remedy="give a path relative to the project folder, without '..'",
        )
    # Payloads are recorded for good, and hidden files are where keys and settings live.
    if parts[:2] != _ACCEPTED and any(part.startswith(".") for part in parts):
        raise InvalidInput(
            f"{_shown(path)!r} is hidden or in a hidden folder",
            place=where,
            remedy="payloads are read from files that are not hidden",
        )
    return parts


def read_payload(project: Path, path: str, limit: int) -> bytes:
    """The bytes of the regular file `path` inside the folder `project`.

    `path` is relative to the project, or absolute and inside it. Every component is opened
    from the one above it and none may be a symbolic link, so that nothing can be swapped for
    something outside between check and use.

    Raises:
        InvalidInput: outside, hidden, a link, no regular file, larger than `limit` bytes.
    """
    parts = _parts(project, path)
    here = -1
    try:
        here = os.open(project, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            below = os.open(part, flags, dir_fd=here)
            os.close(here)
            here = below
        # Non-blocking, or opening a named pipe would wait for its writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(parts[-1], flags, dir_fd=here)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(
            f"cannot be opened without following a link: {reason}", place=_shown(path)
        ) from None
    finally:
        if here >= 0:
            os.close(here)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidInput("no regular file", place=_shown(path))
    with os.fdopen(descriptor, "rb") as file:
        try:
            data = file.read(limit + 1)
        except OSError as error:
            raise InvalidInput(f"cannot be read: {error.strerror}", place=_shown(path)) from None
    if len(data) > limit:
        raise InvalidInput(f"larger than {limit} bytes", place=_shown(path))
    return data

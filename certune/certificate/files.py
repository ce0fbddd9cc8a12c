"""The files that a certificate is about."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from certune.certificate.statement import Statement
from certune.core.candidate import File
from certune.core.errors import InvalidInput

MAX_FILE_BYTES = 2**30


def match_files(
    statement: Statement, given: Path | Mapping[str, bytes], *, limit: int = MAX_FILE_BYTES
) -> tuple[File, ...]:
    """The files that the statement's subjects name, in its order, each with the right digest.

    `given` is the folder that they lie in, or their contents by name. Files of more than
    `limit` bytes are refused. What is returned is what was digested.

    Raises:
        InvalidInput: naming the file that is missing, unreadable or not the one certified.
    """
    files = []
    for subject in statement.subject:
        if isinstance(given, Path):
            place, data = str(given / subject.name), _read(given / subject.name, limit)
        else:
            place, data = subject.name, given.get(subject.name)
        if data is None:
            raise InvalidInput(
                "the certificate is about this file, and it is missing",
                place=place,
                remedy="put it beside the certificate or name its folder",
            )
        file = File(subject.name, data)
        if file.digest != subject.sha256:
            raise InvalidInput(
                f"not the file that was certified: its digest is {file.digest}, certified is "
                f"{subject.sha256}",
                place=place,
                remedy="get the file that belongs to this certificate",
            )
        files.append(file)
    return tuple(files)


def _read(path: Path, limit: int) -> bytes | None:
    try:
        # Not to wait for a pipe's other end, should it be one.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", place=str(path)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidInput("not a regular file", place=str(path))
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InvalidInput(f"more than {limit} bytes", place=str(path))
    return data

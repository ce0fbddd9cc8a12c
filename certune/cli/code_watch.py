"""`certune verify --watch`: verify again when a file, or one that it imports, changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from certune.cli.code import check_sources, say
from certune.cli.code_sources import Sources
from certune.cli.guard import fail
from certune.core.errors import CertuneError, InvalidInput, Unavailable
from certune.verifier.contracts.pool import Pool
from certune.verifier.contracts.report import Limits

if TYPE_CHECKING:
    from certune.cli.code import Wishes
    from certune.cli.code_answers import Answers
    from certune.cli.code_report import Checked

_POLL = 0.2  # seconds

Stamp = tuple[int, int, int] | None


def watch(paths: Sequence[Path], wishes: Wishes, answers: Answers) -> None:
    """Verify, wait for a change, verify again; ends when it is interrupted.

    What is unchanged is known: only conditions whose text changed are asked again. A file that
    cannot be read now is waited for.

    Raises:
        Unavailable: the solver is missing.
    """
    limits = Limits()
    known: dict[Path, Checked] = {}
    with Pool(limits.workers, limits.memory_mib, limits.seconds) as pool:
        while True:
            # Looked at before they are read: a change in between is then seen as one.
            before = _stamps(_watched(paths, known))
            _round(paths, wishes, answers, pool, known)
            before = _stamps(_watched(paths, known)) | before
            while _stamps(before) == before:
                time.sleep(_POLL)


def _round(
    paths: Sequence[Path],
    wishes: Wishes,
    answers: Answers,
    pool: Pool,
    known: dict[Path, Checked],
) -> None:
    checked = []
    if sys.stdout.isatty() and not wishes.as_json:
        sys.stdout.write("\x1b[2J\x1b[H")
    for path in paths:
        try:
            checked.append(check_sources(Sources(path), wishes, answers, pool))
        except Unavailable:
            raise
        except InvalidInput as error:
            fail(str(error))
        except CertuneError as error:
            pool.close()  # workers start anew
            fail(str(error))
    if checked:
        say(checked, wishes, trust=not known)
    for file in checked:
        known[file.sources.path] = file
    if not wishes.as_json:
        print(f"-- {time.strftime('%H:%M:%S')} waiting for a change --", flush=True)  # noqa: T201


def _watched(paths: Sequence[Path], known: dict[Path, Checked]) -> tuple[Path, ...]:
    """The files named, and all that they have read or looked for."""
    more = [path for checked in known.values() for path in checked.sources.read]
    return tuple(dict.fromkeys([*paths, *more]))


def _stamps(paths: Iterable[Path]) -> dict[Path, Stamp]:
    return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

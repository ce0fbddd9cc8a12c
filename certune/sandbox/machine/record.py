"""A machine's own record: the shapes of its earlier validations, in the user's state folder.

A convenience, not evidence: it is not in the ledger, and losing it loses comparisons with the
past alone. What cannot be read counts as none; what cannot be written is not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from certune.core.canonical import digest, dumps, loads
from certune.core.codec import decode, encode
from certune.core.errors import InvalidInput
from certune.sandbox.machine.description import Facts
from certune.sandbox.machine.shapes import SHARES, Shape

_KEPT = 20
_LIMIT = 2**20


@dataclass(frozen=True)
class Record:
    """The shapes of a machine's last validations that were fit, the oldest first."""

    format: str
    machine: str
    shapes: tuple[Mapping[str, tuple[float, ...]], ...]


_FORMAT = "certune-machine/1"


def machine_key(facts: Facts) -> str:
    """Digest of what makes two validations comparable: hardware, kernel, what is allowed."""
    return digest(
        encode(
            {
                "cpu": facts.cpu,
                "features": sorted(facts.features),
                "cpus": list(facts.cpus),
                "governor": facts.governor,
                "turbo": facts.turbo,
                "kernel": facts.kernel,
                "memory": facts.memory_bytes,
                "quota": facts.quota,
            }
        )
    )


def state_folder() -> Path:
    """Where certune keeps what belongs to this machine and user (XDG_STATE_HOME).

    A user without a home has none: then it is a folder that cannot be made.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    try:
        folder = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError:
        folder = Path(os.devnull)
    return folder / "certune"


def record_path(facts: Facts, folder: Path | None = None) -> Path:
    """The file of this machine's record."""
    name = machine_key(facts).removeprefix("sha256:")[:16]
    return (folder or state_folder()) / f"machine-{name}.json"


def read(path: Path, facts: Facts) -> tuple[Mapping[str, Shape], ...]:
    """The recorded shapes; none where the file is missing, damaged or of another machine."""
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
        if len(data) > _LIMIT:
            return ()
        record = decode(Record, loads(data))
    except (OSError, InvalidInput):
        return ()
    if record.format != _FORMAT or record.machine != machine_key(facts):
        return ()
    whole = [s for s in record.shapes if all(len(v) == len(SHARES) for v in s.values())]
    return tuple(whole[-_KEPT:])


def write(path: Path, facts: Facts, shapes: Sequence[Mapping[str, Shape]]) -> bool:
    """Replace the record in one step; whether that could be done."""
    record = Record(_FORMAT, machine_key(facts), tuple(shapes)[-_KEPT:])
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished.write_bytes(dumps(encode(record)) + b"\n")
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        return False
    return True


def forget(folder: Path | None = None) -> int:
    """Remove all records of machines below the folder; how many there were."""
    count = 0
    with suppress(OSError):
        for path in (folder or state_folder()).iterdir():
            if re.fullmatch(r"machine-[0-9a-f]{16}\.json", path.name):
                path.unlink()
                count += 1
    return count

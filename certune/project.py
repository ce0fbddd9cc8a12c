"""The project folder: its ledger, and the accepted files that people and runtimes load."""

from __future__ import annotations

import os
from pathlib import Path

from certune.core.errors import LedgerCorrupt, LedgerError
from certune.core.trial import Trial
from certune.ledger import FOLDER, Ledger

CERTIFICATE = "certificate.json"


def accepted_folder(project: Path, trial: Trial) -> Path:
    """Where the files of an accepted trial are written."""
    return project / FOLDER / "accepted" / trial.session / f"{trial.number:04d}"


def publish(project: Path, ledger: Ledger, trial: Trial) -> tuple[Path, ...]:
    """Write an accepted trial's files and certificate beside each other, from the ledger.

    Each file is complete or absent, whatever interrupts; files that are there are left alone.

    Raises:
        LedgerError: the folder cannot be written.
        LedgerCorrupt: a name in the ledger, which may come from elsewhere, leads out of it.
    """
    for name in (trial.session, *trial.files):
        if name in ("", ".", "..", CERTIFICATE) or any(c in "/\\\0" for c in name):
            raise LedgerCorrupt(f"trial {trial.number} has the name {name[:80]!r}: not written")
    folder = accepted_folder(project, trial)
    contents = {name: ledger.blob(digest) for name, digest in trial.files.items()}
    for number, certificate in ledger.certificates(trial.session):
        if number == trial.number:
            contents[CERTIFICATE] = certificate
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            path = folder / name
            if not path.exists() or path.read_bytes() != data:
                unfinished = path.with_name(f".{name}.{os.getpid()}")
                unfinished.write_bytes(data)
                unfinished.replace(path)
            written.append(path)
    except OSError as error:
        raise LedgerError(
            f"{folder} cannot be written ({error.strerror}); the ledger has the files, "
            "`certune resume` writes them again"
        ) from None
    return tuple(written)

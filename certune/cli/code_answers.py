"""Proved conditions remembered between runs, in a folder that is the user's alone.

What is remembered is that a solver of this version answered `unsat` to this text under this
setting; an edit changes the text, another solver the folder. The folder is used only if this
user owns it and nobody else can enter it, so whoever could plant an answer could change certune
itself. Judging candidates and repeating certificates remembers nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

from certune.core.canonical import sha256
from certune.core.proof import Answer
from certune.verifier.child import folder_of
from certune.verifier.contracts.discharge import Memory
from certune.verifier.contracts.filecache import FileCache

_FULL = 800  # files in one of 256 subfolders


class Answers:
    """Answers of this process, and proofs of earlier ones; see `certune.verifier.contracts`.

    `asked` counts the answers that the solver had to give, `earlier` holds the keys of those
    that are proofs of an earlier run; both since `start`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.asked = 0
        self.earlier: set[str] = set()
        self._memory = Memory()
        self._files = FileCache(folder) if folder is not None else None
        self._read: set[str] = set()

    def start(self) -> None:
        """Count anew."""
        self.asked = 0
        self.earlier = set()

    def get(self, key: str) -> Answer | None:
        """A known answer."""
        answer = self._memory.get(key)
        if answer is None and self._files is not None:
            answer = self._files.get(key)
            if answer is None or answer.result != "unsat":
                return None
            self._memory.put(key, answer)
            self._read.add(key)
        if key in self._read:
            self.earlier.add(key)
        return answer

    def put(self, key: str, answer: Answer) -> None:
        """Remember an answer; on disk only a proof."""
        self.asked += 1
        self._memory.put(key, answer)
        if self._files is not None and answer.result == "unsat":
            self._files.put(key, answer)


def remembered() -> Path | None:
    """The folder of earlier proofs, made where it is not there; None where it cannot be trusted."""
    name = _solver()
    base = os.environ.get("XDG_CACHE_HOME") or ""
    try:
        root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
        folder = root / "certune" / "conditions" / name if name else None
    except RuntimeError:  # no home
        return None
    if folder is None or not _private(folder):
        return None
    with contextlib.suppress(OSError):
        if len(os.listdir(folder / "00")) > _FULL:
            shutil.rmtree(folder)
    return folder if _private(folder) else None


def _private(folder: Path) -> bool:
    """Whether the folder is this user's alone, and nobody else can put another in its place."""
    others = stat.S_IRWXG | stat.S_IRWXO
    writing = stat.S_IWGRP | stat.S_IWOTH
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for place, refused in (
            (folder, others),
            (folder.parent, writing),
            (folder.parent.parent, writing),
        ):
            found = place.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                return False
            if found.st_mode & refused:
                return False
    except OSError:
        return False
    return True


def _solver() -> str:
    """A name for the solver and the way it is asked; empty where Z3 is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    from certune.verifier.contracts import pool

    folder = folder_of("z3")
    if folder is None:
        return ""
    parts = []
    with contextlib.suppress(PackageNotFoundError):
        parts.append(version("z3-solver"))
    for file in sorted((Path(folder) / "z3" / "lib").glob("*z3*")):
        found = file.stat()
        parts.append(f"{file.name} {found.st_size} {found.st_mtime_ns}")
    parts.append(sha256(Path(pool.__file__).with_name("worker.py").read_bytes()))
    return sha256(" ".join(parts).encode()).rpartition(":")[2][:24]

"""Known answers in a folder, so that an unchanged function is answered at once.

A convenience for who works on a file: whoever can write the folder can put answers there, so
gates and certificates use none.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from certune.core.proof import Answer


class FileCache:
    """One small file an answer; files that cannot be read or written count as absent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _file(self, key: str) -> Path:
        name = key.rpartition(":")[2]
        return self.folder / name[:2] / name[2:]

    def get(self, key: str) -> Answer | None:
        """A known answer."""
        try:
            said = json.loads(self._file(key).read_bytes())
            result, version = said["result"], said["version"]
            if result not in ("sat", "unsat", "unknown") or not isinstance(version, str):
                return None
            return Answer(result, "z3", version, int(said["resources"]), float(said["seconds"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: str, answer: Answer) -> None:
        """Remember an answer; a reader never sees half of one."""
        file = self._file(key)
        text = json.dumps(
            {
                "result": answer.result,
                "version": answer.version,
                "resources": answer.resources,
                "seconds": answer.seconds,
            }
        )
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=file.parent)
            with os.fdopen(handle, "w") as out:
                out.write(text)
            os.replace(name, file)

"""Conditions as SMT-LIB 2 files, for other solvers and for reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from certune.core.errors import InvalidInput

if TYPE_CHECKING:
    from certune.cli.code_sources import Sources
    from certune.core.canonical import Json
    from certune.verifier.contracts import ModuleReport

INDEX = "index.json"


def write(folder: Path, sources: Sources, report: ModuleReport) -> None:
    """One file a condition, and an index that says what each is and came to.

    A proved condition is `unsat`: the text claims that it fails. Files are named by module,
    function, line and kind; equal texts are written once for each condition. Conditions that
    were decided without a query have none.

    Raises:
        InvalidInput: the folder cannot be written.
    """
    entries: list[Json] = []
    module = sources.path.stem
    counts: dict[str, int] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for function in report.functions:
            for condition in function.conditions:
                if condition.query is None:
                    continue
                stem = f"{module}.{function.name}.{condition.place.line}.{condition.kind}"
                counts[stem] = number = counts.get(stem, 0) + 1
                name = f"{stem}.{number}.smt2"
                (folder / name).write_bytes(condition.query.text)
                entries.append(
                    {
                        "file": name,
                        "function": function.name,
                        "kind": condition.kind,
                        "source": sources.shown(condition.place.file),
                        "line": condition.place.line,
                        "column": condition.place.column,
                        "path": list(condition.path),
                        "claim": condition.claim,
                        "status": condition.status.value,
                        "setting": condition.setting,
                        "digest": condition.digest,
                    }
                )
        (folder / f"{module}.{INDEX}").write_text(json.dumps(entries, indent=1) + "\n")
    except OSError as error:
        told = error.strerror or str(error)
        raise InvalidInput(f"cannot be written: {told}", place=str(folder)) from None

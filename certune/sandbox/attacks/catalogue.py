"""The attacks that are shipped, read from their files. A script is read, never imported here."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from importlib.resources import files

from certune.core.errors import InvalidInput

_FIELD = re.compile(r"^([A-Z][A-Za-z ]{2,15}): (.*)$")
_KNOWN = {
    "Tries",
    "Escape",
    "Held by",
    "Promised from",
    "Runs",
    "Variants",
    "Preloads",
    "Machine",
    "Beside",
    "Threads",
    "Waits",
}


@dataclass(frozen=True)
class Attack:
    """One script. `promised_from` is the lowest level that says it holds; 0: see `preloads`.

    `variants` are run one by one (one empty variant when there is none), each `runs` times;
    `preloads` are modules that the keeper is asked to import before it locks; `machine` is the
    one machine type that the script is for, if any; `neighbour` asks for an honest worker beside,
    `threads` is how many the worker may have, `waits` that a limit has to end it, which is the same
    for fresh and warm workers.
    """

    name: str
    title: str
    tries: str
    escape: str
    held_by: tuple[str, ...]
    source: str = field(repr=False)
    promised_from: int = 2
    runs: int = 1
    variants: tuple[str, ...] = ("",)
    preloads: tuple[str, ...] = ()
    machine: str = ""
    neighbour: bool = False
    threads: int = 1
    waits: bool = False


def parse(name: str, source: str) -> Attack:
    """An attack from its script.

    Raises:
        InvalidInput: it is no Python, or its header lacks something or says something unknown.
    """
    try:
        header = ast.get_docstring(ast.parse(source)) or ""
    except SyntaxError as error:
        raise InvalidInput(f"this is no Python: {error.msg}", place=name) from None
    title, _, rest = header.partition("\n")
    fields: dict[str, str] = {}
    last = ""
    for line in rest.splitlines():
        if found := _FIELD.match(line):
            last = found[1]
            fields[last] = found[2]
        elif line.startswith("    ") and last:
            fields[last] += " " + line.strip()
    unknown = set(fields) - _KNOWN
    missing = {"Tries", "Escape", "Held by"} - set(fields)
    if unknown or missing or not title:
        raise InvalidInput(
            f"an attack's header needs a title, Tries, Escape and Held by; wrong: "
            f"{', '.join(sorted(unknown | missing))}",
            place=name,
        )
    return Attack(
        name=name,
        title=title.rstrip("."),
        tries=fields["Tries"],
        escape=fields["Escape"],
        held_by=tuple(fields["Held by"].rstrip(".").split(", ")),
        source=source,
        promised_from=int(fields.get("Promised from", "2")),
        runs=int(fields.get("Runs", "1")),
        variants=tuple(fields.get("Variants", "").split()) or ("",),
        preloads=tuple(fields.get("Preloads", "").split()),
        machine=fields.get("Machine", ""),
        neighbour="Beside" in fields,
        threads=int(fields.get("Threads", "1")),
        waits="Waits" in fields,
    )


def containment() -> tuple[Attack, ...]:
    """Every attack on containment, in the order of their names."""
    folder = files("certune.sandbox.attacks") / "containment"
    names = sorted(path.name for path in folder.iterdir() if path.name.endswith(".py"))
    return tuple(parse(name[:-3], (folder / name).read_text("utf-8")) for name in names)

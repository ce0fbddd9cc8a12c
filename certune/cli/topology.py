"""`certune topology`: the library, its parameters, and topologies as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from certune.cli.guard import guarded, read_file
from certune.cli.options import pairs


@guarded
def topology(
    name: Annotated[
        str | None, typer.Argument(help="A topology of the library, or a file to check.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="A parameter, as in ranks=16.")
    ] = None,
) -> None:
    """List the library's topologies, or write one as a file to begin your own from.

    Examples:

      certune topology

      certune topology torus2d -p rows=4 -p columns=4 > mine.json

      certune topology mine.json
    """
    from certune.tasks.collective.library import LIBRARY, build
    from certune.tasks.collective.topology import dump_topology, parse_topology

    if name is None:
        for key, entry in sorted(LIBRARY.items()):
            _say(f"{key:<16} {entry.summary}")
            for known in entry.parameters:
                _say(f"    -p {known.name}={known.default}  {known.help}")
        return
    parameters = pairs(parameter or (), "--parameter")
    path = Path(name)
    if name not in LIBRARY and (path.suffix == ".json" or path.parent != Path()):
        found = parse_topology(read_file(path, "topology"), name)
    else:
        found = build(name, parameters)
    _say(dump_topology(found).decode().rstrip("\n"))


def _say(text: str) -> None:
    print(text)  # noqa: T201

"""`certune prove`: families of schedules, for every number of ranks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from certune.cli.guard import REFUSED, AsJson, guarded, read_file


def _say(text: str) -> None:
    print(text)  # noqa: T201


@guarded
def prove(
    families: Annotated[
        list[str] | None,
        typer.Argument(help="Families by name, or files that describe one; all if none is given."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the built-in families.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every claim with its query's digest.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prove families of schedules for every number of ranks, by induction over their steps.

    Examples:

      certune prove --list

      certune prove ring-allreduce -v
    """
    from certune.cli.optimize import context
    from certune.core.codec import encode
    from certune.core.errors import InvalidInput, nearest
    from certune.core.status import Status
    from certune.tasks.collective.parametric import FAMILIES, parse_family, prove_family

    if list_:
        for name, family in FAMILIES.items():
            _say(f"{name:<28} {family.about}")
        return
    chosen = []
    for name in families or list(FAMILIES):
        if name in FAMILIES:
            chosen.append(FAMILIES[name])
        elif "/" in name or name.endswith(".json"):
            data = read_file(Path(name), "family", limit=2**20)
            try:
                chosen.append(parse_family(data))
            except InvalidInput as error:
                raise error.within(name) from None
        else:
            raise InvalidInput(f"there is no family {name[:60]!r}", remedy=nearest(name, FAMILIES))
    prover = context().prover
    assert prover is not None
    proved = True
    results = []
    for family in chosen:
        proof = prove_family(family, prover)
        proved = proved and proof.verdict.met
        results.append(
            {
                "family": family.name,
                "status": proof.verdict.status.value,
                "seconds": proof.seconds,
                "obligations": encode(proof.obligations),
            }
        )
        if as_json:
            continue
        status = proof.verdict.status.value
        _say(f"{status:<8} {family.name}: {len(proof.claims)} claims, {proof.seconds:.1f} s")
        for shown in proof.obligations:
            if verbose or shown.status is not Status.PROVED:
                _say(f"  {shown.status.value:<8} {shown.name}: {shown.claim}")
                if shown.counterexample is not None:
                    _say(f"           {shown.counterexample.sentence}")
                if verbose and "query" in shown.evidence:
                    _say(f"           {shown.evidence['query']} by {shown.evidence['solver']}")
    if as_json:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
    if not proved:
        raise typer.Exit(REFUSED)

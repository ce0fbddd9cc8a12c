"""`certune brief`: what agents are told about a task, word for word."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from certune.cli.guard import AsJson, guarded
from certune.cli.options import pairs


@guarded
def brief(
    task: Annotated[str, typer.Argument(help="A task, as in collective/allgather.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="A parameter of the task, as in topology=dgx1."),
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="The payload format; the first by default.")
    ] = None,
    tokens: Annotated[
        int, typer.Option("--tokens", help="About how long the prompt may be.", min=500)
    ] = 16000,
    as_json: AsJson = False,
) -> None:
    """Show the prompt with which a model begins: the task, the format, what is to be beaten.

    Examples:

      certune brief collective/allgather -p topology=dgx1

      certune brief collective/allreduce -p topology=ring -p ranks=4 --json
    """
    from certune import plugins
    from certune.agents.model import choose_format
    from certune.agents.prompt import render
    from certune.agents.schemas import strict
    from certune.cli.optimize import context
    from certune.ledger import Ledger
    from certune.session import Session

    opened = plugins.open_task(plugins.spec(task, pairs(parameter or (), "--parameter")))
    # A session that nobody keeps: agents see exactly what is shown here.
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder)) as ledger:
        session = Session.start(ledger, opened, agent="brief", rivals=(), context=context())
        told = session.ask()
        chosen = choose_format(told, format_ or "")
        prompt = render(told, session.history, chosen=chosen, tokens=tokens)
    if as_json:
        data = {
            "spec": told.spec.digest,
            "format": chosen.name,
            "schema": chosen.schema,
            "strict_schema": strict(chosen.schema) if chosen.schema is not None else None,
            "tokens": prompt.tokens,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
        }
        json.dump(data, sys.stdout, indent=2, ensure_ascii=False)
        print()  # noqa: T201
        return
    print(f"{prompt.system}\n\n{prompt.user}")  # noqa: T201

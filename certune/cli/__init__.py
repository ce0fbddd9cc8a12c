"""The command line. Solvers and client libraries load when a command uses them."""

from __future__ import annotations

from typing import Annotated

import typer

from certune.cli.brief import brief
from certune.cli.code import strip
from certune.cli.compare import compare
from certune.cli.compile import compile_
from certune.cli.convert import convert
from certune.cli.doctor import doctor
from certune.cli.files import explain, lint, verify
from certune.cli.judge import check
from certune.cli.look import agents, export, ledger_app, show, tasks
from certune.cli.mcp import mcp
from certune.cli.multicast import multicast
from certune.cli.optimize import optimize, resume
from certune.cli.prove import prove
from certune.cli.sandbox import sandbox_app
from certune.cli.topology import topology
from certune.version import __version__

app = typer.Typer(
    name="certune",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Agents propose; certune proves or measures; nothing else gets in.\n\n"
    "Begin with:  certune optimize collective/allgather -p topology=dgx1\n\n"
    "Exit codes: 0 accepted or clean, 1 refused, 2 usage, 3 infrastructure, 130 interrupted.",
)


def _version(asked: bool) -> None:
    if asked:
        print(f"certune {__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def certune(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Nothing of its own; commands follow."""


app.command()(optimize)
app.command()(resume)
app.command()(compare)
app.command()(brief)
app.command()(mcp)
app.command("compile")(compile_)
app.command()(verify)
app.command()(strip)
app.command()(lint)
app.command()(explain)
app.command()(convert)
app.command()(multicast)
app.command()(prove)
app.command()(check)
app.command()(show)
app.command()(tasks)
app.command()(topology)
app.command()(agents)
app.command()(export)
app.command()(doctor)
app.add_typer(ledger_app, name="ledger")
app.add_typer(sandbox_app, name="sandbox")


def main() -> None:
    """Entry point of the `certune` script."""
    app()

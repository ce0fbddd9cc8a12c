"""Commands that only look: tasks, agents, show, export, the ledger."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certune.cli.guard import PROJECT, AsJson, Project, guarded

if TYPE_CHECKING:
    pass

SessionName = Annotated[
    str, typer.Argument(help="A session's name or the beginning of it, or 'last'.")
]


def say(text: str = "") -> None:
    """Print a line."""
    print(text)  # noqa: T201


@guarded
def tasks(
    name: Annotated[str | None, typer.Argument(help="A task to explain.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what can be optimized, or explain one task and its parameters.

    Examples:

      certune tasks

      certune tasks collective/allgather
    """
    from certune import plugins
    from certune.core.codec import encode
    from certune.core.errors import InvalidInput, nearest

    found = {}
    for family_name in plugins.names(plugins.FAMILIES):
        for info in plugins.family(family_name).tasks():
            found[info.name] = info
    if name is not None and name not in found:
        raise InvalidInput(f"there is no task {name!r}", remedy=nearest(name, found))
    chosen = [found[name]] if name is not None else [found[key] for key in sorted(found)]
    if as_json:
        json.dump([encode(info) for info in chosen], sys.stdout, indent=2)
        say()
        return
    for info in chosen:
        say(f"{info.name:<26} {info.summary}")
        if name is None:
            continue
        say()
        for parameter in info.parameters:
            default = f" [default: {parameter.default}]" if parameter.default is not None else ""
            say(f"  -p {parameter.name}=…{default}")
            say(f"      {parameter.help}")
            if parameter.choices:
                say(f"      one of: {', '.join(parameter.choices)}")
        if info.example:
            say()
            say(f"  {info.example}")
    if name is None:
        say()
        say("certune tasks NAME explains one")


@guarded
def agents(as_json: AsJson = False) -> None:
    """List who can propose."""
    from certune import plugins

    found = []
    for name in plugins.names(plugins.AGENTS):
        lines = (plugins.agent(name).__doc__ or "").strip().splitlines()
        found.append({"name": name, "summary": lines[0] if lines else ""})
    if as_json:
        json.dump(found, sys.stdout, indent=2)
        say()
        return
    for entry in found:
        say(f"{entry['name']:<16} {entry['summary']}")


@guarded
def show(
    session: SessionName = "last",
    trial: Annotated[int | None, typer.Option("--trial", "-t", help="One attempt, whole.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="List the sessions of the project.")] = False,
    project: Project = PROJECT,
    as_json: AsJson = False,
) -> None:
    """Show a session: what was asked, every attempt, what was accepted, the chain's head.

    It reads while a session writes. Examples:

      certune show

      certune show 20261120-1415 --trial 3
    """
    from certune.cli.record import show_all, show_session, show_trial
    from certune.ledger import Ledger

    with Ledger.open(project, create=False, read_only=True) as ledger:
        if all_:
            show_all(ledger, as_json)
        elif trial is not None:
            show_trial(ledger, ledger.session(session), trial, as_json)
        else:
            show_session(ledger, ledger.session(session), as_json)


@guarded
def export(
    session: SessionName = "last",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; standard output if not given.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="The whole project.")] = False,
    project: Project = PROJECT,
) -> None:
    """Export records as JSON Lines, one record a line, in the order of the chain."""
    from certune.core.errors import InvalidInput
    from certune.ledger import Ledger

    with Ledger.open(project, create=False, read_only=True) as ledger:
        chosen = None if all_ else ledger.session(session).id
        if output is None:
            ledger.export(chosen, sys.stdout)
            return
        try:
            with output.open("w", encoding="utf-8") as stream:
                ledger.export(chosen, stream)
        except OSError as error:
            raise InvalidInput(f"cannot be written: {error.strerror}", place=str(output)) from None


ledger_app = typer.Typer(
    help="The durable record: verify its chain, show or sign its head.", no_args_is_help=True
)


@ledger_app.command("verify")
@guarded
def ledger_verify(
    head: Annotated[
        Path | None, typer.Option("--head", help="A signed head that the chain must contain.")
    ] = None,
    expect_key: Annotated[
        str | None,
        typer.Option("--expect-key", help="The public key of that head: text or file."),
    ] = None,
    project: Project = PROJECT,
) -> None:
    """Recompute the whole chain and every stored content; says which record is damaged."""
    from certune.cli.guard import read_file
    from certune.core.errors import ConfigurationError, InvalidInput
    from certune.ledger import Ledger
    from certune.ledger.head import open_head
    from certune.signing import public_key

    if expect_key is not None and head is None:
        raise ConfigurationError("--expect-key is for a signed --head")
    kept = None
    if head is not None:
        try:
            kept, key = open_head(read_file(head, "head"))
        except InvalidInput as error:
            raise error.within(str(head)) from None
        if expect_key is not None and key != public_key(expect_key):
            raise InvalidInput(f"signed by {key.text}", place=str(head), remedy="not by that key")
    with Ledger.open(project, create=False, read_only=True) as ledger:
        found = ledger.verify(kept)
    say(f"{found.seq} records, each chained to the one before; head {found.hash}")
    if kept is not None:
        say(f"it contains the signed head {kept.seq} {kept.hash}")


@ledger_app.command("head")
@guarded
def ledger_head(
    sign: Annotated[
        Path | None, typer.Option("--sign", help="Sign the head with this private key.")
    ] = None,
    project: Project = PROJECT,
) -> None:
    """Show the head of the chain; signed, it proves later that nothing before it was edited."""
    from certune.cli.optimize import signer
    from certune.ledger import Ledger
    from certune.ledger.head import seal_head

    with Ledger.open(project, create=False, read_only=True) as ledger:
        head = ledger.head()
    key = signer(sign)
    if key is None:
        say(f"{head.seq} {head.hash}")
        return
    sys.stdout.buffer.write(seal_head(head, key))

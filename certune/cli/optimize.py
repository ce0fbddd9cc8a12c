"""`certune optimize` and `certune resume`: sessions from the command line."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certune.cli.guard import (
    ACCEPTED,
    INFRASTRUCTURE,
    INTERRUPTED,
    PROJECT,
    REFUSED,
    AsJson,
    Project,
    fail,
    guarded,
    read_file,
)
from certune.cli.options import DEFAULT_BUDGET, RequireIsolation, budget, isolation_level, pairs
from certune.core.errors import CertuneError

if TYPE_CHECKING:
    from certune.core.agent import AgentFactory
    from certune.core.family import Context
    from certune.session import Rival, Run, Session
    from certune.signing import Signer

_STOP = threading.Event()

Sign = Annotated[
    Path | None,
    typer.Option("--sign", help="Private key (ed25519, PEM or OpenSSH) that signs certificates."),
]


@guarded
def optimize(
    task: Annotated[str, typer.Argument(help="A task, as in collective/allgather.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="A parameter of the task, as in topology=dgx1."),
    ] = None,
    agent: Annotated[str, typer.Option("--agent", "-a", help="Who proposes.")] = "search",
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="An option of the agent, key=value.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="The server to ask; the option base_url.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The model to ask; the option model.")
    ] = None,
    budget_: Annotated[
        list[str] | None,
        typer.Option(
            "--budget",
            "-b",
            help="What may be spent: time=10m, attempts=100, tokens=50000, money=2.50.",
            show_default=DEFAULT_BUDGET,
        ),
    ] = None,
    incumbent: Annotated[
        str | None,
        typer.Option(
            "--incumbent",
            help="What is to be beaten: a file, or 'baseline' for the baseline alone. "
            "By default the best that this project has accepted.",
        ),
    ] = None,
    require_isolation: RequireIsolation = None,
    sign: Sign = None,
    project: Project = PROJECT,
    as_json: AsJson = False,
) -> None:
    """Search for something better than what is there, and accept only what is proven.

    Examples:

      certune optimize collective/allgather -p topology=dgx1

      certune optimize collective/allreduce -p topology=my.json -p objective=time -p size=1MiB

      certune optimize collective/alltoall -p topology=torus2d -p rows=4 -p columns=4 -b time=2m

      certune optimize collective/allgather -p topology=dgx1 -a openai \\
        --base-url http://127.0.0.1:8000/v1 --model qwen3
    """
    from certune import plugins
    from certune.core.agent import AgentSetup
    from certune.core.budget import Spent
    from certune.core.candidate import Payload
    from certune.ledger import Ledger
    from certune.session import Rival, Session

    parameters = pairs(parameter or (), "--parameter")
    options = pairs(option or (), "--option")
    options |= {"base_url": base_url} if base_url else {}
    options |= {"model": model} if model else {}
    limits = budget(budget_ or (DEFAULT_BUDGET,))
    factory = plugins.agent(agent)
    opened = plugins.open_task(plugins.spec(task, parameters))
    rivals: list[Rival] | None = None
    if incumbent == "baseline":
        rivals = []
    elif incumbent is not None:
        data = read_file(Path(incumbent), "incumbent")
        rivals = [Rival(incumbent, Payload(opened.brief().formats[0].name, data))]
    key = signer(sign)
    called = context(require_isolation)
    # Wrong options are refused before anything is recorded.
    factory(AgentSetup(options, lambda: iter(()), remaining=lambda: limits.remaining(Spent())))
    with Ledger.open(project) as ledger:
        session = Session.start(
            ledger,
            opened,
            agent=agent,
            options=options,
            budget=limits,
            rivals=rivals,
            context=called,
        )
        session.signer = key
        _drive(session, factory, project, as_json)


@guarded
def resume(
    session: Annotated[
        str, typer.Argument(help="A session's name or the beginning of it, or 'last'.")
    ] = "last",
    budget_: Annotated[
        list[str] | None,
        typer.Option("--budget", "-b", help="A new budget in place of the recorded one."),
    ] = None,
    require_isolation: RequireIsolation = None,
    sign: Sign = None,
    project: Project = PROJECT,
    as_json: AsJson = False,
) -> None:
    """Continue a session that was stopped, interrupted or killed.

    Examples:

      certune resume

      certune resume 20261120-1415 --budget time=1h
    """
    from certune import plugins
    from certune.ledger import Ledger
    from certune.session import Session

    limits = budget(budget_) if budget_ else None
    called = context(require_isolation)
    with Ledger.open(project, create=False) as ledger:
        record = ledger.session(session)
        opened = Session.resume(
            ledger, record.id, plugins.open_task(record.spec), budget=limits, context=called
        )
        opened.signer = signer(sign)
        _drive(opened, plugins.agent(record.agent), project, as_json)


def context(require_isolation: str | None = None) -> Context:
    """What families may call from the command line; Ctrl-C in a session ends its solvers too.

    `require_isolation` is the word of the option. Programs of candidates run in the sandbox,
    which begins with the first of them.

    Raises:
        ConfigurationError: there is no such isolation.
        Unavailable: it cannot be had on this machine.
    """
    from certune.cli.programs import Programs
    from certune.core.family import Context
    from certune.verifier.provers import Provers

    return Context(
        prover=Provers(stopped=_STOP.is_set),
        runner=Programs(isolation_level(require_isolation)),
        stopped=_STOP.is_set,
    )


def signer(path: Path | None) -> Signer | None:
    """The private key of `--sign`."""
    if path is None:
        return None
    from certune.signing import load_signer

    return load_signer(path)


def _drive(session: Session, factory: AgentFactory, project: Path, as_json: bool) -> None:
    """Run a session in front of a person or a machine, then say how it ended."""
    from rich.console import Console

    from certune.cli.live import Screen
    from certune.cli.summary import begin, finish
    from certune.project import publish

    out = Console(stderr=as_json, highlight=False)
    agent = session.make_agent(factory)
    begin(session, out)

    def interrupt(number: int, frame: object) -> None:
        if _STOP.is_set():  # the second time: at once
            raise KeyboardInterrupt
        _STOP.set()
        session.stop()
        fail("stopping; the current candidate is still recorded (Ctrl-C again: at once)")

    before = {which: signal.signal(which, interrupt) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Screen(session, out) as screen:
            run = session.run(agent, watch=screen)
        files = {
            trial.number: publish(project, session.ledger, trial)
            for trial in session.trials
            if trial.accepted
        }
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
    data = finish(session, run, files, project, out)
    if as_json:
        sys.stdout.write(json.dumps(data, indent=2) + "\n")
    code = _code(session, run)
    if code != ACCEPTED:
        raise typer.Exit(code)


def _code(session: Session, run: Run) -> int:
    if run.stopped == "asked":
        return INTERRUPTED
    if run.stopped == "trouble":
        return run.trouble.exit_code if isinstance(run.trouble, CertuneError) else INFRASTRUCTURE
    won = any(trial.accepted for trial in session.trials)
    return ACCEPTED if won or session.nothing_better else REFUSED

"""`certune mcp`: the door for coding agents that speak the Model Context Protocol."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from certune.cli.guard import INTERRUPTED, PROJECT, Project, fail, guarded, read_file
from certune.cli.optimize import Sign, context, signer
from certune.cli.options import budget, pairs

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from certune.core.budget import Budget
    from certune.core.family import Task
    from certune.core.spec import TaskSpec
    from certune.mcp.desk import Desk
    from certune.session import Rival, Session

DEFAULT = "attempts=100,time=2h"
_PREPARED = 5.0  # seconds in which a session usually stands; a longer one is waited for in calls
_GRACE = 10.0  # seconds that what is being judged gets when the server ends


@guarded
def mcp(
    task: Annotated[str, typer.Argument(help="A task, as in collective/allgather.")] = "",
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="A parameter of the task, as in topology=dgx1."),
    ] = None,
    budget_: Annotated[
        list[str] | None,
        typer.Option(
            "--budget",
            "-b",
            help="What may be spent: attempts=100, time=2h. Time runs from the first proposal.",
            show_default=DEFAULT,
        ),
    ] = None,
    incumbent: Annotated[
        str | None,
        typer.Option("--incumbent", help="What is to be beaten: a file, or 'baseline'."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", help="Continue this recorded session instead of a new one."),
    ] = None,
    http: Annotated[
        bool, typer.Option("--http", help="Serve HTTP on loopback instead of standard input.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of --http; 0 takes a free one.")
    ] = 0,
    sign: Sign = None,
    project: Project = PROJECT,
) -> None:
    """Serve a task to a coding agent: it proposes over MCP, certune judges and records.

    Task, parameters and budget are fixed here; the client cannot change them. Examples:

      claude mcp add certune -- certune mcp collective/allgather -p topology=dgx1

      certune mcp collective/allgather -p topology=dgx1 --http --port 8765

      certune mcp --resume last
    """
    from certune.core.errors import Unavailable

    limits = _limits(budget_, resume)
    spec = _spec(task, parameter or [], resume, project)
    try:
        from certune.mcp.server import build
    except ImportError as error:
        raise Unavailable(
            f"the MCP server needs a package that is not here ({error.name}); "
            "pip install 'certune[mcp]'"
        ) from None
    desk = _desk(spec, limits, incumbent, resume, sign, project)
    with _quiet():
        prepared = desk.open(_PREPARED)
    server = build(desk, spec, project.absolute(), _offered())
    name = desk.view.session if prepared and desk.view else "being prepared"
    with _ending(desk):
        if http:
            _serve_http(server, port, spec, name)
        else:
            import anyio

            fail(f"serving {spec.task} on standard input and output; session {name}")
            anyio.run(server.run_stdio_async)
    desk.close(_GRACE)


def _limits(given: list[str] | None, resume: str | None) -> Budget | None:
    from certune.core.errors import ConfigurationError

    if given is None and resume is not None:
        return None
    limits = budget(given or (DEFAULT,))
    if limits.tokens is not None or limits.money is not None:
        raise ConfigurationError(
            "what the client's model costs is not known to the server",
            place="--budget",
            remedy="limit attempts and time",
        )
    return limits


def _spec(task: str, parameter: list[str], resume: str | None, project: Path) -> TaskSpec:
    from certune import plugins
    from certune.core.errors import ConfigurationError
    from certune.ledger import Ledger

    if bool(task) == bool(resume):
        raise ConfigurationError(
            "either a task or --resume is needed", remedy="as in: certune mcp collective/allgather"
        )
    if resume is None:
        return plugins.spec(task, pairs(parameter, "--parameter"))
    if parameter:
        raise ConfigurationError("a recorded session has its parameters", place="--parameter")
    with Ledger.open(project, create=False, read_only=True) as ledger:
        return ledger.session(resume).spec


def _desk(
    spec: TaskSpec,
    limits: Budget | None,
    incumbent: str | None,
    resume: str | None,
    sign: Path | None,
    project: Path,
) -> Desk:
    """The desk of a new or a recorded session; all that can be checked before it is."""
    from certune import plugins
    from certune.ledger import Ledger
    from certune.mcp.desk import AGENT, Desk
    from certune.project import publish
    from certune.session import Session

    opened = plugins.open_task(spec)
    rivals = _rivals(incumbent, opened)
    key = signer(sign)

    def begin() -> Session:
        ledger = Ledger.open(project, create=resume is None)
        try:
            if resume is None:
                session = Session.start(
                    ledger, opened, agent=AGENT, budget=limits, rivals=rivals, context=context()
                )
            else:
                identity = ledger.session(resume).id
                session = Session.resume(ledger, identity, opened, budget=limits, context=context())
        except BaseException:
            ledger.close()
            raise
        session.signer = key
        return session

    return Desk(begin, lambda ledger, trial: publish(project, ledger, trial))


def _rivals(incumbent: str | None, task: Task) -> list[Rival] | None:
    from certune.core.candidate import Payload
    from certune.session import Rival

    if incumbent is None:
        return None
    if incumbent == "baseline":
        return []
    data = read_file(Path(incumbent), "incumbent")
    return [Rival(incumbent, Payload(task.recognise(data), data))]


def _offered() -> list[Any]:
    from certune import plugins
    from certune.core.errors import CertuneError

    found: list[Any] = []
    for name in plugins.names(plugins.FAMILIES):
        # A family that is not installed whole must not keep another from being served.
        with contextlib.suppress(CertuneError):
            found += plugins.family(name).tasks()
    return found


def _serve_http(server: MCPServer[Any], port: int, spec: TaskSpec, name: str) -> None:
    from certune.mcp.http import HOST, PATH, listen, serve

    bound = listen(port)
    token = secrets.token_urlsafe(32)
    fail(f"serving {spec.task}; session {name}")
    fail(f"url    http://{HOST}:{bound.getsockname()[1]}{PATH}")
    fail(f"token  {token}   (header: Authorization: Bearer TOKEN; it is new at every start)")
    serve(server, bound, token)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what is printed meanwhile to standard error: standard output is the protocol's."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


@contextlib.contextmanager
def _ending(desk: Desk) -> Iterator[None]:
    """End on SIGINT and SIGTERM: what is being judged is recorded, the run's end as well.

    The thread that reads standard input cannot be woken, so the process ends itself.
    """

    ends: list[threading.Thread] = []

    def end(number: int) -> None:
        desk.close(_GRACE)
        os._exit(INTERRUPTED if number == signal.SIGINT else 128 + number)

    def handler(number: int, frame: object) -> None:
        # Not here: the handler runs inside whatever the main thread holds at the moment.
        ends.append(threading.Thread(target=end, args=(number,), daemon=True))
        ends[-1].start()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handler) for number in numbers]
    try:
        yield
        for thread in ends:
            thread.join()
    finally:
        for number, old in zip(numbers, before, strict=True):
            signal.signal(number, old)

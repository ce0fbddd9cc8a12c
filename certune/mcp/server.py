"""The tools that a coding agent gets. None takes longer than 30 s; none changes what is asked.

Task, parameters, floors, limits and budget were fixed by who started the server: no tool has
an argument for them. Whatever is handed in goes through `Session.submit`, on the desk's thread.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import ConfigDict, Field

from certune.core.canonical import Json
from certune.core.errors import CertuneError, InvalidInput, nearest
from certune.core.family import TaskInfo
from certune.core.spec import TaskSpec, goal_metrics
from certune.ledger import Ledger
from certune.mcp import render
from certune.mcp.answers import (
    BestOut,
    BriefOut,
    Budget,
    Cancelled,
    ExplanationOut,
    TaskOut,
    Tasks,
    Ticket,
    VerdictOut,
)
from certune.mcp.desk import Desk
from certune.mcp.files import read_payload
from certune.mcp.jobs import Job, Kind, View
from certune.version import __version__

P = ParamSpec("P")
R = TypeVar("R")

LONGEST = 28.0  # seconds that any call may take; clients give up after 60
WAIT = 20  # seconds that a call waits for the desk
INLINE_BYTES = 2**20
_POLL = 0.05

INSTRUCTIONS = """\
certune judges what you propose: it proves or measures, and accepts nothing else. Begin with \
`brief`: it says what is wanted, in which format, what has to be beaten and which bound cannot \
be. Then `propose` payloads and ask `verdict` by the id that you get. A refutation carries a \
counterexample: mend exactly that and propose again. `verify` shows the obligations without \
recording or comparing. Task, tolerances and budget are fixed; there is no way around a verdict.\
"""

_LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ACTS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)

Text = Annotated[
    str,
    Field(description=f"the payload itself, up to {INLINE_BYTES} bytes; or give `path` instead"),
]
PathText = Annotated[
    str,
    Field(
        description="a file with the payload, inside the project folder, not hidden, no link; "
        "for payloads that are long or not text"
    ),
]
FormatName = Annotated[
    str, Field(description="a format of the brief; left empty, it is recognised", max_length=64)
]
Identity = Annotated[str, Field(description="what `propose` or `verify` gave", max_length=40)]


def _prompt(tool: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """End a tool in time, and say its errors in words that a model can read."""

    @wraps(tool)
    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with anyio.fail_after(LONGEST):
                return await tool(*args, **kwargs)
        except TimeoutError:
            raise ToolError("this took too long and was given up; try again") from None
        except InvalidInput as error:
            raise ToolError(str(error)) from None
        except CertuneError as error:
            raise ToolError(f"{_KINDS.get(type(error).__name__, '')}{error}") from None

    return call


_KINDS = {"BudgetSpent": "the session is over: "}


class Tools:
    """The tools of one server; `project` is the folder, `offered` all known tasks."""

    def __init__(
        self, desk: Desk, spec: TaskSpec, project: Path, offered: Sequence[TaskInfo]
    ) -> None:
        self._desk = desk
        self._spec = spec
        self._project = project
        self._offered = offered

    # -- looking ---------------------------------------------------------------------------

    async def list_tasks(self) -> Tasks:
        """List the tasks that certune knows and say which one this server takes proposals for."""
        return Tasks(
            tasks=[
                TaskOut(name=t.name, summary=t.summary, served=t.name == self._spec.task)
                for t in self._offered
            ],
            served=self._spec.task,
            parameters=dict(self._spec.parameters),
            spec_digest=self._spec.digest,
        )

    async def brief(self) -> BriefOut:
        """Say what is wanted: task, payload formats with schema and example, what has to be
        beaten, the bounds that nothing beats, the latest attempts. Read it first."""
        return render.brief(await self._ready())

    async def budget(self) -> Budget:
        """Say what is left of the budget. Its clock runs from the first proposal on."""
        return render.budget(await self._ready())

    async def best(self) -> BestOut:
        """Give the best known candidate for each metric, with its payload or files, and its
        distance to the proven bound."""
        view = await self._ready()
        wanted = {render.holder_trial(name) for name in view.incumbent.names.values()}
        payloads = {start.name: start.payload.data for start in view.brief.starts}
        for trial in view.trials:
            if trial.number in wanted:
                data = await anyio.to_thread.run_sync(
                    self._blob, trial.payload, abandon_on_cancel=True
                )
                payloads[f"trial {trial.number}"] = data
        return render.best(view, payloads)

    async def explain(
        self, trial: Annotated[int, Field(ge=1, description="the number of a recorded attempt")]
    ) -> ExplanationOut:
        """Explain a recorded attempt: obligations, counterexample, metrics, and its payload."""
        view = await self._ready()
        found = next((t for t in view.trials if t.number == trial), None)
        if found is None:
            raise InvalidInput(
                f"there is no trial {trial}", remedy=f"this session has {len(view.trials)}"
            )
        payload = await anyio.to_thread.run_sync(self._blob, found.payload, abandon_on_cancel=True)
        return render.explanation(found, payload, goal_metrics(view.brief.spec.goal))

    def _blob(self, digest: str) -> bytes:
        # The desk's connection belongs to its thread; reading beside it is always possible.
        with Ledger.open(self._project, create=False, read_only=True) as ledger:
            return ledger.blob(digest)

    # -- handing in ------------------------------------------------------------------------

    async def propose(
        self,
        ctx: Context,
        payload: Text = "",
        path: PathText = "",
        format: FormatName = "",
    ) -> Ticket:
        """Propose a candidate. It is judged and recorded, and spends one attempt of the budget.
        Returns an id at once; ask `verdict` for the outcome."""
        job = await self._hand_in(ctx, "propose", payload, path, format)
        before = self._desk.before(job)
        return Ticket(id=job.id, waiting_before=before, next=f"call verdict with id {job.id}")

    async def verify(
        self,
        ctx: Context,
        payload: Text = "",
        path: PathText = "",
        format: FormatName = "",
    ) -> VerdictOut:
        """Show or refute the obligations of a payload without recording it, comparing it or
        spending an attempt (time passes all the same). Waits up to 20 s, then ask `verdict`."""
        job = await self._hand_in(ctx, "verify", payload, path, format)
        return await self._await(ctx, job, WAIT)

    async def verdict(
        self,
        ctx: Context,
        id: Identity,
        wait_seconds: Annotated[int, Field(ge=0, le=WAIT, description="how long to wait")] = WAIT,
    ) -> VerdictOut:
        """Say where a proposal stands; with its verdict, counterexample and metrics when it is
        done. Waits up to 20 s and reports progress; while it waits or is judged, ask again."""
        return await self._await(ctx, self._desk.job(id), wait_seconds)

    async def cancel(self, id: Identity) -> Cancelled:
        """Take back a proposal that still waits. What is being judged already is recorded."""
        job = self._desk.job(id)
        if self._desk.cancel(job):
            told = "it is not judged and not recorded"
        elif job.settled:
            told = f"too late: it is {job.state} already"
        else:
            told = "too late: it is being judged and will be recorded; ask for its verdict"
        return Cancelled(id=job.id, state=job.state, told=told)

    # -- beneath ---------------------------------------------------------------------------

    async def _ready(self) -> View:
        """The latest view; the session may still be judging its baseline."""
        end = time.monotonic() + WAIT
        while (view := self._desk.view) is None:
            if time.monotonic() > end:
                raise ToolError("the session is still being prepared; ask again in a moment")
            await anyio.sleep(_POLL)
        return view

    async def _hand_in(self, ctx: Context, kind: Kind, text: str, path: str, form: str) -> Job:
        view = await self._ready()
        names = [known.name for known in view.brief.formats]
        if form and form not in names:
            raise InvalidInput(f"there is no format {form!r}", remedy=nearest(form, names))
        if bool(text) == bool(path):
            raise InvalidInput(
                "give either payload or path", remedy="the payload itself, or a file with it"
            )
        limit = self._spec.limits.payload_bytes
        if path:
            data = await anyio.to_thread.run_sync(
                partial(read_payload, self._project, path, limit), abandon_on_cancel=True
            )
        else:
            data = _bytes(text, min(limit, INLINE_BYTES))
        provenance: dict[str, Json] = {"client": _client(ctx), "via": "path" if path else "inline"}
        return self._desk.hand_in(kind, form or None, data, provenance)

    async def _await(self, ctx: Context, job: Job, seconds: float) -> VerdictOut:
        """Wait until a job is settled or `seconds` are over, reporting progress."""
        began = time.monotonic()
        reported = 0.0
        while not job.settled:
            passed = time.monotonic() - began
            if passed >= seconds:
                break
            if passed - reported >= 1.0:
                reported = passed
                await ctx.report_progress(round(passed, 1), seconds, self._stands(job))
            await anyio.sleep(_POLL)
        judging = time.monotonic() - job.began if job.state == "judging" else 0.0
        return render.verdict(job, self._desk.view, self._desk.before(job), judging)

    def _stands(self, job: Job) -> str:
        before = self._desk.before(job)
        return f"{before} before it" if before else f"{job.state} {job.id}"


def _bytes(text: str, limit: int) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("a lone surrogate is no character", place="payload") from None
    if len(data) > limit:
        raise InvalidInput(
            f"{len(data)} bytes; the limit is {limit}",
            place="payload",
            remedy="write it to a file of the project and give its path",
        )
    return data


def _client(ctx: Context) -> str:
    """What the client calls itself, as far as it is harmless text."""
    told = ctx.session.client_params
    info = getattr(told, "client_info", None)
    text = f"{getattr(info, 'name', '')} {getattr(info, 'version', '')}".strip()
    return re.sub(r"[^ -~]", "?", text)[:80]


def build(
    desk: Desk, spec: TaskSpec, project: Path, offered: Sequence[TaskInfo] = ()
) -> MCPServer[Mapping[str, object]]:
    """A server of this desk's session, to be run over any transport."""
    tools = Tools(desk, spec, project, offered)
    looks = (tools.list_tasks, tools.brief, tools.budget, tools.best, tools.explain, tools.verdict)
    acts = (tools.propose, tools.verify, tools.cancel)
    server: MCPServer[Mapping[str, object]] = MCPServer(
        "certune",
        title="certune",
        version=__version__,
        instructions=INSTRUCTIONS,
        log_level="WARNING",
        tools=[*(_tool(look, _LOOKS) for look in looks), *(_tool(act, _ACTS) for act in acts)],
    )
    return server


def _tool(method: Callable[..., Awaitable[Any]], annotations: ToolAnnotations) -> Tool:
    """A tool of this method. An argument that it does not have is an error: whoever sends a
    budget or a tolerance should hear that there is none to set."""
    tool = Tool.from_function(_prompt(method), annotations=annotations)
    arguments = tool.fn_metadata.arg_model
    strict: Any = type(
        arguments.__name__,
        (arguments,),
        {"model_config": ConfigDict(extra="forbid"), "__module__": __name__},
    )
    tool.fn_metadata.arg_model = strict
    tool.parameters = strict.model_json_schema(by_alias=True)
    return tool

"""Compilers and provers on what a candidate wrote.

They run as a worker of the `toolchain` profile: read-only tools may be started, a private folder
of limited size is all that can be written, nothing else can be read than tools, their headers
and libraries, and there is no network and nobody's variables. What they make is read as bytes.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from certune.core.errors import Crashed, InvalidInput, Unavailable
from certune.core.run import Ending
from certune.sandbox.inside.script import pack, unpack
from certune.sandbox.inside.tool import NOT_STARTED, WANTED
from certune.sandbox.keeper import Keeper
from certune.sandbox.model import Ended, Isolation, Launch, Limits
from certune.sandbox.passing import read_bounded, sealed

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
_STATUSES = range(1 << 16)
DEFAULT = Limits(
    wall_seconds=120.0,
    cpu_seconds=60.0,
    memory_bytes=4 * 2**30,
    file_bytes=256 * 2**20,
    output_bytes=64 * 2**20,
    processes=16,
    open_files=256,
)


@dataclass(frozen=True)
class ToolOutcome:
    """How a tool ended, its exit status (negative: the signal), and the files asked for.

    `outputs` has those that exist as plain files; they are as hostile as the inputs.
    """

    ending: Ending
    status: int
    outputs: Mapping[str, bytes] = field(repr=False)
    diagnostics: str
    cpu_seconds: float
    isolation: str


def run(
    command: Sequence[str],
    inputs: Mapping[str, bytes],
    outputs: Sequence[str],
    limits: Limits = DEFAULT,
    *,
    keeper: Keeper | None = None,
) -> ToolOutcome:
    """Run `command` in a folder that holds `inputs`; bring back `outputs`.

    `limits.file_bytes` bounds the folder, `limits.output_bytes` the outputs together and what
    the tool says. `keeper` has the profile `toolchain`; None starts one for this run.

    Raises:
        InvalidInput: a name is no plain file name.
        Unavailable: the tool is not installed, or no isolation can be had.
        Crashed: the tool could not be started.
    """
    for name in (*inputs, *outputs):
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name!r} is no plain file name", remedy="letters, digits, . _ + -")
    path = shutil.which(command[0])
    if path is None:
        raise Unavailable(f"{command[0]} is not installed")
    if keeper is None:
        with Keeper(profile="toolchain") as keeper:
            return _run(keeper, [os.path.abspath(path), *command[1:]], inputs, outputs, limits)
    return _run(keeper, [os.path.abspath(path), *command[1:]], inputs, outputs, limits)


def _run(
    keeper: Keeper,
    command: Sequence[str],
    inputs: Mapping[str, bytes],
    outputs: Sequence[str],
    limits: Limits,
) -> ToolOutcome:
    wanted = {WANTED + name: str(limits.output_bytes).encode() for name in outputs}
    job = sealed(pack("\0".join(command).encode(), {**inputs, **wanted}))
    heard, says = os.pipe2(os.O_CLOEXEC)
    try:
        launch = Launch("tool", keeper.level, limits, (job, says), "toolchain", fresh=False)
        try:
            worker = keeper.start(launch)
        finally:
            os.close(says)
            os.close(job)
        with worker:
            # Sizes and names come on top of the contents.
            ended, result = read_bounded(worker, heard, limits.output_bytes + 1024 * len(wanted))
    finally:
        os.close(heard)
    if not ended.loaded:
        said = ended.diagnostics.decode(errors="replace").strip().rpartition("\n")[2]
        raise Crashed(f"the tool could not be started: {ended.detail}: {said}"[:500])
    return _outcome(keeper.level, ended, result, set(outputs), limits.output_bytes)


def _outcome(
    level: Isolation, ended: Ended, result: bytes, wanted: set[str], most: int
) -> ToolOutcome:
    files: dict[str, bytes] = {}
    ending, status = ended.ending, -1
    if ending in ("finished", "file-too-large"):
        try:
            told, files = unpack(result, len(wanted) + 1)
            if told.startswith(NOT_STARTED):
                raise Crashed(f"the tool was {told.decode(errors='replace')}"[:200])
            status = os.waitstatus_to_exitcode(_STATUSES.index(int(told)))
        except (ValueError, KeyError):
            # Only a tool that took over its worker could write anything else.
            ending, files = "failed" if ending == "finished" else ending, {}
        if ending == "finished" and status:
            ending = _of(status)
        if sum(map(len, files.values())) > most:
            ending, files = "too-much-output", {}
    return ToolOutcome(
        ending,
        status,
        {name: content for name, content in files.items() if name in wanted},
        ended.diagnostics.decode(errors="replace") or ended.detail,
        ended.cpu_seconds,
        level.word,
    )


def _of(status: int) -> Ending:
    if status > 0:
        return "failed"
    return {24: "out-of-cpu", 25: "file-too-large"}.get(-status, "killed")  # type: ignore[return-value]

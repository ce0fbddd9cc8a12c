"""`certune convert`: a program in another format, verified on both ends."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from certune.cli.files import TARGETS, Kind, recognise
from certune.cli.guard import guarded, read_file

if TYPE_CHECKING:
    from certune.tasks.collective.msccl.program import Target
    from certune.tasks.collective.mscclpp.lower import Protocol
    from certune.tasks.collective.mscclpp.pack import PeerChannel
    from certune.tasks.collective.schedule import Schedule

FORMATS = (*TARGETS, "mscclpp", "native")
PROTOCOLS = ("Simple", "LL")


@dataclass(frozen=True)
class _Form:
    """For calls in place or not; channels and protocol are of plans."""

    in_place: bool
    channel: PeerChannel
    protocol: Protocol


@guarded
def convert(
    file: Annotated[Path, typer.Argument(help="An XML file, MSCCL++ plan or certune schedule.")],
    to: Annotated[str, typer.Option("--to", help=f"One of: {', '.join(FORMATS)}.")],
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="For calls in place; a file for a runtime keeps what it is for."
        ),
    ] = False,
    port: Annotated[
        bool,
        typer.Option("--port", help="MSCCL++ over port channels, as between nodes."),
    ] = False,
    protocol: Annotated[
        str,
        typer.Option("--protocol", help="Of an MSCCL++ plan: Simple, or LL for small messages."),
    ] = "Simple",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; standard output if not given.")
    ] = None,
) -> None:
    """Write a program in another format, verified on both ends.

    An XML file is rewritten for another runtime as it is where that can run it, else through its
    native schedule. An MSCCL++ plan goes through the schedule that it performs, where there is
    one. Examples:

      certune convert algo.xml --to rccl -o rccl.xml

      certune convert plan.json --to native -o schedule.json

      certune convert schedule.json --to mscclpp --in-place --protocol LL -o small.json
    """
    from certune.core.errors import ConfigurationError, InvalidInput, nearest

    if to not in FORMATS:
        raise ConfigurationError(
            f"unknown format {to[:40]!r}", place="--to", remedy=nearest(to, FORMATS)
        )
    if protocol not in PROTOCOLS:
        raise ConfigurationError(
            f"unknown protocol {protocol[:40]!r}",
            place="--protocol",
            remedy=nearest(protocol, PROTOCOLS),
        )
    if to != "mscclpp" and (port or protocol != "Simple"):
        raise ConfigurationError("--port and --protocol are of MSCCL++ plans", place="--to")
    data = read_file(file, "file")
    form = _Form(in_place, "port" if port else "memory", cast("Protocol", protocol))
    try:
        written = _converted(recognise(data, str(file)), data, to, form)
    except InvalidInput as error:
        raise error.within(str(file)) from None
    if output is None:
        sys.stdout.buffer.write(written)
        return
    try:
        output.write_bytes(written)
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror}", place=str(output)) from None


def _converted(kind: Kind, data: bytes, to: str, form: _Form) -> bytes:
    from certune.tasks.collective.msccl.read import read
    from certune.tasks.collective.msccl.report import convert as convert_xml
    from certune.tasks.collective.schedule import dump_schedule

    if kind == "msccl" and to in TARGETS:
        return convert_xml(read(data), cast("Target", to))
    schedule, placed = _schedule(kind, data)
    if to == "native":
        return dump_schedule(schedule.normalised())
    return _lowered(schedule, to, replace(form, in_place=form.in_place or placed))


def _schedule(kind: Kind, data: bytes) -> tuple[Schedule, bool]:
    """The native schedule of a right program, and whether it is to stay one for calls in place.

    Raises:
        InvalidInput: it is wrong, or no schedule performs it.
    """
    from certune.core.errors import InvalidInput
    from certune.tasks.collective.dataflow import verify
    from certune.tasks.collective.msccl.read import read
    from certune.tasks.collective.msccl.report import to_schedule
    from certune.tasks.collective.mscclpp.lift import lift
    from certune.tasks.collective.mscclpp.read import read_plan
    from certune.tasks.collective.schedule import parse_schedule
    from certune.tasks.collective.targets.xml import IN_PLACE

    placed = False
    if kind == "mscclpp":
        plan = read_plan(data)
        schedule = lift(plan)
        placed = plan.inplace and schedule.collective.kind in IN_PLACE
    elif kind == "msccl":
        schedule = to_schedule(read(data))
    else:
        schedule = parse_schedule(data)
    found = verify(schedule)
    if found is not None:
        raise InvalidInput(f"the schedule is wrong: {found.sentence}")
    return schedule, placed


def _lowered(schedule: Schedule, to: str, form: _Form) -> bytes:
    """The file for a runtime, verified as it was written."""
    from certune.core.errors import Crashed
    from certune.tasks.collective.msccl.report import verify_file
    from certune.tasks.collective.mscclpp.verify import verify_plan
    from certune.tasks.collective.targets.plan import PlanFile
    from certune.tasks.collective.targets.xml import XmlFile

    if to == "mscclpp":
        written = PlanFile(form.in_place, form.channel, form.protocol).write(schedule).data
        right = verify_plan(written).verdict.met
    else:
        target = cast("Target", to)
        written = XmlFile(target, form.in_place).write(schedule).data
        right = verify_file(written, target=target).clean
    if not right:
        raise Crashed("what was written is not right: this is a defect of certune")
    return written

"""Commands on files: verify (annotated Python as well), lint, explain."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, cast

import typer

from certune.cli.guard import REFUSED, AsJson, guarded, read_file
from certune.cli.options import RequireIsolation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certune.core.obligation import Obligation
    from certune.tasks.collective.msccl.program import Target

Kind: TypeAlias = Literal["msccl", "mscclpp", "native"]

TARGETS = ("microsoft", "azure", "rccl")


def _say(text: str = "") -> None:
    print(text)  # noqa: T201


def _dump(data: object) -> None:
    sys.stdout.write(json.dumps(data, indent=2) + "\n")


def recognise(data: bytes, place: str) -> Kind:
    """Which kind of collective program these bytes seem to be, told by how they begin.

    Raises:
        InvalidInput: none that certune knows.
    """
    from certune.core.errors import InvalidInput

    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        return "msccl"
    if start.startswith(b"{"):
        return "native" if b'"certune-schedule/' in data else "mscclpp"
    raise InvalidInput(
        "neither an MSCCL XML file, an MSCCL++ plan nor a certune schedule", place=place
    )


def _target(name: str | None) -> Target | None:
    from certune.core.errors import ConfigurationError, nearest

    if name is not None and name not in TARGETS:
        raise ConfigurationError(
            f"unknown target {name[:40]!r}", place="--target", remedy=nearest(name, TARGETS)
        )
    return cast("Target | None", name)


@guarded
def verify(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[TASK] FILE", help="A file (or files of Python), or a task and a candidate."
        ),
    ],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="A parameter of the task, as in topology=dgx1."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", help=f"The runtime of an XML file: {', '.join(TARGETS)}."),
    ] = None,
    root: Annotated[
        int | None, typer.Option("--root", help="The root of a rooted XML file.")
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option("--max-size", help="The largest message an XML file must finish, as 64MiB."),
    ] = None,
    require_agreement: Annotated[
        bool,
        typer.Option("--require-agreement", help="All ranks must add in the same order."),
    ] = False,
    require_isolation: RequireIsolation = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Python: verify again whenever a file changes.")
    ] = False,
    function: Annotated[
        list[str] | None,
        typer.Option("--function", "-f", help="Python: this function and what it calls alone."),
    ] = None,
    contracts: Annotated[
        bool,
        typer.Option("--contracts", help="Python: say what the contracts do not notice."),
    ] = False,
    cvc5: Annotated[
        bool, typer.Option("--cvc5", help="Python: ask a second solver about every proof.")
    ] = False,
    smt2: Annotated[
        Path | None,
        typer.Option("--smt2", help="Python: a folder for the conditions as SMT-LIB 2."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Python: do not use proofs of earlier runs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Verify a program as it really runs, or judge a candidate for a task. Nothing is recorded.

    An MSCCL XML file or MSCCL++ plan, from any tool: its result, races, hangs and the size from
    which it hangs. Annotated Python, with what it imports: each function proved, refuted by an
    input, or unknown and why. Examples:

      certune verify algo.xml --target rccl

      certune verify plan.json

      certune verify ring.py --watch

      certune verify collective/allgather schedule.json -p topology=dgx1
    """
    from certune.cli.code import Wishes, is_python, verify_python
    from certune.cli.judge import verify_candidate
    from certune.core.errors import ConfigurationError, InvalidInput

    wishes = Wishes(watch, smt2, contracts, cvc5, fresh, tuple(function or ()), as_json)
    if is_python(names):
        if parameter or target or root is not None or max_size or require_agreement:
            raise ConfigurationError("an option that is not for annotated Python")
        verify_python(names, wishes)
        return
    if wishes.any:
        raise ConfigurationError("an option that is for annotated Python alone")
    if len(names) == 2:
        verify_candidate(names[0], Path(names[1]), parameter or [], as_json, require_isolation)
        return
    if len(names) != 1 or parameter:
        raise ConfigurationError("give a file, or a task, a file and its parameters")
    path = Path(names[0])
    data = read_file(path, "file")
    kind = recognise(data, str(path))
    try:
        if kind == "msccl":
            clean = _verify_xml(data, _target(target), root, max_size, require_agreement, as_json)
        elif kind == "mscclpp":
            clean = _verify_plan(data, require_agreement, as_json)
        else:
            clean = _verify_native(data, as_json)
    except InvalidInput as error:
        raise error.within(str(path)) from None
    if not clean:
        raise typer.Exit(REFUSED)


def _verify_xml(
    data: bytes,
    target: Target | None,
    root: int | None,
    max_size: str | None,
    require_agreement: bool,
    as_json: bool,
) -> bool:
    from certune.core.codec import encode
    from certune.tasks.collective.msccl.report import verify_file
    from certune.tasks.collective.parameters import size_bytes

    report = verify_file(
        data,
        target=target,
        root=root,
        require_agreement=require_agreement,
        max_bytes=None if max_size is None else size_bytes(max_size, "--max-size"),
    )
    if as_json:
        _dump(
            {
                "status": report.status.value,
                "clean": report.clean,
                "summary": encode(report.summary()),
                "lints": [vars(item) for item in report.lints],
                "obligations": encode(report.obligations),
                "notes": report.notes(),
            }
        )
    else:
        for line in report.lines():
            _say(line)
    return report.clean


def _verify_plan(data: bytes, require_agreement: bool, as_json: bool) -> bool:
    from certune.core.codec import encode
    from certune.tasks.collective.mscclpp.verify import verify_plan

    report = verify_plan(data, require_agreement=require_agreement)
    if as_json:
        _dump(
            {
                "status": report.verdict.status.value,
                "clean": report.verdict.met,
                "obligations": encode(report.obligations),
                "notes": list(report.notes),
            }
        )
    else:
        _say(f"{report.plan.name}: {report.plan.collective} over {len(report.plan.gpus)} ranks")
        _say_obligations(report.obligations)
        for note in report.notes:
            _say(f"note     {note}")
    return report.verdict.met


def _verify_native(data: bytes, as_json: bool) -> bool:
    from certune.core.codec import encode
    from certune.tasks.collective.dataflow import verify as refute
    from certune.tasks.collective.schedule import parse_schedule

    schedule = parse_schedule(data)
    found = refute(schedule)
    status = "proved" if found is None else "refuted"
    if as_json:
        _dump({"status": status, "clean": found is None, "counterexample": encode(found)})
    else:
        collective = schedule.collective
        _say(
            f"{collective.kind} over {collective.ranks} ranks, {collective.pieces} pieces, "
            f"{schedule.steps} steps, {schedule.sends} sends"
        )
        _say(f"{status:<8} postcondition" + ("" if found is None else f": {found.sentence}"))
    return found is None


def _say_obligations(obligations: Sequence[Obligation]) -> None:
    for obligation in obligations:
        _say(f"{obligation.status.value:<8} {obligation.name}: {obligation.claim}")
        if obligation.counterexample is not None:
            _say(f"         {obligation.counterexample.sentence}")


@guarded
def lint(
    file: Annotated[Path, typer.Argument(help="An MSCCL XML file.")],
    target: Annotated[
        str | None, typer.Option("--target", help="One runtime; all of them if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Why is my file ignored? What each runtime refuses or misreads, with line and remedy."""
    from certune.core.errors import InvalidInput
    from certune.tasks.collective.msccl.limits import LIMITS
    from certune.tasks.collective.msccl.lints import lint as find
    from certune.tasks.collective.msccl.read import read

    chosen = _target(target)
    data = read_file(file, "file")
    try:
        program = read(data)
    except InvalidInput as error:
        raise error.within(str(file)) from None
    targets = [chosen] if chosen else [cast("Target", name) for name in TARGETS]
    found = {name: find(program, name, data=data) for name in targets}
    if as_json:
        _dump({name: [vars(item) for item in items] for name, items in found.items()})
    else:
        for name, items in found.items():
            _say(f"{LIMITS[name].name}: {len(items) or 'no'} findings")
            for item in items:
                _say(f"  {file}:{item.line}: {item.severity} {item.name}: {item.sentence}")
                if item.remedy:
                    _say(f"      {item.remedy}")
    if any(item.severity == "error" for items in found.values() for item in items):
        raise typer.Exit(REFUSED)


@guarded
def explain(file: Annotated[Path, typer.Argument(help="An XML file, plan or schedule.")]) -> None:
    """What a program does, step by step, in an order in which it can run."""
    from certune.core.errors import InvalidInput

    data = read_file(file, "file")
    kind = recognise(data, str(file))
    try:
        _say(_explanation(kind, data))
    except InvalidInput as error:
        raise error.within(str(file)) from None


def _explanation(kind: Kind, data: bytes) -> str:
    if kind == "msccl":
        from certune.tasks.collective.msccl.read import read
        from certune.tasks.collective.msccl.report import explain as explain_xml

        return explain_xml(read(data))
    if kind == "mscclpp":
        from certune.tasks.collective.mscclpp.explain import explain as explain_plan
        from certune.tasks.collective.mscclpp.read import read_plan

        return "\n".join(explain_plan(read_plan(data)))
    from certune.tasks.collective.schedule import parse_schedule

    schedule = parse_schedule(data)
    columns = (schedule.step, schedule.source, schedule.destination, schedule.chunk)
    rows = zip(*(column.tolist() for column in columns), schedule.reduce.tolist(), strict=True)
    return "\n".join(
        f"step {step}: rank {source} sends chunk {chunk} to rank {destination}"
        + (", which adds it" if reduce else "")
        for step, source, destination, chunk, reduce in rows
    )

"""`certune doctor`: what this machine can do, and what to change."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certune.cli.guard import INFRASTRUCTURE, PROJECT, REFUSED, AsJson, Project, guarded, plain
from certune.cli.options import RequireIsolation, isolation_level

if TYPE_CHECKING:
    from certune.cli.checkup import Check
    from certune.environment import Environment
    from certune.sandbox.machine import MachineReport
    from certune.sandbox.model import Isolation

_WIDTH = 100
_WORDS = {
    "ok": "ok",
    "advice": "advice",
    "absent": "-",
    "missing": "MISSING",
    "trouble": "TROUBLE",
}


@guarded
def doctor(
    require_isolation: RequireIsolation = None,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Forget what this machine's earlier validations were like."),
    ] = False,
    project: Project = PROJECT,
    as_json: AsJson = False,
) -> None:
    """Say what this machine can do and what to change, by trying it. Takes 2 to 3 seconds.

    Exit codes: 0 nothing that certune needs is missing, 1 something is, 3 something could not
    be looked at (a damaged ledger, a defect). Whether the machine is quiet enough to measure on
    is said, and is no reason to fail.

    Examples:

      certune doctor

      certune doctor --require-isolation contained --json
    """
    required = isolation_level(require_isolation)
    if forget:
        from certune.sandbox.machine.record import forget as forget_records

        count = forget_records()
        if not as_json:
            _say(f"forgot {count} record{'' if count == 1 else 's'} of this machine")
    report, checks = _examine(required, project)
    from certune.environment import fingerprint

    here = fingerprint()
    statuses = {check.status for check in checks}
    code = INFRASTRUCTURE if "trouble" in statuses else REFUSED if "missing" in statuses else 0
    if as_json:
        _machine_readable(here, report, checks, code)
    else:
        for line in lines(here, checks):
            _say(line)
    if code:
        raise typer.Exit(code)


def _say(text: str) -> None:
    print(plain(text))  # noqa: T201


def _examine(
    required: Isolation | None, project: Path
) -> tuple[MachineReport | None, Sequence[Check]]:
    """Validate the machine alone, then look at everything else side by side."""
    from concurrent.futures import ThreadPoolExecutor

    from certune.cli import checkup

    reports: list[MachineReport] = []

    def validated() -> Iterator[Check]:
        from certune.sandbox.machine import validate

        reports.append(validate(quick=True, attempts=1))
        return checkup.machine(reports[0])

    fitness = checkup.guarded_look("machine", validated)
    looks = {
        "isolation": lambda: checkup.isolation(required),
        "toolchains": checkup.toolchains,
        "solvers": checkup.solvers,
        "extras": checkup.extras,
        "gpu": checkup.gpus,
        "ledger": lambda: checkup.ledger(project),
    }
    with ThreadPoolExecutor(3) as pool:
        asked = {
            name: pool.submit(checkup.guarded_look, name, look) for name, look in looks.items()
        }
        found = {name: future.result() for name, future in asked.items()}
    order = ("isolation", "machine", "toolchains", "solvers", "extras", "gpu", "ledger")
    found["machine"] = fitness
    report = reports[0] if reports else None
    return report, [check for name in order for check in found[name]]


def lines(here: Environment, checks: Sequence[Check]) -> Iterator[str]:
    """The findings for a person, in at most 100 columns."""
    cpus = f"{here.cpus} CPU{'' if here.cpus == 1 else 's'}"
    yield from _wrapped(
        f"certune {here.certune}, {here.python}, {here.system} {here.kernel} {here.machine}, "
        f"{here.cpu}, {cpus}",
        "",
    )
    section = ""
    for check in checks:
        if check.section != section:
            section = check.section
            yield ""
            yield section
        head = f"  {_WORDS[check.status]:<8} {check.name:<14} "
        yield from _wrapped(head + plain(check.detail), " " * len(head))
        if check.remedy and check.status != "ok":
            yield from _wrapped(" " * len(head) + "→ " + plain(check.remedy), " " * (len(head) + 2))
    yield ""
    bad = [check for check in checks if check.status in ("missing", "trouble")]
    if bad:
        names = ", ".join(dict.fromkeys(f"{check.section} {check.name}" for check in bad))
        yield from _wrapped(f"to mend: {names}", "  ")
    else:
        yield "nothing that certune needs is missing"
    yield "whether the sandbox holds here: certune sandbox selftest"


def _wrapped(text: str, indent: str) -> list[str]:
    # The text's own spaces in front count: they are the column of what follows.
    front = text[: len(text) - len(text.lstrip())]
    return textwrap.wrap(text.lstrip(), _WIDTH, initial_indent=front, subsequent_indent=indent) or [
        ""
    ]


def _machine_readable(
    here: Environment, report: MachineReport | None, checks: Sequence[Check], code: int
) -> None:
    from certune.core.codec import encode

    data = {
        "ok": code == 0,
        "environment": encode(here),
        "machine": None
        if report is None
        else {
            "state": report.state,
            "fit": report.fit,
            "figures": dict(report.summary()),
            "findings": [encode(finding) for finding in report.findings],
        },
        "checks": [encode(check) for check in checks],
    }
    json.dump(data, sys.stdout, indent=2)
    print()  # noqa: T201

"""`certune sandbox`: whether the sandbox holds on this machine."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from certune.cli.guard import INFRASTRUCTURE, REFUSED, AsJson, guarded, plain

if TYPE_CHECKING:
    from certune.sandbox.selftest import AtLevel, Finding

sandbox_app = typer.Typer(no_args_is_help=True, help="Try the sandbox on this machine.")


@sandbox_app.callback()
def _sandbox() -> None:
    """Nothing of its own; commands follow."""


def _say(text: str = "") -> None:
    print(text, flush=True)  # noqa: T201


@sandbox_app.command()
@guarded
def selftest(
    level: Annotated[
        list[str] | None,
        typer.Option(
            "--level",
            help="none, process, confined or contained; may be repeated. Default: all that "
            "can be had here; none is the control, where most attacks have to get through.",
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help="Switch a layer off, which the test has to notice."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="This attack alone; may be repeated.")
    ] = None,
    toolchain: Annotated[bool, typer.Option(help="Also attack by way of compilers.")] = True,
    measurement: Annotated[
        bool, typer.Option(help="Also attack what is measured, at confined and above.")
    ] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every attack.")] = False,
    as_json: AsJson = False,
) -> None:
    """Attack the sandbox in every way that is shipped, and see whether it holds.

    Exit codes: 0 all was held, 1 something escaped or was not really tried, 3 the level that was
    asked for cannot be had here. Examples:

      certune sandbox selftest

      certune sandbox selftest --level confined --without seccomp
    """
    from certune.core.errors import Unavailable

    if sys.platform != "linux":
        raise Unavailable("the sandbox needs Linux; run certune in a Linux container or machine")
    from certune.sandbox import selftest as test
    from certune.sandbox.model import Layer

    named = {one.word: one for one in test.LEVELS}
    chosen = [_named(word, named, "a level") for word in level or named]
    layers = {one.value: one for one in Layer}
    missing = [_named(word, layers, "a layer") for word in without or ()]
    attacks = test.chosen(only)

    def progress(finding: Finding) -> None:
        if verbose and not as_json:
            _say(_line(finding))

    reports = []
    for one in chosen:
        report = test.run(
            one,
            without=missing,
            attacks=attacks,
            toolchain=toolchain,
            measurement=measurement,
            progress=progress,
        )
        if report.unavailable and level:
            raise Unavailable(f"level {one.word} cannot be had: {report.unavailable}")
        reports.append(report)
        if not as_json:
            _tell(report, verbose)
    passed = test.passed(reports)
    if as_json:
        json.dump(_machine(reports, passed), sys.stdout, indent=2)
        _say()
    if not any(report.findings for report in reports):
        raise typer.Exit(INFRASTRUCTURE)
    if not passed:
        raise typer.Exit(REFUSED)


def _named(word: str, known: dict[str, Any], what: str) -> Any:
    from certune.core.errors import InvalidInput, nearest

    if word not in known:
        raise InvalidInput(f"{word[:60]!r} is not {what}", remedy=nearest(word, known))
    return known[word]


def _line(finding: Finding) -> str:
    why = "; ".join(plain(reason)[:160] for reason in finding.reasons)
    name = f"{finding.kind}/{finding.attack} ({finding.way})"
    return f"  {finding.held.value:<13} {name}{': ' if why else ''}{why}"


def _tell(report: AtLevel, verbose: bool) -> None:
    from certune.sandbox.selftest import Held

    name = report.level.word + "".join(f" without {layer}" for layer in report.without)
    if report.unavailable:
        _say(f"{name}: not to be had here: {plain(report.unavailable)}")
        return
    counts = [f"{report.tried} of {len(report.findings)} attacks really tried"]
    counts += [f"{report.count(held)} {held.value}" for held in Held if report.count(held)]
    word = "as it should be" if report.passed else "NOT AS IT SHOULD BE"
    _say(f"{name}: {', '.join(counts)} ({report.seconds:.0f} s): {word}")
    if verbose or report.control:
        return
    for finding in report.findings:
        if finding.held in (Held.ESCAPED, Held.NOT_TRIED):
            _say(_line(finding))


def _machine(reports: list[AtLevel], passed: bool) -> dict[str, object]:
    return {
        "passed": passed,
        "levels": [
            {
                "level": report.level.word,
                "without": list(report.without),
                "unavailable": report.unavailable,
                "passed": report.passed,
                "seconds": round(report.seconds, 3),
                "findings": [
                    {
                        "attack": finding.attack,
                        "kind": finding.kind,
                        "way": finding.way,
                        "held": finding.held.value,
                        "reasons": list(finding.reasons),
                        "attempts": finding.attempts,
                    }
                    for finding in report.findings
                ],
            }
            for report in reports
        ],
    }

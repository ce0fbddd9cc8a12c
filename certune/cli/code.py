"""`certune verify` on annotated Python, and `certune strip`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certune.cli.guard import REFUSED, guarded, plain

if TYPE_CHECKING:
    from certune.cli.code_answers import Answers
    from certune.cli.code_report import Checked
    from certune.cli.code_sources import Sources
    from certune.verifier.contracts import ModuleReport
    from certune.verifier.contracts.confirm import Repeated
    from certune.verifier.contracts.pool import Pool

_WORKERS = 2
_RUNS = 10  # of each proved function, on inputs from its contract


@dataclass(frozen=True)
class Wishes:
    """How annotated Python is to be verified; the options of `certune verify`."""

    watch: bool = False
    smt2: Path | None = None
    contracts: bool = False
    second: bool = False
    fresh: bool = False
    functions: Sequence[str] = field(default=())
    as_json: bool = False

    @property
    def any(self) -> bool:
        """Whether something is wished that holds for Python alone."""
        return bool(
            self.watch or self.smt2 or self.contracts or self.second or self.fresh or self.functions
        )


def is_python(names: Sequence[str]) -> bool:
    """Whether these are files of annotated Python, not a task and a candidate for it."""
    return all(name.endswith(".py") for name in names)


def verify_python(names: Sequence[str], wishes: Wishes) -> None:
    """Verify files, and say what came out; see `certune.cli.files.verify`.

    Raises:
        InvalidInput: a file cannot be read, or an option makes no sense.
        InfrastructureError: the solver is missing, died or contradicts a run.
    """
    from certune.cli.code_answers import Answers, remembered
    from certune.verifier.contracts.pool import Pool
    from certune.verifier.contracts.report import Limits

    paths = [Path(name) for name in names]
    answers = Answers(None if wishes.fresh else remembered())
    if wishes.watch:
        from certune.cli.code_watch import watch

        watch(paths, wishes, answers)
        return
    limits = Limits()
    with Pool(_WORKERS, limits.memory_mib, limits.seconds) as pool:
        checked = [check(path, wishes, answers, pool) for path in paths]
    say(checked, wishes)
    if not all(file.clean for file in checked):
        raise typer.Exit(REFUSED)


def say(checked: Sequence[Checked], wishes: Wishes, *, trust: bool = True) -> None:
    """Print what came out, and with `trust` what it rests on."""
    from certune.cli.code_report import as_json, dump, lines

    if wishes.as_json:
        print(dump(as_json(checked), one_line=wishes.watch), flush=True)  # noqa: T201
        return
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for line in lines(checked, coloured, trust):
        print(line)  # noqa: T201
    sys.stdout.flush()


def check(path: Path, wishes: Wishes, answers: Answers, pool: Pool) -> Checked:
    """Verify one file with what it imports.

    Raises:
        InvalidInput: it cannot be read, or a function is named that it does not have.
        InfrastructureError: the solver is missing, died or contradicts a run.
    """
    from certune.cli.code_sources import Sources

    return check_sources(Sources(path), wishes, answers, pool)


def check_sources(sources: Sources, wishes: Wishes, answers: Answers, pool: Pool) -> Checked:
    """As `check`, of a file that was read."""
    from time import perf_counter

    from certune.cli.code_report import Checked
    from certune.verifier.contracts import verify_source

    start = perf_counter()
    answers.start()
    shown = str(sources.path)
    with _busy(f"verifying {shown} …", wishes):
        report = verify_source(
            sources.text,
            shown,
            cache=answers,
            imports=sources.imports,
            only=list(wishes.functions) or None,
            pool=pool,
        )
        _known(sources, report, wishes)
        notes, warnings = _looked_at(sources, report, wishes, pool)
    if wishes.smt2 is not None:
        from certune.cli.code_smt2 import write

        write(wishes.smt2, sources, report)
    return Checked(
        sources,
        report,
        notes,
        warnings,
        answers.asked,
        len(answers.earlier),
        _second(report) if wishes.second else None,
        perf_counter() - start,
    )


@contextlib.contextmanager
def _busy(text: str, wishes: Wishes) -> Iterator[None]:
    """Show on a terminal that something is going on."""
    shown = sys.stderr.isatty() and not wishes.as_json
    if shown:
        print(plain(text), end="", file=sys.stderr, flush=True)  # noqa: T201
    try:
        yield
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201


def _known(sources: Sources, report: ModuleReport, wishes: Wishes) -> None:
    """Raises InvalidInput where a function is named that the file does not have."""
    import ast

    from certune.core.errors import ConfigurationError, nearest

    if report.findings:
        return
    given = {f.name for f in report.functions}
    for name in wishes.functions:
        if name not in given:
            tree = ast.parse(sources.text)
            known = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
            raise ConfigurationError(
                f"{sources.path} has no function {name[:60]!r}",
                place="--function",
                remedy=nearest(name, known),
            )


def _looked_at(
    sources: Sources, report: ModuleReport, wishes: Wishes, pool: Pool
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """What is to be said beside the proofs: runs, contracts that promise nothing.

    Raises:
        Crashed: a run contradicts a proof.
    """
    from certune.core.errors import Crashed
    from certune.core.status import Status
    from certune.verifier.contracts.gate import examples
    from certune.verifier.contracts.report import Limits
    from certune.verifier.contracts.verify import Verification

    notes: dict[str, str] = {}
    warnings: dict[str, list[str]] = {}
    proved = [f for f in report.functions if f.role == "code" and f.status is Status.PROVED]
    if not proved:
        return notes, warnings
    limits = Limits()
    run = Verification(sources.text, str(sources.path), limits, sources.imports)
    for f in proved:
        tried = examples(run, f.name, pool, limits, _RUNS)
        if tried.failure is not None:
            raise Crashed(
                f"a run contradicts the proof of {f.name}, which is a defect of certune: "
                f"{tried.failure.sentence}"
            )
        if tried.accepted == 0:
            told = "no input was found that satisfies the precondition: it may say nothing"
            warnings.setdefault(f.name, []).append(told)
        elif tried.ended == 0:
            warnings.setdefault(f.name, []).append("no run was seen to end within the limits")
        if not run.module.functions[f.name].ensures:
            notes[f.name] = "without a postcondition: it is safe and ends"
        if wishes.contracts:
            warnings.setdefault(f.name, []).extend(_weak(sources, f.name, pool, notes))
    return notes, warnings


def _weak(sources: Sources, name: str, pool: Pool, notes: dict[str, str]) -> list[str]:
    """What the contract allows that its author hardly meant."""
    from certune.verifier.contracts.weak import weaknesses

    found = weaknesses(sources.text, str(sources.path), name, pool, imports=sources.imports)
    if found.score is not None:
        told = f"its contract notices {found.noticed} of {found.changed} changes of the body"
        notes[name] = "; ".join([*([notes[name]] if name in notes else []), told])
    unnoticed = [f"its contract does not notice: {label}" for label in found.unnoticed[:5]]
    return [*found.warnings, *unnoticed]


def _second(report: ModuleReport) -> Repeated:
    """What cvc5 says of the proved conditions."""
    from certune.verifier.contracts.confirm import confirm, proved
    from certune.verifier.contracts.pool import Pool
    from certune.verifier.contracts.report import Limits

    limits = Limits()
    with Pool(_WORKERS, limits.memory_mib, limits.seconds, "cvc5") as pool:
        return confirm(proved(report), pool)


@guarded
def strip(
    file: Annotated[Path, typer.Argument(help="A file of annotated Python.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it here, not to the terminal.")
    ] = None,
) -> None:
    """Write the plain functions of an annotated file, without certune in it.

    Contracts, annotations, ghosts and lemmas go; fixed-width types become int, wrapping
    operations masks. The file is read, never run; whether it is proved is `certune verify`'s.
    Example:

      certune strip ring.py -o plain_ring.py
    """
    from certune.cli.code_plain import plain_text
    from certune.cli.code_sources import Sources
    from certune.core.errors import ConfigurationError, InvalidInput
    from certune.verifier.contracts.source import Refused

    sources = Sources(file)
    try:
        text = plain_text(sources)
    except Refused as error:
        found = error.finding
        place = f"{sources.shown(found.place.file)}:{found.place.line}:{found.place.column}"
        raise InvalidInput(found.message, place=place, remedy=found.remedy) from None
    if output is None:
        sys.stdout.write(text)
        return
    if output.exists() and output.samefile(file):
        raise ConfigurationError("it would overwrite the annotated file", place="--output")
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror}", place=str(output)) from None

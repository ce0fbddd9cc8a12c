"""Everything about one MSCCL XML file: read, linted, verified, told in words."""

from __future__ import annotations

from dataclasses import dataclass

from certune.core import InvalidInput, Json, Obligation, Status
from certune.tasks.collective.msccl.explain import circle_lines, size_text
from certune.tasks.collective.msccl.explain import explain as explain_program
from certune.tasks.collective.msccl.lift import lift
from certune.tasks.collective.msccl.limits import LIMITS
from certune.tasks.collective.msccl.lint import Lint
from certune.tasks.collective.msccl.lints import lint
from certune.tasks.collective.msccl.lower import lower
from certune.tasks.collective.msccl.memory import lay_out
from certune.tasks.collective.msccl.program import Program, Target
from certune.tasks.collective.msccl.read import MAX_BYTES, read
from certune.tasks.collective.msccl.verify import Report, disagreement, selected_up_to, verify
from certune.tasks.collective.msccl.write import write
from certune.tasks.collective.schedule import Schedule


@dataclass(frozen=True, eq=False)
class FileReport:
    """A file's lints (for `target`, none without one) and what was shown of its program."""

    report: Report
    target: Target | None
    lints: tuple[Lint, ...]

    @property
    def program(self) -> Program:
        """The program that the file holds."""
        return self.report.program

    @property
    def obligations(self) -> tuple[Obligation, ...]:
        """What was shown."""
        return self.report.obligations

    @property
    def status(self) -> Status:
        """The least status among the obligations; lints do not count."""
        return self.report.status

    @property
    def clean(self) -> bool:
        """Whether every obligation is met and no lint is an error."""
        met = all(obligation.met for obligation in self.obligations)
        return met and not any(item.severity == "error" for item in self.lints)

    def summary(self) -> dict[str, Json]:
        """The file in a few facts, as data."""
        program, ended = self.program, self.report.termination
        header = program.header
        agreed = self.report.agreement
        return {
            "name": header.name,
            "collective": header.collective,
            "ranks": program.ranks,
            "pieces": header.pieces,
            "protocol": header.protocol,
            "channels": header.channels,
            "thread blocks": program.blocks,
            "steps": program.steps,
            "in place": header.in_place,
            "out of place": header.out_of_place,
            "min bytes": header.min_bytes,
            "max bytes": header.max_bytes,
            "safe bytes": None if ended is None else ended.safe_bytes,
            "sizes": self.sizes(),
            "ranks agree": None if agreed is None else agreed.difference is None,
            "order depends on size": None if agreed is None else not agreed.uniform,
        }

    def sizes(self) -> str:
        """For which sizes it terminates, in words."""
        ended = self.report.termination
        if ended is None:
            return "not known: the connections are broken"
        if ended.hangs_at is None:
            return "hangs at every size"
        if ended.safe_bytes is None:
            return "terminates at every size"
        beyond = 1
        while beyond <= ended.safe_bytes:
            beyond *= 2
        return (
            f"safe up to {size_text(ended.safe_bytes)}, hangs above ({size_text(beyond)} is the"
            " next power of two)"
        )

    def notes(self) -> list[str]:
        """What is worth knowing although no obligation fails, a sentence each."""
        found: list[str] = []
        agreed, ended = self.report.agreement, self.report.termination
        if agreed is not None:
            differs = disagreement(agreed)
            if differs is not None and not any(o.name == "agreement" for o in self.obligations):
                found.append(f"ranks disagree on {agreed.chunks} chunks: {differs.sentence}")
            elif differs is None and not agreed.uniform:
                found.append(
                    "all ranks agree, but chunks are added in different orders of ranks: the last"
                    " bits of an element depend on its place in the buffer and so on its size"
                )
        longest = selected_up_to(self.program, self.target)
        if ended is not None and ended.safe_bytes and longest and longest <= ended.safe_bytes:
            found.append(f"{self.sizes()}; maxBytes keeps the file to at most {size_text(longest)}")
        return found

    def lines(self) -> list[str]:
        """The report for a terminal: facts, lints, obligations, the way of each failure."""
        facts = self.summary()
        header = self.program.header
        placed = [
            name
            for name, claims in (
                ("in place", header.in_place),
                ("out of place", facts["out of place"]),
            )
            if claims
        ]
        out = [
            f"{header.name or 'unnamed'}: {header.collective} on {self.program.ranks} ranks,"
            f" {header.pieces} chunks, {header.protocol}, {' and '.join(placed) or 'out of place'}",
            f"{self.program.blocks} thread blocks, {self.program.steps} steps; {self.sizes()}",
        ]
        if self.target is not None:
            name = LIMITS[self.target].name
            out += [f"{name}: {item}" for item in self.lints] or [f"{name}: no findings"]
        for obligation in self.obligations:
            out.append(f"{obligation.status.value:8} {obligation.name}: {obligation.claim}")
            if obligation.counterexample is not None:
                out += [f"         {line}" for line in draw(self.report, obligation)]
            elif obligation.status is Status.UNKNOWN:
                out.append(f"         rests on {obligation.evidence.get('rests on')}")
        return out + [f"note     {note}" for note in self.notes()]


def draw(report: Report, obligation: Obligation) -> list[str]:
    """A counterexample for a terminal: the sentence, then its way step by step."""
    found = obligation.counterexample
    if found is None:
        return []
    ended = report.termination
    if obligation.name == "deadlock" and ended is not None:
        head = found.sentence.split(":")[0] + ":"
        return [head, *circle_lines(report.code, ended.circle, endless=ended.endless)]
    out = [found.sentence]
    for step in found.data.get("way", ()):  # type: ignore[union-attr]
        out.append(
            f"  <- rank {step['rank']}, thread block {step['tb']}, step {step['step']}"  # type: ignore[index,call-overload]
            f" {step['does']}"  # type: ignore[index,call-overload]
        )
    return out


def verify_file(
    data: bytes,
    *,
    target: Target | None = None,
    root: int | None = None,
    require_agreement: bool = False,
    max_bytes: int | None = None,
    limit: int = MAX_BYTES,
) -> FileReport:
    """Read, lint (for `target`) and verify an MSCCL XML file; see `verify` for the options.

    Raises:
        InvalidInput: the file cannot be read; with line.
    """
    program = read(data, limit=limit)
    report = verify(
        program,
        target=target,
        root=root,
        require_agreement=require_agreement,
        max_bytes=max_bytes,
    )
    lints = () if target is None else lint(program, target, data=data)
    return FileReport(report, target, lints)


def explain(program: Program) -> str:
    """What a program does, step by step, in an order in which it can run."""
    report = verify(program)
    return explain_program(program, report.code, report.order)


def to_schedule(program: Program) -> Schedule:
    """The native schedule that a program performs.

    Raises:
        InvalidInput: the program is wrong, or no schedule performs it.
    """
    report = verify(program, max_bytes=1)
    failed = next((o for o in report.obligations if not o.met), None)
    if failed is not None or report.order is None:
        why = failed.counterexample.sentence if failed and failed.counterexample else "unknown"
        raise InvalidInput(f"the program is not right: {why}")
    memory = lay_out(program, in_place=not _out_of_place(program), root=report.root)
    return lift(report.code, report.order, memory)


def _out_of_place(program: Program) -> bool:
    header = program.header
    if header.out_of_place is None:
        return not header.in_place
    return header.out_of_place


def convert(program: Program, target: Target, *, channels: int | None = None) -> bytes:
    """The program for another target: rewritten as it is where the target can run it, else
    through its native schedule. The result is verified as written.

    Raises:
        InvalidInput: no schedule performs it, a limit of the target, or a wrong result.
    """
    data = write(program, target)
    again = verify_file(data, target=target, limit=max(MAX_BYTES, len(data)))
    if any(item.severity == "error" for item in again.lints):
        header = program.header
        lowered = lower(
            to_schedule(program),
            target,
            protocol=header.protocol,
            in_place=not _out_of_place(program),
            channels=channels,
            name=header.name,
            min_bytes=header.min_bytes or 0,
            max_bytes=header.max_bytes,
        )
        data = write(lowered, target)
        again = verify_file(data, target=target, limit=max(MAX_BYTES, len(data)))
    if not again.clean:
        lines = [line for line in again.lines() if "error" in line or "refuted" in line]
        raise InvalidInput(f"what was written is not right: {'; '.join(lines[:3])}")
    return data

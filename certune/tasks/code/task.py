"""The meaning of one code specification: a program with its contract, to be proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from certune.core.agent import Brief
from certune.core.candidate import Candidate, File, Payload
from certune.core.canonical import Json, digest
from certune.core.errors import InvalidPayload, nearest
from certune.core.family import Baseline, Context, Solver
from certune.core.measurement import Bound, Comparison, Measurement
from certune.core.obligation import Counterexample, Obligation
from certune.core.spec import TaskSpec
from certune.core.status import Status
from certune.tasks.code import briefing
from certune.tasks.code.annotations import parse_annotations, place

if TYPE_CHECKING:
    from certune.verifier.contracts import Finding, FunctionReport, GateReport

Asks: TypeAlias = Literal["annotations", "implementation"]

ANNOTATIONS = "certune-annotations"
SOURCE = "python"
FORMATS = (SOURCE, ANNOTATIONS)
ARTEFACT = "program.py"
PLAIN = "plain.py"
PROGRAM = "program"


@dataclass(frozen=True)
class Parameters:
    """What a specification holds: the program without annotations, and what is asked for.

    `statement` says what the program is for; it has no meaning for the verdict.
    """

    program: str
    asks: Asks = "annotations"
    statement: str = ""


class CodeTask:
    """One program with its contract; see `certune.core.Task`."""

    def __init__(self, spec: TaskSpec, parameters: Parameters) -> None:
        self._spec = spec
        self.parameters = parameters

    @property
    def spec(self) -> TaskSpec:
        """The specification that this task was built from."""
        return self._spec

    # -- candidates ------------------------------------------------------------------------

    def recognise(self, data: bytes) -> str:
        """Annotations are a JSON object, all else is taken for source."""
        return ANNOTATIONS if data.lstrip()[:1] == b"{" else SOURCE

    def elaborate(self, payload: Payload, context: Context) -> Candidate:
        """Put annotations into the task's program, or take the whole source as it is.

        Nothing is executed: the source is parsed within the limits of the language.
        """
        from certune.verifier.contracts import compare_program, strip
        from certune.verifier.contracts.source import Refused

        if payload.format == ANNOTATIONS:
            text = place(self.parameters.program, parse_annotations(payload.data)).encode()
        elif payload.format == SOURCE:
            text = payload.data
        else:
            raise InvalidPayload(
                f"unknown payload format {payload.format[:60]!r}",
                remedy=nearest(payload.format[:60], FORMATS),
            )
        program = self.parameters.program.encode()
        try:
            findings = compare_program(program, text, asked=self.parameters.asks)
            plain = strip(text)
        except Refused as error:
            raise _invalid(error.finding) from None
        unreadable = next((f for f in findings if f.reason in ("syntax", "size", "unicode")), None)
        if unreadable is not None:
            raise _invalid(unreadable)
        artefact = File(ARTEFACT, text)
        return Candidate(payload, artefact, (File(PLAIN, plain.encode()),), value=findings)

    def check(self, candidate: Candidate, context: Context) -> Sequence[Obligation]:
        """The gate: the same program, the same contract, every function proved, runs that agree."""
        from certune.verifier.contracts import judge

        findings: Sequence[Finding] = candidate.value
        same = Obligation(
            name=PROGRAM,
            claim=self._same,
            method="parse",
            status=Status.REFUTED if findings else Status.PROVED,
            check="code/program",
            floor=self._spec.floor(PROGRAM),
            counterexample=_told(findings[0]) if findings else None,
        )
        if findings:
            return (same,)
        gate = judge(
            self.parameters.program.encode(),
            candidate.artefact.data,
            ARTEFACT,
            asked=self.parameters.asks,
        )
        if gate.findings:
            return (same, self._outside(gate.findings[0]))
        shown = [self._function(report, context) for report in gate.report.functions]
        if gate.failure is not None or gate.why:
            return (same, *shown, self._runs(gate))
        return (same, *shown)

    @property
    def _same(self) -> str:
        if self.parameters.asks == "implementation":
            return "signatures, contracts and specification functions are the task's"
        return "without its annotations it is the task's program, under the task's contract"

    def _outside(self, finding: Finding) -> Obligation:
        return Obligation(
            name="language",
            claim="the source is within the language that is verified",
            method="parse",
            status=Status.INVALID,
            check="code/language",
            counterexample=_told(finding),
        )

    def _runs(self, gate: GateReport) -> Obligation:
        """What runs on inputs drawn from the contract say against a proof."""
        failed = gate.failure
        told = Counterexample(gate.why)
        if failed is not None:
            told = Counterexample(failed.sentence, {"inputs": dict(failed.inputs)})
        return Obligation(
            name="runs",
            claim="some inputs satisfy the precondition, and runs on them end and break nothing",
            method="property",
            status=Status.UNKNOWN if failed is None else Status.REFUTED,
            check="code/runs",
            floor=self._spec.floor("runs"),
            evidence={"runs": dict(gate.runs)},
            counterexample=told,
        )

    def _function(self, report: FunctionReport, context: Context) -> Obligation:
        kinds: dict[str, Json] = {}
        for condition in report.conditions:
            count = kinds.get(condition.kind, 0)
            assert isinstance(count, int)
            kinds[condition.kind] = count + 1
            if condition.query is not None:
                context.keep(condition.query.text)
        queries = sorted({c.digest for c in report.conditions if c.query is not None})
        solvers = sorted(
            {f"{c.answer.solver} {c.answer.version}" for c in report.conditions if c.answer}
        )
        return Obligation(
            name=report.name,
            claim=_CLAIMS[report.role].format(name=report.name),
            method="smt",
            status=report.status,
            check="code/conditions",
            floor=self._spec.floor(report.name),
            evidence={
                "conditions": len(report.conditions),
                "kinds": kinds,
                "queries": digest(list(queries)),
                "solvers": list(solvers),
            },
            counterexample=_open(report),
        )

    def evaluate(self, candidate: Candidate, context: Context) -> Measurement:
        """A proof is all that is asked for: there is nothing to measure."""
        return Measurement("modelled", {})

    def compare(
        self, candidate: Candidate, incumbent: Candidate, context: Context
    ) -> Comparison | None:
        """Nothing is measured."""
        return None

    # -- what there is to begin with -------------------------------------------------------

    def baseline(self) -> Baseline | None:
        """A proof has no baseline."""
        return None

    def bounds(self, context: Context) -> Sequence[Bound]:
        """A proof has no bound."""
        return ()

    def solvers(self) -> Sequence[Solver]:
        """The finder of annotations, where the program is given; an implementation has none."""
        from certune.tasks.code.solvers.solver import Annotate

        if self.parameters.asks == "implementation":
            return ()
        return (Annotate(self.parameters.program),)

    def recheck(self, bound: Bound, context: Context) -> bool:
        """No bound is claimed of a proof."""
        return False

    def brief(self) -> Brief:
        """What agents are told."""
        return briefing.brief(
            self._spec, self.parameters.program, self.parameters.asks, self.parameters.statement
        )


_CLAIMS: Mapping[str, str] = {
    "code": "{name} keeps its contract, breaks no operation and ends",
    "spec": "the specification function {name} is defined and ends",
    "lemma": "the lemma {name} holds",
}


def _invalid(finding: Finding) -> InvalidPayload:
    return InvalidPayload(finding.message, place=str(finding.place), remedy=finding.remedy)


def _told(finding: Finding) -> Counterexample:
    place = {"line": finding.place.line, "column": finding.place.column}
    return Counterexample(str(finding), {**place, "reason": finding.reason})


def _open(report: FunctionReport) -> Counterexample | None:
    """Why a function is not proved: an input first, else what is open."""
    if report.status is Status.PROVED:
        return None
    if report.failure is not None:
        failure = report.failure
        steps: list[Json] = [
            {"line": step.line, "values": dict(step.values)} for step in failure.steps[-12:]
        ]
        return Counterexample(
            failure.sentence,
            {
                "inputs": dict(failure.inputs),
                "kind": failure.kind,
                "line": failure.place.line,
                "blames": failure.blames,
                "steps": steps,
            },
        )
    if report.findings:
        return _told(report.findings[0])
    if report.open:
        first = report.open[0]
        path = f" (where {' and '.join(first.path)})" if first.path else ""
        data: list[Json] = [
            {"kind": c.kind, "line": c.place.line, "column": c.place.column, "claim": c.claim}
            for c in report.open[:20]
        ]
        return Counterexample(
            f"{report.name}: {first.kind} not shown at {first.place}: {first.claim}{path}; "
            f"{len(report.open)} of {len(report.conditions)} conditions open",
            {"open": data},
        )
    return Counterexample(f"{report.name}: {report.why}")

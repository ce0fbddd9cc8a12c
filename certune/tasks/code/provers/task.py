"""The meaning of a specification that names a prover of another language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from certune.core.agent import Brief, PayloadFormat
from certune.core.candidate import Candidate, File, Payload
from certune.core.canonical import Json, sha256
from certune.core.codec import decode, encode
from certune.core.errors import ConfigurationError, InvalidInput, InvalidPayload, nearest
from certune.core.family import Baseline, Context, Solver
from certune.core.measurement import Bound, Comparison, Measurement
from certune.core.obligation import Counterexample, Obligation
from certune.core.spec import TaskSpec
from certune.core.status import Status
from certune.tasks.code.provers.known import PROVERS
from certune.tasks.code.provers.protocol import Prover, examine
from certune.verifier.contracts.report import Finding

SOURCE = "source"
_UNREADABLE = ("syntax", "size", "unicode")


@dataclass(frozen=True)
class Parameters:
    """What a specification holds: the program with its contracts, and the prover's name."""

    program: str
    prover: str


def parameters(path: str, prover: str) -> Mapping[str, Json]:
    """The parameters for a user's file.

    Raises:
        ConfigurationError: an unknown prover, or a file that is not in its language.
        InvalidInput: the file cannot be read, or has in it what no candidate may have.
    """
    chosen = _prover(prover)
    if not path.endswith(chosen.suffix):
        raise ConfigurationError(f"{prover} reads no {path!r}", remedy=f"-p path=F{chosen.suffix}")
    try:
        with Path(path).open("rb") as file:
            data = file.read(200_001)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", place=path) from None
    _whole(chosen, data, path)
    encoded = encode(Parameters(data.decode(), prover))
    assert isinstance(encoded, Mapping)
    return encoded


def opened(spec: TaskSpec) -> ProverTask:
    """The task of a specification with a prover.

    Raises:
        InvalidInput: its parameters are not what `parameters` would give.
    """
    given = decode(Parameters, spec.parameters, "parameters")
    chosen = _prover(given.prover)
    _whole(chosen, given.program.encode(), "parameters.program")
    return ProverTask(spec, given.program, chosen)


def _prover(name: str) -> Prover:
    if name not in PROVERS:
        raise ConfigurationError(f"prover={name[:60]}", remedy=nearest(name[:60], PROVERS))
    return PROVERS[name]


def _whole(prover: Prover, data: bytes, place: str) -> None:
    """A task's program may lack annotations, nothing else."""
    finding = examine(prover, None, data)
    if finding is not None and finding.reason != "termination":
        raise InvalidInput(str(finding), place=place)


class ProverTask:
    """A program of another language with its contract; see `certune.core.Task`."""

    def __init__(self, spec: TaskSpec, program: str, prover: Prover) -> None:
        self._spec = spec
        self.program = program
        self.prover = prover

    @property
    def spec(self) -> TaskSpec:
        """The specification that this task was built from."""
        return self._spec

    def recognise(self, data: bytes) -> str:
        """A payload is the whole source."""
        return SOURCE

    def elaborate(self, payload: Payload, context: Context) -> Candidate:
        """Read the source; no tool sees it yet."""
        if payload.format != SOURCE:
            raise InvalidPayload(
                f"unknown payload format {payload.format[:60]!r}", remedy=f"send {SOURCE!r}"
            )
        finding = examine(self.prover, self.program, payload.data)
        if finding is not None and finding.reason in _UNREADABLE:
            raise InvalidPayload(finding.message, place=str(finding.place), remedy=finding.remedy)
        name = f"program{self.prover.suffix}"
        return Candidate(payload, File(name, payload.data), value=finding)

    def check(self, candidate: Candidate, context: Context) -> Sequence[Obligation]:
        """The gate, and only behind it the tool."""
        finding: Finding | None = examine(self.prover, self.program, candidate.artefact.data)
        same = Obligation(
            name="program",
            claim="nothing is assumed, and without annotations it is the task's program",
            method="parse",
            status=Status.PROVED if finding is None else Status.REFUTED,
            check="code/prover-program",
            floor=self._spec.floor("program"),
            counterexample=None if finding is None else _told(finding),
        )
        if finding is not None:
            return (same,)
        report = self.prover.prove(candidate.artefact.data.decode())
        told = None
        if report.status is not Status.PROVED:
            first = report.failures[0] if report.failures else None
            data: list[Json] = [
                {"line": f.place.line if f.place else 0, "message": f.message}
                for f in report.failures[:20]
            ]
            place = f"{first.place}: " if first and first.place else ""
            sentence = f"{place}{first.message}" if first else f"{report.tool} shows no proof"
            told = Counterexample(sentence, {"open": data})
        proof = Obligation(
            name="proof",
            claim=f"{self.prover.name} verifies every function of the program",
            method="smt",
            status=report.status,
            check="code/prover",
            floor=self._spec.floor("proof"),
            evidence={
                "tool": report.tool,
                "verified": report.verified,
                "functions": list(report.functions),
                "isolation": report.isolation,
                "source": sha256(candidate.artefact.data),
            },
            counterexample=told,
        )
        return (same, proof)

    def evaluate(self, candidate: Candidate, context: Context) -> Measurement:
        """There is nothing to measure."""
        return Measurement("modelled", {})

    def compare(
        self, candidate: Candidate, incumbent: Candidate, context: Context
    ) -> Comparison | None:
        """Nothing is measured."""
        return None

    def baseline(self) -> Baseline | None:
        """A proof has no baseline."""
        return None

    def bounds(self, context: Context) -> Sequence[Bound]:
        """A proof has no bound."""
        return ()

    def solvers(self) -> Sequence[Solver]:
        """The built-in finder reads Python alone."""
        return ()

    def recheck(self, bound: Bound, context: Context) -> bool:
        """No bound is claimed of a proof."""
        return False

    def brief(self) -> Brief:
        """What agents are told."""
        numbered = "\n".join(f"{n:3} {row}" for n, row in enumerate(self.program.split("\n"), 1))
        return Brief(
            spec=self._spec,
            task=f"annotate the program so that {self.prover.name} verifies all of it",
            formats=(
                PayloadFormat(SOURCE, "the whole annotated source", None, self.program.encode()),
            ),
            hints=(
                f"The program, with line numbers:\n{numbered}",
                f"May be added: {self.prover.annotations}. Assumptions of any kind, attributes and "
                "other files are refused; everything else stays exactly as it is.",
            ),
            repairs={
                "format": "Send the whole source as ASCII text.",
                "program": "Change annotations only, and assume nothing.",
                "proof": "Strengthen the annotations at the line that is named.",
            },
        )


def _told(finding: Finding) -> Counterexample:
    place = {"line": finding.place.line, "column": finding.place.column}
    return Counterexample(str(finding), {**place, "reason": finding.reason})

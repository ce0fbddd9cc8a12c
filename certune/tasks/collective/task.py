"""The meaning of one collective specification: elaborate, check, evaluate, bound, search."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property

from certune.core.agent import Brief, PayloadFormat
from certune.core.candidate import Candidate, File, Payload
from certune.core.canonical import Json
from certune.core.errors import InvalidPayload, NotRepeatable, nearest
from certune.core.family import Baseline, Context, Solver
from certune.core.measurement import Bound, Comparison, Measurement
from certune.core.obligation import Counterexample, Obligation
from certune.core.spec import TaskSpec
from certune.core.status import Status
from certune.tasks.collective import (
    baselines,
    bounds,
    briefing,
    cost,
    dataflow,
    solvers,
    targets,
)
from certune.tasks.collective.collective import Collective, Kind
from certune.tasks.collective.parameters import AUTO, Parameters
from certune.tasks.collective.schedule import Schedule, dump_schedule, parse_schedule
from certune.tasks.collective.solvers import infeasible
from certune.tasks.collective.solvers.problem import Problem, chunks_per_rank
from certune.tasks.collective.topology import Topology

SCHEDULE = "certune-schedule"

_POSTCONDITIONS: Mapping[Kind, str] = {
    "allgather": "every rank ends with every chunk",
    "reduce-scatter": "every owner ends with the sum of all contributions, each exactly once",
    "allreduce": "every rank ends with the sum of all contributions, each exactly once",
    "broadcast": "every rank ends with every chunk of the root",
    "reduce": "the root ends with the sum of all contributions, each exactly once",
    "gather": "the root ends with every chunk",
    "scatter": "every owner ends with its chunks",
    "alltoall": "every owner ends with the chunks meant for it",
}
ARTEFACT = "schedule.json"


class CollectiveTask:
    """One collective on one topology for one objective; see `certune.core.Task`."""

    def __init__(self, spec: TaskSpec, kind: Kind, parameters: Parameters) -> None:
        self._spec = spec
        self.kind = kind
        self.parameters = parameters
        self.root = parameters.root or 0

    @property
    def spec(self) -> TaskSpec:
        """The specification that this task was built from."""
        return self._spec

    @cached_property
    def topology(self) -> Topology:
        """The topology that the specification names or holds."""
        return self.parameters.build_topology()

    # -- candidates ------------------------------------------------------------------------

    def recognise(self, data: bytes) -> str:
        """The only payload format is the native schedule."""
        return SCHEDULE

    def elaborate(self, payload: Payload, context: Context) -> Candidate:
        """Parse a schedule strictly and bring it into its canonical form."""
        if payload.format != SCHEDULE:
            raise InvalidPayload(
                f"unknown payload format {payload.format[:60]!r}",
                remedy=nearest(payload.format[:60], [SCHEDULE]),
            )
        schedule = parse_schedule(payload.data).normalised()
        asked = Collective(self.kind, self.topology.ranks, schedule.collective.pieces, self.root)
        if schedule.collective != asked:
            found = schedule.collective
            raise InvalidPayload(
                f"a schedule of {found.kind} over {found.ranks} ranks"
                + (f" with root {found.root}" if found.rooted else ""),
                remedy=f"the task is {self.kind} over {asked.ranks} ranks"
                + (f" with root {self.root}" if asked.rooted else ""),
            )
        artefact = File(ARTEFACT, dump_schedule(schedule))
        return Candidate(payload, artefact, self._files(schedule), value=schedule)

    def _files(self, schedule: Schedule) -> tuple[File, ...]:
        return targets.derive(schedule, self.parameters.targets)

    def check(self, candidate: Candidate, context: Context) -> Sequence[Obligation]:
        """The schedule's data-flow and links, and what is proven of every file."""
        schedule: Schedule = candidate.value
        found = [
            self._show(
                "links",
                f"every send uses a link of {self.topology.name}",
                lambda: dataflow.links_exist(schedule, self.topology),
                {"sends": schedule.sends},
            ),
        ]
        if found[0].met:
            found.append(
                self._show(
                    "postcondition",
                    _POSTCONDITIONS[self.kind],
                    lambda: dataflow.verify(schedule),
                    {
                        "sends": schedule.sends,
                        "steps": schedule.steps,
                        "pieces": schedule.collective.pieces,
                    },
                )
            )
        if all(obligation.met for obligation in found):
            for file in candidate.files:
                found += targets.check(file, schedule.collective, self.topology)
        return found

    def _show(
        self,
        name: str,
        claim: str,
        refute: Callable[[], Counterexample | None],
        evidence: Mapping[str, Json],
    ) -> Obligation:
        began = time.perf_counter()
        counterexample: Counterexample | None = refute()
        return Obligation(
            name=name,
            claim=claim,
            method="dataflow",
            status=Status.PROVED if counterexample is None else Status.REFUTED,
            check=f"collective/{name}",
            seconds=round(time.perf_counter() - began, 6),
            evidence=evidence,
            counterexample=counterexample,
        )

    # -- numbers ---------------------------------------------------------------------------

    def evaluate(self, candidate: Candidate, context: Context) -> Measurement:
        """Exact metrics in the alpha-beta model: steps, rounds, pieces and the goal's own."""
        schedule: Schedule = candidate.value
        profile = cost.profile(schedule, self.topology)
        values: dict[str, Fraction] = {
            "steps": Fraction(schedule.steps),
            "rounds": Fraction(profile.rounds),
            "chunks": Fraction(chunks_per_rank(schedule.collective)),
            cost.LATENCY.name: profile.latency,
            cost.BANDWIDTH.name: profile.bandwidth,
        }
        for size in self.parameters.sizes:
            values[cost.time_metric(size).name] = profile.time(size)
        return Measurement("modelled", values)

    def compare(
        self, candidate: Candidate, incumbent: Candidate, context: Context
    ) -> Comparison | None:
        """Nothing is measured: the model is exact."""
        return None

    def baseline(self) -> Baseline:
        """The baseline that the specification names."""
        return self._baseline

    @cached_property
    def _baseline(self) -> Baseline:
        name = self.parameters.baseline
        if name == AUTO:
            name, schedule = baselines.default_baseline(self.kind, self.topology, self.root)
        else:
            schedule = baselines.baseline(name, self.kind, self.topology, self.root)
        return Baseline(name, Payload(SCHEDULE, dump_schedule(schedule.normalised())))

    # -- bounds and search -----------------------------------------------------------------

    def bounds(self, context: Context) -> Sequence[Bound]:
        """What no schedule can beat: by distance, by cuts, at each size of the goal."""
        return self._bounds

    @cached_property
    def _bounds(self) -> tuple[Bound, ...]:
        return tuple(bounds.known(self.kind, self.topology, self.root, self.parameters.sizes))

    def solvers(self) -> Sequence[Solver]:
        """Exact synthesis where it is small enough, and the greedy search."""
        return solvers.of(self._problem, self._bandwidth)

    @cached_property
    def _problem(self) -> Problem:
        parameters = self.parameters
        return Problem(self.kind, self.topology, self.root, parameters.objective, parameters.sizes)

    @cached_property
    def _bandwidth(self) -> Fraction:
        """The proven bound on bandwidth in GB/s; of an allreduce, for the allgather in it."""
        if self.kind == "allreduce":
            return bounds.bandwidth_bound("allgather", self.topology).value
        return next(b.value for b in self._bounds if b.metric == cost.BANDWIDTH)

    def recheck(self, bound: Bound, context: Context) -> bool:
        """Repeat a bound from its witness, or its query by a solver."""
        if bound.check == infeasible.CHECK:
            if context.prover is None:
                raise NotRepeatable("no prover is here to ask again")
            return infeasible.recheck_infeasible(self._problem, bound, context.prover)
        if bound.kind != "proven" or bound.scope:
            return False
        return bounds.check(bound, self.kind, self.topology, self.root)

    def brief(self) -> Brief:
        """What agents are told."""
        topology = self.topology
        baseline = self.baseline()
        pieces = parse_schedule(baseline.payload.data).collective.pieces
        return Brief(
            spec=self.spec,
            task=f"{self.kind} over {topology.ranks} ranks of {topology.name}: "
            f"{briefing.wanted(self.parameters)}",
            formats=(
                PayloadFormat(
                    SCHEDULE,
                    "which rank sends which chunk to whom in which synchronous step",
                    briefing.schema(self.kind, topology.ranks, self.root, pieces),
                    baseline.payload.data,
                ),
            ),
            baselines=(baseline.name,),
            bounds=tuple(self.bounds(Context())),
            hints=briefing.hints(self.kind, topology, self.root, self.parameters),
            repairs=briefing.REPAIRS,
        )

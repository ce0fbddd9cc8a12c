"""Sessions: ask, submit, run within a budget, stop, resume.

`Session.submit` is the one door: whatever an agent, a person, a notebook or a gate proposes is
judged here, in this order: parse, elaborate, known?, check, evaluate, decide, record.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from certune.acceptance import Incumbent, best_bound, decide, gap
from certune.certificate import Acceptance, build, seal
from certune.core.agent import Agent, AgentFactory, AgentSetup, Brief
from certune.core.budget import Budget, Spent
from certune.core.candidate import Candidate, File, Payload
from certune.core.codec import decode, encode
from certune.core.errors import (
    BudgetSpent,
    Crashed,
    InfrastructureError,
    InvalidInput,
    LedgerError,
    Unavailable,
)
from certune.core.family import Context, Task
from certune.core.measurement import Bound, Comparison, Measurement
from certune.core.obligation import Verdict
from certune.core.proof import Answer, Prover, Query
from certune.core.spec import goal_metrics
from certune.core.trial import Proposal, Trial
from certune.environment import fingerprint
from certune.judging import Judged, check, elaborate, evaluate, judge
from certune.ledger import Ledger
from certune.signing import Signer

Event: TypeAlias = Trial | Bound
Watcher: TypeAlias = Callable[[Event], None]

Stopped: TypeAlias = Literal["exhausted", "nothing-better", "budget", "asked", "trouble"]

# Trouble of our own may pass; this often in a row it does not.
PATIENCE = 3


@dataclass(frozen=True)
class Run:
    """How a run ended: why, which budget or trouble it was, and what it accepted."""

    stopped: Stopped
    detail: str
    accepted: tuple[Trial, ...]
    trouble: Exception | None = None


@dataclass(frozen=True)
class Reference:
    """What results are compared with: a name and its metrics."""

    name: str
    measurement: Measurement


@dataclass(frozen=True)
class Rival:
    """An incumbent to begin with: its name and payload."""

    name: str
    payload: Payload


@dataclass(frozen=True)
class _NamedRival:
    """A rival as recorded: its payload by digest."""

    name: str
    format: str
    payload: str


@dataclass(frozen=True)
class _Plan:
    """What is recorded of how a session began, beside its specification and budget."""

    options: Mapping[str, str]
    rivals: tuple[_NamedRival, ...]


def new_identity() -> str:
    """A session's name: when it began (UTC) and four random digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _nothing(_: Event) -> None:
    return None


class Session:
    """One attempt to solve one task, recorded in a ledger.

    Create it with `start` or `resume`. Not safe to share between threads but for `stop`.
    """

    def __init__(
        self, ledger: Ledger, identity: str, task: Task, *, context: Context | None = None
    ) -> None:
        """Open the session `identity` of `ledger`; use `start` or `resume` instead."""
        self.ledger = ledger
        self.identity = identity
        self.task = task
        self.record = ledger.session(identity)
        self._plan = decode(_Plan, self.record.options, "options")
        self._asked = threading.Event()
        self._deadline: float | None = None
        given = context or Context()
        self._kept: dict[str, bytes] = {}
        self.context = replace(
            given,
            prover=given.prover and _Keeping(given.prover, self._kept),
            stopped=lambda: self.stopping or given.stopped(),
        )
        self.signer: Signer | None = None
        self._watch: Watcher = _nothing
        self._trials = list(ledger.trials(identity))
        self._bounds: list[Bound] = []
        self._incumbent = Incumbent()
        self._best: dict[str, Candidate] = {}
        self._baseline: Reference | None = None
        self._since = time.monotonic()

    # -- beginning -------------------------------------------------------------------------

    @classmethod
    def start(
        cls,
        ledger: Ledger,
        task: Task,
        *,
        agent: str,
        options: Mapping[str, str] | None = None,
        budget: Budget | None = None,
        rivals: Sequence[Rival] | None = None,
        context: Context | None = None,
    ) -> Session:
        """Begin a session on `task`, to be run by the agent of this name.

        `rivals` are the incumbents to beat besides the baseline; by default the best that this
        project has accepted for the same specification. They are judged anew.

        Raises:
            InvalidInput: a rival that was named is not correct.
            LedgerError: nothing could be recorded.
        """
        identity = new_identity()
        if rivals is None:
            rivals = _accepted_before(ledger, task)
        named = [_NamedRival(r.name, r.payload.format, r.payload.digest) for r in rivals]
        plan = encode(_Plan(dict(options or {}), tuple(named)))
        assert isinstance(plan, Mapping)
        ledger.start(
            identity,
            task.spec,
            agent,
            plan,
            budget or Budget(),
            blobs=[rival.payload.data for rival in rivals],
        )
        session = cls(ledger, identity, task, context=context)
        session._prepare(rivals)
        return session

    @classmethod
    def resume(
        cls,
        ledger: Ledger,
        identity: str,
        task: Task,
        *,
        budget: Budget | None = None,
        context: Context | None = None,
    ) -> Session:
        """Open a recorded session again; it continues from its last recorded trial.

        `budget` takes the place of the recorded one; what was spent stays spent.
        """
        session = cls(ledger, identity, task, context=context)
        if budget is not None:
            session.record = replace(session.record, budget=budget)
        session._prepare(
            [
                Rival(rival.name, Payload(rival.format, ledger.blob(rival.payload)))
                for rival in session._plan.rivals
            ]
        )
        return session

    def _prepare(self, rivals: Sequence[Rival]) -> None:
        """Judge the baseline, the rivals and what this session accepted; claim known bounds."""
        for bound in self.task.bounds(self.context):
            self._claim(bound)
        for bound in self.ledger.bounds(self.identity):
            self._claim(bound)
        baseline = self.task.baseline()
        if baseline is not None:
            judged = judge(self.task, baseline.payload, self.context)
            if judged.measurement is None:
                failure = judged.verdict.failure
                raise Crashed(
                    f"the task's own baseline {baseline.name!r} is not correct: "
                    f"{failure.counterexample if failure else judged.verdict.status.value}"
                )
            self._baseline = self._enthrone(f"the baseline {baseline.name}", judged)
        for rival in rivals:
            judged = judge(self.task, rival.payload, self.context)
            failure = judged.verdict.failure
            if failure is not None:
                told = failure.counterexample.sentence if failure.counterexample else failure.claim
                raise InvalidInput(
                    f"{rival.name} is {failure.status.value}: {told}",
                    place="incumbent",
                    remedy="name another, or none for the baseline alone",
                )
            self._enthrone(rival.name, judged)
        for trial in self._trials:
            if trial.accepted:
                judged = judge(self.task, self.history.payload(trial), self.context)
                if not judged.verdict.met:
                    raise LedgerError(
                        f"trial {trial.number} was accepted and does not hold when judged again; "
                        "run `certune ledger verify`"
                    )
                if judged.measurement is not None:
                    self._enthrone(f"trial {trial.number}", judged)

    def _enthrone(self, name: str, judged: Judged) -> Reference:
        """Let a judged candidate take the place of the incumbent wherever it is better."""
        assert judged.measurement is not None
        assert judged.candidate is not None
        before = self._incumbent
        self._incumbent = before.improved(self.task.spec.goal, judged.measurement.values, name)
        for metric, holder in self._incumbent.names.items():
            if before.names.get(metric) != holder:
                self._best[metric] = judged.candidate
        return Reference(name, judged.measurement)

    # -- what agents see -------------------------------------------------------------------

    @property
    def history(self) -> _History:
        """The live, read-only view that agents get."""
        return _History(self)

    @property
    def trials(self) -> Sequence[Trial]:
        """Every recorded attempt, oldest first."""
        return tuple(self._trials)

    @property
    def bounds(self) -> Sequence[Bound]:
        """The bounds known by now."""
        return tuple(self._bounds)

    @property
    def incumbent(self) -> Incumbent:
        """What the next candidate has to beat."""
        return self._incumbent

    @property
    def baseline(self) -> Reference | None:
        """The baseline with its metrics; None for a goal that is a proof."""
        return self._baseline

    def ask(self) -> Brief:
        """What an agent is told: the task's brief with the bounds known by now."""
        return replace(self.task.brief(), bounds=tuple(self._bounds))

    # -- the one door ----------------------------------------------------------------------

    def submit(self, proposal: Proposal, *, agent: str | None = None) -> Trial:
        """Judge a proposal and record the attempt, whatever its end.

        Raises:
            BudgetSpent: no further attempt is allowed; nothing was judged.
            InfrastructureError: trouble of our own; the attempt is recorded as failed.
            LedgerError: the attempt could not be recorded; earlier ones are kept.
        """
        spent = self.ledger.spent(self.identity)
        limit = self.record.budget.exhausted(spent)
        if limit is not None:
            raise BudgetSpent(f"the budget of {limit} is spent")
        started = _now()
        trial = Trial(
            number=len(self._trials) + 1,
            session=self.identity,
            agent=agent or self.record.agent,
            spec=self.task.spec.digest,
            payload_format=proposal.payload.format,
            payload=proposal.payload.digest,
            started=started,
            seconds=0.0,
            usage=proposal.usage,
            provenance=proposal.provenance,
        )
        try:
            trial, judged = self._judge(trial, proposal.payload)
        except InfrastructureError as error:
            failed = replace(trial, failure=f"{type(error).__name__}: {error}")
            self._record(failed, proposal.payload, None)
            raise
        return self._record(trial, proposal.payload, judged)

    def _judge(self, trial: Trial, payload: Payload) -> tuple[Trial, Judged]:
        candidate = elaborate(self.task, payload, self.context)
        if isinstance(candidate, Verdict):
            return self._decide(trial, Judged(candidate))
        trial = replace(trial, artefact=candidate.artefact.digest)
        known = self.ledger.known(self.task.spec.digest, candidate.artefact.digest)
        if known is not None and known.verdict is not None:
            answer = Judged(known.verdict, candidate, known.measurement)
            told, _ = self._decide(replace(trial, known=True), answer, known.comparison)
            if not told.accepted:
                return told, answer
            # An acceptance stands on fresh evidence, never on a record.
        verdict = check(self.task, candidate, self.context)
        if not verdict.met:
            return self._decide(trial, Judged(verdict, candidate))
        measurement = evaluate(self.task, candidate, self.context)
        comparison = None
        if measurement.taken == "measured":
            for metric in goal_metrics(self.task.spec.goal):
                if metric.name in self._best:
                    rival = self._best[metric.name]
                    comparison = self.task.compare(candidate, rival, self.context)
                    break
        return self._decide(trial, Judged(verdict, candidate, measurement), comparison)

    def _decide(
        self, trial: Trial, judged: Judged, comparison: Comparison | None = None
    ) -> tuple[Trial, Judged]:
        decision = decide(
            self.task.spec.goal,
            judged.verdict,
            judged.measurement,
            self._incumbent,
            self._bounds,
            comparison,
        )
        done = replace(
            trial,
            verdict=judged.verdict,
            measurement=judged.measurement,
            comparison=comparison,
            decision=decision,
        )
        return done, judged

    def _record(self, trial: Trial, payload: Payload, judged: Judged | None) -> Trial:
        """Make one durable record of an attempt; with its certificate when it is accepted."""
        now = time.monotonic()
        trial = replace(trial, seconds=round(now - self._since, 6))
        blobs = [payload.data]
        sealed = None
        if trial.accepted and judged is not None and judged.candidate is not None:
            files = (judged.candidate.artefact, *judged.candidate.files)
            trial = replace(trial, files={file.name: file.digest for file in files})
            blobs += [file.data for file in files]
            sealed = self._certify(trial, judged, files)
        self.ledger.record_trial(trial, blobs=blobs, certificate=sealed)
        self._since = now
        self._trials.append(trial)
        if trial.accepted and judged is not None and judged.measurement is not None:
            self._enthrone(f"trial {trial.number}", judged)
        return trial

    def _certify(self, trial: Trial, judged: Judged, files: Sequence[File]) -> bytes:
        assert trial.decision is not None
        metrics = goal_metrics(self.task.spec.goal)
        values = judged.measurement.values if judged.measurement else {}
        gaps = {m.name: gap(m, values[m.name], self._bounds) for m in metrics if m.name in values}
        machine = fingerprint()
        acceptance = Acceptance(
            spec=self.task.spec,
            spec_digest=self.task.spec.digest,
            status=judged.verdict.status,
            obligations=judged.verdict.obligations,
            measurement=judged.measurement,
            comparison=trial.comparison,
            baseline_name=self._baseline.name if self._baseline else "",
            baseline=self._baseline.measurement if self._baseline else None,
            incumbent=dict(self._incumbent.values),
            bounds=tuple(self._bounds),
            gaps={name: value for name, value in gaps.items() if value is not None},
            decision=trial.decision,
            payload=trial.payload,
            payload_format=trial.payload_format,
            artefact=files[0].name,
            artefact_format=self.task.recognise(files[0].data),
            environment=machine,
            versions={"certune": machine.certune, **machine.packages},
            session=self.identity,
            agent=trial.agent,
            trial=trial.number,
            created=trial.started,
            provenance=trial.provenance,
        )
        return seal(build(acceptance, files), self.signer)

    # -- running ---------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask a running session to stop; what is being judged is still recorded."""
        self._asked.set()

    @property
    def stopping(self) -> bool:
        """Whether the session was asked to stop or its time is over."""
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return late or self._asked.is_set()

    @property
    def spent(self) -> Spent:
        """What the session has spent so far, earlier runs included."""
        spent = self.ledger.spent(self.identity)
        return replace(spent, seconds=spent.seconds + (time.monotonic() - self._since))

    @property
    def nothing_better(self) -> bool:
        """Whether no candidate can be better: a proof is there, or every bound is met."""
        metrics = goal_metrics(self.task.spec.goal)
        if not metrics:
            return any(trial.accepted for trial in self._trials)
        for metric in metrics:
            bound = best_bound(metric, self._bounds)
            if bound is None or self._incumbent.values.get(metric.name) != bound.value:
                return False
        return True

    def make_agent(self, factory: AgentFactory) -> Agent:
        """An agent for this session, with the options that it was started with."""
        return factory(AgentSetup(self._plan.options, self._search))

    def _search(self) -> Iterator[tuple[str, Payload]]:
        """What the family's solvers find; what they prove goes to the session alone."""
        for solver in self.task.solvers():
            for found in solver.solve(self.context):
                if isinstance(found, Payload):
                    yield solver.name, found
                else:
                    self._claim(found)
                    self._watch(found)
            if self.stopping:
                return

    def _claim(self, bound: Bound) -> None:
        """Take up a bound that trusted code has proven or estimated."""
        if any(encode(known) == encode(bound) for known in self._bounds):
            return
        for trial in self._trials:
            values = trial.measurement.values if trial.measurement else {}
            if trial.accepted and bound.kind == "proven" and bound.beaten_by(values):
                raise Crashed(
                    f"the bound {bound.name!r} ({bound.claim}) contradicts trial {trial.number}, "
                    "which was accepted: one of the two proofs is wrong"
                )
        query = bound.evidence.get("query")
        kept = [self._kept[query]] if isinstance(query, str) and query in self._kept else []
        self.ledger.record_bound(self.identity, bound, blobs=kept)
        self._bounds.append(bound)

    def run(self, agent: Agent, *, watch: Watcher = _nothing) -> Run:
        """Let `agent` propose until it has no more, the budget is spent or `stop` is called.

        Every attempt is recorded as it ends. Trouble of our own costs its own attempt; three
        such in a row end the run. Returns how it ended; only `LedgerError` is raised.
        """
        self._watch = watch
        began = self._since = time.monotonic()
        spent = self.ledger.spent(self.identity)
        budget = self.record.budget
        if budget.seconds is not None:
            self._deadline = began + max(0.0, budget.seconds - spent.seconds)
        before = len(self._trials)
        trouble: Exception | None = None
        try:
            stopped, detail, trouble = self._loop(agent, budget)
        except KeyboardInterrupt:
            stopped, detail = "asked", "interrupted"
        finally:
            self._deadline = None
        seconds = time.monotonic() - began
        self.ledger.end(self.identity, f"{stopped}: {detail}" if detail else stopped, seconds)
        self._since = time.monotonic()
        accepted = tuple(trial for trial in self._trials[before:] if trial.accepted)
        return Run(stopped, detail, accepted, trouble)

    def _loop(self, agent: Agent, budget: Budget) -> tuple[Stopped, str, Exception | None]:
        failures = 0
        proposals = agent.propose(self.ask(), self.history)
        while True:
            if self.nothing_better:
                return "nothing-better", "", None
            if self._asked.is_set():
                return "asked", "", None
            limit = budget.exhausted(self.spent)
            if limit is not None:
                return "budget", limit, None
            try:
                proposal = next(proposals, None)
                if proposal is None:
                    break
            except InfrastructureError as error:
                failures += 1
                if failures >= PATIENCE or isinstance(error, Unavailable):
                    return "trouble", str(error), error
                proposals = agent.propose(self.ask(), self.history)
                continue
            try:
                self._watch(self.submit(proposal))
                failures = 0
            except BudgetSpent as error:
                return "budget", str(error), None
            except InfrastructureError as error:
                self._watch(self._trials[-1])
                failures += 1
                if failures >= PATIENCE:
                    return "trouble", str(error), error
        if self._asked.is_set():
            return "asked", "", None
        if self.stopping:
            return "budget", "seconds", None
        return "exhausted", f"{agent.name} has nothing more to propose", None


class _Keeping:
    """A prover that keeps the text of every query, for the evidence of what it shows."""

    def __init__(self, prover: Prover, kept: dict[str, bytes]) -> None:
        self._prover = prover
        self._kept = kept

    def decide(self, query: Query, *, seconds: float) -> Answer:
        answer = self._prover.decide(query, seconds=seconds)
        if answer.result == "unsat":
            self._kept[query.digest] = query.text
        return answer


class _History:
    """The live, read-only view of a session that agents get."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def trials(self) -> Sequence[Trial]:
        return self._session.trials

    @property
    def bounds(self) -> Sequence[Bound]:
        return self._session.bounds

    def payload(self, trial: Trial) -> Payload:
        return Payload(trial.payload_format, self._session.ledger.blob(trial.payload))


def _accepted_before(ledger: Ledger, task: Task) -> list[Rival]:
    """The best that this project has accepted for the same specification, entry by entry."""
    incumbent = Incumbent()
    trials: dict[str, Trial] = {}
    for trial in ledger.accepted(task.spec.digest):
        if trial.measurement is None:
            continue
        name = f"trial {trial.number} of session {trial.session}"
        trials[name] = trial
        incumbent = incumbent.improved(task.spec.goal, trial.measurement.values, name)
    holders = dict.fromkeys(incumbent.names.values())
    return [
        Rival(name, Payload(trials[name].payload_format, ledger.blob(trials[name].payload)))
        for name in holders
    ]

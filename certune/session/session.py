"""Sessions: ask, submit, run within a budget, stop, resume.

`Session.submit` is the one door: whatever an agent, a person, a notebook or a gate proposes is
judged here, in this order: parse, elaborate, known?, check, evaluate, decide, record.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from certune.acceptance import Incumbent, contradiction, decide
from certune.core.agent import Agent, AgentFactory, Brief
from certune.core.budget import Budget, Spent
from certune.core.candidate import Candidate, Payload
from certune.core.codec import decode, encode
from certune.core.errors import (
    BudgetSpent,
    CertuneError,
    Crashed,
    InfrastructureError,
    LedgerError,
)
from certune.core.family import Context, Task
from certune.core.measurement import Bound, Comparison
from certune.core.obligation import Verdict
from certune.core.spec import goal_metrics
from certune.core.trial import Proposal, Trial
from certune.judging import Judged, Noting, check, elaborate, evaluate, judge
from certune.ledger import Ledger
from certune.sandbox.model import weakest
from certune.session.evidence import Keeping, certify
from certune.session.history import History
from certune.session.loop import Event, Run, Watcher, propose, setup
from certune.session.plan import Plan, Rival, accepted_before, new_identity, now
from certune.session.standing import Reference, Standing
from certune.signing import Signer


def _nothing(_: object) -> None:
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
        self._plan = decode(Plan, self.record.options, "options")
        self._asked = threading.Event()
        self._deadline: float | None = None
        given = context or Context()
        self._keeping = Keeping(given.prover, self._left) if given.prover else None
        self._queries: list[bytes] = []
        self._noting = Noting(given.runner) if given.runner else None
        self.context = replace(
            given,
            prover=self._keeping,
            keep=self._queries.append,
            runner=self._noting,
            stopped=lambda: self.stopping or given.stopped(),
        )
        self.signer: Signer | None = None
        self._watch: Watcher = _nothing
        self._trials = list(ledger.trials(identity))
        self._bounds: list[Bound] = []
        self._standing = Standing(task)
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
        # All that can be refused is judged before anything is recorded. What the project once
        # accepted and does not hold any more is passed over; a rival that was named must hold.
        standing = Standing(task)
        lenient = rivals is None
        found = accepted_before(ledger, task.spec) if rivals is None else rivals
        rivals = standing.begin(found, context or Context(), lenient=lenient)
        plan = encode(Plan.of(options or {}, rivals))
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
        session._standing = standing
        session._prepare()
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
        session._standing.begin(session._plan.load_rivals(ledger), session.context)
        session._prepare()
        return session

    def _prepare(self) -> None:
        """Claim known bounds, and judge again what this session accepted."""
        for bound in self.task.bounds(self.context):
            self.claim(bound)
        for bound in self.ledger.bounds(self.identity):
            self.claim(bound)
        for trial in self._trials:
            if trial.accepted:
                judged = judge(self.task, self.history.payload(trial), self.context)
                if not judged.verdict.met:
                    raise LedgerError(
                        f"trial {trial.number} was accepted and does not hold when judged again; "
                        "run `certune ledger verify`"
                    )
                self._standing.take(f"trial {trial.number}", judged)

    # -- what agents see -------------------------------------------------------------------

    @property
    def history(self) -> History:
        """The live, read-only view that agents get."""
        return History(self)

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
        return self._standing.incumbent

    @property
    def baseline(self) -> Reference | None:
        """The baseline with its metrics; None for a goal that is a proof."""
        return self._standing.baseline

    def ask(self) -> Brief:
        """What an agent is told: the task's brief, the bounds known by now, what stands."""
        starts = tuple(self._standing.starts)
        return replace(self.task.brief(), bounds=tuple(self._bounds), starts=starts)

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
        started = now()
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
        if self._noting is not None:
            self._noting.forget()
        self._queries.clear()
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
            same = replace(trial, known=True, isolation=known.isolation)
            told, _ = self._decide(same, answer, known.comparison)
            if not told.accepted:
                return told, answer
            # An acceptance stands on fresh evidence, never on a record.
        verdict = check(self.task, candidate, self.context)
        if not verdict.met:
            return self._decide(trial, Judged(verdict, candidate))
        measurement = evaluate(self.task, candidate, self.context)
        comparison = None
        rival = self._standing.rival
        if measurement.taken == "measured" and rival is not None:
            comparison = self._compare(candidate, rival)
        return self._decide(trial, Judged(verdict, candidate, measurement), comparison)

    def _compare(self, candidate: Candidate, rival: Candidate) -> Comparison | None:
        """Measure against the incumbent; the error is spent first, whatever becomes of it."""
        spent = self.ledger.spend_error(self.identity, candidate.artefact.digest)
        comparison = self.task.compare(candidate, rival, replace(self.context, error=spent.error))
        if comparison is not None and comparison.error_spent > spent.error:
            raise Crashed(
                f"the comparison used an error of {comparison.error_spent:.2g}, "
                f"{spent.error:.2g} were spent: a defect of the task"
            )
        return comparison

    def _decide(
        self, trial: Trial, judged: Judged, comparison: Comparison | None = None
    ) -> tuple[Trial, Judged]:
        decision = decide(
            self.task.spec.goal,
            judged.verdict,
            judged.measurement,
            self.incumbent,
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
        levels = (trial.isolation, self._noting.isolation if self._noting else None)
        ran = weakest(level for level in levels if level is not None)
        trial = replace(trial, seconds=round(now - self._since, 6), isolation=ran)
        blobs = [payload.data]
        sealed = None
        if trial.accepted and judged is not None and judged.candidate is not None:
            files = (judged.candidate.artefact, *judged.candidate.files)
            trial = replace(trial, files={file.name: file.digest for file in files})
            blobs += [*(file.data for file in files), *self._queries]
            sealed = certify(
                self.task,
                trial,
                files,
                incumbent=self.incumbent,
                baseline=self.baseline,
                bounds=self._bounds,
                signer=self.signer,
            )
        self.ledger.record_trial(trial, blobs=blobs, certificate=sealed)
        self._since = now
        self._trials.append(trial)
        if trial.accepted and judged is not None:
            self._standing.take(f"trial {trial.number}", judged)
        return trial

    # -- running ---------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask a running session to stop; what is being judged is still recorded."""
        self._asked.set()

    def asked(self) -> bool:
        """Whether `stop` was called."""
        return self._asked.is_set()

    @property
    def stopping(self) -> bool:
        """Whether the session was asked to stop or its time is over."""
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return late or self._asked.is_set()

    def _left(self) -> float:
        """Seconds until the session's time is over."""
        return math.inf if self._deadline is None else self._deadline - time.monotonic()

    @property
    def spent(self) -> Spent:
        """What the session has spent so far, earlier runs included."""
        spent = self.ledger.spent(self.identity)
        return replace(spent, seconds=spent.seconds + (time.monotonic() - self._since))

    @property
    def nothing_better(self) -> bool:
        """Whether no candidate can be better: a proof is there, or every bound is met."""
        if not goal_metrics(self.task.spec.goal):
            return any(trial.accepted for trial in self._trials)
        return self._standing.meets(self._bounds)

    def make_agent(self, factory: AgentFactory) -> Agent:
        """An agent for this session, with the options that it was started with."""
        return factory(setup(self, self._plan.options))

    def tell(self, event: Event) -> None:
        """Say something to whoever watches the run."""
        self._watch(event)

    def claim(self, bound: Bound) -> None:
        """Take up a bound that trusted code has proven or estimated."""
        if any(encode(known) == encode(bound) for known in self._bounds):
            return
        told = contradiction(bound, self.incumbent, self._trials)
        if told is not None:
            raise Crashed(told)
        kept = self._keeping.texts(bound) if self._keeping else []
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
            stopped, detail, trouble = propose(self, agent, watch)
        except KeyboardInterrupt:
            stopped, detail = "asked", "interrupted"
        except LedgerError:
            raise
        except CertuneError as error:
            stopped, detail, trouble = "trouble", str(error), error
        except Exception as error:  # noqa: BLE001 - an agent is a plug-in; it must not lose the end
            trouble = Crashed(f"the agent {agent.name} failed: {type(error).__name__}: {error}")
            stopped, detail = "trouble", str(trouble)
        finally:
            self._deadline = None
        seconds = time.monotonic() - began
        self.ledger.end(self.identity, f"{stopped}: {detail}" if detail else stopped, seconds)
        self._since = time.monotonic()
        accepted = tuple(trial for trial in self._trials[before:] if trial.accepted)
        return Run(stopped, detail, accepted, trouble)

"""A session from its agent's side: what the agent is given, and the loop of its proposals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from certune.core.agent import Agent, AgentSetup, Notice
from certune.core.candidate import Payload
from certune.core.errors import BudgetSpent, InfrastructureError, Unavailable
from certune.core.measurement import Bound
from certune.core.trial import Trial

if TYPE_CHECKING:
    from certune.session.session import Session

Event: TypeAlias = Trial | Bound | Notice
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


def setup(session: Session, options: Mapping[str, str]) -> AgentSetup:
    """What an agent of `session` is made from; what solvers prove goes past it."""

    def search() -> Iterator[tuple[str, Payload]]:
        for solver in session.task.solvers():
            for found in solver.solve(session.context):
                if isinstance(found, Payload):
                    yield solver.name, found
                else:
                    session.claim(found)
                    session.tell(found)
            if session.stopping:
                return

    def recorded(name: str) -> Iterator[Payload]:
        for trial in session.ledger.trials(session.ledger.session(name).id):
            yield Payload(trial.payload_format, session.ledger.blob(trial.payload))

    return AgentSetup(
        options,
        search,
        remaining=lambda: session.record.budget.remaining(session.spent),
        stopped=lambda: session.stopping,
        tell=session.tell,
        recorded=recorded,
    )


def propose(
    session: Session, agent: Agent, watch: Watcher
) -> tuple[Stopped, str, Exception | None]:
    """Let `agent` propose to `session` until one of its ends; why it ended, and the trouble.

    Trouble of our own costs its own attempt; `PATIENCE` such in a row end the run.
    """
    failures = 0
    proposals = agent.propose(session.ask(), session.history)
    while True:
        if session.nothing_better:
            return "nothing-better", "", None
        if session.asked():
            return "asked", "", None
        limit = session.record.budget.exhausted(session.spent)
        if limit is not None:
            return "budget", limit, None
        try:
            proposal = next(proposals, None)
            if proposal is None:
                break
        except BudgetSpent as error:
            return "budget", str(error), None
        except InfrastructureError as error:
            failures += 1
            if failures >= PATIENCE or isinstance(error, Unavailable):
                return "trouble", str(error), error
            proposals = agent.propose(session.ask(), session.history)
            continue
        try:
            watch(session.submit(proposal))
            failures = 0
        except BudgetSpent as error:
            return "budget", str(error), None
        except InfrastructureError as error:
            watch(session.trials[-1])
            failures += 1
            if failures >= PATIENCE:
                return "trouble", str(error), error
    if session.asked():
        return "asked", "", None
    if session.stopping:
        return "budget", "seconds", None
    return "exhausted", f"{agent.name} has nothing more to propose", None

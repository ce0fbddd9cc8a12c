"""Who proposes, and what they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from certune.core.budget import Remaining
from certune.core.candidate import Payload
from certune.core.canonical import Json
from certune.core.errors import InvalidInput
from certune.core.measurement import Bound
from certune.core.spec import TaskSpec
from certune.core.trial import Proposal, Trial


@dataclass(frozen=True)
class PayloadFormat:
    """A format in which candidates may be sent, with its JSON schema and a valid example."""

    name: str
    description: str
    schema: Mapping[str, Json] | None = None
    example: bytes = b""


@dataclass(frozen=True)
class StartingPoint:
    """A correct candidate to begin from (the baseline, a rival): name, payload and metrics."""

    name: str
    payload: Payload
    values: Mapping[str, Fraction]


@dataclass(frozen=True)
class Brief:
    """All that an agent is told: what is wanted, the formats, the baseline, the bounds.

    `hints` are what the family says about its task, in words and tables. `repairs` says for an
    obligation by name (``format`` for what does not parse) how such a failure is mended.
    `starts` are the correct candidates that a session begins with, the baseline first.
    """

    spec: TaskSpec
    task: str
    formats: tuple[PayloadFormat, ...]
    baselines: tuple[str, ...] = ()
    bounds: tuple[Bound, ...] = ()
    hints: tuple[str, ...] = field(default=())
    repairs: Mapping[str, str] = field(default_factory=dict)
    starts: tuple[StartingPoint, ...] = ()


class History(Protocol):
    """What happened so far in a session: a live, read-only view."""

    @property
    def trials(self) -> Sequence[Trial]:
        """Every recorded attempt of the session, oldest first."""
        ...

    @property
    def bounds(self) -> Sequence[Bound]:
        """The bounds known by now."""
        ...

    def payload(self, trial: Trial) -> Payload:
        """What was sent in `trial`."""
        ...


class Agent(Protocol):
    """Proposes payloads. Knows the brief and the history, nothing else.

    It holds no state that matters: after an interruption `propose` is called anew with the
    history so far. A `deterministic` agent then continues exactly as if nothing had happened.
    """

    @property
    def name(self) -> str:
        """A short name, as on the command line and in the ledger."""
        ...

    @property
    def deterministic(self) -> bool:
        """Whether the same brief and history always lead to the same proposals."""
        ...

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield proposals one by one; `history` has grown by the verdict at each resumption.

        Ending the iterator means that the agent has nothing more to propose.

        Raises:
            InfrastructureError: the agent's model or tools failed; the session keeps its record.
            BudgetSpent: what is left of the budget does not pay for another proposal.
        """
        ...


@dataclass(frozen=True)
class Notice:
    """Words of an agent for whoever watches; not recorded. A `passing` one is replaced by the
    next (the progress of a call)."""

    text: str
    passing: bool = False


def _never() -> bool:
    return False


def _nobody(_: Notice) -> None:
    return None


def _no_record(name: str) -> Iterator[Payload]:
    raise InvalidInput(f"there is no recorded session {name!r}")


@dataclass(frozen=True)
class AgentSetup:
    """What an agent is made from: the user's options, and what the session lets it call.

    `search` runs the family's solvers anew and yields (solver, payload) pairs; the bounds that
    the solvers prove go to the session, past the agent. `remaining` is what the budget leaves
    now, `stopped` whether the session was asked to stop or its time is over: an agent that waits
    looks at it. `tell` says something to whoever watches. `recorded` yields the payloads of a
    recorded session of the same project.
    """

    options: Mapping[str, str]
    search: Callable[[], Iterator[tuple[str, Payload]]]
    remaining: Callable[[], Remaining] = Remaining
    stopped: Callable[[], bool] = _never
    tell: Callable[[Notice], None] = _nobody
    recorded: Callable[[str], Iterator[Payload]] = _no_record


class AgentFactory(Protocol):
    """What the entry points `certune.agents` name: makes an agent."""

    def __call__(self, setup: AgentSetup) -> Agent:
        """The agent.

        Raises:
            ConfigurationError: an option is unknown or missing.
        """
        ...

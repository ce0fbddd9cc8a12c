"""Built-in search: what the family's own solvers find, proposed one by one. Needs no key."""

from __future__ import annotations

from collections.abc import Iterator

from certune.core.agent import AgentSetup, Brief, History
from certune.core.errors import ConfigurationError
from certune.core.trial import Proposal


class Search:
    """What the family's own solvers find, one by one. Needs no key.

    The solvers' sequence depends on the task alone. After an interruption it is run anew and
    what this agent has already proposed is passed over.
    """

    name = "search"
    deterministic = True

    def __init__(self, setup: AgentSetup) -> None:
        for option in setup.options:
            raise ConfigurationError(f"the agent 'search' has no option {option!r}")
        self._search = setup.search

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield what the solvers find, in their order, from where the history ends."""
        sent = [trial.payload for trial in history.trials if trial.agent == self.name]
        position = 0
        for solver, payload in self._search():
            if position < len(sent) and sent[position] == payload.digest:
                position += 1
                continue
            position = len(sent)
            yield Proposal(payload, provenance={"solver": solver})

"""Built-in search and a model take turns in one session and share its history.

The model sees what the solvers found, and the session's incumbent and bounds are common; a bound
that a solver proves ends the model's work as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from certune.agents.model import read_model
from certune.agents.openai import WithHistory
from certune.agents.options import Options
from certune.agents.rounds import Rounds
from certune.core.agent import AgentSetup, Brief, History
from certune.core.trial import Proposal

_SEARCH = "search"


@dataclass
class _Solvers:
    """The solvers' proposals, from where the history ends; None once they are exhausted."""

    setup: AgentSetup
    found: Iterator[Proposal] | None = None
    exhausted: bool = False

    def next(self, history: History) -> Proposal | None:
        """The next one, or None."""
        if self.found is None:
            self.found = self._anew(history)
        proposal = next(self.found, None)
        self.exhausted = proposal is None
        return proposal

    def _anew(self, history: History) -> Iterator[Proposal]:
        sent = [t.payload for t in history.trials if t.provenance.get("by") == _SEARCH]
        position = 0
        for solver, payload in self.setup.search():
            if position < len(sent) and sent[position] == payload.digest:
                position += 1
                continue
            position = len(sent)
            yield Proposal(payload, provenance={"by": _SEARCH, "solver": solver})


class Hybrid:
    """Built-in search and a language model in turns, with one history between them."""

    name = "hybrid"
    deterministic = False
    asks_model = True  # takes base_url and model

    def __init__(self, setup: AgentSetup) -> None:
        options = Options(self.name, setup.options)
        self._turns = options.integer("turns", 3, 1, 10**6)
        chat, manner = read_model(options, setup)
        options.close()
        self._setup = setup
        self._rounds = Rounds(setup, chat, manner, WithHistory())

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield `turns` proposals of the solvers, then a round of the model, and so on."""
        solvers = _Solvers(self._setup)
        try:
            while not self._setup.stopped():
                if not solvers.exhausted and self._since_model(history) < self._turns:
                    proposal = solvers.next(history)
                    if proposal is not None:
                        yield proposal
                        continue
                yield from self._rounds.step(brief, history)
        finally:
            self._rounds.close()

    def _since_model(self, history: History) -> int:
        count = 0
        for trial in reversed(history.trials):
            if trial.provenance.get("by") != _SEARCH:
                break
            count += 1
        return count

"""Independent samples of a model that never sees a verdict: what feedback is measured against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from certune.agents.model import read_model
from certune.agents.options import Options
from certune.agents.prompt import Prompt, render
from certune.agents.rounds import Rounds
from certune.core.agent import AgentSetup, Brief, History, PayloadFormat
from certune.core.canonical import Json
from certune.core.trial import Proposal, Trial


class WithoutHistory:
    """The prompt of a session's beginning, whatever happened since."""

    name = "best-of-n"

    def prompt(
        self,
        brief: Brief,
        history: History,
        trials: Sequence[Trial],
        number: int,
        chosen: PayloadFormat,
        tokens: int,
    ) -> tuple[Prompt, Mapping[str, Json]]:
        """See `certune.agents.rounds.Policy`."""
        return render(brief, history, trials=(), chosen=chosen, tokens=tokens), {}


class BestOfN:
    """A language model sampled independently, without history; the best sample counts."""

    name = "best-of-n"
    deterministic = False
    asks_model = True  # takes base_url and model

    def __init__(self, setup: AgentSetup) -> None:
        options = Options(self.name, setup.options)
        self._most = options.integer("n", 0, 0, 10**6)
        chat, manner = read_model(options, setup)
        options.close()
        self._rounds = Rounds(setup, chat, replace(manner, repair=False, tries=0), WithoutHistory())

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield samples until there are `n` of them, or without end where none is given."""
        proposals = self._rounds.propose(brief, history)
        while not self._most or len(self._rounds.own(history)) < self._most:
            proposal = next(proposals, None)
            if proposal is None:
                return
            yield proposal

"""A model behind any endpoint that speaks the OpenAI protocol, asked again after each verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from certune.agents.model import read_model
from certune.agents.options import Options
from certune.agents.prompt import Prompt, render
from certune.agents.rounds import Rounds
from certune.core.agent import AgentSetup, Brief, History, PayloadFormat
from certune.core.canonical import Json
from certune.core.trial import Proposal, Trial


class WithHistory:
    """The prompt that shows the most useful earlier attempts with their counterexamples."""

    name = "openai"

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
        return render(brief, history, trials=trials, chosen=chosen, tokens=tokens), {}


class OpenAI:
    """A language model of any OpenAI-compatible server; it sees each verdict before it goes on."""

    name = "openai"
    deterministic = False
    asks_model = True  # takes base_url and model

    def __init__(self, setup: AgentSetup) -> None:
        options = Options(self.name, setup.options)
        chat, manner = read_model(options, setup)
        options.close()
        self._rounds = Rounds(setup, chat, manner, WithHistory())

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield what the model answers, an answer that does not parse once more after repair."""
        return self._rounds.propose(brief, history)

"""Random changes to what is correct, kept where they are better: the floor for every agent."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from certune.agents.model import choose_format
from certune.agents.mutate import mutated
from certune.agents.options import Options
from certune.agents.selection import best_first
from certune.core.agent import AgentSetup, Brief, History, PayloadFormat
from certune.core.candidate import Payload
from certune.core.canonical import dumps, loads
from certune.core.errors import ConfigurationError, InvalidInput
from certune.core.trial import Proposal

_ELITE = 5
_REDRAWS = 50


class Random:
    """Random changes to the baseline and to what was accepted. Needs no key."""

    name = "random"
    deterministic = True

    def __init__(self, setup: AgentSetup) -> None:
        options = Options(self.name, setup.options)
        self._seed = options.integer("seed", 0, 0, 2**31 - 1)
        self._format = options.text("format")
        options.close()
        self._setup = setup

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield changed candidates without end; each draw depends on the history alone.

        Raises:
            ConfigurationError: the format is no JSON, and random changes would be noise.
        """
        chosen = choose_format(brief, self._format)
        if chosen.schema is None:
            raise ConfigurationError(
                f"random changes need a JSON format, {chosen.name} is none", place="format"
            )
        while not self._setup.stopped():
            yield self._drawn(brief, history, chosen)

    def _drawn(self, brief: Brief, history: History, chosen: PayloadFormat) -> Proposal:
        own = sum(trial.agent == self.name for trial in history.trials)
        draw = random.Random(f"{self._seed} {own}")  # noqa: S311
        parents = self._parents(brief, history, chosen)
        sent = {trial.payload for trial in history.trials}
        for _ in range(_REDRAWS):
            name, parent = draw.choice(parents)
            payload = Payload(chosen.name, dumps(mutated(parent, draw)))
            if payload.digest not in sent:
                break
        return Proposal(payload, provenance={"by": self.name, "draw": own, "parent": name})

    def _parents(
        self, brief: Brief, history: History, chosen: PayloadFormat
    ) -> list[tuple[str, Any]]:
        """What is changed: the best correct ones of the session, the starts, or the example."""
        best = best_first(brief.spec.goal, history.trials)[:_ELITE]
        found = [(f"trial {trial.number}", history.payload(trial)) for trial in best]
        found += [(start.name, start.payload) for start in brief.starts]
        if not found and chosen.example:
            found.append(("the example", Payload(chosen.name, chosen.example)))
        parents = []
        for name, payload in found:
            try:
                if payload.format == chosen.name:
                    parents.append((name, loads(payload.data)))
            except InvalidInput:
                continue
        if not parents:
            raise ConfigurationError(f"nothing in the format {chosen.name} to begin from")
        return parents

"""`dspy.BestOfN` with the verdict as reward: several samples of one state, judged one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dspy

from certune.agents.chat import Ask
from certune.agents.dspy_bridge import Bridge
from certune.agents.dspy_engine import Engine, Halt
from certune.agents.dspy_program import Proposer
from certune.agents.verdicts import score_of
from certune.core.agent import Brief, History, PayloadFormat
from certune.core.canonical import Json
from certune.core.errors import Unavailable
from certune.core.trial import Proposal

if TYPE_CHECKING:
    from certune.agents.dspy import DSPy

ENOUGH = 1.0  # the reward of what is accepted, or meets the proven bound


class Tolerant(dspy.Module):  # type: ignore[misc, unused-ignore]
    """A program whose unreadable answers are answers too: every reply ends as an attempt."""

    def __init__(self, program: Proposer, engine: Engine) -> None:
        super().__init__()
        self.program = program
        self._engine = engine

    def forward(self, **inputs: str) -> Any:
        """The program's prediction; one without a proposal where its words cannot be read."""
        before = len(self._engine.seeds)
        try:
            return self.program(**inputs)
        except Exception as error:
            if len(self._engine.seeds) == before:
                told = f"DSPy failed: {type(error).__name__}: {error}"
                raise Halt(Unavailable(told)) from error
            return dspy.Prediction(proposal=None)


def best_of(
    agent: DSPy,
    brief: Brief,
    history: History,
    chosen: PayloadFormat,
    inputs: Mapping[str, str],
) -> Iterator[Proposal]:
    """Yield up to `samples` proposals from the same inputs; it ends early at an acceptance.

    Raises:
        Unavailable, BudgetSpent, Stopping, TooLong: as the client says.
    """
    own = agent.own(history)
    samples = agent.manner.samples
    engine: Engine | None = None

    def program(put: Callable[[Any], Any]) -> None:
        nonlocal engine
        engine = agent.engine(own, ask=put)
        tolerant = Tolerant(agent.program(chosen), engine)
        with agent.setting(engine):
            dspy.BestOfN(
                module=tolerant,
                N=samples,
                reward_fn=lambda args, found: put(found),
                threshold=ENOUGH,
            )(**inputs)

    bridge: Bridge[Any, Any] = Bridge(program)
    sample = 0
    try:
        for question in bridge.questions():
            if isinstance(question.asked, Ask):
                question.answer(agent.ask(question.asked))
                continue
            assert engine is not None
            facts: dict[str, Json] = {"turn": "sample", "round": len(own), "sample": sample}
            yield agent.proposal(engine, question.asked, chosen, {**facts, "of": samples})
            sample += 1
            trial = history.trials[-1]
            reward = ENOUGH if trial.accepted else score_of(trial, brief, history.bounds)
            question.answer(reward)
    finally:
        bridge.close()
    if isinstance(bridge.failure, Halt):
        raise bridge.failure.cause
    if bridge.failure is not None:
        told = f"{type(bridge.failure).__name__}: {bridge.failure}"
        raise Unavailable(f"DSPy failed: {told}") from bridge.failure

"""A DSPy program that proposes, reflects on counterexamples and repairs; see `dspy_program`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certune.agents.chat import Ask, Stopping, TooLong
from certune.agents.model import choose_format, payload_of, read_model, told
from certune.agents.options import Options
from certune.agents.prompt import about, shown, user
from certune.agents.reply import Reply
from certune.agents.request import RUNGS, first_habits
from certune.agents.schemas import strict
from certune.agents.tokens import estimate
from certune.agents.verdicts import feedback, score_of
from certune.core.agent import AgentSetup, Brief, History, Notice, PayloadFormat
from certune.core.candidate import Payload
from certune.core.canonical import Json
from certune.core.errors import ConfigurationError, Unavailable
from certune.core.trial import Proposal, Trial, Usage

if TYPE_CHECKING:
    from certune.agents.dspy_engine import Engine
    from certune.agents.dspy_program import Proposer

_SHORTEST_PROMPT = 1000
_MENDABLE = ("invalid", "refuted", "below-floor")


class DSPy:
    """A DSPy program: proposes, reflects on a counterexample, repairs; compiled ones are loaded."""

    name = "dspy"
    deterministic = False
    asks_model = True  # takes base_url and model

    def __init__(self, setup: AgentSetup) -> None:
        options = Options(self.name, setup.options)
        self._setup = setup
        self._chat, self.manner = read_model(options, setup)
        self.repairs = options.integer("repairs", 2, 0, 32) if self.manner.repair else 0
        self._reflects = options.flag("reflect", True)
        file = options.text("program")
        options.close()
        if self.manner.tries:
            raise ConfigurationError(
                "a DSPy program calls no tools", place="dspy option tries", remedy="use repairs=N"
            )
        self._state: Mapping[str, Any] | None = None
        self._digest = ""
        if file:
            from certune.agents.dspy_program import read

            self._state, self._digest = read(Path(file))
        self._tokens = self.manner.prompt_tokens

    # -- the program -----------------------------------------------------------------------

    def program(self, chosen: PayloadFormat) -> Proposer:
        """The program for a format, with the instructions of the file that was given."""
        from certune.agents.dspy_program import Proposer, restore_into

        made = Proposer(chosen, reflects=self._reflects)
        if self._state is not None:
            restore_into(made, self._state)
        return made

    def ask(self, ask: Ask) -> Reply | Exception:
        """Ask the model, in the session's thread: the budget is read there.

        What the reply cost is charged to the client at once and taken up by the next proposal,
        so that budgets hold between two proposals too.
        """
        reply = self._chat.ask([ask])[0]
        if isinstance(reply, Reply):
            self._chat.lose(reply.usage)
        return reply

    def engine(
        self,
        own: Sequence[Trial],
        ask: Callable[[Ask], Reply | Exception] | None = None,
        seed: int = 0,
    ) -> Engine:
        """The way to the model, by `ask`; seeds follow from the number of attempts before.

        It begins with the answer format that worked last in this session, else with the strictest.
        """
        from certune.agents.dspy_engine import Engine

        if self._chat.habits is None:
            fitting: tuple[str, ...] = RUNGS
            rung = own[-1].provenance.get("rung") if own else None
            if rung in fitting:
                fitting = fitting[fitting.index(str(rung)) :]
            self._chat.habits = first_habits(self._chat.endpoint, self.manner.mode, fitting)
        first = self.manner.seed + seed + 64 * len(own)
        seeds = count(first)
        return Engine(self._chat.endpoint.model, ask or self.ask, lambda: next(seeds) % 2**31)

    def setting(self, engine: Engine) -> contextlib.AbstractContextManager[Any]:
        """DSPy set up for one call: this model alone, no cache, no history of prompts."""
        import dspy

        model = dspy.LM(
            f"certune/{self._chat.endpoint.model}", engine=engine, cache=False, num_retries=0
        )
        set_up: contextlib.AbstractContextManager[Any] = dspy.context(
            lm=model, adapter=dspy.JSONAdapter(), disable_history=True, callbacks=[]
        )
        return set_up

    def inputs(self, brief: Brief, history: History, chosen: PayloadFormat) -> dict[str, str]:
        """What the program is told: the task, and what stands."""
        task = about(brief, _untyped(chosen))
        left = max(self._tokens - estimate(task), 400)
        standing = user(brief, history, history.trials, left)
        return {"task": task, "standing": standing}

    # -- proposing -------------------------------------------------------------------------

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield proposals as long as somebody asks for them."""
        chosen = choose_format(brief, self.manner.format)
        try:
            while not self._setup.stopped():
                yield from self._guarded(brief, history, chosen)
        finally:
            self.close()

    def close(self) -> None:
        """Give the connections back; asking again opens new ones."""
        self._chat.close()

    def _guarded(self, brief: Brief, history: History, chosen: PayloadFormat) -> Iterator[Proposal]:
        """One step; what broken calls cost is recorded before anything ends the agent."""
        try:
            yield from self._step(brief, history, chosen)
        except TooLong as error:
            yield from self._last(chosen)
            if self._tokens <= _SHORTEST_PROMPT:
                raise Unavailable(f"the prompt does not fit the model: {error}") from None
            self._tokens = max(_SHORTEST_PROMPT, self._tokens // 2)
            self._setup.tell(Notice(f"the prompt is too long; it is cut to {self._tokens} tokens"))
        except Stopping:
            yield from self._last(chosen)
        except Exception:
            yield from self._last(chosen)
            raise

    def take_unrecorded(self) -> Usage | None:
        """What was paid since the last proposal; then it is zero."""
        return self._chat.take_lost()

    def _last(self, chosen: PayloadFormat) -> Iterator[Proposal]:
        """What was paid and led to no proposal is recorded as an attempt of its own."""
        usage = self.take_unrecorded()
        if usage is not None and (usage.tokens_in or usage.tokens_out):
            facts: dict[str, Json] = {"by": self.name}
            facts |= {"note": "calls that led to no candidate", "estimated": True}
            yield Proposal(Payload(chosen.name, b""), usage, facts)

    def _step(self, brief: Brief, history: History, chosen: PayloadFormat) -> Iterator[Proposal]:
        failed, mended = self._due(brief, history)
        inputs = self.inputs(brief, history, chosen)
        facts: dict[str, Json] = {"turn": "propose"}
        if failed is not None:
            facts = {"turn": "repair", "repairs": failed.number, "mended": mended + 1}
            data = history.payload(failed).data
            sent = shown(data, self._tokens) or data[: self._tokens].decode("utf-8", "replace")
            inputs |= {"candidate": sent, "verdict": feedback(failed, brief)}
        if failed is None and self.manner.samples > 1:
            from certune.agents.dspy_best import best_of

            yield from best_of(self, brief, history, chosen, inputs)
            return
        engine = self.engine(self.own(history))
        yield self._once(engine, self.program(chosen), inputs, chosen, facts)

    def own(self, history: History) -> list[Trial]:
        """The attempts that came from here."""
        return [trial for trial in history.trials if trial.provenance.get("by") == self.name]

    def _due(self, brief: Brief, history: History) -> tuple[Trial | None, int]:
        """The failed attempt that is to be mended next, and how often it was already.

        Of several samples it is the best, if none of them is correct.
        """
        own = self.own(history)
        if not own or not self.repairs:
            return None, 0
        last = own[-1]
        if last.provenance.get("turn") == "sample":
            number = last.provenance.get("round")
            samples = [trial for trial in own if trial.provenance.get("round") == number]
            if not all(_mendable(trial) for trial in samples):
                return None, 0
            return max(samples, key=lambda t: (score_of(t, brief), -t.number)), 0
        mended = last.provenance.get("mended")
        times = mended if type(mended) is int else 0
        if _mendable(last) and times < self.repairs:
            return last, times
        return None, 0

    def _once(
        self,
        engine: Engine,
        program: Proposer,
        inputs: Mapping[str, str],
        chosen: PayloadFormat,
        facts: Mapping[str, Json],
    ) -> Proposal:
        """Run the program and make a proposal of what it gives.

        Raises:
            Unavailable, BudgetSpent, Stopping, TooLong: as the client says.
        """
        from certune.agents.dspy_engine import Halt

        try:
            with self.setting(engine):
                found = program(**inputs)
        except Halt as halt:
            raise halt.cause from None
        except Exception as error:
            # An answer that DSPy cannot read is an attempt as well: the verdict says why.
            if engine.last is None:
                raise Unavailable(f"DSPy failed: {type(error).__name__}: {error}") from error
            return self.proposal(engine, None, chosen, facts)
        return self.proposal(engine, found, chosen, facts)

    def proposal(
        self, engine: Engine, found: Any, chosen: PayloadFormat, facts: Mapping[str, Json]
    ) -> Proposal:
        """What the program gave as a proposal, with what it cost; its raw words if unreadable."""
        from certune.agents.dspy_program import payload_of as typed

        payload = None if found is None else typed(getattr(found, "proposal", ""), chosen)
        recorded: dict[str, Json] = {"by": self.name, **facts}
        reply: Reply | None = engine.last
        if payload is None:
            payload = payload_of(reply.text if reply else "", chosen)
            recorded["note"] = "the answer was not in the form that was asked for"
        if reply is not None:
            recorded |= told(reply, self._chat)
            recorded["seed"] = engine.seeds[-1]
        recorded["calls"] = len(engine.seeds)
        if self._digest:
            recorded["program"] = self._digest
        return Proposal(payload, self._chat.take_lost() or Usage(), recorded)


def _mendable(trial: Trial) -> bool:
    """Whether the program gave this candidate and the verifier found a fault in it."""
    reason = trial.decision.reason if trial.decision else ""
    return reason in _MENDABLE and "turn" in trial.provenance


def _untyped(chosen: PayloadFormat) -> PayloadFormat:
    """The format without its schema where the type of the answer carries it."""
    if chosen.schema is None or strict(chosen.schema) is None:
        return chosen
    return replace(chosen, schema=None)

"""Rounds of asking a model: what is due follows from the history alone.

A round asks for one or more samples; an answer that did not parse goes back to the model once.
Every attempt records its round, sample and turn, so that after an interruption exactly what is
missing is asked for again, from the same prompt with the same seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from certune.agents.chat import Ask, Chat, Stopping, TooLong
from certune.agents.model import Manner, choose_format, payload_of, told
from certune.agents.prompt import Prompt, repair
from certune.agents.reply import Reply, total
from certune.agents.request import RUNGS, first_habits
from certune.agents.schemas import strict
from certune.agents.tokens import estimate
from certune.core.agent import AgentSetup, Brief, History, Notice, PayloadFormat
from certune.core.candidate import Payload
from certune.core.canonical import Json, digest
from certune.core.errors import Unavailable
from certune.core.status import Status
from certune.core.trial import Proposal, Trial, Usage

HANDFUL = 5
_SHORTEST_PROMPT = 1000


class Policy(Protocol):
    """What distinguishes agents that ask a model: which prompt opens a round."""

    @property
    def name(self) -> str:
        """Recorded as `by` with every attempt."""
        ...

    def prompt(
        self,
        brief: Brief,
        history: History,
        trials: Sequence[Trial],
        number: int,
        chosen: PayloadFormat,
        tokens: int,
    ) -> tuple[Prompt, Mapping[str, Json]]:
        """The prompt of round `number` after `trials`, and what else to record about it."""
        ...


@dataclass(frozen=True)
class _Due:
    """One answer to ask for, and what is recorded with it."""

    ask: Ask
    provenance: Mapping[str, Json] = field(default_factory=dict)


def _int(trial: Trial, name: str) -> int:
    value = trial.provenance.get(name)
    return value if type(value) is int else -1


class Rounds:
    """Proposes by asking a model, round after round, with the prompts of a policy."""

    def __init__(self, setup: AgentSetup, chat: Chat, manner: Manner, policy: Policy) -> None:
        self._setup = setup
        self._chat = chat
        self.manner = manner
        self._policy = policy
        self._prompt_tokens = manner.prompt_tokens
        self._warned = False
        self._format = manner.format

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield proposals as long as somebody asks for them."""
        try:
            while not self._setup.stopped():
                yield from self.step(brief, history)
        finally:
            self.close()

    def close(self) -> None:
        """Give the connections back; the next call opens them again."""
        self._chat.close()

    def step(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield the proposals that are due next: a round, what one lacks, or repairs."""
        chosen = choose_format(brief, self.manner.format)
        self._format = chosen.name
        if self._chat.habits is None:
            self._begin(history, chosen)
        if self.manner.tries and "tools" not in self._habits_dropped:
            from certune.agents.tools import turn

            yield from self._guarded(turn(self, brief, history, chosen))
            return
        try:
            due = self._due(brief, history, chosen)
        except TooLong as error:
            raise Unavailable(str(error)) from None
        yield from self._guarded(self._asked(due, chosen))

    # -- what is due -----------------------------------------------------------------------

    @property
    def _habits_dropped(self) -> frozenset[str]:
        return self._chat.habits.dropped if self._chat.habits else frozenset()

    def own(self, history: History) -> list[Trial]:
        """The attempts that came from here."""
        by = self._policy.name
        return [t for t in history.trials if t.provenance.get("by") == by and _int(t, "round") >= 0]

    def _begin(self, history: History, chosen: PayloadFormat) -> None:
        """Begin with the rung that worked last in this session, else with the strictest."""
        if chosen.schema is None or self.manner.tries:
            fitting: tuple[str, ...] = ("text",)
        elif strict(chosen.schema) is None:
            fitting = RUNGS[1:]
        else:
            fitting = RUNGS
        own = self.own(history)
        rung = own[-1].provenance.get("rung") if own else None
        if rung in fitting:
            fitting = fitting[fitting.index(str(rung)) :]
        self._chat.answered = bool(own)
        self._chat.habits = first_habits(self._chat.endpoint, self.manner.mode, fitting)

    def _due(self, brief: Brief, history: History, chosen: PayloadFormat) -> list[_Due]:
        own = self.own(history)
        number = max((_int(trial, "round") for trial in own), default=-1)
        now = [t for t in own if _int(t, "round") == number]
        first = [t for t in now if t.provenance.get("turn") == "first"]
        if first:
            size = max(_int(first[0], "of"), 1)
            missing = sorted(set(range(size)) - {_int(trial, "sample") for trial in first})
            if missing:
                return self._round(brief, history, chosen, number, size, missing)
            repairs = self._repairs(brief, history, chosen, first, now)
            if repairs:
                return repairs
        return self._round(brief, history, chosen, number + 1, 0, ())

    def opening(
        self, brief: Brief, history: History, chosen: PayloadFormat, number: int
    ) -> tuple[tuple[Mapping[str, Any], ...], Mapping[str, Json]]:
        """The messages that open round `number`, the same before and after an interruption."""
        begun = [t.number for t in self.own(history) if _int(t, "round") >= number]
        before = min(begun, default=len(history.trials) + 1)
        trials = [trial for trial in history.trials if trial.number < before]
        prompt, facts = self._policy.prompt(
            brief, history, trials, number, chosen, self._prompt_tokens
        )
        messages = (
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        )
        return messages, facts

    def _round(
        self,
        brief: Brief,
        history: History,
        chosen: PayloadFormat,
        number: int,
        size: int,
        samples: Sequence[int],
    ) -> list[_Due]:
        messages, facts = self.opening(brief, history, chosen, number)
        seed = self.manner.seed + number * self.manner.samples
        opened = Ask(messages, seed, self.schema(chosen))
        if not size:
            answer = max(256, estimate(chosen.example.decode("utf-8", "replace")))
            self._warn(opened.tokens + answer)
            size = max(1, min(self.manner.samples, self._chat.affordable(opened.tokens + answer)))
            samples = range(size)
        return [
            _Due(
                Ask(messages, seed + sample, opened.schema),
                {**facts, "round": number, "sample": sample, "of": size, "turn": "first"},
            )
            for sample in samples
        ]

    def _repairs(
        self,
        brief: Brief,
        history: History,
        chosen: PayloadFormat,
        first: Sequence[Trial],
        now: Sequence[Trial],
    ) -> list[_Due]:
        if not self.manner.repair:
            return []
        mended = {_int(trial, "repairs") for trial in now}
        broken = [
            trial
            for trial in first
            if trial.verdict is not None
            and trial.verdict.status is Status.INVALID
            and trial.number not in mended
        ]
        broken = broken[: max(1, self._chat.affordable(1))]
        due = []
        for trial in broken:
            number = _int(trial, "round")
            messages, facts = self.opening(brief, history, chosen, number)
            sent = history.payload(trial).data.decode("utf-8", "replace")
            if estimate(sent) > self._prompt_tokens:
                sent = sent[: self._prompt_tokens] + " …"
            ask = Ask(
                (
                    *messages,
                    {"role": "assistant", "content": sent},
                    {"role": "user", "content": repair(trial, brief.repairs)},
                ),
                self.manner.seed + number * self.manner.samples + _int(trial, "sample"),
                self.schema(chosen),
            )
            facts = {**facts, "round": number, "sample": _int(trial, "sample")}
            due.append(_Due(ask, {**facts, "turn": "repair", "repairs": trial.number}))
        return due

    def schema(self, chosen: PayloadFormat) -> Mapping[str, Json] | None:
        """What the server is asked to enforce."""
        return strict(chosen.schema) if chosen.schema is not None else None

    def _warn(self, tokens: int) -> None:
        """Say once when the budget allows fewer than a handful of proposals."""
        if self._warned:
            return
        self._warned = True
        count = self._chat.affordable(tokens)
        if count < HANDFUL:
            told = (
                f"the budget allows about {count} proposals of this model (~{tokens} tokens each)"
            )
            self._setup.tell(Notice(f"{told}; fewer than five tell little"))

    # -- asking ----------------------------------------------------------------------------

    def _guarded(self, proposals: Iterator[Proposal]) -> Iterator[Proposal]:
        """Proposals; what broken calls cost is recorded before anything ends the agent."""
        try:
            yield from proposals
        except TooLong as error:
            yield from self._last()
            if self._prompt_tokens <= _SHORTEST_PROMPT:
                raise Unavailable(f"the prompt does not fit the model: {error}") from None
            self._prompt_tokens = max(_SHORTEST_PROMPT, self._prompt_tokens // 2)
            told = f"the prompt is too long for the model; it is cut to {self._prompt_tokens}"
            self._setup.tell(Notice(f"{told} tokens"))
        except Stopping:
            yield from self._last()
        except Exception:
            yield from self._last()
            raise

    def _last(self) -> Iterator[Proposal]:
        lost = self._chat.take_lost()
        if lost is None or not (lost.tokens_in or lost.tokens_out):
            return
        facts = {"by": self._policy.name, "note": "calls that broke after they had begun"}
        yield Proposal(Payload(self._format, b""), lost, {**facts, "estimated": True})

    def reply(self, ask: Ask) -> Reply:
        """One reply.

        Raises:
            Unavailable, BudgetSpent, Stopping, TooLong: as `Chat.ask` says.
        """
        found = self._chat.ask([ask])[0]
        if isinstance(found, Exception):
            raise found
        return found

    def proposal(
        self, payload: Payload, reply: Reply, ask: Ask, facts: Mapping[str, Json], usage: Usage
    ) -> Proposal:
        """A proposal with what is recorded about it and what it cost."""
        lost = self._chat.take_lost()
        recorded: dict[str, Json] = {"by": self._policy.name, **facts, **told(reply, self._chat)}
        recorded["seed"] = ask.seed
        recorded["prompt"] = digest([dict(message) for message in ask.messages])
        if lost is not None:
            usage = total([usage, lost])
            recorded["estimated"] = True
        return Proposal(payload, usage, recorded)

    def carry(self, usage: Usage) -> None:
        """Charge a cost to the next proposal."""
        self._chat.lose(usage)

    def _asked(self, due: Sequence[_Due], chosen: PayloadFormat) -> Iterator[Proposal]:
        """Ask for everything that is due, and yield what came of it in its order.

        The first proposal carries the cost of all, so that an interruption between two of them
        loses none of it.
        """
        replies = self._chat.ask([one.ask for one in due])
        good = [reply for reply in replies if isinstance(reply, Reply)]
        usage = total([reply.usage for reply in good])
        for one, reply in zip(due, replies, strict=True):
            if not isinstance(reply, Reply):
                continue
            payload = payload_of(reply.text, chosen)
            facts = dict(one.provenance)
            if len(good) > 1:
                facts["cost_of"] = len(good) if usage != Usage() else 0
            yield self.proposal(payload, reply, one.ask, facts, usage)
            usage = Usage()
        for failure in replies:
            if isinstance(failure, Exception):
                raise failure

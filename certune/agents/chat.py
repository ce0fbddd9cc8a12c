"""A patient client of one model: asks, waits out what passes, counts what it costs.

Transient faults are waited out until the session's time is over, permanent ones raise. A call
that broke after the server had begun to work may have been paid for: it is estimated and charged
to the next reply, so that no limit is overrun unseen.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from certune.agents.endpoint import Endpoint
from certune.agents.faults import Fault
from certune.agents.prices import Price
from certune.agents.reply import Reply, total, with_note
from certune.agents.request import Habits, Message, Sampling, build
from certune.agents.tokens import estimate
from certune.agents.wire import Answer, Limits, Wire
from certune.core.agent import AgentSetup, Notice
from certune.core.canonical import Json
from certune.core.errors import BudgetSpent, Unavailable
from certune.core.trial import Usage

# A server that never answered and is not there is most likely a wrong address.
FIRST_CONTACT_SECONDS = 10.0
_LONGEST_PAUSE = 30.0
_FEWEST_TOKENS = 256
_BREAKS = 3
_CHARACTERS_A_TOKEN = 8  # more than any tokenizer packs into one, on average


class Stopping(Exception):
    """The session was asked to stop, or its time is over."""


class TooLong(Exception):
    """The prompt does not fit into the model's context."""


@dataclass(frozen=True)
class Patience:
    """How long faults that may pass are waited out, and how the pauses grow (seconds)."""

    seconds: float = 3600.0
    first_pause: float = 0.5


@dataclass(frozen=True)
class Ask:
    """One thing to ask: the messages, a seed, the schema of the answer, tools."""

    messages: tuple[Message, ...]
    seed: int
    schema: Mapping[str, Json] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()

    @property
    def tokens(self) -> int:
        """About how many tokens the model has to read."""
        told = json.dumps([*self.messages, self.schema, *self.tools], ensure_ascii=False)
        return estimate(told)


@dataclass
class _Purse:
    """What may still be spent in this batch of calls; shared by its threads."""

    tokens: int | None = None
    money: Fraction | None = None
    until: float = float("inf")
    limited: bool = False
    reserved: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Chat:
    """Asks one model of one endpoint. Threads are its own; call it from one."""

    def __init__(
        self,
        endpoint: Endpoint,
        sampling: Sampling,
        setup: AgentSetup,
        *,
        price: Price | None = None,
        patience: Patience = Patience(),
        longest: int = 2 * 2**20,
    ) -> None:
        """`longest` is how many characters of an answer are read."""
        self.endpoint = endpoint
        self.sampling = sampling
        self._setup = setup
        self._price = price
        self._patience = patience
        self._longest = longest
        self._wire = Wire(endpoint)
        self._lost: list[Usage] = []
        self._lock = threading.Lock()
        self.habits: Habits | None = None
        self.answered = False

    def close(self) -> None:
        """Give the connections back; the next call opens them again."""
        self._wire.close()

    # -- cost ------------------------------------------------------------------------------

    def cost(self, tokens_in: int, tokens_out: int) -> Usage:
        """Tokens with what they cost; money is None where the price is unknown."""
        money = self._price.of(tokens_in, tokens_out) if self._price else None
        return Usage(tokens_in, tokens_out, money)

    def take_lost(self) -> Usage | None:
        """What broken calls are thought to have cost since the last reply; then it is zero."""
        with self._lock:
            lost, self._lost = self._lost, []
        return total(lost) if lost else None

    def lose(self, usage: Usage) -> None:
        """Charge a cost to the next reply."""
        with self._lock:
            self._lost.append(usage)

    def affordable(self, tokens: int) -> int:
        """How many calls that take about so many tokens the budget pays for; at most 10**6."""
        left = self._setup.remaining()
        most = 10**6
        if left.tokens is not None:
            most = min(most, left.tokens // max(1, tokens))
        if left.money is not None and self._price is not None:
            dearest = max(self._price.input, self._price.output) * tokens / 10**6
            most = min(most, int(left.money / dearest)) if dearest else most
        return most if left.attempts is None else min(most, left.attempts)

    def _open_purse(self) -> _Purse:
        left = self._setup.remaining()
        until = float("inf") if left.seconds is None else time.monotonic() + left.seconds
        return _Purse(left.tokens, left.money, until, left.seconds is not None)

    def _reserve(self, purse: _Purse, tokens_in: int) -> int:
        """How many tokens the answer may have; they are reserved.

        Raises:
            BudgetSpent: fewer than an answer needs.
        """
        with purse.lock, self._lock:
            most = self.sampling.max_tokens
            lost = total(self._lost)
            if purse.tokens is not None:
                spoken_for = purse.reserved + lost.tokens_in + lost.tokens_out
                most = min(most, purse.tokens - spoken_for - tokens_in)
            if purse.money is not None and self._price is not None:
                money = purse.money - (lost.money or 0) - self._price.of(tokens_in, 0)
                money -= self._price.output * purse.reserved / 10**6
                if self._price.output:
                    most = min(most, int(money * 10**6 / self._price.output))
                elif money < 0:
                    most = 0
            if most < min(_FEWEST_TOKENS, self.sampling.max_tokens):
                raise BudgetSpent(
                    f"tokens or money: what is left does not pay for another call of about "
                    f"{tokens_in} tokens and an answer"
                )
            purse.reserved += tokens_in + most
            return most

    def _charge(self, fault: Fault, tokens_in: int) -> None:
        if fault.paid is not None:
            self.lose(self.cost(tokens_in, estimate(fault.paid)))

    # -- asking ----------------------------------------------------------------------------

    def ask(self, asks: Sequence[Ask]) -> list[Reply | Exception]:
        """Ask everything at once and return the replies in the order of `asks`.

        Where one failed for good, its exception (`Unavailable`, `BudgetSpent`, `Stopping`,
        `TooLong`) stands in its place. The first call of all goes alone, so that what the server
        refuses is learned once.
        """
        purse = self._open_purse()
        done: list[Reply | Exception] = []
        if not self.answered or len(asks) == 1:
            done.append(self._outcome(asks[0], purse))
            if isinstance(done[0], Exception):
                return [done[0]] * len(asks)
        rest = asks[len(done) :]
        found: list[Reply | Exception] = [Stopping()] * len(rest)

        def work(position: int) -> None:
            found[position] = self._outcome(rest[position], purse)

        # Daemons, so that a second Ctrl-C ends the process though a server never answers.
        threads = [
            threading.Thread(target=work, args=(position,), daemon=True)
            for position in range(len(rest))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return done + found

    def _outcome(self, ask: Ask, purse: _Purse) -> Reply | Exception:
        try:
            return self._patiently(ask, purse)
        except (Unavailable, BudgetSpent, Stopping, TooLong) as error:
            return error

    def _patiently(self, ask: Ask, purse: _Purse) -> Reply:
        tokens_in = ask.tokens
        troubled: float | None = None
        tries = bare = broken = 0
        while True:
            if self._setup.stopped() or time.monotonic() >= purse.until:
                raise Stopping
            habits = self.habits
            assert habits is not None
            # Some servers answer 500 to a format: after two in a row the next rung is tried once.
            probing = habits.looser() if bare == 2 else None
            used = probing or habits
            most = self._reserve(purse, tokens_in)
            try:
                answer = self._once(ask, used, most, purse)
            except Fault as fault:
                broken += bool(fault.paid)
                if broken == _BREAKS and fault.paid:
                    return self._broken(fault, used, tokens_in)
                self._charge(fault, tokens_in)
                if fault.kind == "refused" and probing is None:
                    self._adapt(used, fault)
                    continue
                troubled = time.monotonic() if troubled is None else troubled
                self._endure(fault, troubled, tries, purse)
                tries += 1
                bare = bare + 1 if fault.status == 500 else 0
                continue
            finally:
                with purse.lock:
                    purse.reserved -= tokens_in + most
            self.answered = True
            if probing is not None:
                self._learn(habits, probing)
            return self._reply(answer, used, tokens_in, most)

    def _broken(self, fault: Fault, habits: Habits, tokens_in: int) -> Reply:
        """What had arrived of an answer that breaks again and again: an attempt, not an outage.

        A server may fail on what its model says (llama.cpp does, when a format's parser refuses
        the end of an answer), and would do so for ever on the same request.
        """
        text = fault.paid or ""
        note = f"the answer broke off {_BREAKS} times: {fault.message}"
        usage = self.cost(tokens_in, estimate(text))
        return Reply(text, usage, habits.rung, finish="broken", note=note, estimated=True)

    def _learn(self, before: Habits, after: Habits) -> None:
        with self._lock:
            if self.habits == before:  # another thread may have learned it first
                self.habits = after

    def _adapt(self, used: Habits, fault: Fault) -> None:
        try:
            other = used.after(fault)
        except Fault:
            raise TooLong(fault.message) from None
        if other is None:
            raise Unavailable(f"{self.endpoint.base_url}, {self.endpoint.model}: {fault.message}")
        self._learn(used, other)

    def _endure(self, fault: Fault, since: float, tries: int, purse: _Purse) -> None:
        """Wait before the next try.

        Raises:
            Unavailable: it will not pass, or has not for too long.
        """
        where = f"{self.endpoint.base_url}, {self.endpoint.model}"
        if fault.kind == "permanent":
            told = fault.message
            if fault.status in (401, 403):
                told += f"; is {self.endpoint.key_name} right?"
            raise Unavailable(f"{where}: {told}")
        growth: float = min(tries, 10)
        pause = min(self._patience.first_pause * 2**growth, _LONGEST_PAUSE)
        pause *= 0.5 + random.random() / 2  # noqa: S311 - so that many clients do not beat in time
        pause = max(pause, fault.retry_after or 0.0)
        now = time.monotonic()
        patience = float("inf") if purse.limited else self._patience.seconds
        if fault.kind == "unreachable" and not self.answered:
            patience = min(self._patience.seconds, FIRST_CONTACT_SECONDS)
        if now + pause - since > patience:
            told = f"it did not pass in {now - since:.0f} s"
            if fault.retry_after is not None and fault.retry_after > patience:
                told = f"it asks to wait {fault.retry_after:.0f} s, patience is {patience:.0f} s"
            raise Unavailable(f"{where}: {fault.message}; {told}")
        self._tell(f"{fault.message}; next try in {pause:.1f} s")
        until = now + pause
        while (left := until - time.monotonic()) > 0:
            if self._setup.stopped() or time.monotonic() >= purse.until:
                raise Stopping
            time.sleep(min(left, 0.1))

    def _once(self, ask: Ask, habits: Habits, most: int, purse: _Purse) -> Answer:
        request = build(
            self.endpoint,
            habits,
            self.sampling,
            ask.messages,
            seed=ask.seed,
            most=most,
            schema=ask.schema,
            tools=ask.tools,
        )
        began = time.monotonic()
        limits = Limits(
            until=min(began + self.endpoint.timeout, purse.until),
            characters=min(self._longest, _CHARACTERS_A_TOKEN * most),
            stopped=self._setup.stopped,
            progress=self._progress(began),
        )
        return self._wire.exchange(request, limits)

    def _progress(self, began: float) -> Callable[[int], None]:
        last = began

        def progress(characters: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= 0.5:
                last = now
                told = f"{characters} characters in {now - began:.0f} s"
                self._tell(f"{self.endpoint.model} answers: {told}")

        return progress

    def _tell(self, text: str) -> None:
        self._setup.tell(Notice(text, passing=True))

    def _reply(self, answer: Answer, habits: Habits, tokens_in: int, most: int) -> Reply:
        told_in, told_out = answer.tokens_in, answer.tokens_out
        estimated = told_in is None or told_out is None
        if told_in is None:
            told_in = tokens_in
        if told_out is None:
            arguments = "".join(call.arguments for call in answer.calls)
            told_out = estimate(answer.reasoning + answer.text + arguments)
        reply = Reply(
            answer.text,
            self.cost(told_in, told_out),
            habits.rung,
            finish=answer.finish,
            model=answer.model,
            estimated=estimated,
            calls=tuple(answer.calls),
            reasoning=bool(answer.reasoning),
        )
        return with_note(reply, answer, most)

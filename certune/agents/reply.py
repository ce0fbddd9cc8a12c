"""What a model said, and what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from certune.agents.wire import Answer, ToolCall
from certune.core.trial import Usage


@dataclass(frozen=True)
class Reply:
    """What the model said, and what it took.

    `note` is one sentence about an answer that ended otherwise than it should; `estimated` says
    that the server told no token counts.
    """

    text: str
    usage: Usage
    rung: str
    finish: str = ""
    note: str = ""
    model: str = ""
    estimated: bool = False
    calls: tuple[ToolCall, ...] = ()
    reasoning: bool = False


def total(usages: Sequence[Usage]) -> Usage:
    """The sum; its money is unknown where one is."""
    money: Fraction | None = Fraction(0)
    for usage in usages:
        money = None if money is None or usage.money is None else money + usage.money
    tokens_in = sum(usage.tokens_in for usage in usages)
    return Usage(tokens_in, sum(usage.tokens_out for usage in usages), money)


def with_note(reply: Reply, answer: Answer, most: int) -> Reply:
    """The reply with a sentence about what is unusual in it, and a text where there is one."""
    if answer.finish == "length":
        reply = replace(reply, note=f"the answer was cut off at the limit of {most} tokens")
    elif answer.finish == "cut":
        reply = replace(reply, note="the answer was cut off: it is longer than was asked for")
    elif answer.finish == "content_filter":
        reply = replace(reply, note="the server's content filter stopped the answer")
    if answer.refusal and not answer.text:
        return replace(reply, text=answer.refusal, note="the model refused to answer")
    if not answer.text.strip() and answer.reasoning and not answer.calls:
        note = reply.note or "the answer stood in the reasoning"
        return replace(reply, text=answer.reasoning, note=note)
    if not answer.text.strip() and not answer.calls:
        return replace(reply, note=reply.note or "the answer was empty")
    return reply

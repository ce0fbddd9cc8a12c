"""Tool calls for "try this now": within one turn a model sends candidates and reads verdicts.

There is no second way to be judged: what the model tries goes through the one door as a proposal
and is recorded, and the verdict goes back as the tool's answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from certune.agents.chat import Ask
from certune.agents.model import payload_of
from certune.agents.prompt import clean, metrics
from certune.agents.reply import Reply
from certune.agents.selection import sentence
from certune.core.agent import Brief, History, PayloadFormat
from certune.core.canonical import Json
from certune.core.spec import goal_metrics
from certune.core.trial import Proposal, Trial, Usage

if TYPE_CHECKING:
    from certune.agents.rounds import Rounds

TOOL = "try_candidate"


def definition(chosen: PayloadFormat) -> Mapping[str, Any]:
    """The tool as the protocol describes it."""
    return {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "Judge a candidate now: the verdict, its counterexample, its metrics.",
            "parameters": {
                "type": "object",
                "properties": {
                    "candidate": {
                        "type": "string",
                        "description": f"one whole candidate in the format {chosen.name}",
                    }
                },
                "required": ["candidate"],
                "additionalProperties": False,
            },
        },
    }


def argument(arguments: str) -> str:
    """The candidate in a call's arguments; all of them where they are malformed."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    found = value.get("candidate") if isinstance(value, dict) else None
    if isinstance(found, str):
        return found
    if isinstance(found, dict | list):  # many models send the object itself
        return json.dumps(found)
    return arguments


def verdict(trial: Trial, brief: Brief) -> str:
    """What the model is told about an attempt, as the tool's answer."""
    values = trial.measurement.values if trial.measurement else {}
    failure = trial.verdict.failure if trial.verdict else None
    lines = [
        f"trial {trial.number}: {trial.decision.reason if trial.decision else 'not judged'}",
        clean(sentence(trial))[:1000],
        metrics(goal_metrics(brief.spec.goal), values),
        brief.repairs.get(failure.name, "") if failure else "",
    ]
    return "\n".join(line for line in lines if line)


def turn(
    rounds: Rounds, brief: Brief, history: History, chosen: PayloadFormat
) -> Iterator[Proposal]:
    """One turn: up to `tries` calls of the tool, each a recorded attempt, then the answer."""
    number = 1 + max((int(str(t.provenance["round"])) for t in rounds.own(history)), default=-1)
    messages, facts = rounds.opening(brief, history, chosen, number)
    conversation = list(messages)
    seed = rounds.manner.seed + number
    tried = 0
    while True:
        offered = (definition(chosen),) if tried < rounds.manner.tries else ()
        ask = Ask(tuple(conversation), seed, None, offered)
        reply = rounds.reply(ask)
        recorded: dict[str, Json] = {**facts, "round": number, "sample": 0, "of": 1}
        if not reply.calls or not offered:
            if tried and not reply.text.strip():
                rounds.carry(reply.usage)
                return
            payload = payload_of(reply.text, chosen)
            done = (
                {history.payload(t).digest for t in rounds.own(history)[-tried:]} if tried else {}
            )
            if payload.digest in done:  # it repeats what it tried last: nothing new to judge
                rounds.carry(reply.usage)
                return
            yield rounds.proposal(payload, reply, ask, {**recorded, "turn": "first"}, reply.usage)
            return
        conversation.append(_said(reply))
        usage = reply.usage
        for call in reply.calls:
            if call.name != TOOL or tried >= rounds.manner.tries:
                told = (
                    f"there is no tool {call.name[:60]!r}" if call.name != TOOL else "no try left"
                )
            else:
                payload = payload_of(argument(call.arguments), chosen)
                yield rounds.proposal(payload, reply, ask, {**recorded, "turn": "tool"}, usage)
                usage = Usage()
                tried += 1
                told = verdict(history.trials[-1], brief)
            conversation.append({"role": "tool", "tool_call_id": call.id, "content": told})
        if usage != Usage():
            rounds.carry(usage)
            tried += 1  # a turn of calls to nowhere ends as well


def _said(reply: Reply) -> Mapping[str, Any]:
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in reply.calls
    ]
    return {"role": "assistant", "content": reply.text or None, "tool_calls": calls}

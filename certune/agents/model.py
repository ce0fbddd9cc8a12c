"""What every agent that asks a model shares: its options, and the way from a reply to a payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from certune.agents.chat import Chat, Patience
from certune.agents.endpoint import read_endpoint
from certune.agents.extract import json_object, source, without_thoughts
from certune.agents.options import Options
from certune.agents.prices import price_of, read_prices
from certune.agents.prompt import PROMPT_TOKENS
from certune.agents.reply import Reply
from certune.agents.request import RUNGS, Sampling
from certune.agents.schemas import restore
from certune.core.agent import AgentSetup, Brief, PayloadFormat
from certune.core.candidate import Payload
from certune.core.errors import ConfigurationError, nearest


@dataclass(frozen=True)
class Manner:
    """How a model is asked: samples at once, repairs, tools, the prompt's length, the seed."""

    format: str
    mode: str
    samples: int
    repair: bool
    tries: int
    prompt_tokens: int
    seed: int


def read_model(options: Options, setup: AgentSetup) -> tuple[Chat, Manner]:
    """The client and the manner that the options describe.

    Raises:
        ConfigurationError: something is wrong or missing; or money is limited and the model's
            price unknown, so that the limit could not be kept.
    """
    endpoint = read_endpoint(options)
    prices = read_prices(options.text("prices"))
    price = price_of(endpoint.model, prices, options.text("price_in"), options.text("price_out"))
    if price is None and setup.remaining().money is not None:
        raise ConfigurationError(
            f"money is limited, and the price of {endpoint.model} is unknown",
            place="budget",
            remedy="give prices=FILE, or price_in and price_out for a million tokens",
        )
    sampling = Sampling(
        max_tokens=options.integer("max_tokens", 16384, 16, 10**6),
        temperature=options.number("temperature", None, 0.0, 2.0),
        top_p=options.number("top_p", None, 0.0, 1.0),
        reasoning_effort=options.text("reasoning_effort"),
    )
    patience = Patience(
        options.seconds("patience", 3600.0, 0.0, 10**6), options.seconds("pause", 0.5, 0.001, 60.0)
    )
    manner = Manner(
        format=options.text("format"),
        mode=options.choice("mode", "auto", ("auto", *RUNGS)),
        samples=options.integer("samples", 1, 1, 64),
        repair=options.flag("repair", True),
        tries=options.integer("tries", 0, 0, 32),
        prompt_tokens=options.integer("prompt_tokens", PROMPT_TOKENS, 500, 10**6),
        seed=options.integer("seed", 0, 0, 2**31 - 1),
    )
    longest = options.integer("max_answer", 2 * 2**20, 100, 64 * 2**20)
    chat = Chat(endpoint, sampling, setup, price=price, patience=patience, longest=longest)
    return chat, manner


def choose_format(brief: Brief, name: str) -> PayloadFormat:
    """The format to propose in: the brief's first where none is named.

    Raises:
        ConfigurationError: the task has no such format.
    """
    known = {offered.name: offered for offered in brief.formats}
    if not name:
        return brief.formats[0]
    if name not in known:
        raise ConfigurationError(
            f"the task has no format {name[:60]!r}", place="format", remedy=nearest(name, known)
        )
    return known[name]


def payload_of(text: str, chosen: PayloadFormat) -> Payload:
    """The payload in a model's words; all of them where none is found, so that the attempt is
    recorded and the verdict says why."""
    schema: Mapping[str, object] | None = chosen.schema
    if schema is None:
        found = source(text)
    else:
        required = schema.get("required", ())
        names = [str(name) for name in required] if isinstance(required, list | tuple) else []
        object_text = json_object(text, names)
        if object_text is None:
            found = without_thoughts(text).strip() or text
        else:
            assert chosen.schema is not None
            found = restore(object_text, chosen.schema)
    return Payload(chosen.name, found.encode("utf-8", "replace"))


def told(reply: Reply, chat: Chat) -> dict[str, str | bool]:
    """What is recorded of a reply: who answered, how it ended; nothing that is secret."""
    facts: dict[str, str | bool] = {
        "model": chat.endpoint.model,
        "endpoint": chat.endpoint.base_url,
        "rung": reply.rung,
        "finish": reply.finish,
    }
    if reply.model and reply.model != chat.endpoint.model:
        facts["answered_by"] = reply.model
    if reply.note:
        facts["note"] = reply.note
    if reply.estimated:
        facts["estimated"] = True
    if reply.reasoning:
        facts["reasoning"] = True
    return facts

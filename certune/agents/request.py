"""The form of a request that a server accepts: a ladder of answer formats, and its habits.

Rungs from strict to loose: ``json_schema`` (the server enforces the schema), ``json_object``
(it enforces JSON), ``text`` (it enforces nothing). What a server refuses is learned once and
kept for the calls that follow; the rung that worked is recorded with every attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from certune.agents.endpoint import Endpoint
from certune.agents.faults import Fault
from certune.core.canonical import Json

RUNGS = ("json_schema", "json_object", "text")

Message = Mapping[str, Any]

# Words of a refusal, and the member of the request that they are about.
_BLAMED = (
    ("stream_options", "stream_options"),
    ("max_completion_tokens", "max_completion_tokens"),
    ("max_tokens", "max_tokens"),
    ("reasoning_effort", "reasoning_effort"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("seed", "seed"),
    ("tool", "tools"),
)
_LIMITS = ("max_tokens", "max_completion_tokens")
_EXTRAS = frozenset(("stream_options", "seed"))
_LENGTH_WORDS = ("context length", "context size", "context window", "maximum context", "too long",
                 "too many tokens", "prompt is too", "exceeds the available context")  # fmt: skip


@dataclass(frozen=True)
class Sampling:
    """How the model samples; None is left to the server."""

    max_tokens: int = 16384
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str = ""


@dataclass(frozen=True)
class Habits:
    """What is known of what a server takes."""

    rungs: tuple[str, ...] = RUNGS
    limit: str = "max_tokens"
    dropped: frozenset[str] = field(default_factory=frozenset)

    @property
    def rung(self) -> str:
        """The answer format that is asked for."""
        return self.rungs[0]

    def looser(self) -> Habits | None:
        """One rung down; None at the last."""
        return replace(self, rungs=self.rungs[1:]) if len(self.rungs) > 1 else None

    def after(self, fault: Fault) -> Habits | None:
        """What to try after a refusal; None where nothing else is left.

        Raises:
            Fault: the prompt is too long for the model, which another form does not mend.
        """
        words = fault.message.lower()
        if any(word in words for word in _LENGTH_WORDS) or fault.status == 413:
            raise fault
        for word, member in _BLAMED:
            if word not in words or member in self.dropped:
                continue
            if member in _LIMITS:
                if member != self.limit:
                    continue
                other = next((n for n in _LIMITS if n not in self.dropped | {member}), "")
                return replace(self, limit=other, dropped=self.dropped | {member})
            return replace(self, dropped=self.dropped | {member})
        lower = self.looser()
        if lower is None and not self.dropped >= _EXTRAS:
            return replace(self, dropped=self.dropped | _EXTRAS)
        return lower


def first_habits(endpoint: Endpoint, mode: str, fitting: Sequence[str]) -> Habits:
    """What is tried first: the strictest of the rungs that fit the format and the user allows."""
    rungs = tuple(rung for rung in fitting if mode in ("auto", rung)) or ("text",)
    return Habits(rungs, "max_completion_tokens" if endpoint.official else "max_tokens")


def build(
    endpoint: Endpoint,
    habits: Habits,
    sampling: Sampling,
    messages: Sequence[Message],
    *,
    seed: int,
    most: int,
    schema: Mapping[str, Json] | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The request in the form that the server takes, as arguments of the SDK."""
    request: dict[str, Any] = {
        "model": endpoint.model,
        "messages": list(messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        "seed": seed,
    }
    if habits.limit:
        request[habits.limit] = min(most, sampling.max_tokens)
    if sampling.temperature is not None:
        request["temperature"] = sampling.temperature
    if sampling.top_p is not None:
        request["top_p"] = sampling.top_p
    if sampling.reasoning_effort:
        request["reasoning_effort"] = sampling.reasoning_effort
    if tools:
        request["tools"] = list(tools)
    if habits.rung == "json_schema" and schema is not None:
        request["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "candidate", "strict": True, "schema": schema},
        }
    elif habits.rung == "json_object":
        request["response_format"] = {"type": "json_object"}
    for name in habits.dropped:
        request.pop(name, None)
    return request

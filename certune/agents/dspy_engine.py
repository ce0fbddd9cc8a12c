"""DSPy's language model on top of certune's own client: one way to ask a model, for every agent.

DSPy 3.4 lets a caller own the connection (`dspy.LM(engine=…)`). The client behind it knows what
the server takes, waits out what passes, keeps budgets and keys; DSPy keeps prompts and parsing.
Its own routes to local servers send no response format, and its cache does not tell endpoints
apart; neither is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dspy.lm15 import Message, Request, Response, TextPart, Usage

from certune.agents.chat import Ask
from certune.agents.reply import Reply
from certune.core.canonical import Json


class Halt(BaseException):
    """Ends a DSPy program from inside, past its handlers of exceptions; carries the cause."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Engine:
    """`complete(Request) -> Response` by way of `Chat`; see `dspy.clients.engines.base`.

    `ask` asks the model, and answers with the exception where the client gave up; `seed` gives
    each call a seed of its own. `last` is the latest reply, `seeds` those used so far.
    """

    supports_function_calling = False
    supports_reasoning = False
    supports_response_schema = True
    supported_params = frozenset({"response_format", "max_tokens", "temperature", "top_p"})

    def __init__(
        self, model: str, ask: Callable[[Ask], Reply | Exception], seed: Callable[[], int]
    ) -> None:
        self._model = model
        self._ask = ask
        self._seed = seed
        self.last: Reply | None = None
        self.seeds: list[int] = []

    def __deepcopy__(self, memo: object) -> Engine:
        """Itself: programs are copied for every sample, the connection is one."""
        return self

    def complete(self, request: Request) -> Response:
        """Ask the model.

        Raises:
            Halt: the client gave up, the budget is spent, or the session is to stop.
        """
        seed = self._seed()
        reply = self._ask(Ask(_messages(request), seed, _schema(request)))
        if isinstance(reply, Exception):
            raise Halt(reply)
        self.last = reply
        self.seeds.append(seed)
        return Response(
            id=None,
            model=reply.model or self._model,
            message=Message.assistant([TextPart(reply.text)]),
            finish_reason="length" if reply.finish == "length" else "stop",
            usage=Usage(
                input_tokens=reply.usage.tokens_in,
                output_tokens=reply.usage.tokens_out,
                total_tokens=reply.usage.tokens_in + reply.usage.tokens_out,
            ),
        )


def _messages(request: Request) -> tuple[Mapping[str, Any], ...]:
    found: list[Mapping[str, Any]] = []
    if request.system is not None:
        text = request.system
        if not isinstance(text, str):
            text = "".join(getattr(part, "text", "") for part in text)
        found.append({"role": "system", "content": text})
    for message in request.messages:
        role = message.role if message.role in ("user", "assistant") else "user"
        found.append({"role": role, "content": message.text or ""})
    return tuple(found)


def _schema(request: Request) -> Mapping[str, Json] | None:
    """The schema that the answer is to have; None where the request names none."""
    asked = request.config.response_format
    schema = asked.get("schema") if isinstance(asked, dict) else None
    return schema if isinstance(schema, dict) else None

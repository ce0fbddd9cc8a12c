"""One exchange with a server that speaks the OpenAI protocol: a request, one answer, bounded.

The OpenAI SDK connects and authenticates; the answer is read here, byte by byte within limits on
time and size, since a broken or hostile server may drip, truncate, never end, or send what is
neither UTF-8 nor JSON.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from certune.agents.endpoint import Endpoint
from certune.agents.faults import Fault, from_connection, from_status

_MOST_TOKENS = 10**9
_LONGEST_LINE = 8 * 2**20
_MOST_CALLS = 16


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model wants to use: the call's id, the tool's name, JSON arguments."""

    id: str
    name: str
    arguments: str


@dataclass
class Answer:
    """What arrived: the text, why it ended, and what the server says it took.

    `finish` is the server's word (``stop``, ``length``, ``content_filter``, ``tool_calls``), or
    ``cut`` where reading was stopped at a limit. Token counts are None where none were told.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    finish: str = ""
    model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    calls: list[ToolCall] = field(default_factory=list)


@dataclass(frozen=True)
class Limits:
    """How long an answer may take (a moment of `time.monotonic`) and how long it may be."""

    until: float
    characters: int
    stopped: Callable[[], bool]
    progress: Callable[[int], None]


class Wire:
    """A connection to an endpoint through the OpenAI SDK, 2.x or 3.x. Safe to share by threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._client: Any = None
        self._opening = threading.Lock()

    def _opened(self) -> Any:
        with self._opening:
            if self._client is None:
                import openai

                self._client = openai.OpenAI(
                    api_key=self._endpoint.key,
                    base_url=self._endpoint.base_url,
                    max_retries=0,
                )
            return self._client

    def exchange(self, request: Mapping[str, Any], limits: Limits) -> Answer:
        """Send one chat completion and read its answer, streamed or whole.

        Raises:
            Fault: no usable answer; with its kind and the text that had arrived.
        """
        client = self._opened()
        reader = _Reader(limits)
        wait = max(0.05, min(self._endpoint.timeout, limits.until - time.monotonic()))
        try:
            with client.chat.completions.with_streaming_response.create(
                **request, timeout=wait
            ) as response:
                kind = response.headers.get("content-type", "")
                if "text/html" in kind:
                    told = "a web page answers there, no model: base_url often ends in /v1"
                    raise Fault("unreachable", told)
                reader.read(response.iter_bytes(), kind)
        except (KeyboardInterrupt, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - what libraries raise on a broken stream varies
            raise _scrubbed(_fault(error, reader.received), self._endpoint) from None
        return _cleaned(reader.answer, self._endpoint)

    def close(self) -> None:
        """Give the connections back."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _fault(error: Exception, received: str) -> Fault:
    """The fault that an exception stands for; `received` is what had arrived before it."""
    import openai

    if isinstance(error, Fault):
        return error
    if isinstance(error, openai.APIStatusError):
        body = error.body if error.body is not None else error.message
        return from_status(error.status_code, error.response.headers, body)
    fault = from_connection(error)
    if not isinstance(error, openai.APIConnectionError):  # it broke while it was read
        fault.paid = received
    return fault


def _cleaned(answer: Answer, endpoint: Endpoint) -> Answer:
    """The answer without the key, should the server have echoed it."""
    scrub = endpoint.scrub
    return replace(
        answer,
        text=scrub(answer.text),
        reasoning=scrub(answer.reasoning),
        refusal=scrub(answer.refusal),
        finish=scrub(answer.finish),
        model=scrub(answer.model),
        calls=[
            ToolCall(scrub(call.id), scrub(call.name), scrub(call.arguments))
            for call in answer.calls
        ],
    )


def _scrubbed(fault: Fault, endpoint: Endpoint) -> Fault:
    paid = None if fault.paid is None else endpoint.scrub(fault.paid)
    message = endpoint.scrub(fault.message)
    return Fault(fault.kind, message, fault.status, fault.retry_after, paid)


class _Reader:
    """Puts an answer together from bytes."""

    def __init__(self, limits: Limits) -> None:
        self.answer = Answer()
        self._limits = limits
        self._parts: list[str] = []
        self._thoughts: list[str] = []
        self._length = 0
        self._calls: dict[int, list[str]] = {}
        self._ended = False

    @property
    def received(self) -> str:
        """All text that has arrived."""
        return "".join((*self._thoughts, *self._parts))

    def read(self, chunks: Iterator[bytes], kind: str) -> None:
        """Read to the end, or to a limit."""
        if "event-stream" in kind:
            self._stream(chunks)
        else:
            self._whole(chunks)
        self.answer.text += "".join(self._parts)
        self.answer.reasoning += "".join(self._thoughts)
        for identity, name, arguments in self._calls.values():
            self.answer.calls.append(ToolCall(identity, name, arguments))

    def _late(self) -> Fault:
        told = "the answer did not end in time"
        return Fault("transient", told, paid=self.received)

    def _check_time(self) -> None:
        if time.monotonic() >= self._limits.until or self._limits.stopped():
            raise self._late()

    def _whole(self, chunks: Iterator[bytes]) -> None:
        body = bytearray()
        for chunk in chunks:
            self._check_time()
            body += chunk
            if len(body) > 8 * self._limits.characters + _LONGEST_LINE:
                raise Fault("transient", "the answer is too large", paid="")
        self._take(bytes(body))

    def _stream(self, chunks: Iterator[bytes]) -> None:
        for line in self._lines(chunks):
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                self._ended = True
                return
            self._take(data)
            if self._length > self._limits.characters:
                self.answer.finish = "cut"
                return
        if not self._ended and not self.answer.finish:
            raise Fault("transient", "the answer broke off", paid=self.received)

    def _lines(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        rest = bytearray()
        for chunk in chunks:
            self._check_time()
            rest += chunk
            if b"\n" in chunk or b"\r" in chunk:
                *lines, last = rest.replace(b"\r", b"\n").split(b"\n")
                rest = bytearray(last)
                for line in lines:
                    yield bytes(line)
            if len(rest) > _LONGEST_LINE:
                raise Fault("transient", "a line of the answer has no end", paid=self.received)
        if rest:
            yield bytes(rest)

    def _take(self, data: bytes) -> None:
        """Take up one JSON event: a piece of a streamed answer, or a whole one."""
        try:
            event = json.loads(data.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise Fault(
                "transient", "the server sent what is not JSON", paid=self.received
            ) from None
        if not isinstance(event, dict):
            raise Fault("transient", "the server sent no object", paid=self.received)
        if event.get("error"):
            code = event["error"].get("code") if isinstance(event["error"], dict) else None
            status = code if type(code) is int and 400 <= code < 600 else 500
            fault = from_status(status, {}, event["error"])
            raise Fault(fault.kind, fault.message, status, paid=self.received)
        if isinstance(event.get("model"), str):
            self.answer.model = event["model"][:200]
        self._usage(event.get("usage"))
        choices = event.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            self._choice(choices[0])

    def _usage(self, usage: Any) -> None:
        if not isinstance(usage, dict):
            return
        for name, told in (("tokens_in", "prompt_tokens"), ("tokens_out", "completion_tokens")):
            count = usage.get(told)
            if type(count) is int and 0 <= count <= _MOST_TOKENS:
                setattr(self.answer, name, count)

    def _choice(self, choice: Mapping[str, Any]) -> None:
        if isinstance(choice.get("finish_reason"), str):
            self.answer.finish = choice["finish_reason"][:40]
        message = choice.get("delta") or choice.get("message")
        if not isinstance(message, dict):
            return
        self._text(message.get("content"), self._parts)
        for name in ("reasoning_content", "reasoning"):
            if isinstance(message.get(name), str):
                self._text(message[name], self._thoughts)
                break
        if isinstance(message.get("refusal"), str):
            self.answer.refusal += message["refusal"][:2000]
        calls = message.get("tool_calls")
        for position, call in enumerate(calls if isinstance(calls, list) else ()):
            self._call(position, call)
        self._limits.progress(self._length)

    def _text(self, content: Any, parts: list[str]) -> None:
        if isinstance(content, str):
            parts.append(content)
            self._length += len(content)
        elif isinstance(content, list):  # parts, as some servers send them
            for part in content:
                if isinstance(part, dict):
                    self._text(part.get("text"), parts)

    def _call(self, position: int, call: Any) -> None:
        if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
            return
        index = call.get("index", position)
        if type(index) is not int or (index not in self._calls and len(self._calls) >= _MOST_CALLS):
            return
        known = self._calls.setdefault(index, ["", "", ""])
        for place, text in enumerate(
            (call.get("id"), call["function"].get("name"), call["function"].get("arguments"))
        ):
            if isinstance(text, str):
                known[place] = known[place] + text if place == 2 else known[place] or text
                self._length += len(text)

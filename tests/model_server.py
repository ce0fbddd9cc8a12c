"""A server that speaks the OpenAI protocol (chat completions), with every fault on demand.

A real HTTP server on loopback: the SDK under test connects to it as to any other. What it says
is scripted, call by call, or computed from the request by a function.
"""

import json
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Say:
    """A complete answer, streamed if the client asks for it."""

    text: str = ""
    finish: str = "stop"
    tokens: tuple | None = (100, 50)
    reasoning: str = ""
    reasoning_field: str = "reasoning_content"
    refusal: str = ""
    model: str = ""
    calls: tuple = ()  # (id, name, arguments)
    pieces: int = 7  # characters in a streamed piece
    pause: float = 0.0  # before each piece: a slow drip
    choices: bool = True
    done: bool = True


@dataclass(frozen=True)
class Fail:
    """An HTTP error."""

    status: int
    message: str = "scripted"
    headers: dict = field(default_factory=dict)
    body: bytes | None = None
    kind: str = "application/json"


@dataclass(frozen=True)
class Raw:
    """Bytes of a stream sent as they are; then `end` is close, reset or hang (seconds)."""

    data: bytes = b""
    end: str = "close"
    seconds: float = 0.0
    kind: str = "text/event-stream"
    status: int = 200
    chunked: bool = True


@dataclass(frozen=True)
class Endless:
    """A stream that repeats a piece until the client goes away."""

    piece: bytes


def event(**delta):
    """One streamed event with this delta."""
    chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


@dataclass
class Call:
    """A request as it arrived."""

    number: int
    path: str
    headers: dict
    body: dict
    at: float = 0.0

    @property
    def rung(self):
        return self.body.get("response_format", {}).get("type", "text")

    @property
    def prompt(self):
        return "\n".join(str(message.get("content")) for message in self.body["messages"])


class ModelServer:
    """Answers with `script`: a list (the last entry repeats) or a function of the call."""

    def __init__(self, script):
        self.script = script
        self.calls = []
        self.lock = threading.Lock()
        self.aborted = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers.get("content-length", 0))
                body = json.loads(self.rfile.read(length) or b"{}")
                outer.respond(self, body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass  # clients that hang up are part of the tests

        self.http = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(5)

    def respond(self, handler, body):
        with self.lock:
            headers = {name.lower(): value for name, value in handler.headers.items()}
            call = Call(len(self.calls), handler.path, headers, body, time.monotonic())
            self.calls.append(call)
            if callable(self.script):
                answer = self.script(call)
            else:
                answer = self.script[min(call.number, len(self.script) - 1)]
        try:
            send(handler, call, answer)
        except OSError:
            self.aborted += 1
            handler.close_connection = True


def send(handler, call, answer):
    if isinstance(answer, Fail):
        error = {"error": {"message": answer.message, "type": "scripted", "code": None}}
        data = answer.body if answer.body is not None else json.dumps(error).encode()
        whole(handler, answer.status, data, answer.kind, answer.headers)
    elif isinstance(answer, Raw):
        begin(handler, answer.status, answer.kind, answer.chunked)
        if answer.data:
            chunk(handler, answer.data, answer.chunked)
        time.sleep(answer.seconds)
        handler.close_connection = True
        if answer.end == "reset":
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
        elif answer.chunked and answer.end == "end":
            chunk(handler, b"")
    elif isinstance(answer, Endless):
        begin(handler, 200, "text/event-stream", True)
        while True:
            chunk(handler, answer.piece)
    elif call.body.get("stream"):
        stream(handler, call, answer)
    else:
        whole(handler, 200, json.dumps(completion(call, answer)).encode())


def whole(handler, status, data, kind="application/json", headers=None):
    handler.send_response(status)
    handler.send_header("content-type", kind)
    handler.send_header("content-length", str(len(data)))
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


def begin(handler, status, kind, chunked):
    handler.send_response(status)
    handler.send_header("content-type", kind)
    handler.send_header(*(("transfer-encoding", "chunked") if chunked else ("connection", "close")))
    handler.end_headers()


def chunk(handler, data, chunked=True):
    if chunked:
        data = b"%x\r\n%s\r\n" % (len(data), data)
    handler.wfile.write(data)
    handler.wfile.flush()


def usage(answer):
    into, out = answer.tokens
    return {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}


def tool_calls(answer):
    return [
        {"index": i, "id": c[0], "type": "function", "function": {"name": c[1], "arguments": c[2]}}
        for i, c in enumerate(answer.calls)
    ]


def completion(call, answer):
    message = {"role": "assistant", "content": answer.text or None}
    if answer.reasoning:
        message[answer.reasoning_field] = answer.reasoning
    if answer.refusal:
        message["refusal"] = answer.refusal
    if answer.calls:
        message["tool_calls"] = tool_calls(answer)
    choices = [{"index": 0, "message": message, "finish_reason": answer.finish}]
    body = {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": answer.model or call.body["model"],
        "choices": choices if answer.choices else [],
    }
    if answer.tokens is not None:
        body["usage"] = usage(answer)
    return body


def stream(handler, call, answer):
    begin(handler, 200, "text/event-stream", True)
    head = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": answer.model or call.body["model"],
    }

    def put(**rest):
        chunk(handler, b"data: " + json.dumps(head | rest).encode() + b"\n\n")

    def pieces(text):
        return re.findall(f"(?s).{{1,{answer.pieces}}}", text)

    if answer.choices:
        for piece in pieces(answer.reasoning):
            put(choices=[{"index": 0, "delta": {answer.reasoning_field: piece}}])
        for piece in pieces(answer.text):
            time.sleep(answer.pause)
            put(choices=[{"index": 0, "delta": {"content": piece}}])
        if answer.refusal:
            put(choices=[{"index": 0, "delta": {"refusal": answer.refusal}}])
        for made in tool_calls(answer):
            function = made["function"]
            first = made | {"function": {"name": function["name"], "arguments": ""}}
            put(choices=[{"index": 0, "delta": {"tool_calls": [first]}}])
            for piece in pieces(function["arguments"]):
                part = {"index": made["index"], "function": {"arguments": piece}}
                put(choices=[{"index": 0, "delta": {"tool_calls": [part]}}])
        put(choices=[{"index": 0, "delta": {}, "finish_reason": answer.finish}])
    else:
        put(choices=[])
    if answer.tokens is not None and call.body.get("stream_options", {}).get("include_usage"):
        put(choices=[], usage=usage(answer))
    if answer.done:
        chunk(handler, b"data: [DONE]\n\n")
    chunk(handler, b"")

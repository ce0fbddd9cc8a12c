"""What goes wrong between an agent and its server, told apart by what helps.

| kind        | what helps                              | examples                        |
|-------------|-----------------------------------------|---------------------------------|
| refused     | another form of the request             | 400, 413, 415, 422, 501         |
| transient   | waiting                                 | 408, 409, 425, 429, 5xx, resets |
| unreachable | waiting, if the server was there before | connection refused, a web page  |
| permanent   | a person                                | 401, 403, 404, unknown host     |
"""

from __future__ import annotations

import email.utils
import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["refused", "transient", "unreachable", "permanent"]

_TRANSIENT = frozenset((408, 409, 425, 429))
_REFUSED = frozenset((400, 413, 415, 422, 501))
_SHOWN = 300


class Fault(Exception):
    """One failed call: its kind, what the server said, and when it asked to be called again.

    `paid` is the text that had arrived when the call broke; None where the server did no work.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        status: int | None = None,
        retry_after: float | None = None,
        paid: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.paid = paid


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until the server wants to be called again; from seconds or an HTTP date."""
    milliseconds = headers.get("retry-after-ms")
    text = headers.get("retry-after")
    try:
        if milliseconds is not None:
            wait = float(milliseconds) / 1000
        elif text is None:
            return None
        else:
            wait = float(text)
    except ValueError:
        when = email.utils.parsedate_tz(text or "")
        if when is None:
            return None
        wait = email.utils.mktime_tz(when) - time.time()
    return wait if 0 <= wait < float("inf") else None


def said(body: Any) -> str:
    """The server's own words from an error's body, on one line."""
    found = body
    for name in ("error", "detail", "message"):
        if isinstance(found, Mapping) and name in found:
            found = found[name]
    if isinstance(found, Mapping):
        found = found.get("message", found)
    text = found if isinstance(found, str) else json.dumps(found, default=str)
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _SHOWN]).split())
    return text[:_SHOWN] + (" …" if len(text) > _SHOWN else "")


def from_status(status: int, headers: Mapping[str, str], body: Any) -> Fault:
    """The fault that an HTTP status stands for."""
    words = said(body)
    message = f"the server answered {status}: {words}" if words else f"the server answered {status}"
    code = str(body.get("code", "")) if isinstance(body, Mapping) else ""
    if status == 429 and ("insufficient_quota" in code or "insufficient_quota" in words):
        return Fault("permanent", message, status)
    if status in _REFUSED:
        return Fault("refused", message, status)
    if status in _TRANSIENT or status >= 500:
        return Fault("transient", message, status, retry_after(headers))
    return Fault("permanent", message, status)


def from_connection(error: BaseException) -> Fault:
    """The fault behind a connection that failed before an answer began."""
    for link in _chain(error):
        if isinstance(link, ssl.SSLCertVerificationError):
            return Fault("permanent", f"the server's certificate is not trusted: {link.reason}")
        if isinstance(link, socket.gaierror):
            unknown = link.errno == socket.EAI_NONAME
            told = f"the server's host is not known: {link.strerror}"
            return Fault("permanent" if unknown else "unreachable", told)
        if isinstance(link, ConnectionRefusedError):
            return Fault("unreachable", "nothing listens there: connection refused")
        if isinstance(link, TimeoutError):
            return Fault("transient", "the server did not answer in time", paid="")
    names = [type(link).__name__ for link in _chain(error)]
    if any("Timeout" in name for name in names):
        connecting = any("ConnectTimeout" in name for name in names)
        told = "the server did not answer in time"
        return Fault("transient", told, paid=None if connecting else "")
    if any(name == "ConnectError" for name in names):
        return Fault("unreachable", f"the server cannot be reached: {_last_words(error)}")
    return Fault("transient", f"the connection broke: {_last_words(error)}", paid="")


def _last_words(error: BaseException) -> str:
    last = list(_chain(error))[-1]
    return f"{type(last).__name__}: {said(str(last))}"

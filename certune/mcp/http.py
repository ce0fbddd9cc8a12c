"""Streamable HTTP on loopback, for whoever holds the token."""

from __future__ import annotations

import hmac
import json
import socket
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from certune.core.errors import Unavailable

HOST = "127.0.0.1"
PATH = "/mcp"


class Guard:
    """Lets a request through that carries the token, and answers any other with 401."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI has it."""
        if scope["type"] != "http":
            # Start-up and shut-down pass; nothing else but HTTP is spoken here.
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) == 1 and hmac.compare_digest(given[0], self._expected):
            await self._app(scope, receive, send)
            return
        told = "the token that `certune mcp` printed when it started is needed as a bearer token"
        body = json.dumps({"error": "invalid_token", "error_description": told}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"www-authenticate", b"Bearer"),
        ]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def listen(port: int) -> socket.socket:
    """A socket on loopback; port 0 takes any that is free.

    Raises:
        Unavailable: the port is taken.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
        bound.listen()
    except OSError as error:
        bound.close()
        raise Unavailable(f"cannot listen on {HOST}:{port}: {error.strerror}") from None
    return bound


def application(server: MCPServer[Any], port: int, token: str) -> ASGIApp:
    """The server behind its guard, for requests to loopback at `port` alone.

    Requests whose Host or Origin is not loopback at this port are refused as well, so that no
    web page can reach it by a name that it made point here.
    """
    hosts = [f"{name}:{port}" for name in (HOST, "localhost")]
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=hosts,
            allowed_origins=[f"http://{host}" for host in hosts],
        ),
        max_sessions=16,
    )
    return Guard(app, token)


def serve(server: MCPServer[Any], bound: socket.socket, token: str) -> None:
    """Serve until SIGINT or SIGTERM."""
    port = bound.getsockname()[1]
    config = uvicorn.Config(
        application(server, port, token),
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=3,
    )
    uvicorn.Server(config).run(sockets=[bound])

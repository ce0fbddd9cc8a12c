"""A `certune mcp` process on the toy family, over standard streams or HTTP."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import anyio
import httpx2
import mcp_toy
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_bench import Caller

TESTS = Path(__file__).parent


def environment(folder, **more):
    """The environment of a process that knows the toy family; nothing else is inherited."""
    if not (folder / "certune_toy-1.dist-info").exists():
        mcp_toy.install(folder)
    path = os.pathsep.join([str(folder), str(TESTS)])
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": path, **more}


def arguments(project, *more):
    return ["-m", "certune", "mcp", "--project", str(project), *more]


class HttpServer:
    """A server on loopback at a free port; a context manager."""

    def __init__(self, project, folder, *more, **variables):
        self._command = [sys.executable, *arguments(project, "--http", *more)]
        self._environment = environment(folder, **variables)
        self._log = folder / "stderr"
        self.stdout = folder / "stdout"

    def __enter__(self):
        with self._log.open("wb") as log, self.stdout.open("wb") as out:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )
        end = time.monotonic() + 30
        while (found := re.search(r"token  (\S+) ", self.log)) is None:
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"it did not start: {self.log}")
            time.sleep(0.05)
        self.token = found[1]
        self.url = re.search(r"url    (\S+)", self.log)[1]
        return self

    @property
    def log(self):
        return self._log.read_text()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise


def talk_http(server, conversation):
    """Run ``conversation(call)`` through the official client with the server's token."""

    async def run():
        headers = {"Authorization": f"Bearer {server.token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(server.url, http_client=http)) as client,
        ):
            return await conversation(Caller(client))

    return anyio.run(run)

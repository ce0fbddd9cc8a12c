"""A desk on the toy family, and a client that talks to a server in memory."""

import json
from contextlib import contextmanager

import anyio
import mcp_toy
from mcp import Client

from certune.core import Budget
from certune.ledger import Ledger
from certune.mcp.desk import AGENT, Desk
from certune.mcp.server import build
from certune.project import publish
from certune.session import Session


def dumps(xs, **more):
    return json.dumps({"xs": xs, **more})


class Bench:
    def __init__(self, project, desk, task):
        self.project = project
        self.desk = desk
        self.task = task
        self.server = build(desk, task.spec, project, mcp_toy.ToyFamily().tasks())

    def talk(self, conversation):
        """Run ``conversation(client)`` against the server, in memory."""

        async def run():
            async with Client(self.server) as client:
                return await conversation(Caller(client))

        return anyio.run(run)

    def trials(self):
        with Ledger.open(self.project, create=False, read_only=True) as ledger:
            ledger.verify()
            return ledger.trials(self.desk.view.session)


class Caller:
    """Calls tools; data comes back as data, errors as their text."""

    def __init__(self, client):
        self.client = client

    async def __call__(self, name, **arguments):
        result = await self.client.call_tool(name, arguments)
        assert not result.is_error, result.content[0].text
        return result.structured_content

    async def refused(self, name, **arguments):
        result = await self.client.call_tool(name, arguments)
        assert result.is_error, result.structured_content
        return result.content[0].text

    async def judged(self, payload, **more):
        """Propose a payload and wait for its verdict."""
        ticket = await self("propose", payload=payload)
        return await self("verdict", id=ticket["id"], **more)


@contextmanager
def bench(project, budget=None, total=12, begin=None):
    task = mcp_toy.ToyTask(mcp_toy.spec(total))

    def start():
        return Session.start(Ledger.open(project), task, agent=AGENT, budget=budget or Budget())

    desk = Desk(begin or start, lambda ledger, trial: publish(project, ledger, trial))
    desk.open(10)
    try:
        yield Bench(project, desk, task)
    finally:
        assert desk.close(20)

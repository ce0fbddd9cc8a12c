"""A bench for agents that ask models: a toy task, a session and a scripted server."""

import os
from contextlib import contextmanager
from unittest import mock

from mcp_toy import ToyTask, spec

from certune.core import Budget
from certune.ledger import Ledger
from certune.session import Session


class OpenTask(ToyTask):
    """The toy without its bound, so that a session does not end at the best."""

    def bounds(self, context):
        return ()


class Bench:
    """A folder, a task, and sessions on them."""

    def __init__(self, folder, task=None):
        self.folder = folder
        self.task = task or OpenTask(spec(12))
        self.notices = []
        self.session = None

    @contextmanager
    def start(self, agent, options=None, **budget):
        with Ledger.open(self.folder) as ledger:
            self.session = Session.start(
                ledger, self.task, agent=agent, options=options or {}, budget=Budget(**budget)
            )
            yield self.session

    def run(self, factory, name, options=None, key=None, watch=None, **budget):
        """A whole session; returns how it ended."""
        with self.start(name, options, **budget) as session:
            return self.go(session, factory, key=key, watch=watch)

    def resume(self, factory, identity, key=None, **budget):
        with Ledger.open(self.folder) as ledger:
            given = Budget(**budget) if budget else None
            self.session = Session.resume(ledger, identity, self.task, budget=given)
            return self.go(self.session, factory, key=key)

    def go(self, session, factory, key=None, watch=None):
        def see(event):
            if hasattr(event, "passing"):
                self.notices.append(event.text)
            if watch:
                watch(event)

        with environment(key):
            run = session.run(session.make_agent(factory), watch=see)
        self.trials = list(session.trials)
        self.payloads = [session.history.payload(trial).data for trial in self.trials]
        self.spent = session.ledger.spent(session.identity)
        return run

    @property
    def reasons(self):
        return [t.decision.reason if t.decision else "failed" for t in self.trials]


@contextmanager
def environment(key=None, **more):
    """Without the variables of the machine, with this key."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI")}
    if key is not None:
        kept["OPENAI_API_KEY"] = key
    with mock.patch.dict(os.environ, kept | more, clear=True):
        yield


def options(server, **more):
    """The options of an agent that asks `server`, with short pauses."""
    given = {"base_url": server.url, "model": "toy-model", "pause": "0.001", "max_tokens": "1000"}
    return given | {name: str(value) for name, value in more.items()}

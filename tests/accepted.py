"""An accepted candidate with its certificate, made once for a test module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from certune import plugins
from certune.agents.search import Search
from certune.certificate import Acceptance, match_files, open_certificate
from certune.core import Context
from certune.ledger import Ledger
from certune.project import publish
from certune.session import Session
from certune.signing import Signer
from certune.verifier.provers import Provers


@dataclass(frozen=True)
class Accepted:
    certificate: bytes
    acceptance: Acceptance
    files: dict[str, bytes]


def context() -> Context:
    return Context(prover=Provers())


def accepted(
    folder: Path, task: str, parameters: Mapping[str, str], signer: Signer | None = None
) -> Accepted:
    """The last candidate that the built-in search has accepted for a task."""
    opened_task = plugins.open_task(plugins.spec(task, dict(parameters)))
    with Ledger.open(folder) as ledger:
        session = Session.start(ledger, opened_task, agent="search", context=context())
        session.signer = signer
        run = session.run(session.make_agent(Search))
        assert run.accepted, run
        paths = publish(folder, ledger, run.accepted[-1])
    certificate = next(path for path in paths if path.name == "certificate.json")
    data = certificate.read_bytes()
    opened = open_certificate(data)
    files = {f.name: f.data for f in match_files(opened.statement, certificate.parent)}
    return Accepted(data, opened.acceptance, files)

"""What a ledger holds, and the hash that chains one record to the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from certune.core.budget import Budget
from certune.core.canonical import DEEPEST, Json, digest, loads, sha256
from certune.core.spec import TaskSpec

Kind: TypeAlias = Literal["session", "trial", "bound", "certificate", "end", "error"]


@dataclass(frozen=True)
class Start:
    """Body of a ``session`` record: what was asked of whom, and what it may spend."""

    spec: TaskSpec
    spec_digest: str
    agent: str
    options: Mapping[str, Json]
    budget: Budget
    certune: str
    started: str


@dataclass(frozen=True)
class End:
    """Body of an ``end`` record: why a run of a session ended, and the seconds that it took.

    `first` is the number of the first trial that the run recorded, None without any. Trials
    from there on are covered by `seconds`; earlier ones without an end belong to a run that
    was killed.
    """

    reason: str
    seconds: float
    ended: str
    first: int | None = None


@dataclass(frozen=True)
class Issued:
    """Body of a ``certificate`` record: the digest of its bytes and the trial it is about."""

    certificate: str
    trial: int


@dataclass(frozen=True)
class ErrorSpent:
    """Body of an ``error`` record: what one measured comparison may use up, before it begins.

    `error` is the share of comparison `number` (from 1, over all sessions of the project under
    the specification with digest `spec`) of the `total`; `artefact` is the candidate's digest.
    """

    spec: str
    number: int
    error: float
    total: float
    artefact: str


@dataclass(frozen=True)
class SessionRecord:
    """A session as recorded: what was asked, and how far it came.

    `started` is RFC 3339 in UTC; `trials` and `accepted` count attempts; `ended` is how the
    latest run ended, None while one runs and after one was killed.
    """

    id: str
    spec: TaskSpec
    spec_digest: str
    agent: str
    options: Mapping[str, Json]
    budget: Budget
    certune: str
    started: str
    trials: int = 0
    accepted: int = 0
    ended: End | None = None


@dataclass(frozen=True)
class Head:
    """The last record of the chain: its number and hash. Whoever keeps it pins all before."""

    seq: int
    hash: str


@dataclass(frozen=True)
class Row:
    """A record as stored: `body` is canonical JSON, `previous` the hash of the one before."""

    seq: int
    session: str
    kind: str
    body: str = field(repr=False)
    previous: str
    hash: str

    @classmethod
    def of(cls, values: tuple[object, ...]) -> Row:
        """The record in a row of the database; a damaged file may hold values of any type.

        Raises:
            ValueError: the values are not a record's, or the stored hash is not its own.
        """
        seq, session, kind, body, previous, hash_ = values
        texts = (session, kind, body, previous, hash_)
        if not isinstance(seq, int) or not all(isinstance(text, str) for text in texts):
            raise ValueError
        session, kind, body, previous, hash_ = map(str, texts)
        if hash_ != chain(seq, session, kind, body, previous):
            raise ValueError
        return cls(seq, session, kind, body, previous, hash_)

    def data(self) -> Json:
        """The body parsed; InvalidInput where it is no JSON."""
        return loads(self.body.encode(), depth=DEEPEST)


def chain(seq: int, session: str, kind: str, body: str, previous: str) -> str:
    """The hash of a record: over its number, session, kind, its body's digest, and `previous`."""
    return digest(
        {
            "seq": seq,
            "session": session,
            "kind": kind,
            "body": sha256(body.encode()),
            "previous": previous,
        }
    )


def genesis(project: str) -> str:
    """What stands for the hash before the first record; ties the chain to its project."""
    return digest({"ledger": "certune", "project": project})

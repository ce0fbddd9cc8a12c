"""The whole ledger checked: file, chain, records and stored content."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from certune.core.canonical import Json, digest, dumps, sha256
from certune.core.codec import decode
from certune.core.errors import InvalidInput, LedgerCorrupt
from certune.core.measurement import Bound
from certune.core.trial import Trial
from certune.ledger.records import End, ErrorSpent, Head, Issued, Row, Start, genesis

_BODIES: dict[str, type] = {
    "session": Start,
    "trial": Trial,
    "bound": Bound,
    "certificate": Issued,
    "end": End,
    "error": ErrorSpent,
}


def verify(connection: sqlite3.Connection, path: Path, project: str, expect: Head | None) -> Head:
    """Recompute the chain from the first record and the digest of every content.

    Raises:
        LedgerCorrupt: which record or content is wrong, and how.
    """
    connection.execute("BEGIN")  # one snapshot, whatever others write meanwhile
    try:
        problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if problem != "ok":
            raise LedgerCorrupt(f"{path}: {' '.join(str(problem).split())}")
        stored = _contents(connection, path)
        return _chain(connection, path, project, expect, stored)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _contents(connection: sqlite3.Connection, path: Path) -> set[str]:
    stored = set()
    for name, data in connection.execute("SELECT digest, data FROM blobs"):
        if not isinstance(data, bytes) or sha256(data) != name:
            raise LedgerCorrupt(f"{path}: the content stored as {name} was changed")
        stored.add(name)
    return stored


def _chain(
    connection: sqlite3.Connection,
    path: Path,
    project: str,
    expect: Head | None,
    stored: set[str],
) -> Head:
    head = Head(0, genesis(project))
    sessions: set[str] = set()
    if expect is not None and expect.seq == 0 and expect != head:
        raise LedgerCorrupt(f"{path}: it is the ledger of another project than expected")
    query = "SELECT seq, session, kind, body, previous, hash FROM records ORDER BY seq"
    for item in connection.execute(query):
        if item[0] != head.seq + 1:
            raise LedgerCorrupt(f"{path}: record {head.seq + 1} is missing")
        try:
            row = Row.of(item)
        except ValueError:
            raise LedgerCorrupt(f"{path}: record {item[0]} was changed") from None
        if row.previous != head.hash:
            raise LedgerCorrupt(
                f"{path}: record {row.seq} does not follow record {head.seq}: one of them was "
                "changed or replaced"
            )
        missing = _references(row, path, sessions) - stored
        if missing:
            raise LedgerCorrupt(f"{path}: record {row.seq} names {min(missing)}, which is gone")
        head = Head(row.seq, row.hash)
        if expect is not None and expect.seq == head.seq and expect != head:
            raise LedgerCorrupt(f"{path}: record {head.seq} has another hash than expected")
    if expect is not None and expect.seq > head.seq:
        raise LedgerCorrupt(
            f"{path}: it ends at record {head.seq}, {expect.seq} were expected: the last ones "
            "were removed"
        )
    return head


def _references(row: Row, path: Path, sessions: set[str]) -> set[str]:
    """Digests of the content that a record names; its body is decoded to find them."""
    place = f"{path}: record {row.seq} ({row.kind})"
    if row.kind not in _BODIES:
        raise LedgerCorrupt(f"{place}: unknown kind")
    try:
        data = row.data()
        body: object = decode(_BODIES[row.kind], data)
    except InvalidInput as error:
        raise LedgerCorrupt(f"{place}: {error}") from None
    if dumps(data).decode() != row.body:
        raise LedgerCorrupt(f"{place}: not in canonical form")
    if isinstance(body, Start):
        sessions.add(row.session)
        # Of the data as stored: a later certune may know more members than were written.
        if digest(cast("Mapping[str, Json]", data)["spec"]) != body.spec_digest:
            raise LedgerCorrupt(f"{place}: the spec has another digest than recorded")
    if row.session not in sessions:
        raise LedgerCorrupt(f"{place}: session {row.session!r} was not started")
    if isinstance(body, Issued):
        return {body.certificate}
    if isinstance(body, Trial):
        if body.session != row.session:
            raise LedgerCorrupt(f"{place}: the trial says it is of session {body.session!r}")
        return {body.payload, *body.files.values()}
    return set()

"""Reading a ledger: sessions, trials, bounds, certificates, content."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO, TypeVar

from certune.core.budget import Spent
from certune.core.canonical import Json, dumps, sha256
from certune.core.codec import decode, encode
from certune.core.errors import InvalidInput, LedgerCorrupt, nearest
from certune.core.measurement import Bound
from certune.core.status import Status
from certune.core.trial import Trial
from certune.ledger import audit
from certune.ledger.accounts import Account
from certune.ledger.database import open_database, translated
from certune.ledger.records import End, ErrorSpent, Head, Issued, Row, SessionRecord, Start, genesis
from certune.version import __version__

T = TypeVar("T")

FOLDER = ".certune"
FILE = "ledger.sqlite3"
COLUMNS = "seq, session, kind, body, previous, hash"


def text(value: object) -> str:
    """The canonical JSON of a record's body."""
    return dumps(encode(value)).decode()


class Reader:
    """The part of a ledger that only reads."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._accounts: dict[str, Account] = {}
        self.path = path
        with translated(path):
            rows = connection.execute("SELECT value FROM meta WHERE name = 'project'").fetchall()
        if len(rows) != 1 or not isinstance(rows[0][0], str):
            raise LedgerCorrupt(f"{path}: it does not say which project it belongs to")
        self.project: str = rows[0][0]

    @classmethod
    def open(cls, folder: Path, *, create: bool = True, read_only: bool = False) -> Self:
        """Open the ledger ``.certune/ledger.sqlite3`` of the project in `folder`.

        Reading works beside a process that writes.

        Raises:
            InvalidInput: there is none and none is to be made, or the file is not a ledger.
            LedgerCorrupt, LedgerVersion, LedgerBusy, LedgerFull: as their names say.
        """
        path = Path(folder) / FOLDER / FILE
        connection = open_database(path, create=create, read_only=read_only, version=__version__)
        try:
            return cls(connection, path)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def sessions(self) -> list[SessionRecord]:
        """Every session, in the order in which they were started."""
        return [self._summary(row) for row in self._rows("kind = 'session'")]

    def session(self, name: str) -> SessionRecord:
        """A session by its id, a prefix that only it has, or ``last`` for the latest active one.

        Raises:
            InvalidInput: none or several are meant, with their names.
        """
        if name == "last":
            latest = self._one("SELECT session FROM records ORDER BY seq DESC LIMIT 1")
            if latest is None:
                raise self._unknown(name)
            name = str(latest[0])
        rows = list(self._rows("kind = 'session' AND session = ?", name))
        if not rows and name:
            condition = "kind = 'session' AND substr(session, 1, ?) = ?"
            rows = list(self._rows(condition, len(name), name))
        if not rows:
            raise self._unknown(name)
        if len(rows) > 1:
            raise InvalidInput(
                f"{len(rows)} sessions begin with {name[:80]!r}",
                place=str(self.path),
                remedy="give more of one: " + ", ".join(row.session for row in rows[:5]),
            )
        return self._summary(rows[0])

    def trials(self, session: str) -> list[Trial]:
        """Every attempt of a session, oldest first."""
        rows = self._rows("session = ? AND kind = 'trial'", session)
        return [self._trial(row) for row in rows]

    def bounds(self, session: str) -> list[Bound]:
        """The bounds that a session recorded, oldest first."""
        rows = self._rows("session = ? AND kind = 'bound'", session)
        return [self._body(Bound, row) for row in rows]

    def known(self, spec: str, artefact: str) -> Trial | None:
        """The earliest judged trial of this artefact under the spec with this digest.

        Of the whole project. Failures of our own and verdicts left unknown (time ran out) are
        no answers.
        """
        condition = (
            "kind = 'trial' AND json_extract(body, '$.spec') = ?"
            " AND json_extract(body, '$.artefact') = ?"
        )
        for row in self._rows(condition, spec, artefact):
            trial = self._body(Trial, row)
            judged = trial.failure is None and trial.decision is not None
            if judged and trial.verdict and trial.verdict.status is not Status.UNKNOWN:
                return trial
        return None

    def accepted(self, spec: str) -> list[Trial]:
        """The accepted trials of any session under the spec with this digest, oldest first."""
        condition = (
            "kind = 'trial' AND json_extract(body, '$.spec') = ?"
            " AND json_extract(body, '$.decision.reason') = 'accepted'"
        )
        return [self._body(Trial, row) for row in self._rows(condition, spec)]

    def spent(self, session: str) -> Spent:
        """What a session has spent, over all its runs."""
        # Records are never changed, so only those since the last look are read; in one query,
        # as another process may write meanwhile.
        account = self._accounts.setdefault(session, Account())
        condition = "session = ? AND kind IN ('trial', 'end') AND seq > ?"
        for row in self._rows(condition, session, account.seen):
            if row.kind == "trial":
                account.add_trial(row.seq, self._body(Trial, row))
            else:
                account.add_end(row.seq, self._body(End, row))
        return account.spent()

    def errors(self, spec: str) -> list[ErrorSpent]:
        """The error spent on measured comparisons under the spec with this digest, oldest first.

        Of the whole project, whatever became of the comparisons.
        """
        condition = "kind = 'error' AND json_extract(body, '$.spec') = ?"
        return [self._body(ErrorSpent, row) for row in self._rows(condition, spec)]

    def blob(self, digest: str) -> bytes:
        """The content with this digest.

        Raises:
            InvalidInput: the ledger does not hold it.
            LedgerCorrupt: what is stored has another digest.
        """
        row = self._one("SELECT data FROM blobs WHERE digest = ?", digest)
        if row is None:
            raise InvalidInput(f"no content {digest[:80]}", place=str(self.path))
        data = row[0]
        if not isinstance(data, bytes) or sha256(data) != digest:
            raise LedgerCorrupt(f"{self.path}: the content stored as {digest} was changed")
        return data

    def certificates(self, session: str) -> list[tuple[int, bytes]]:
        """The certificates of a session, oldest first: trial number and bytes."""
        rows = self._rows("session = ? AND kind = 'certificate'", session)
        issued = [self._body(Issued, row) for row in rows]
        return [(item.trial, self.blob(item.certificate)) for item in issued]

    def head(self) -> Head:
        """The last record of the chain; of an empty ledger number 0 and its project's hash."""
        row = self._one("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1")
        if row is None:
            return Head(0, genesis(self.project))
        if not isinstance(row[0], int) or not isinstance(row[1], str):
            raise LedgerCorrupt(f"{self.path}: the last record is damaged")
        return Head(row[0], row[1])

    def verify(self, expect: Head | None = None) -> Head:
        """Recompute the whole chain and every content's digest; the head if all is well.

        `expect` is a head that was kept elsewhere: the chain must still contain it.

        Raises:
            LedgerCorrupt: which record or content is wrong, and how.
        """
        with translated(self.path):
            return audit.verify(self._connection, self.path, self.project, expect)

    def export(self, session: str | None, stream: TextIO) -> int:
        """Write the records of one session, or of all, as JSON Lines; how many lines.

        The first line names the project and the head; each further one is a record with its
        hashes, in canonical JSON.
        """
        head = self.head()
        header = {"kind": "ledger", "project": self.project, "head": encode(head)}
        stream.write(text(header) + "\n")
        count = 1
        rows = self._rows("true") if session is None else self._rows("session = ?", session)
        for row in rows:
            record = {
                "seq": row.seq,
                "session": row.session,
                "kind": row.kind,
                "body": self._data(row),
                "previous": row.previous,
                "hash": row.hash,
            }
            stream.write(text(record) + "\n")
            count += 1
        return count

    # Beneath

    def _stored(self, digest: str) -> bool:
        return self._one("SELECT 1 FROM blobs WHERE digest = ?", digest) is not None

    def _exists(self, condition: str, *values: object) -> bool:
        query = f"SELECT 1 FROM records WHERE {condition} LIMIT 1"  # noqa: S608
        return self._one(query, *values) is not None

    def _taken(self, trial: Trial) -> bool:
        condition = "kind = 'trial' AND session = ? AND json_extract(body, '$.number') = ?"
        return self._exists(condition, trial.session, trial.number)

    def _started(self, session: str) -> Start | None:
        for row in self._rows("kind = 'session' AND session = ?", session):
            return self._body(Start, row)
        return None

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        with translated(self.path):
            row: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
            return row

    def _rows(self, condition: str, *values: object) -> Iterator[Row]:
        # Conditions are constants of this file, values are bound.
        query = f"SELECT {COLUMNS} FROM records WHERE {condition} ORDER BY seq"  # noqa: S608
        with translated(self.path):
            for item in self._connection.execute(query, values):
                try:
                    row = Row.of(item)
                except ValueError:
                    raise LedgerCorrupt(
                        f"{self.path}: record {item[0]} was changed: its content does not have "
                        "the hash stored with it"
                    ) from None
                yield row

    def _data(self, row: Row) -> Json:
        try:
            return row.data()
        except InvalidInput as error:
            raise LedgerCorrupt(f"{self.path}: record {row.seq}: {error}") from None

    def _body(self, cls: type[T], row: Row) -> T:
        try:
            return decode(cls, row.data())
        except InvalidInput as error:
            raise LedgerCorrupt(f"{self.path}: record {row.seq} ({row.kind}): {error}") from None

    def _trial(self, row: Row) -> Trial:
        trial = self._body(Trial, row)
        if trial.session != row.session:
            raise LedgerCorrupt(f"{self.path}: record {row.seq} says it is of another session")
        return trial

    def _summary(self, row: Row) -> SessionRecord:
        start = self._body(Start, row)
        counts = self._one(
            "SELECT count(*), count(*) FILTER"
            " (WHERE json_extract(body, '$.decision.reason') = 'accepted')"
            " FROM records WHERE session = ? AND kind = 'trial'",
            row.session,
        )
        assert counts is not None  # an aggregate always has a row
        latest = self._one(
            "SELECT max(seq), max(seq) FILTER (WHERE kind = 'end') FROM records WHERE session = ?",
            row.session,
        )
        assert latest is not None
        ended = None
        if latest[0] == latest[1]:
            ended = next(self._body(End, last) for last in self._rows("seq = ?", latest[0]))
        return SessionRecord(
            id=row.session,
            spec=start.spec,
            spec_digest=start.spec_digest,
            agent=start.agent,
            options=start.options,
            budget=start.budget,
            certune=start.certune,
            started=start.started,
            trials=counts[0],
            accepted=counts[1],
            ended=ended,
        )

    def _unknown(self, name: str) -> InvalidInput:
        with translated(self.path):
            ids = [
                str(row[0])
                for row in self._connection.execute(
                    "SELECT session FROM records WHERE kind = 'session' ORDER BY seq DESC LIMIT 50"
                )
            ]
        return InvalidInput(
            f"no session {name[:80]!r}", place=str(self.path), remedy=nearest(name[:80], ids)
        )

"""The ledger: sessions, trials, bounds and certificates, appended and never changed."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from certune.core.budget import Budget
from certune.core.canonical import Json, sha256
from certune.core.errors import InvalidInput, LedgerBusy
from certune.core.measurement import Bound
from certune.core.spec import TaskSpec
from certune.core.trial import Trial
from certune.ledger.database import transaction
from certune.ledger.reader import COLUMNS, Reader, text
from certune.ledger.records import End, ErrorSpent, Issued, Kind, Start, chain
from certune.ledger.spending import DEFAULT_ERROR, share
from certune.version import __version__

_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Ledger(Reader):
    """The durable record of one project folder; use it as a context manager.

    Every method that records does so in one transaction: when it returns, the record is on
    disk, and when it raises, nothing of it is. One object belongs to one thread; any number of
    objects and processes may work on the same folder.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self._first: dict[str, int] = {}  # session → first trial recorded by this object

    def start(
        self,
        session: str,
        spec: TaskSpec,
        agent: str,
        options: Mapping[str, Json],
        budget: Budget,
        *,
        blobs: Iterable[bytes] = (),
    ) -> None:
        """Record that a session begins; `options` are the agent's and the session's own.

        `blobs` is content that the options name.

        Raises:
            InvalidInput: the id is taken or is not of letters, digits, dot, dash, underscore.
        """
        if not _SESSION_ID.fullmatch(session) or session == "last":
            raise InvalidInput(
                f"{session[:80]!r} cannot name a session",
                place="session",
                remedy="use up to 64 letters, digits, dots, dashes or underscores",
            )
        body = text(Start(spec, spec.digest, agent, options, budget, __version__, _now()))
        with transaction(self._connection, self.path):
            if self._started(session) is not None:
                raise InvalidInput(
                    f"session {session!r} exists", place=str(self.path), remedy="resume it"
                )
            self._store({sha256(blob): blob for blob in blobs})
            self._append(session, "session", body)

    def record_trial(
        self, trial: Trial, *, blobs: Iterable[bytes], certificate: bytes | None = None
    ) -> None:
        """Record an attempt with the content that it names and its certificate, all or nothing.

        `blobs` holds the bytes of payload and files (those that an earlier record stored may
        be left out) and of any evidence. An artefact is kept only as one of the files.

        Raises:
            LedgerBusy: another process has recorded this number: it runs the same session.
            LedgerFull: no space; nothing of this trial is written.
            InvalidInput: the session was never started.
            ValueError: the trial names content that is neither given nor stored, is of another
                spec than its session, or holds what JSON cannot (NaN, integers beyond 2**53).
        """
        body = text(trial)
        content = {sha256(blob): blob for blob in blobs}
        with transaction(self._connection, self.path):
            started = self._started(trial.session)
            if started is None:
                raise self._unknown(trial.session)
            if trial.spec != started.spec_digest:
                raise ValueError(f"trial {trial.number} is of another spec than its session")
            if self._taken(trial):
                raise LedgerBusy(
                    f"{self.path}: trial {trial.number} of session {trial.session} is recorded "
                    "already: another process runs this session; let it finish or stop it, then "
                    "resume"
                )
            self._store(content)
            for digest in (trial.payload, *trial.files.values()):
                if not self._stored(digest):
                    raise ValueError(f"trial {trial.number} names {digest}, which is not given")
            self._append(trial.session, "trial", body)
            if certificate is not None:
                self._issue(trial.session, trial.number, certificate)
        self._first.setdefault(trial.session, trial.number)

    def record_certificate(self, session: str, trial: int, certificate: bytes) -> None:
        """Record a further certificate of a trial, as when one is signed later."""
        with transaction(self._connection, self.path):
            query = "kind = 'trial' AND session = ? AND json_extract(body, '$.number') = ?"
            if not self._exists(query, session, trial):
                raise InvalidInput(
                    f"session {session!r} has no trial {trial}",
                    place=str(self.path),
                    remedy="see its trials with: certune show",
                )
            self._issue(session, trial, certificate)

    def record_bound(self, session: str, bound: Bound, *, blobs: Iterable[bytes] = ()) -> bool:
        """Record a bound; False when the session has the very same one already.

        `blobs` is content that its evidence names, such as a solver's query.
        """
        body = text(bound)
        with transaction(self._connection, self.path):
            if self._started(session) is None:
                raise self._unknown(session)
            if self._exists("session = ? AND kind = 'bound' AND body = ?", session, body):
                return False
            self._store({sha256(blob): blob for blob in blobs})
            self._append(session, "bound", body)
            return True

    def spend_error(
        self, session: str, artefact: str, *, total: float = DEFAULT_ERROR
    ) -> ErrorSpent:
        """Spend the next share of the error budget of this project and the session's spec.

        To be called before a measured comparison begins: once this returns, the share is spent,
        whether the comparison ends or is killed, so that trying again until lucky does not help.
        Sessions at the same time get different shares. `artefact` is the candidate's digest.

        Raises:
            InvalidInput: another total than the one that was spent from before, or none
                between 0 and 1; a session that was never started.
        """
        if not 0 < total < 1:
            raise InvalidInput(
                f"an error budget of {total} is not between 0 and 1", place="error budget"
            )
        with transaction(self._connection, self.path):
            started = self._started(session)
            if started is None:
                raise self._unknown(session)
            earlier = self.errors(started.spec_digest)
            if earlier and earlier[0].total != total:
                raise InvalidInput(
                    f"{total} is not the error budget that this project spends from under this "
                    f"specification, which is {earlier[0].total}",
                    place="error budget",
                    remedy=f"use {earlier[0].total}, or another project folder",
                )
            number = len(earlier) + 1
            spent = ErrorSpent(started.spec_digest, number, share(total, number), total, artefact)
            self._append(session, "error", text(spent))
        return spent

    def end(self, session: str, reason: str, seconds: float) -> None:
        """Record why a run of a session ended and the `seconds` that this run took."""
        with transaction(self._connection, self.path):
            if self._started(session) is None:
                raise self._unknown(session)
            end = End(reason, seconds, _now(), self._first.get(session))
            self._append(session, "end", text(end))
        self._first.pop(session, None)

    # Beneath; called inside a transaction

    def _append(self, session: str, kind: Kind, body: str) -> None:
        head = self.head()
        seq = head.seq + 1
        self._connection.execute(
            f"INSERT INTO records ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
            (seq, session, kind, body, head.hash, chain(seq, session, kind, body, head.hash)),
        )

    def _store(self, content: Mapping[str, bytes]) -> None:
        self._connection.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?)", content.items())

    def _issue(self, session: str, trial: int, certificate: bytes) -> None:
        digest = sha256(certificate)
        self._store({digest: certificate})
        self._append(session, "certificate", text(Issued(digest, trial)))

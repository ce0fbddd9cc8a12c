"""The SQLite file beneath a ledger: made whole or not at all, checked before it is touched."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from certune.core.errors import (
    InvalidInput,
    LedgerBusy,
    LedgerCorrupt,
    LedgerError,
    LedgerFull,
    LedgerVersion,
    Unavailable,
)

APPLICATION_ID = 0x43_52_54_4E  # "CRTN", in the header of every ledger
BUSY_SECONDS = 30.0
_SMALLEST = 512  # bytes of the smallest database
# How SQLite tells damage that it has no code of its own for.
_DAMAGE = ("decode to UTF-8", "malformed", "unsupported file format", "no such")
_OLDEST_SQLITE = (3, 38, 0)  # STRICT tables and JSON functions


def _first(connection: sqlite3.Connection) -> None:
    for statement in (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
        "CREATE TABLE records (seq INTEGER PRIMARY KEY, session TEXT NOT NULL,"
        " kind TEXT NOT NULL, body TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL)"
        " STRICT",
        "CREATE TABLE blobs (digest TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT",
        # What is looked up is indexed by expression, so that no second copy of a fact exists
        # that could contradict the chained one.
        "CREATE INDEX record_session ON records (session, kind, seq)",
        "CREATE UNIQUE INDEX session_once ON records (session) WHERE kind = 'session'",
        "CREATE UNIQUE INDEX trial_number"
        " ON records (session, json_extract(body, '$.number')) WHERE kind = 'trial'",
        "CREATE INDEX trial_artefact"
        " ON records (json_extract(body, '$.spec'), json_extract(body, '$.artefact'))"
        " WHERE kind = 'trial'",
    ):
        connection.execute(statement)


def _second(connection: sqlite3.Connection) -> None:
    # Error spent on measured comparisons: a share can be had once.
    connection.execute(
        "CREATE UNIQUE INDEX error_share"
        " ON records (json_extract(body, '$.spec'), json_extract(body, '$.number'))"
        " WHERE kind = 'error'"
    )


# Migration i brings a ledger from schema i to schema i + 1. Records are never rewritten: the
# chain is over their bytes.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_first, _second)


@cache
def _schema(migrations: tuple[Callable[[sqlite3.Connection], None], ...]) -> frozenset[object]:
    """The tables and indexes that a ledger has after these migrations."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for migration in migrations:
            migration(connection)
        return _objects(connection)


def _objects(connection: sqlite3.Connection) -> frozenset[object]:
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
    return frozenset(tuple(row) for row in rows)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite raises about `path` into ledger errors that say what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(error, path) from error
    except UnicodeDecodeError as error:  # SQLite's own message quotes the damaged bytes
        raise _corrupt(path, "its schema is not readable") from error


def _translate(error: sqlite3.Error, path: Path) -> LedgerError:
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary == sqlite3.SQLITE_FULL or code in (
        # A quota or a file size limit is told by SQLite as a failed write.
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_FSYNC,
    ):
        return LedgerFull(
            f"{path}: this record could not be written, no space is left ({error}); every earlier "
            "record is kept: free some space and resume the session"
        )
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LedgerBusy(
            f"{path}: another process has held the write lock for too long; let it finish, "
            "then try again"
        )
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT):
        return _corrupt(path, str(error))
    if primary is None or any(text in str(error) for text in _DAMAGE):
        return _corrupt(path, str(error))
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return LedgerError(
            f"{path}: {error}; check that you may write the file and its folder, or open it "
            "read-only"
        )
    return LedgerError(f"{path}: {error}")


def _corrupt(path: Path, what: str) -> LedgerCorrupt:
    return LedgerCorrupt(
        f"{path}: {what}; the file is damaged: put back a copy of it, or move it away to begin anew"
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(
        f"cannot be read: {error.strerror}",
        place=str(path),
        remedy="check that the folder is right and that you may read it",
    )


def check_file(path: Path) -> None:
    """Look whether a file is a ledger without touching it.

    Only SQLite may open the file: closing any other descriptor of it would drop the locks that
    this process holds on it (sqlite.org/howtocorrupt.html, 2.2). An immutable connection takes
    no lock, reads no log and makes no file beside it.

    Raises:
        InvalidInput: no regular file, unreadable, or the database of another program.
        LedgerCorrupt: no database, or cut short.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise InvalidInput(
            "not a regular file", place=str(path), remedy="move it away or name another folder"
        )
    if not os.access(path, os.R_OK):
        raise _unreadable(path, PermissionError(0, "Permission denied"))
    if found.st_size < _SMALLEST:  # SQLite would take it for a new database
        raise _corrupt(path, "not a ledger")
    log = _beside(path, "-wal")
    logged = log.exists()
    try:
        with closing(_connect(path, read_only=True, immutable=True)) as connection:
            identity, pages, page = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("application_id", "page_count", "page_size")
            )
    except sqlite3.DatabaseError as error:
        # While a write-ahead log exists, the file may be behind its own header, rightly.
        if error.sqlite_errorcode == sqlite3.SQLITE_CORRUPT and (logged or log.exists()):
            return
        raise
    if identity != APPLICATION_ID:
        raise InvalidInput(
            "an SQLite database of another program, not a ledger",
            place=str(path),
            remedy="move it away or name another folder",
        )
    size = path.stat().st_size  # looked at last, as another process may let it grow
    if size < pages * page and not (logged or log.exists()):
        raise _corrupt(path, f"cut short, {size} bytes are left")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _check_version(version: int, path: Path) -> None:
    if version > len(MIGRATIONS):
        raise LedgerVersion(
            f"{path}: written by a newer certune (schema {version}, this one knows "
            f"{len(MIGRATIONS)}); upgrade certune, or work in another folder"
        )


def _connect(path: Path, *, read_only: bool, immutable: bool = False) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(
        uri + ("&immutable=1" if immutable else ""),
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
    )
    try:
        connection.execute("PRAGMA cell_size_check=ON")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA user_version").fetchone()  # the first look at the file
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_reader(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path, read_only=True)
    except sqlite3.OperationalError:
        # A write-ahead log needs a folder that one may write. In one that one may not, and with
        # no sign of a writer, the file alone is the whole database.
        busy = any(_beside(path, suffix).exists() for suffix in ("-wal", "-shm"))
        if os.access(path.parent, os.W_OK) or busy:
            raise
        return _connect(path, read_only=True, immutable=True)


def _check_schema(connection: sqlite3.Connection, path: Path) -> int:
    # Exactly: a ledger may come from elsewhere, and no trigger or view of it is to run.
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    _check_version(version, path)
    if version < 1 or _objects(connection) != _schema(MIGRATIONS[:version]):
        raise _corrupt(path, f"its tables are not those of schema {version}")
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    with transaction(connection, path, check=False):
        version = _check_schema(connection, path)  # another process may have been faster
        for migration in MIGRATIONS[version:]:
            migration(connection)
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        _check_schema(connection, path)


@contextmanager
def transaction(
    connection: sqlite3.Connection, path: Path, *, check: bool = True
) -> Iterator[sqlite3.Connection]:
    """A write transaction: all of it is durable when the block ends, or none of it.

    Raises:
        LedgerBusy, LedgerFull, LedgerCorrupt, LedgerVersion: nothing of the block was written.
    """
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if check and connection.execute("PRAGMA user_version").fetchone()[0] != len(MIGRATIONS):
                raise LedgerVersion(
                    f"{path}: another process has brought this ledger to another schema; "
                    "start again with the newer certune"
                )
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _create(path: Path, version: str) -> None:
    """Make the ledger beside its place and move it there whole; keep one that exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if path.exists():
            return
        new = _beside(path, ".new")
        for leftover in (new, _beside(new, "-journal")):
            leftover.unlink(missing_ok=True)
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            for migration in MIGRATIONS:
                migration(connection)
            connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
            connection.executemany(
                "INSERT INTO meta VALUES (?, ?)",
                [("project", uuid.uuid4().hex), ("certune", version)],
            )
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode=WAL")
        new.replace(path)
        os.fsync(folder)
    finally:
        os.close(folder)


def open_database(path: Path, *, create: bool, read_only: bool, version: str) -> sqlite3.Connection:
    """A connection to the ledger at `path`, its schema checked and current.

    `version` is the certune version that a new ledger says it was made by.

    Raises:
        InvalidInput: nothing is there and `create` is not asked for; not a ledger's file.
        LedgerError: its kinds say whether it is corrupt, full, busy or too new.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise Unavailable(
            f"SQLite {sqlite3.sqlite_version} is too old for the ledger; use a Python with "
            f"{'.'.join(map(str, _OLDEST_SQLITE))} or newer"
        )
    with translated(path):
        if not _exists(path):
            if not create or read_only:
                raise InvalidInput(
                    "no ledger is here",
                    place=str(path),
                    remedy="name the folder in which a session was run, or start one",
                )
            try:
                _create(path, version)
            except OSError as error:
                raise InvalidInput(
                    f"cannot be made: {error.strerror}",
                    place=str(path),
                    remedy="name a folder that you may write",
                ) from None
        check_file(path)
        # The look before the leap is read-only: a file that fails it is left as it is.
        reader = _connect_reader(path)
        try:
            current = _check_schema(reader, path) == len(MIGRATIONS)
        except BaseException:
            reader.close()
            raise
        if read_only:
            if not current:
                reader.close()
                raise LedgerVersion(
                    f"{path}: written by an older certune; open it once for writing (resume a "
                    "session) to bring it up to date"
                )
            return reader
        reader.close()
        writer = _connect(path, read_only=False)
        try:
            if not current:
                _migrate(writer, path)
        except BaseException:
            writer.close()
            raise
        return writer

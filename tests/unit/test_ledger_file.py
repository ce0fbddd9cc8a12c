"""Files that are no ledger, damaged, foreign, newer or older: told apart and left alone."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys

import pytest
from record_samples import SPEC, payload, trial

from certune.core.budget import Budget
from certune.core.errors import InvalidInput, LedgerCorrupt, LedgerError, LedgerVersion
from certune.ledger import Ledger, database


def filled(folder, trials=30):
    with Ledger.open(folder) as ledger:
        ledger.start("s1", SPEC, "search", {}, Budget())
        for number in range(1, trials + 1):
            ledger.record_trial(trial(number), blobs=[payload(number)])
        return ledger.path


def snapshot(path):
    return {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}


def refused(folder, kind, told):
    """Opening in every way is refused in these words, and changes nothing."""
    path = folder / ".certune" / "ledger.sqlite3"
    before = snapshot(path)
    for options in ({}, {"create": False}, {"read_only": True}):
        with pytest.raises(kind, match=told) as caught:
            Ledger.open(folder, **options)
        assert str(path) in str(caught.value)
        assert snapshot(path)[path.name] == before[path.name]


def put(folder, data):
    path = folder / ".certune" / "ledger.sqlite3"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_no_ledger_is_made_unless_asked(tmp_path):
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(InvalidInput, match="no ledger is here; name the folder"):
            Ledger.open(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"SQLite format 3\0", b"{}", b"\0" * 5000])
def test_no_database(tmp_path, data):
    put(tmp_path, data)
    refused(tmp_path, LedgerCorrupt, "not a ledger|file is not a database")


def test_random_bytes(tmp_path):
    generator = random.Random(5)
    for size in (1, 100, 4096, 50_000):
        put(tmp_path, generator.randbytes(size))
        refused(tmp_path, LedgerCorrupt, "not a ledger|file is not a database")
        put(tmp_path, b"SQLite format 3\0" + generator.randbytes(size + 100))
        refused(tmp_path, LedgerCorrupt, "not a ledger|file is not a database")


def test_a_valid_header_over_random_bytes(tmp_path):
    path = filled(tmp_path)
    header = path.read_bytes()[:100]
    path.write_bytes(header + random.Random(6).randbytes(path.stat().st_size - 100))
    refused(tmp_path, LedgerError, "damaged")


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_database_of_another_program_is_not_touched(tmp_path, mode):
    path = put(tmp_path, b"")
    path.unlink()
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA journal_mode={mode}")
    other.execute("CREATE TABLE records (seq INTEGER PRIMARY KEY)")
    names = set(snapshot(path))
    refused(tmp_path, InvalidInput, "an SQLite database of another program")
    assert set(snapshot(path)) == names
    other.close()
    refused(tmp_path, InvalidInput, "an SQLite database of another program")
    assert set(snapshot(path)) == {path.name}


def test_cut_short(tmp_path):
    whole = filled(tmp_path).read_bytes()
    for size in (99, 100, 4096, len(whole) // 2, len(whole) - 1):
        put(tmp_path, whole[:size])
        refused(tmp_path, LedgerCorrupt, "malformed|not a ledger|cut short")


def test_a_newer_schema_is_told_as_such(tmp_path):
    path = filled(tmp_path)
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version=7")
    raw.close()
    refused(tmp_path, LedgerVersion, "schema 7, this one knows 2.; upgrade certune")


@pytest.mark.parametrize(
    "change",
    [
        "DROP INDEX trial_number",
        "ALTER TABLE blobs ADD COLUMN more TEXT",
        "CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM records; END",
        "CREATE VIEW v AS SELECT 1",
        "PRAGMA user_version=0",
        "DELETE FROM meta",
    ],
)
def test_another_schema_is_not_worked_with(tmp_path, change):
    path = filled(tmp_path)
    with sqlite3.connect(path) as raw:
        raw.execute(change)
    raw.close()
    refused(tmp_path, LedgerCorrupt, "its tables are not those|which project")


def test_folders_and_pipes_in_its_place(tmp_path):
    (tmp_path / "a" / ".certune" / "ledger.sqlite3").mkdir(parents=True)
    with pytest.raises(InvalidInput, match="not a regular file"):
        Ledger.open(tmp_path / "a")
    (tmp_path / "b" / ".certune").mkdir(parents=True)
    os.mkfifo(tmp_path / "b" / ".certune" / "ledger.sqlite3")
    with pytest.raises(InvalidInput, match="not a regular file"):
        Ledger.open(tmp_path / "b")  # and does not wait for the pipe's other end
    (tmp_path / "c").write_text("a file")
    with pytest.raises(InvalidInput, match="cannot be made"):
        Ledger.open(tmp_path / "c")


def test_a_crash_while_it_was_made_leaves_no_trace(tmp_path):
    folder = tmp_path / ".certune"
    folder.mkdir()
    (folder / "ledger.sqlite3.new").write_bytes(b"half a ledger")
    (folder / "ledger.sqlite3.new-journal").write_bytes(b"half a journal")
    with Ledger.open(tmp_path) as ledger:
        assert ledger.verify().seq == 0
    assert sorted(file.name for file in folder.iterdir()) == ["ledger.sqlite3"]


def bound_by_modes():
    """A command that makes file modes bind even root, in whose name tests may run."""
    if os.getuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("runs as root, whom no mode keeps out, and setpriv is not here")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def test_reading_works_in_a_folder_that_cannot_be_written(tmp_path):
    filled(tmp_path, trials=3).chmod(0o444)
    filled(tmp_path / "closed").parent.chmod(0o000)
    folder = tmp_path / ".certune"
    folder.chmod(0o555)
    script = (
        "import pathlib, sys\n"
        "from certune.ledger import Ledger\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "with Ledger.open(folder, read_only=True) as ledger:\n"
        "    print(len(ledger.trials('s1')), ledger.verify().seq)\n"
        "try:\n"
        "    with Ledger.open(folder) as ledger: ledger.end('s1', 'x', 1.0)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "try: Ledger.open(folder / 'closed', read_only=True)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    command = [*bound_by_modes(), sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    folder.chmod(0o755)
    (tmp_path / "closed" / ".certune").chmod(0o755)
    lines = done.stdout.splitlines()
    assert lines[:1] == ["3 4"], done
    assert lines[1].startswith("LedgerError ")
    assert "check that you may write" in lines[1]
    assert lines[2].startswith("InvalidInput ")
    assert "cannot be read: Permission denied" in lines[2]
    assert [file.name for file in folder.iterdir()] == ["ledger.sqlite3"]


def _third(connection):
    connection.execute("CREATE TABLE notes (seq INTEGER PRIMARY KEY, text TEXT) STRICT")


def _failing(connection):
    connection.execute("CREATE TABLE half (x INTEGER) STRICT")
    raise sqlite3.OperationalError("no")


def test_an_older_schema_is_migrated_and_its_chain_kept(tmp_path, monkeypatch):
    filled(tmp_path, trials=4)
    with Ledger.open(tmp_path) as ledger:
        head, trials = ledger.head(), ledger.trials("s1")
        monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, _third))
        with pytest.raises(LedgerVersion, match="written by an older certune; open it once"):
            Ledger.open(tmp_path, read_only=True)
        with Ledger.open(tmp_path) as migrated:
            assert migrated.verify() == head
            assert migrated.trials("s1") == trials
            migrated.record_trial(trial(5), blobs=[payload(5)])
        monkeypatch.undo()
        # This one was open before and is of the older certune: it must not write any more.
        with pytest.raises(LedgerVersion, match="to another schema"):
            ledger.record_trial(trial(6), blobs=[payload(6)])
    with pytest.raises(LedgerVersion, match="schema 3, this one knows 2"):
        Ledger.open(tmp_path)


def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    filled(tmp_path, trials=4)
    with monkeypatch.context() as patched:
        patched.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, _third, _failing))
        with pytest.raises(LedgerError):
            Ledger.open(tmp_path)
    with Ledger.open(tmp_path) as ledger:
        assert ledger.verify().seq == 5


def shared_lock_is_held(path):
    """Whether some process holds SQLite's shared lock on the file, asked from another one."""
    script = (
        "import fcntl, sys\n"
        "with open(sys.argv[1], 'r+b') as file:\n"
        "    try: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)\n"
        "    except BlockingIOError: print('held')\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout == "held\n"


def test_a_second_look_in_one_process_keeps_the_locks_of_the_first(tmp_path):
    """Closing any descriptor of a file drops all POSIX locks that the process has on it.

    Without its shared lock, another process could take the write-ahead log away from under a
    session (sqlite.org/howtocorrupt.html, 2.2). So nothing but SQLite may open the file.
    """
    with Ledger.open(tmp_path) as first:
        first.start("s1", SPEC, "search", {}, Budget())
        assert shared_lock_is_held(first.path)
        Ledger.open(tmp_path).close()
        Ledger.open(tmp_path, read_only=True).close()
        assert shared_lock_is_held(first.path)
        first.record_trial(trial(1), blobs=[payload(1)])
    assert not shared_lock_is_held(first.path)

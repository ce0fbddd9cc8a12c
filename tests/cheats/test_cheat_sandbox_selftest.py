"""Ways to pass the self-test without holding anything."""

from __future__ import annotations

import json
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from command import certune
from sandbox_levels import named, need

from certune.core.errors import Crashed, InvalidInput
from certune.sandbox import selftest
from certune.sandbox.attacks import numbers, trying
from certune.sandbox.attacks.bait import SECRETS, Bait
from certune.sandbox.attacks.catalogue import Attack, containment, parse
from certune.sandbox.attacks.kit import syscall
from certune.sandbox.attacks.objects import left
from certune.sandbox.attacks.trying import LIMITS
from certune.sandbox.isolation import numbers as theirs
from certune.sandbox.keeper import Keeper
from certune.sandbox.model import Isolation, Layer
from certune.sandbox.selftest import AtLevel, Finding, Held, passed

HEADER = '"""A test.\n\nTries: it.\nEscape: it.\nHeld by: seccomp\n"""\n'
KIT = HEADER + "from certune.sandbox.attacks.kit import aim, attempt, did, got, say\n"


def attack(body: str) -> Attack:
    return parse("made_up", KIT + body)


def outcome(body: str, level: Isolation = Isolation.CONFINED) -> Finding:
    need(level)
    return selftest.run(level, attacks=[attack(body)], ways=("warm",)).findings[0]


ATTEMPT = "@attempt('x')\ndef x():\n"


def test_the_attacks_are_many_and_each_says_what_it_is():
    found = containment()
    assert len(found) >= 70
    assert len({one.name for one in found}) == len(found)
    known = {layer.value for layer in Layer} | {"the refusal to lock with more than one thread"}
    for one in found:
        assert set(one.held_by) <= known, one.name
        assert one.promised_from in (2, 3)
        assert "attempt(" in one.source, one.name


@pytest.mark.parametrize(
    "header",
    [
        '"""Title."""',
        '"""Title.\n\nTries: x.\nEscape: y.\n"""',
        '"""Title.\n\nTries: x.\nEscape: y.\nHeld by: seccomp\nWrong: z\n"""',
        "x = 1",
        "this is no Python",
    ],
)
def test_a_header_that_says_too_little_is_refused(header):
    with pytest.raises(InvalidInput):
        parse("made_up", header)


@pytest.mark.parametrize(
    "body",
    [
        "",  # nothing attempted
        "raise SystemExit(0)",
        "import os; os._exit(0)",
        ATTEMPT + "    undefined\n",
        ATTEMPT + "    return 1 + 'a'\n",
        "import no_such_module\n",
        # Marks without the nonce of this run are nobody's.
        'import os\nos.write(aim[\'own\'][-1], b\'{"kind": "trying", "what": "x"}\\n\')\n',
    ],
)
def test_a_script_that_tried_nothing_has_not_been_held(body):
    found = outcome(body)
    assert found.held is Held.NOT_TRIED, found
    assert not AtLevel(Isolation.CONFINED, (), (found,)).passed


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (ATTEMPT + "    return 'a claim'\n", "says: a claim"),
        (ATTEMPT + "    did('a claim')\n", "says: a claim"),
        (ATTEMPT + "    import time; time.sleep(0.1)\n    return None\n", None),
        (ATTEMPT + "    raise OSError('refused')\n", None),
        (ATTEMPT + "    import os; os._exit(9)\n", None),
        (ATTEMPT + "    import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n", None),
    ],
)
def test_a_script_that_tried_is_judged_by_what_is_seen(body, why):
    found = outcome(body)
    if why is None:
        assert found.held is Held.HELD, found
    else:
        assert found.held is Held.ESCAPED
        assert why in found.reasons


def test_attempts_after_a_deadly_one_are_made_too():
    found = outcome(
        "import os\n" + ATTEMPT + "    os._exit(1)\n" + ATTEMPT + "    return 'the second'\n"
    )
    assert found.attempts == 2
    assert found.reasons == ("says: the second",)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_every_secret_that_comes_back_is_known(name):
    with Bait(LIMITS) as bait:
        found = bait.secrets_in(b"before " + bait.secrets[name].encode() + b" after")
        assert found == [f"came back: {SECRETS[name]}"]
        assert bait.secrets_in(b"nothing") == []
        assert not any(secret in json.dumps(bait.aim("n", 1)) for secret in bait.secrets.values())


def test_a_secret_cut_in_two_on_its_way_back_is_known():
    body = "def x():\n    return b'x' * 1990 + open(aim['open_secret'], 'rb').read()\n"
    found = outcome("@attempt('x')\n" + body, Isolation.NONE)
    assert found.held is Held.ESCAPED
    assert "came back: a file that everybody may read" in found.reasons


def _file(bait):
    (bait.root / "file").write_text("other")


def _mode(bait):
    (bait.root / "file").chmod(0o600)


def _times(bait):
    os.utime(bait.root / "file", (1, 1))


def _gone(bait):
    (bait.root / "file").unlink()


def _made(bait):
    (bait.folder / "made").touch()


def _content(bait):
    (bait.folder / "kept").write_text("other")


def _removed(bait):
    (bait.folder / "other").unlink()


def _left(bait):
    Path(bait.folders[1], "nonce-left").touch()


def _signal(bait):
    os.kill(bait.prey.pid, signal.SIGUSR2)


def _killed(bait):
    os.kill(bait.prey.pid, signal.SIGKILL)


def _nice(bait):
    os.setpriority(os.PRIO_PROCESS, bait.prey.pid, 5)


def _memory(bait):
    fd = os.open(f"/proc/{bait.prey.pid}/mem", os.O_RDWR)
    os.pwrite(fd, b"other", bait.prey.canary_address)
    os.close(fd)


def _tcp(bait):
    with socket.create_connection(("127.0.0.1", bait.listeners.tcp)) as out:
        out.sendall(b"nonce")


def _udp(bait):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"nonce", ("127.0.0.1", bait.listeners.udp))


def _path(bait):
    with socket.socket(socket.AF_UNIX) as out:
        out.connect(bait.listeners.path_socket)
        out.sendall(b"nonce")


def _abstract(bait):
    with socket.socket(socket.AF_UNIX) as out:
        out.connect("\0" + bait.listeners.abstract)
        out.sendall(b"nonce")


def _terminal(bait):
    fd = os.open(bait.listeners.terminal, os.O_RDWR | os.O_NOCTTY)
    os.write(fd, b"x")
    os.close(fd)


def _pipe(bait):
    os.write(bait.listeners.pipe, b"nonce")


def _segment(bait):
    syscall("shmget", 4711_0815, 4096, 0o1666)


@pytest.mark.parametrize(
    "touch",
    [
        *(_file, _mode, _times, _gone, _made, _content, _removed, _left, _signal, _killed, _nice),
        *(_memory, _tcp, _udp, _path, _abstract, _terminal, _pipe, _segment),
    ],
    ids=lambda touch: touch.__name__.strip("_"),
)
def test_whatever_is_touched_is_seen_once_and_put_back(touch):
    with Bait(LIMITS) as bait:
        assert bait.touched("nonce", 4711_0815) == []
        touch(bait)
        assert len(bait.touched("nonce", 4711_0815)) == 1
        assert bait.touched("nonce", 4711_0815) == []


def test_what_is_mounted_in_the_bait_is_never_removed(tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("kept")
    with Bait(LIMITS) as bait:
        bind = (str(tmp_path).encode(), str(bait.folder).encode(), None, 4096, None)
        try:
            syscall("mount", *bind)
        except OSError as error:
            pytest.skip(f"no mount can be made here: {error}")
        assert not os.path.ismount(bait.folder)  # which is why it is not asked
        assert bait.touched("nonce", 4711_0815) == ["something was mounted over a folder"]
        assert bait.touched("nonce", 4711_0815) == []
        syscall("mount", *bind)
        root = bait.root
    assert not root.exists()
    assert kept.read_text() == "kept"


def test_the_bait_leaves_nothing():
    before, here = dict(os.environ), Path.cwd()
    with Bait(LIMITS) as bait:
        root, key = bait.root, bait.planted.segment
        pid = bait.prey.pid
    assert not root.exists()
    assert dict(os.environ) == before
    assert Path.cwd() == here
    assert left(key, bait.planted.queue) == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_sandbox_that_does_not_start_has_held_nothing(monkeypatch):
    def broken(self, launch):
        raise Crashed("no worker today")

    monkeypatch.setattr(Keeper, "start", broken)
    report = selftest.run(Isolation.CONFINED, attacks=named("files_read", "fork"), ways=("warm",))
    assert report.count(Held.NOT_TRIED) == 2
    assert not report.passed


def test_a_keeper_that_dies_of_an_attack_is_an_escape(monkeypatch):
    need(Isolation.CONFINED)
    wait = trying.Worker.wait

    def broken(self, timeout=None):
        wait(self, timeout)
        raise Crashed("the keeper died")

    monkeypatch.setattr(trying.Worker, "wait", broken)
    report = selftest.run(Isolation.CONFINED, attacks=named("fork"), ways=("warm",))
    assert report.findings[0].held is Held.ESCAPED
    assert "the judge's side failed" in report.findings[0].reasons[0]


def finding(held: Held) -> Finding:
    return Finding("a", "A", "warm", held, (), 1)


def test_what_passes():
    held, escaped = finding(Held.HELD), finding(Held.ESCAPED)
    beyond, untried = finding(Held.NOT_PROMISED), finding(Held.NOT_TRIED)

    def at(level, *findings):
        return AtLevel(level, (), findings)

    assert at(Isolation.CONFINED, held, beyond).passed
    assert not at(Isolation.CONFINED, held, escaped).passed
    assert not at(Isolation.CONTAINED, held, untried).passed
    assert not at(Isolation.CONTAINED).passed
    assert at(Isolation.PROCESS, held, escaped).passed
    assert at(Isolation.NONE, held, escaped).passed
    assert not at(Isolation.NONE, held, held, escaped).passed  # a control that shows nothing
    assert not passed([])
    missing = replace(at(Isolation.CONTAINED), unavailable="no namespaces")
    assert passed([at(Isolation.CONFINED, held), missing])
    assert not passed([missing])
    assert not passed([at(Isolation.NONE, held), at(Isolation.CONFINED, held)])


@pytest.mark.parametrize("column", [0, 1], ids=["x86_64", "aarch64"])
def test_two_tables_of_system_calls_that_were_written_apart_agree(column):
    machine = ("x86_64", "aarch64")[column]
    shared = [name for name in numbers.NUMBERS if name in theirs.TABLE]
    assert len(shared) > 60
    for name in shared:
        mine = numbers.NUMBERS[name][column]
        assert (theirs.number(name, machine) or 0) == max(mine, 0), name


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--level", "confined", "--only", "environment_variables"], 0, "as it should be"),
        (
            ["--level", "confined", "--only", "environment_variables", "--without", "environment"],
            1,
            "an environment variable of the judge",
        ),
        (["--level", "none", "--only", "fork", "-v"], 0, "escaped"),
        (["--level", "contaned"], 2, "contained"),
        (["--only", "forks"], 2, "did you mean 'fork"),
        (["--without", "landlok"], 2, "landlock"),
    ],
)
def test_the_command(tmp_path, arguments, code, said):
    need(Isolation.CONFINED)
    done = certune(tmp_path, "sandbox", "selftest", *arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_for_machines(tmp_path):
    need(Isolation.CONFINED)
    done = certune(
        tmp_path, "sandbox", "selftest", "--level", "confined", "--only", "fork", "--json"
    )
    told = json.loads(done.stdout)
    assert told["passed"] is True
    assert [one["held"] for one in told["levels"][0]["findings"]] == ["held", "held"]

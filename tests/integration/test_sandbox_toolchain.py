"""Compilers on hostile sources: what they may do, what they must not find, how they end."""

import ctypes
import os
import shutil
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from certune.core.errors import Crashed, InvalidInput, Unavailable
from certune.sandbox.isolation.probe import available
from certune.sandbox.keeper import Keeper
from certune.sandbox.model import Isolation
from certune.sandbox.toolchain import DEFAULT, _outcome, run

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


@pytest.fixture(
    scope="module", params=[Isolation.CONFINED, Isolation.CONTAINED], ids=lambda level: level.word
)
def keeper(request):
    if not available().standing(request.param).available:
        pytest.skip(f"{request.param.word} cannot be had here")
    with Keeper(request.param, profile="toolchain") as keeper:
        yield keeper


def shell(keeper, script, outputs=(), **limits):
    return run(["sh", "-c", script], {}, outputs, replace(DEFAULT, **limits), keeper=keeper)


def test_a_shared_object_is_built_and_works(keeper, tmp_path):
    source = b"#include <math.h>\ndouble twice(double x) { return 2 * fabs(x); }"
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", "k.so", "k.c", "-lm"]
    outcome = run(command, {"k.c": source}, ["k.so"], keeper=keeper)
    assert (outcome.ending, outcome.status) == ("finished", 0), outcome.diagnostics
    assert outcome.isolation == keeper.level.word
    assert outcome.cpu_seconds > 0.0
    library = tmp_path / "k.so"
    library.write_bytes(outcome.outputs["k.so"])
    twice = ctypes.CDLL(str(library)).twice
    twice.restype, twice.argtypes = ctypes.c_double, [ctypes.c_double]
    assert twice(-21.0) == 42.0


def test_a_syntax_error_is_told(keeper):
    outcome = run(["gcc", "-c", "k.c"], {"k.c": b"int x = ;"}, ["k.o"], keeper=keeper)
    assert (outcome.ending, outcome.status, outcome.outputs) == ("failed", 1, {})
    assert "expected expression" in outcome.diagnostics


@pytest.mark.parametrize("secret", ["/etc/passwd", "/proc/self/environ", "/proc/self/maps", "here"])
@pytest.mark.parametrize(
    "source",
    [
        '#include "{}"\n',
        'asm(".incbin \\"{}\\"");\n',
        '__asm__(".include \\"{}\\"");\n',
        "#if __has_include({!r})\n#error found\n#endif\n",
    ],
)
def test_no_file_of_the_machine_ends_up_in_an_object(keeper, secret, source):
    secret = str(Path(__file__).resolve()) if secret == "here" else secret
    text = source.replace("{!r}", f'"{secret}"').format(secret)
    outcome = run(["gcc", "-c", "-o", "k.o", "k.c"], {"k.c": text.encode()}, ["k.o"], keeper=keeper)
    if "__has_include" in source:
        # Where the name exists it may be told, never what is in it.
        assert "k.o" not in outcome.outputs or len(outcome.outputs["k.o"]) < 2000
    else:
        assert outcome.ending == "failed"
        assert outcome.outputs == {}
    assert "root:" not in outcome.diagnostics
    assert "pytestmark" not in outcome.diagnostics


def test_variables_of_the_judge_are_not_there(keeper, monkeypatch):
    monkeypatch.setenv("CERTUNE_SECRET", "hunter2")
    monkeypatch.setenv("CPATH", "/etc")
    with Keeper(keeper.level, profile="toolchain") as another:
        assert "hunter2" not in shell(another, "env; cat /proc/*/environ 2>&1").diagnostics


def test_walls_hold(keeper):
    script = """
(: > /tmp/left) && echo tmp; (: > /left) && echo root; cat /etc/passwd && echo passwd
cp /bin/true here && ./here && echo executed; kill -9 $PPID && echo killed; nice -n -5 true
setsid true && echo session; ls /home && echo home; unshare -Ur true && echo namespaces
"""
    outcome = shell(keeper, script)
    words = {line for line in outcome.diagnostics.splitlines() if " " not in line}
    assert not words & {
        *("tmp", "root", "passwd", "executed", "killed", "session", "home", "namespaces")
    }, outcome.diagnostics


@pytest.mark.parametrize(
    ("script", "limits", "ending"),
    [
        ("exit 3", {}, "failed"),
        ("kill -SEGV $$", {}, "failed"),
        ("while :; do :; done", {"cpu_seconds": 0.3}, "out-of-cpu"),
        ("sleep 60", {"wall_seconds": 0.3}, "out-of-time"),
        ("head -c 9000000 /dev/zero > big", {"file_bytes": 1 << 20}, "file-too-large"),
        (
            "for i in 1 2 3 4 5 6 7 8; do head -c 900000 /dev/zero > b$i; done; sleep 1; exit 1",
            {"file_bytes": 1 << 21},
            "file-too-large",
        ),
        ("b() { b | b & }; b; while :; do :; done", {"processes": 8}, "too-many-processes"),
        (
            "for i in 1 2 3 4 5 6 7 8 9; do sleep 60 & done; wait",
            {"processes": 5},
            "too-many-processes",
        ),
        (
            # Each holds 60 MB until its input ends: any look at a busy machine meets them.
            "for i in 1 2 3 4 5 6; do (head -c 60000000 /dev/zero; sleep 9)|tail -n 1 & done; wait",
            {"memory_bytes": 1 << 28, "processes": 64},
            "out-of-memory",
        ),
        ("yes", {"output_bytes": 1 << 20}, "too-much-output"),
        ("(sleep 60 &); (sleep 60 & sleep 60 &)", {}, "finished"),
    ],
)
def test_endings_have_names(keeper, script, limits, ending):
    outcome = shell(keeper, script, **limits)
    assert outcome.ending == ending, outcome


@pytest.mark.parametrize("way", ["held", "mapped"])
def test_files_without_a_name_count_as_well(keeper, way):
    source = b"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv) {
    static char block[1 << 19];
    for (int i = 0; i < 40; i++) {
        char name[9];
        sprintf(name, "f%d", i);
        int fd = open(name, O_CREAT | O_RDWR, 0600);
        unlink(name);
        if (argv[1][0] == 'h') { if (write(fd, block, sizeof block) < 0) return 1; continue; }
        if (ftruncate(fd, sizeof block)) return 1;
        char *at = mmap(0, sizeof block, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        memset(at, 1, sizeof block);
        close(fd);
    }
    sleep(1);
    return 0;
}
"""
    built = run(["gcc", "-o", "fill", "fill.c"], {"fill.c": source}, ["fill"], keeper=keeper)
    assert built.ending == "finished", built.diagnostics
    limits = replace(DEFAULT, file_bytes=1 << 20)
    # Programs of one's own cannot be executed; the loader maps one, which is no more than that.
    loader = next(str(path) for path in sorted(Path("/lib64").glob("ld-linux*")))
    outcome = run([loader, "./fill", way], dict(built.outputs), [], limits, keeper=keeper)
    # A folder in memory is simply full: an error, or SIGBUS.
    assert outcome.ending in ("file-too-large", "killed", "failed"), outcome


HOSTILE_NAME = rb"""
import ctypes, os, time
ctypes.CDLL(None).prctl(15, b"\xff) R 1 1\n(\xfe", 0, 0, 0)
if os.fork() == 0:
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
time.sleep(0.3)
"""


@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no Python in /usr/bin")
def test_a_process_may_call_itself_what_it_likes(keeper):
    command = ["/usr/bin/python3", "-S", "name.py"]
    outcome = run(command, {"name.py": HOSTILE_NAME}, [], keeper=keeper)
    assert outcome.ending == "finished", outcome
    assert shell(keeper, "echo fine").diagnostics == "fine\n"


def test_a_tool_cannot_write_to_its_workers_descriptors(keeper):
    """Else it could forge its status and outputs, or that it never started."""
    script = """
for fd in 3 4 5 6; do (printf '12 \\n\\nnot started:' > /proc/$PPID/fd/$fd) && echo forged; done
exit 3
"""
    outcome = shell(keeper, script)
    assert (outcome.ending, outcome.status) == ("failed", 3), outcome
    assert "forged" not in outcome.diagnostics


def test_a_neighbours_strays_are_not_held_against_an_honest_tool(keeper):
    # Twelve at once, over and over: however slow the machine, some look finds more than eight.
    many = " ".join(["sleep 9 &"] * 12)
    script = f"i=0; while [ $i -lt 400 ]; do ({many}); i=$((i+1)); done; sleep 9"
    endings = []
    for _ in range(5):  # the number is seen by looking, and a busy machine looks late
        hostile = threading.Thread(
            target=lambda: endings.append(shell(keeper, script, processes=8).ending)
        )
        hostile.start()
        honest = [shell(keeper, "sleep 0.2; echo fine", processes=4) for _ in range(4)]
        hostile.join(60)
        assert {(one.ending, one.diagnostics) for one in honest} == {("finished", "fine\n")}
        if endings[-1] == "too-many-processes":
            break
    assert endings[-1] == "too-many-processes"


def test_a_plain_users_files_keep_their_modes_and_times(keeper, tmp_path):
    tmp_path.chmod(0o755)
    kept = tmp_path / "kept"
    kept.write_text("kept")
    kept.chmod(0o666)
    before = kept.stat()
    shell(keeper, f"chmod 000 {kept}; touch -d 2001-01-01 {kept}; truncate -s 0 {kept}")
    after = kept.stat()
    assert (after.st_mode, after.st_mtime_ns, after.st_size) == (
        before.st_mode,
        before.st_mtime_ns,
        before.st_size,
    )


def test_outputs_are_plain_files_and_bounded(keeper):
    script = """
ln -s /etc/passwd link; mkdir folder; echo plain > plain; ln plain hard; mkfifo fifo
head -c 5000000 /dev/zero > large; ln -s plain inner
"""
    names = ("link", "folder", "plain", "hard", "fifo", "inner", "missing")
    outcome = shell(keeper, script, names)
    assert dict(outcome.outputs) == {"plain": b"plain\n", "hard": b"plain\n"}
    outcome = shell(keeper, script, ("large",), output_bytes=1 << 20)
    assert (outcome.ending, outcome.outputs) == ("too-much-output", {})


def test_nothing_is_left_in_the_temporary_folder():
    pattern = "certune-toolchain-*/*/mark-of-this-test"
    with Keeper(Isolation.CONFINED, profile="toolchain") as keeper:
        outcome = shell(keeper, "echo x > mark-of-this-test; mkdir -p a/b; chmod 0 a/b", ("a",))
        assert outcome.ending == "finished"
        assert not list(Path(tempfile.gettempdir()).glob(pattern))
        base = {path.name for path in Path(tempfile.gettempdir()).glob("certune-toolchain-*")}
    after = {path.name for path in Path(tempfile.gettempdir()).glob("certune-toolchain-*")}
    assert after < base


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", ".", "-o", ".hidden", "a\0b"])
def test_names_are_plain(name):
    with pytest.raises(InvalidInput, match="no plain file name"):
        run(["gcc"], {name: b""}, [])
    with pytest.raises(InvalidInput, match="no plain file name"):
        run(["gcc"], {}, [name])


def test_a_missing_tool_is_said():
    with pytest.raises(Unavailable, match="no-such-compiler is not installed"):
        run(["no-such-compiler"], {}, [])


def test_a_tool_out_of_sight_is_trouble_of_our_own(keeper, tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    with pytest.raises(Crashed, match="tool was not started: "):
        run([str(tool)], {}, [], keeper=keeper)


@pytest.mark.parametrize(
    "result",
    [
        b"",
        b"\n\n",
        b"1 x\n\n",
        b"-5 \n\nabc",
        b"9" * 5000,
        b"3 \n\n-99",
        b"1 \n1 61\n1 62\n\n0ab",
        os.urandom(200),
    ],
)
def test_a_worker_that_a_tool_took_over_is_not_believed(keeper, result):
    with keeper.start(_tool_launch(keeper)) as worker:
        ended = worker.wait(20)
    outcome = _outcome(keeper.level, replace(ended, ending="finished"), result, {"k.o"}, 1 << 20)
    assert outcome.ending == "failed"
    assert outcome.outputs == {}


def _tool_launch(keeper):
    from certune.sandbox.model import Launch, Limits

    return Launch("trial", keeper.level, Limits(), profile="toolchain", fresh=False)

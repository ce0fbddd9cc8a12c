"""`certune verify` and `certune strip` on a user's own annotated Python."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import COMMAND
from contract_tools import pool

from certune.cli.code import Wishes, check, verify_python
from certune.cli.code_answers import Answers, remembered
from certune.cli.code_report import Checked, as_json, diagnostics, lines
from certune.cli.code_sources import Sources
from certune.core.errors import ConfigurationError, InvalidInput
from certune.core.proof import Answer, Query
from certune.core.status import Status
from certune.tasks.code.suite_files import programs

LIB = '''\
"""Shared."""
from certune.contracts import ensure, lemma, require, spec, u32

LIMIT = 10


@spec
def twice(n: int) -> int:
    return n + n


@lemma
@ensure(lambda n: twice(n) == 2 * n)
def doubled(n: int) -> None:
    pass


@require(lambda n: n < u32.MAX)
@ensure(lambda n, result: result == n + 1)
def bump(n: u32) -> u32:
    return n + 1
'''
USE = """\
from certune.contracts import ensure, require, u32
from lib import LIMIT, bump, doubled, twice


@require(lambda n: n < LIMIT)
@ensure(lambda n, result: result == twice(n) + 2)
def go(n: u32) -> u32:
    doubled(n)
    a = bump(n)
    b = bump(a)
    return b + n


def quotient(n: int) -> int:
    return 5 // n
"""
LOOP = """\
from certune.contracts import ensure, invariant, require


@require(lambda n: n >= 0)
@ensure(lambda n, result: result == n * n)
def square(n: int) -> int:
    total = 0
    for i in range(n):
        invariant(total == i * i)
        total = total + 2 * i + 1
    return total
"""
HEAD = re.compile(r"^([^:]+):(\d+):(\d+): (error|warning|note): (.+)$")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing that this user has proved before counts."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, which is the current one."""
    (tmp_path / "lib.py").write_text(LIB)
    (tmp_path / "use.py").write_text(USE)
    (tmp_path / "loop.py").write_text(LOOP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(name: str, answers: Answers | None = None, **wishes: object) -> Checked:
    wished = Wishes(**wishes)  # type: ignore[arg-type]
    return check(Path(name), wished, answers or Answers(), pool())


def heads(file: Checked) -> list[tuple[str, str, str, str]]:
    """File, line, severity and message of each diagnostic."""
    found = []
    for item in diagnostics(file):
        match = HEAD.match(item.head)
        assert match, item.head
        found.append((match[1], match[2], match[4], match[5]))
    return found


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_functions_of_a_file_and_of_what_it_imports_are_told_in_their_own_files(folder) -> None:
    found = heads(checked("use.py"))
    assert ("use.py", "7", "note", "go: proved, 5 conditions") in found
    assert ("use.py", "15", "error", "quotient(n=0): division by zero: return 5 // n") in found
    assert ("lib.py", "20", "note", "lib.bump: proved, 2 conditions") in found
    assert checked("use.py").status is Status.REFUTED


def test_a_caller_is_not_proved_when_what_it_imports_is_wrong(folder) -> None:
    (folder / "lib.py").write_text(LIB.replace("return n + 1", "return n + 2"))
    found = heads(checked("use.py"))
    assert any(f == "lib.py" and s == "error" and "postcondition" in m for f, _, s, m in found)
    assert ("use.py", "7", "warning", "go: unknown: lib.bump, which it calls, is refuted") in found


def test_an_imported_file_is_not_executed(folder) -> None:
    (folder / "lib.py").write_text("open('ran', 'w')\n" + LIB)
    found = heads(checked("use.py"))
    assert found[0][:3] == ("lib.py", "1", "error")
    assert not (folder / "ran").exists()


def test_modules_of_a_package_are_found_from_its_root(folder) -> None:
    inner = folder / "tools" / "inner"
    inner.mkdir(parents=True)
    for place in (folder / "tools", inner):
        (place / "__init__.py").touch()
    (folder / "tools" / "lib.py").write_text(LIB)
    (inner / "use.py").write_text(USE.replace("from lib", "from tools.lib"))
    found = heads(checked("tools/inner/use.py"))
    assert any(m == "go: proved, 5 conditions" for *_, m in found)
    assert any(Path(f) == folder / "tools" / "lib.py" for f, *_ in found)


def test_a_missing_module_is_told_at_the_import(folder) -> None:
    (folder / "lib.py").unlink()
    found = heads(checked("use.py"))
    assert found == [("use.py", "2", "error", "module 'lib' is not known here")]


def test_a_file_that_hides_a_library_is_told(folder) -> None:
    (folder / "dataclasses.py").write_text("")
    assert any(
        "imported in place of the module dataclasses" in m for *_, m in heads(checked("loop.py"))
    )


def test_a_failure_shows_the_input_and_what_each_line_changed(folder) -> None:
    (folder / "loop.py").write_text(LOOP.replace("2 * i + 1", "2 * i"))
    file = checked("loop.py")
    (item,) = diagnostics(file)
    assert item.severity == "error"
    assert "square(n=1): postcondition broken" in item.message
    shown = "\n".join(item.details)
    assert "total = 0" in shown
    assert "# i = 0" in shown
    assert "return total" in shown


def test_what_is_open_is_told_with_place_path_and_hint(folder) -> None:
    (folder / "loop.py").write_text(LOOP.replace("total == i * i", "total >= 0"))
    (item,) = diagnostics(checked("loop.py"))
    assert (item.line, item.severity) == (5, "warning")
    assert "postcondition not proved" in item.message
    assert any(d.startswith("hint: after a loop only its invariants") for d in item.details)
    assert any(d.startswith("it may fail with n = ") for d in item.details)
    assert any("no input that breaks it was found" in d for d in item.details)


def test_a_wrong_annotation_is_not_blamed_on_the_program(folder) -> None:
    (folder / "loop.py").write_text(LOOP.replace("total == i * i", "total == i"))
    (item,) = diagnostics(checked("loop.py"))
    assert "invariant" in item.message
    assert "the annotation is wrong" in item.details[0]


def test_partial_and_empty_contracts_are_told(folder) -> None:
    text = LOOP.replace("import ensure,", "import ensure, partial,").replace(
        "@require", "@partial\n@require"
    )
    (folder / "loop.py").write_text(text)
    messages = [m for *_, m in heads(checked("loop.py"))]
    assert any("proved, if it ends" in m for m in messages)
    assert any("partial: nothing shows that it ends" in m for m in messages)
    (folder / "bare.py").write_text("def one() -> int:\n    return 1\n")
    assert any("without a postcondition" in m for *_, m in heads(checked("bare.py")))


def test_a_precondition_that_nothing_satisfies_is_told(folder) -> None:
    (folder / "loop.py").write_text(LOOP.replace("n >= 0", "n > 3 and n < 4"))
    file = checked("loop.py")
    assert file.clean
    assert any("no input was found that satisfies the precondition" in m for *_, m in heads(file))


def test_contracts_that_notice_little_are_told(folder) -> None:
    (folder / "loop.py").write_text(LOOP.replace("result == n * n", "result >= 0"))
    messages = [m for *_, m in heads(checked("loop.py", contracts=True))]
    assert any("a trivial body satisfies the postcondition: return 0" in m for m in messages)
    assert any("does not notice" in m for m in messages)


def test_a_file_without_functions_claims_nothing(folder) -> None:
    (folder / "constants.py").write_text("SIZE = 4\n")
    file = checked("constants.py")
    assert file.clean
    assert heads(file)[0][3] == "no function is defined here: nothing to prove"


def test_machines_are_told_the_same(folder) -> None:
    told = as_json([checked("use.py")])
    assert (told["status"], told["clean"]) == ("refuted", False)
    (file,) = told["files"]
    functions = {f["name"]: f for f in file["functions"]}
    assert functions["go"]["conditions"]["total"] == 5
    assert functions["quotient"]["failure"]["inputs"] == {"n": 0}
    assert functions["lib.bump"]["file"] == "lib.py"
    assert any("unsat" in line for line in file["trusted"])
    assert json.loads(json.dumps(told)) == told


def test_control_characters_do_not_reach_the_terminal(folder) -> None:
    (folder / "odd.py").write_bytes(b"def f() -> int:\n    return 1 // 0  # \x1b[31m\n")
    assert not any("\x1b" in line for line in lines([checked("odd.py")]))


def test_an_unchanged_file_asks_nothing(folder, home) -> None:
    first = Answers(remembered())
    assert checked("use.py", first).asked > 5
    again = checked("use.py", first)
    assert again.asked == again.earlier == 0
    later = checked("use.py", Answers(remembered()))
    assert later.asked == 1  # the open condition: only proofs are kept
    assert later.earlier > 5
    assert any("earlier runs" in line for line in lines([later]))
    assert checked("use.py", Answers()).asked > 5


def test_only_what_changed_is_asked_again(folder) -> None:
    answers = Answers(remembered())
    whole = checked("use.py", answers).asked
    (folder / "use.py").write_text(USE.replace("5 // n", "6 // n"))
    assert checked("use.py", answers).asked <= 2 < whole


def test_proofs_of_others_are_not_used(folder, home) -> None:
    place = remembered()
    assert place is not None
    assert place.is_relative_to(home)
    for mode in (0o777, 0o755):
        place.chmod(mode)
        assert remembered() is None
    place.chmod(0o700)
    place.parent.chmod(0o775)
    assert remembered() is None
    place.parent.chmod(0o755)
    assert remembered() == place
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    place.rename(folder / "moved")
    place.symlink_to(elsewhere)
    assert remembered() is None


def test_proofs_of_another_users_folder_are_not_used(home, monkeypatch) -> None:
    assert remembered() is not None
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert remembered() is None


def test_only_proofs_are_kept_and_what_is_no_proof_is_not_read(home) -> None:
    place = remembered()
    answers = Answers(place)
    key = Query("smtlib2", b"(check-sat)").digest
    answers.put(key, Answer("unknown", "z3", "5", 1, 0.1))
    assert answers.get(key) is not None
    assert Answers(place).get(key) is None
    answers.put(key, Answer("unsat", "z3", "5", 1, 0.1))
    assert Answers(place).get(key) is not None
    (kept,) = [p for p in place.rglob("*") if p.is_file()]
    kept.write_text('{"result": "sat", "version": "5", "resources": 1, "seconds": 1}')
    assert Answers(place).get(key) is None


def test_conditions_are_written_as_smt_lib(folder) -> None:
    file = checked("use.py", smt2=folder / "out")
    entries = json.loads((folder / "out" / "use.index.json").read_text())
    conditions = [c for f in file.report.functions for c in f.conditions]
    assert len(entries) == len(conditions)
    for entry in entries:
        text = (folder / "out" / entry["file"]).read_bytes()
        assert Query("smtlib2", text).digest == entry["digest"]
        assert text.startswith(b"(set-logic ALL)")
    assert {e["source"] for e in entries} == {"use.py", "lib.py"}
    assert {e["status"] for e in entries} == {"proved", "unknown"}


def test_a_function_can_be_named(folder) -> None:
    file = checked("use.py", functions=("go",))
    assert {f.name for f in file.report.functions} == {"go", "lib.bump", "lib.doubled", "lib.twice"}
    assert file.clean
    with pytest.raises(ConfigurationError, match="did you mean 'go'"):
        checked("use.py", functions=("goo",))


def test_a_file_that_is_not_there(folder) -> None:
    with pytest.raises(InvalidInput, match="no file here"):
        verify_python(["gone.py"], Wishes())


def test_exit_codes_and_json_on_the_command_line(folder) -> None:
    done = run("verify", "loop.py", "lib.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("loop.py:6:1: note: square: proved")
    assert "trusted:" in done.stdout
    done = run("verify", "use.py", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["files"][0]["file"] == "use.py"
    assert run("verify", "gone.py").returncode == 2
    assert run("verify", "use.py", "--target", "rccl").returncode == 2


def test_options_for_python_are_for_python(folder) -> None:
    (folder / "algo.xml").write_text("<algo/>")
    done = run("verify", "algo.xml", "--watch")
    assert done.returncode == 2
    assert "annotated Python" in done.stderr


def test_strip_writes_a_program_that_runs_without_certune(folder) -> None:
    for name in ("use", "lib"):
        assert run("strip", f"{name}.py", "-o", f"plain/{name}.py").returncode == 2
    (folder / "plain").mkdir()
    for name in ("use", "lib"):
        done = run("strip", f"{name}.py", "-o", f"plain/{name}.py")
        assert done.returncode == 0, done.stderr
    text = (folder / "plain" / "use.py").read_text()
    assert "certune" not in text
    assert "doubled" not in text
    script = "import use; print(use.go(3)); import sys; assert 'certune' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder / "plain", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "8\n"


def test_strip_refuses_what_it_cannot_read_and_does_not_overwrite(folder) -> None:
    (folder / "odd.py").write_text("def f(:\n")
    done = run("strip", "odd.py")
    assert done.returncode == 2
    assert "odd.py:1:" in done.stderr
    assert run("strip", "use.py", "-o", "use.py").returncode == 2
    assert (folder / "use.py").read_text() == USE


class _Watching:
    """`certune verify --watch` with its output, line by line."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "verify", *arguments, "--watch"], stdout=subprocess.PIPE, text=True
        )
        self.said: list[str] = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))

    def until(self, text: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not any(text in line for line in self.said):
            assert time.monotonic() < end, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.05)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self.thread.join(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def watching() -> Iterator[list[_Watching]]:
    made: list[_Watching] = []
    yield made
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        if one.process.stdout is not None:
            one.process.stdout.close()


def test_watch_verifies_again_when_an_imported_file_changes(folder, watching) -> None:
    one = _Watching("use.py")
    watching.append(one)
    one.until("waiting for a change")
    assert any("go: proved" in line for line in one.said)
    one.said.clear()
    (folder / "lib.py").write_text(LIB.replace("return n + 1", "return n + 2"))
    one.until("go: unknown: lib.bump")
    one.until("waiting for a change")
    one.said.clear()
    (folder / "use.py").unlink()
    one.until("waiting for a change")
    (folder / "use.py").write_text("def f() -> int:\n    return 1\n")
    one.until("f: proved")
    assert one.stop() == 130


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(programs()))
def test_every_shipped_program_is_proved(name: str, folder) -> None:
    (folder / f"{name}.py").write_text(programs()[name].source)
    file = checked(f"{name}.py")
    assert file.clean, "\n".join(lines([file]))
    assert not any(severity == "warning" for _, _, severity, _ in heads(file))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(programs()))
def test_every_wrong_variant_is_refuted_by_an_input(name: str, folder) -> None:
    for variant in programs()[name].wrong:
        (folder / f"{name}.py").write_text(variant.apply(programs()[name].source))
        file = checked(f"{name}.py")
        failures = [f.failure for f in file.report.functions if f.failure is not None]
        assert file.status is Status.REFUTED, variant.why
        assert any(f.blames == "program" for f in failures), variant.why


def test_sources_give_the_same_bytes_however_often_they_are_asked(folder) -> None:
    sources = Sources(folder / "use.py")
    first = sources.imports("lib")
    (folder / "lib.py").write_text("changed")
    assert sources.imports("lib") == first
    assert sources.imports("os.path") is None
    assert sources.imports("..lib") is None

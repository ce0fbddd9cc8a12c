"""Certificates of proven programs that lie. Checking makes the conditions anew and asks again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from accepted import Accepted, accepted, context
from command import certune
from contract_tools import pool

from certune.certificate import Acceptance, build, open_certificate, seal
from certune.core.candidate import File
from certune.core.errors import InvalidInput, Unavailable
from certune.core.family import Context
from certune.core.obligation import Obligation
from certune.core.proof import Query
from certune.core.spec import TaskSpec
from certune.core.status import Status
from certune.recheck import Report, recheck
from certune.tasks.code.family import CodeFamily
from certune.verifier.contracts import verify_source
from certune.verifier.contracts.confirm import manifest, resolve, texts
from certune.verifier.contracts.pool import Pool

TASK = "code/midpoint"
Change = Callable[[Acceptance], Acceptance]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    return accepted(tmp_path_factory.mktemp("honest"), TASK, {})


def sealed(acceptance: Acceptance, files: dict[str, bytes]) -> bytes:
    """A certificate whose digests fit, whatever it says."""
    return seal(build(acceptance, [File(name, data) for name, data in files.items()]), None)


def check(acceptance: Acceptance, files: dict[str, bytes]) -> Report:
    opened = open_certificate(sealed(acceptance, files))
    return recheck(opened.acceptance, files, context())


def refuted(report: Report) -> set[str]:
    return {finding.subject for finding in report.findings if finding.answer == "refuted"}


def folder_with(honest: Accepted, folder: Path, **files: bytes) -> Path:
    folder.mkdir()
    (folder / "certificate.json").write_bytes(honest.certificate)
    for name, data in honest.files.items():
        (folder / name).write_bytes(files.get(name.partition(".")[0], data))
    return folder / "certificate.json"


def function(acceptance: Acceptance) -> Obligation:
    return next(o for o in acceptance.obligations if o.name == "midpoint")


def with_function(**changes: object) -> Change:
    def change(acceptance: Acceptance) -> Acceptance:
        kept = [
            replace(o, **changes) if o.name == "midpoint" else o  # type: ignore[arg-type]
            for o in acceptance.obligations
        ]
        return replace(acceptance, obligations=tuple(kept))

    return change


def with_another(acceptance: Acceptance) -> Acceptance:
    extra = replace(function(acceptance), name="constant-time")
    return replace(acceptance, obligations=(*acceptance.obligations, extra))


def test_an_honest_certificate_is_confirmed_by_asking_the_solver(honest, monkeypatch) -> None:
    asked = 0
    ask = Pool.ask

    def counting(self, requests):
        nonlocal asked
        asked += len(requests)
        return ask(self, requests)

    monkeypatch.setattr(Pool, "ask", counting)
    report = check(honest.acceptance, honest.files)
    assert report.answer == "confirmed", report.findings
    evidence = function(honest.acceptance).evidence
    assert asked >= evidence["conditions"] > 0


def test_without_the_solver_nothing_is_confirmed(honest, monkeypatch) -> None:
    def missing(self, requests):
        raise Unavailable("z3 is not installed")

    monkeypatch.setattr(Pool, "ask", missing)
    assert check(honest.acceptance, honest.files).answer == "not-repeatable"


def test_every_text_that_the_verdict_rests_on_is_kept_and_is_unsat_again(honest) -> None:
    from certune.core.candidate import Payload
    from certune.judging import judge

    kept: list[bytes] = []
    task = CodeFamily().open(honest.acceptance.spec)
    program = honest.files["program.py"]
    verdict = judge(task, Payload("python", program), Context(keep=kept.append)).verdict
    assert verdict.met
    report = verify_source(program, "program.py", pool=pool())
    assert {Query("smtlib2", text).digest for text in kept} == set(texts(report))
    store = {Query("smtlib2", text).digest: text for text in kept}
    again = resolve(manifest(report), store, pool())
    assert again.agreed == again.asked > 0


@pytest.mark.parametrize("name", ["program", "plain"])
def test_a_file_changed_by_a_byte_does_not_match(name: str, honest, tmp_path) -> None:
    assert certune(tmp_path, "check", str(folder_with(honest, tmp_path / "good"))).returncode == 0
    data = honest.files[f"{name}.py"]
    changed = data.replace(b"2", b"3", 1) if name == "plain" else data + b"\n"
    assert changed != data
    done = certune(tmp_path, "check", str(folder_with(honest, tmp_path / "bad", **{name: changed})))
    assert done.returncode != 0
    assert "confirmed:" not in done.stdout


def test_another_program_under_the_same_certificate(honest) -> None:
    program = honest.files["program.py"]
    changed = program.replace(b"// 2", b"// 1")
    assert changed != program
    report = check(honest.acceptance, {**honest.files, "program.py": changed})
    assert report.answer == "refuted"
    assert "program" in refuted(report)


def test_an_easier_contract_in_the_program(honest) -> None:
    program = honest.files["program.py"]
    at = program.index(b"@ensure")
    end = program.index(b"\n", at)
    changed = program[:at] + b"@ensure(lambda result: True)" + program[end:]
    report = check(honest.acceptance, {**honest.files, "program.py": changed})
    assert "program" in refuted(report)


def test_another_plain_file_does_not_follow(honest) -> None:
    plain = honest.files["plain.py"]
    changed = plain.replace(b"//", b"-", 1) if b"//" in plain else plain + b"x = 1\n"
    report = check(honest.acceptance, {**honest.files, "plain.py": changed})
    assert refuted(report) == {"plain.py"}


def test_a_file_that_nothing_derives(honest) -> None:
    report = check(honest.acceptance, {**honest.files, "fast.py": b"x = 1\n"})
    assert refuted(report) == {"fast.py"}


@pytest.mark.parametrize(
    "change",
    [
        with_function(claim="midpoint is free of side channels"),
        with_function(method="parse"),
        with_function(check="code/nothing"),
        with_function(name="middle"),
        with_another,
    ],
)
def test_claims_that_are_not_shown(change: Change, honest) -> None:
    changed = change(honest.acceptance)
    assert changed != honest.acceptance
    assert check(changed, honest.files).answer == "refuted"


def test_an_easier_task_under_the_shipped_name_is_no_specification(honest) -> None:
    spec = honest.acceptance.spec
    program = str(spec.parameters["program"])
    easier = program.replace("@ensure", "@ensure(lambda result: True)\n@ensure", 1)
    assert easier != program
    changed = TaskSpec(
        spec.task, spec.semantics, {**spec.parameters, "program": easier}, spec.goal, spec.floors,
        spec.limits,
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="not the shipped midpoint"):
        recheck(
            replace(honest.acceptance, spec=changed, spec_digest=changed.digest),
            honest.files,
            context(),
        )


def test_a_lower_floor_is_no_specification(honest) -> None:
    spec = replace(honest.acceptance.spec, floors={"*": Status.TESTED})
    with pytest.raises(InvalidInput, match="must be proved"):
        recheck(
            replace(honest.acceptance, spec=spec, spec_digest=spec.digest), honest.files, context()
        )


def test_proofs_that_a_user_keeps_confirm_nothing(honest, tmp_path, monkeypatch) -> None:
    """`certune verify` may know a proof from before; `certune check` neither reads nor adds one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = folder_with(honest, tmp_path / "good")
    assert certune(tmp_path, "check", str(path)).returncode == 0
    assert not (tmp_path / "cache").exists()

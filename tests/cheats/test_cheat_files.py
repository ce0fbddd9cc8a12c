"""Files that would make certune write, wait, say or answer what it must not."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import isqrt
from pathlib import Path

import pytest
from accepted import Accepted, accepted
from command import certune

from certune import plugins
from certune.acceptance import gap
from certune.certificate import Acceptance, build, seal
from certune.core import Context, File, InvalidInput, Payload, Status
from certune.core.canonical import dumps, loads, sha256
from certune.core.codec import encode
from certune.core.spec import goal_metrics
from certune.judging import judge
from certune.ledger.records import chain, genesis
from certune.signing import public_key
from certune.tasks.collective.collective import KINDS, ROOTED, Kind
from certune.tasks.collective.parameters import read_parameters
from certune.tasks.collective.task import SCHEDULE

RING = {"topology": "ring", "ranks": "4", "baseline": "tree", "targets": "none"}
STOLEN = b"what somebody else wants written\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a" / "project"
    accepted(folder, "collective/allgather", RING)
    return folder


def rewrite(project: Path, change: Callable[[dict], None]) -> None:
    """Change the accepted trials in a ledger and chain its records anew, as its owner can."""
    with sqlite3.connect(project / ".certune" / "ledger.sqlite3") as ledger:
        ledger.execute("INSERT INTO blobs VALUES (?, ?)", (sha256(STOLEN), STOLEN))
        (name,) = ledger.execute("SELECT value FROM meta WHERE name = 'project'").fetchone()
        previous = genesis(name)
        rows = ledger.execute("SELECT seq, session, kind, body FROM records ORDER BY seq")
        for seq, session, kind, body in rows.fetchall():
            data = loads(body.encode())
            if kind == "trial" and data["decision"]["reason"] == "accepted":
                change(data)
            body = dumps(data).decode()
            hash_ = chain(seq, session, kind, body, previous)
            update = "UPDATE records SET body = ?, previous = ?, hash = ? WHERE seq = ?"
            ledger.execute(update, (body, previous, hash_, seq))
            previous = hash_
    ledger.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda trial: trial.update(session="../../../escaped"),
        lambda trial: trial["files"].update({"../../../../../escaped": sha256(STOLEN)}),
        lambda trial: trial["files"].update({"certificate.json": sha256(STOLEN)}),
        lambda trial: trial["files"].update({"..": sha256(STOLEN)}),
    ],
)
def test_a_ledger_from_elsewhere_writes_nothing_outside_its_folder(project, change) -> None:
    rewrite(project, lambda trial: (trial["files"].update(taken=sha256(STOLEN)), change(trial)))
    before = set(project.parent.parent.rglob("*"))
    ended = certune(project, "resume")
    assert ended.returncode == 3
    assert "ledger" in ended.stderr or "not written" in ended.stderr
    made = set(project.parent.parent.rglob("*")) - before
    assert [path for path in made if project / ".certune" not in path.parents] == []
    assert [path for path in made if path.is_file() and path.read_bytes() == STOLEN] == []


def test_what_a_ledger_says_reaches_the_terminal_as_text(project: Path) -> None:
    rewrite(project, lambda trial: trial["decision"].update(why="\x1b]0;title\x07\nforged line"))
    shown = certune(project, "show")
    assert shown.returncode == 0
    assert r"\x1b]0;title\x07\nforged line" in shown.stdout
    assert all(line.isprintable() for line in shown.stdout.splitlines())


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    return accepted(tmp_path_factory.mktemp("honest"), "collective/allgather", RING)


def lay(folder: Path, acceptance: Acceptance, honest: Accepted) -> None:
    files = [File(name, data) for name, data in honest.files.items()]
    for file in files:
        (folder / file.name).write_bytes(file.data)
    (folder / "certificate.json").write_bytes(seal(build(acceptance, files), None))


def test_the_words_of_a_certificate_are_not_those_of_the_check(honest, tmp_path: Path) -> None:
    claims = "proven optimal\x1b[2J\nconfirmed: all of it"
    decision = replace(honest.acceptance.decision, why=claims)
    lay(tmp_path, replace(honest.acceptance, decision=decision), honest)
    told = certune(tmp_path, "check", "certificate.json")
    assert told.returncode == 0
    assert "optimal" not in told.stdout
    assert all(line.isprintable() for line in told.stdout.splitlines())


def test_a_number_beyond_all_doubles_is_refuted_not_a_defect(honest, tmp_path: Path) -> None:
    acceptance = honest.acceptance
    huge = replace(acceptance.bounds[0], value=Fraction(10**400))
    values = {**acceptance.measurement.values, huge.metric.name: Fraction(10**401)}
    lying = replace(
        acceptance,
        bounds=(huge, *acceptance.bounds[1:]),
        measurement=replace(acceptance.measurement, values=values),
    )
    lay(tmp_path, lying, honest)
    told = certune(tmp_path, "check", "certificate.json")
    assert (told.returncode, told.stderr) == (1, "")


def test_a_pin_that_fails_is_json_where_json_is_asked_for(honest, tmp_path: Path) -> None:
    lay(tmp_path, honest.acceptance, honest)
    pin = ("--expect-spec", "sha256:0")
    told = certune(tmp_path, "check", "certificate.json", "--json", *pin)
    assert told.returncode == 1
    assert json.loads(told.stdout)["answer"] == "refuted"


@pytest.mark.parametrize("name", ["pipe.json", "/dev/zero", "folder/"])
def test_what_never_ends_is_no_topology_and_no_key(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder").mkdir()
    place = str(tmp_path / name)
    with pytest.raises(InvalidInput, match=r"not a regular file|directory"):
        read_parameters("allgather", {"topology": place})
    with pytest.raises(InvalidInput, match=r"not a regular file|directory"):
        public_key(place)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "topology=dgx1", "-p", "alpha=-1e400"),
        ("-p", "topology=dgx1", "-b", "money=0." + "7" * 990),
        ("-p", "topology=dgx1", "-p", "targets=none,mscclpp"),
    ],
)
def test_what_cannot_be_meant_is_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = certune(tmp_path, "optimize", "collective/allgather", *arguments)
    assert ended.returncode == 2
    assert "internal error" not in ended.stderr
    assert not (tmp_path / ".certune").exists()


def test_a_time_beyond_all_doubles_is_no_limit_that_ends(tmp_path: Path) -> None:
    task = ("collective/allgather", "-p", "topology=ring", "-p", "ranks=2")
    ended = certune(tmp_path, "optimize", *task, "-b", "time=" + "9" * 400)
    assert ended.returncode in (0, 1), ended.stderr


def test_a_member_given_twice_is_named_shortly(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        loads(b'{"%s":1,"%s":2}' % (b"a" * 10**6, b"a" * 10**6))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("kind", KINDS)
def test_few_sends_over_millions_of_pieces_are_refuted_at_once(kind: Kind) -> None:
    """A hundred bytes must not buy minutes: files are not laid out for what never moves."""
    pieces = 2**20 if kind != "alltoall" else 2**17
    form = {"format": "certune-schedule/1", "collective": kind, "ranks": 8, "pieces": pieces}
    form |= {"root": 0} if kind in ROOTED else {}
    payload = Payload(SCHEDULE, dumps({**form, "steps": [{"copy": [[0, 1, 0]]}]}))
    task = plugins.open_task(plugins.spec(f"collective/{kind}", {"topology": "dgx1"}))
    candidate = task.elaborate(payload, Context())
    assert candidate.files == ()
    assert task.check(candidate, Context())[-1].status is Status.REFUTED


@pytest.mark.parametrize("kind", KINDS)
def test_with_as_many_sends_as_chunks_must_move_files_are_derived(kind: Kind) -> None:
    """The limit is below every right schedule, so that none goes without its files."""
    task = plugins.open_task(plugins.spec(f"collective/{kind}", {"topology": "full", "ranks": "3"}))
    right = task.elaborate(task.baseline().payload, Context())
    sends, collective = right.value.sends, right.value.collective
    assert sends * collective.ranks >= collective.chunks * (collective.ranks - 1)
    assert right.files


def line(bandwidths: list[int]) -> bytes:
    """A line of ranks with a bandwidth of its own for each link, in kB/s."""
    links = [
        {"between": [rank, rank + 1], "alpha": "0.7", "bandwidth": f"{width}/1000"}
        for rank, width in enumerate(bandwidths)
    ]
    ranks = len(bandwidths) + 1
    form = {"format": "certune-topology/1", "name": "uneven", "ranks": ranks, "links": links}
    return dumps(form)


def primes(count: int, below: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        below -= 1
        if all(below % divisor for divisor in range(2, isqrt(below) + 1)):
            found.append(below)
    return found


def test_the_most_uneven_links_still_have_exact_costs_that_are_recorded(tmp_path: Path) -> None:
    """Costs add up inverses of the bandwidths: their digits grow with every different one."""
    most = 150
    place = tmp_path / "uneven.json"
    place.write_bytes(line(primes(most + 1, 10**6)))
    with pytest.raises(InvalidInput, match="fewer digits"):
        read_parameters("broadcast", {"topology": str(place)})
    place.write_bytes(line(primes(most, 10**6)))
    given = {"topology": str(place), "objective": "frontier", "targets": "none"}
    task = plugins.open_task(plugins.spec("collective/broadcast", given))
    judged = judge(task, task.baseline().payload, Context())
    assert judged.measurement is not None
    bounds = task.bounds(Context())
    values = judged.measurement.values
    gaps = [gap(metric, values[metric.name], bounds) for metric in goal_metrics(task.spec.goal)]
    written = [encode(judged.measurement), encode(tuple(bounds)), encode(tuple(gaps))]
    assert max(len(str(value)) for value in values.values()) > 1500
    assert loads(dumps(written)) == written

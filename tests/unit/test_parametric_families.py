"""The built-in families: their schedules are the known ones, and each is proved."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from certune.core import InvalidInput, InvalidPayload, Status
from certune.core.canonical import dumps
from certune.core.codec import encode
from certune.tasks.collective.dataflow import verify
from certune.tasks.collective.parametric import (
    FAMILIES,
    instantiate,
    members,
    parse_family,
    prove,
    prove_family,
    report,
    shapes,
)
from certune.tasks.collective.parametric.instances import member
from certune.tasks.collective.parametric.model import model_of
from certune.tasks.collective.schedule import Schedule, from_sends
from certune.verifier.smt import SmtProver

Sends = Iterator[tuple[int, int, int, int, bool]]


def ring_gather(n: int, first: int = 0) -> Sends:
    for s in range(n - 1):
        for r in range(n):
            yield first + s, r, (r + 1) % n, (r - s) % n, False


def ring_reduce(n: int) -> Sends:
    for s in range(n - 1):
        for r in range(n):
            yield s, r, (r + 1) % n, (r - s - 1) % n, True


def ring_allreduce(n: int) -> Sends:
    yield from ring_reduce(n)
    yield from ring_gather(n, n - 1)


def doubling(n: int, first: int = 0) -> Sends:
    held = {r: {r} for r in range(n)}
    for s in range(n.bit_length() - 1):
        yield from ((first + s, r, r ^ (1 << s), c, False) for r in range(n) for c in held[r])
        held = {r: held[r] | held[r ^ (1 << s)] for r in range(n)}


def halving(n: int) -> Sends:
    steps = n.bit_length() - 1
    mine = {r: set(range(n)) for r in range(n)}
    for s in range(steps):
        bit = n >> (s + 1)
        for r in range(n):
            yield from ((s, r, r ^ bit, c, True) for c in mine[r] if c & bit != r & bit)
        mine = {r: {c for c in mine[r] if c & bit == r & bit} for r in range(n)}


def halving_doubling(n: int) -> Sends:
    yield from halving(n)
    yield from doubling(n, n.bit_length() - 1)


def doubling_allreduce(n: int) -> Sends:
    for s in range(n.bit_length() - 1):
        yield from ((s, r, r ^ (1 << s), 0, True) for r in range(n))


def two_level(nodes: int, gpus: int) -> Sends:
    n = nodes * gpus
    for rank in range(n):
        for target in range(n):
            chunk = rank * n + target
            via = rank // gpus * gpus + target % gpus
            if via != rank:
                yield (target - rank) % gpus - 1, rank, via, chunk, False
            if via != target:
                hops = (target // gpus - rank // gpus) % nodes
                yield gpus - 1 + hops - 1, via, target, chunk, False


def broadcast(n: int) -> Sends:
    for s in range(n.bit_length() - 1):
        yield from ((s, r, r + (1 << s), 0, False) for r in range(1 << s))


def binomial_reduce(n: int) -> Sends:
    for s in range(n.bit_length() - 1):
        half = n >> (s + 1)
        yield from ((s, r, r - half, 0, True) for r in range(half, 2 * half))


def direct(n: int) -> Sends:
    for r in range(n):
        yield from (((t - r) % n - 1, r, t, r * n + t, False) for t in range(n) if t != r)


KNOWN: dict[str, Callable[[int], Sends]] = {
    "ring-allgather": ring_gather,
    "ring-reduce-scatter": ring_reduce,
    "ring-allreduce": ring_allreduce,
    "doubling-allgather": doubling,
    "halving-reduce-scatter": halving,
    "halving-doubling-allreduce": halving_doubling,
    "doubling-allreduce": doubling_allreduce,
    "binomial-broadcast": broadcast,
    "binomial-reduce": binomial_reduce,
    "direct-alltoall": direct,
}


def rows(schedule: Schedule) -> list[list[int]]:
    columns = (schedule.step, schedule.source, schedule.destination, schedule.chunk)
    listed = [*(c.tolist() for c in columns), schedule.reduce.tolist()]
    return sorted(map(list, zip(*listed, strict=True)))


@pytest.mark.parametrize("name", KNOWN)
def test_members_are_the_known_schedules(name: str) -> None:
    sizes = range(2, 34) if "ring" in name or "direct" in name else (2, 4, 8, 16, 32)
    for n in sizes:
        schedule = instantiate(FAMILIES[name], n)
        assert rows(schedule) == rows(from_sends(schedule.collective, KNOWN[name](n)))
        assert schedule.collective.ranks == n
        assert verify(schedule) is None


def test_members_of_two_levels_are_the_known_schedules() -> None:
    family = FAMILIES["two-level-alltoall"]
    seen = 0
    for parameters, ranks in members(family, 24):
        nodes, gpus = parameters["nodes"], parameters["gpus"]
        schedule = instantiate(family, ranks, nodes=nodes)
        assert rows(schedule) == rows(from_sends(schedule.collective, two_level(nodes, gpus)))
        assert verify(schedule) is None
        seen += 1
    assert seen == sum(1 for a in range(1, 25) for b in range(1, 25) if 2 <= a * b <= 24)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_proved(name: str) -> None:
    proof = prove_family(FAMILIES[name], SmtProver())
    assert [o.name for o in proof.obligations if o.status is not Status.PROVED] == []
    assert proof.verdict.status is Status.PROVED
    assert proof.instances.status is Status.TESTED
    assert {o.method for o in proof.obligations} == {"smt"}
    for obligation in proof.obligations:
        query = proof.queries[str(obligation.evidence["query"])]
        assert query.digest == obligation.evidence["query"]
        assert obligation.evidence["result"] == "unsat"
    names = [o.name for o in proof.obligations]
    assert len(set(names)) == len(names)
    assert {"shape", "start", "end", "lemma/product-above"} <= set(names)


def test_two_level_allreduce_is_right_and_takes_the_steps_of_three_rings() -> None:
    family = FAMILIES["two-level-allreduce"]
    for parameters, ranks in members(family, 33):
        schedule = instantiate(family, ranks, **parameters)
        nodes, gpus = parameters["nodes"], parameters["gpus"]
        assert verify(schedule) is None
        assert schedule.steps == 2 * (gpus - 1) + 2 * (nodes - 1)
        assert schedule.sends == 2 * (gpus - 1) * nodes * ranks + 2 * (nodes - 1) * ranks


def test_queries_do_not_depend_on_the_order_of_hashing() -> None:
    script = (
        "from certune.tasks.collective.parametric import FAMILIES\n"
        "from certune.tasks.collective.parametric.claims import claims\n"
        "from certune.tasks.collective.parametric.model import model_of\n"
        "from certune.tasks.collective.parametric.smtlib import translate\n"
        "for family in FAMILIES.values():\n"
        "    model = model_of(family)\n"
        "    for claim in claims(model):\n"
        "        print(translate(claim, model.parameters).query.digest)\n"
    )
    digests = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert digests[0] == digests[1]
    assert digests[0].count(b"sha256:") > 80


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_the_same_after_a_journey_through_json(name: str) -> None:
    family = FAMILIES[name]
    again = parse_family(dumps(encode(family)))
    assert again == family
    assert again.digest == family.digest


def test_shapes() -> None:
    assert shapes(FAMILIES["ring-allgather"], 7) == ({"n": 7},)
    assert shapes(FAMILIES["doubling-allgather"], 8) == ({"k": 3},)
    assert shapes(FAMILIES["doubling-allgather"], 12) == ()
    assert shapes(FAMILIES["two-level-alltoall"], 6) == (
        {"nodes": 1, "gpus": 6},
        {"nodes": 2, "gpus": 3},
        {"nodes": 3, "gpus": 2},
        {"nodes": 6, "gpus": 1},
    )


def test_what_does_not_exist_is_refused_with_what_does() -> None:
    with pytest.raises(InvalidInput, match="no members with 12 ranks"):
        instantiate(FAMILIES["doubling-allgather"], 12)
    with pytest.raises(InvalidInput, match="nodes=2, gpus=3"):
        instantiate(FAMILIES["two-level-alltoall"], 6)
    with pytest.raises(InvalidInput, match="gpus=4"):
        instantiate(FAMILIES["two-level-alltoall"], 6, gpus=4)
    for ranks in (-1, 0, 1, 10**9):
        with pytest.raises(InvalidInput):
            instantiate(FAMILIES["ring-allgather"], ranks)


def test_a_schedule_too_large_is_refused_before_it_is_made() -> None:
    family = FAMILIES["ring-allreduce"]
    with pytest.raises(InvalidInput):
        member(model_of(family), family, {"n": 4096})


def test_report_proves_what_is_named() -> None:
    proofs = list(report(["ring-allgather"], SmtProver()))
    assert [proof.family.name for proof in proofs] == ["ring-allgather"]
    assert proofs[0].verdict.met
    with pytest.raises(InvalidInput, match="ring-allgather"):
        report(["ring-algather"], SmtProver())


def test_out_of_time_is_unknown() -> None:
    obligations = prove(FAMILIES["ring-allgather"], SmtProver(), seconds=1e-9)
    assert {o.status for o in obligations} == {Status.UNKNOWN}


@pytest.mark.parametrize(
    ("member_name", "value", "says"),
    [
        ("collective", "allgathr", "allgather"),
        ("name", "Ring\n(assert false)", "no name"),
        ("parameters", [], "parameters"),
        ("parameters", [{"name": "n", "least": 0}], "least"),
        ("parameters", [{"name": "s"}], "'s' names two things"),
        ("parameters", [{"name": "r"}], "'r' names two things"),
        ("ranks", [{"name": "r~", "count": "n"}], "no name"),
        ("ranks", [{"name": "r_1", "count": "m"}], "'m' has no value here"),
        ("ranks", [{"name": "r", "count": "n < 2"}], "no integer"),
        ("chunks", [{"name": "c", "count": "n - 1"}], "chunks of allgather"),
        ("chunks", [], "chunks"),
        ("origin", ["o", "p"], "origin"),
        ("phases", [], "phases"),
        ("phase", [], "unknown member"),
    ],
)
def test_descriptions_without_meaning_are_refused(
    member_name: str, value: object, says: str
) -> None:
    data = encode(FAMILIES["ring-allgather"])
    assert isinstance(data, dict)
    data[member_name] = value
    with pytest.raises(InvalidInput, match=says):
        model_of(parse_family(dumps(data)))


@pytest.mark.parametrize(
    ("member_name", "value", "says"),
    [
        ("name", "x\n(assert false)", "no name"),
        ("steps", "n - r", "'r' has no value here"),
        ("holds", "(r - o) % n <= s", "'o' has no value here"),
        ("holds", "r", "no condition"),
        ("holds", "pow2(r) > c", "exponent"),
        ("holds", "pow2(s // 2) > c", "exponent"),
        ("contributes", "true", "reduces nothing"),
        ("define", [{"name": "r", "value": "1"}], "'r' names two things"),
        ("define", [{"name": "h", "value": "1 +"}], "define.h"),
        ("sends", [], "sends"),
    ],
)
def test_phases_without_meaning_are_refused(member_name: str, value: object, says: str) -> None:
    data = encode(FAMILIES["ring-allgather"])
    assert isinstance(data, dict)
    data["phases"][0][member_name] = value
    with pytest.raises(InvalidInput, match=says):
        model_of(parse_family(dumps(data)))


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b"\xff", b'{"name": 1}', b"[" * 10**5, b" " * 10**6]
)
def test_what_is_no_description_is_an_invalid_payload(text: bytes) -> None:
    with pytest.raises(InvalidPayload):
        parse_family(text)


@pytest.mark.parametrize("text", ["c // (r + 1) == 0", "(r * c) % n <= s", "c % (0 - n) == 0"])
def test_what_has_no_linear_form_is_refused(text: str) -> None:
    data = encode(FAMILIES["ring-allgather"])
    assert isinstance(data, dict)
    data["phases"][0]["holds"] = text
    with pytest.raises(InvalidInput):
        prove(parse_family(dumps(data)), SmtProver())

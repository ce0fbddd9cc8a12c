"""Loops over single events and loops over wavefronts give the same results."""

from __future__ import annotations

import random

import numpy as np
import pytest
from msccl_files import program, real, step
from msccl_mutations import mutate

from certune.core import InvalidInput
from certune.tasks.collective.msccl import agreement, dataflow, order, sums
from certune.tasks.collective.msccl.compile import compile_program
from certune.tasks.collective.msccl.read import read
from certune.tasks.collective.msccl.verify import verify

NAMES = ("ncv4__ar_hier_12_Simple", "ncv4__ar_tree_12_LL", "ndv4__r48ll", "ncv4__ag_hier_4_LL")


def doubled(ranks: int) -> bytes:
    """Every rank sends its chunks to rank 0 twice, so that contributions are added twice."""
    gpus = [[(0, -1, 0, [step("s", f"i{k}") for k in range(8)] * 2)] for _ in range(1, ranks)]
    adders = [
        (-1, r, 0, [step("rrc", f"i{k}", f"s{8 * r + k}") for k in range(8)]
         + [step("rrc", f"s{8 * r + k}", f"o{k}" if r == 1 else f"s{8 * r + k}") for k in range(8)])
        for r in range(1, ranks)
    ]  # fmt: skip
    return program("reduce", [adders, *gpus], pieces=8, chunks=(8, 8, 8 * ranks))


def samples():
    for seed in range(25):
        rng = random.Random(seed)
        yield mutate(real(rng.choice(NAMES)).decode(), rng).encode()
    yield doubled(12)


def outcome(data: bytes):
    try:
        report = verify(read(data), root=0, require_agreement=True)
    except InvalidInput as error:
        return str(error)
    found = [
        (o.name, o.status, o.counterexample and o.counterexample.sentence)
        for o in report.obligations
    ]
    return found, report.termination and report.termination.hangs_at


@pytest.mark.parametrize("module", [dataflow, sums, agreement], ids=lambda m: m.__name__[-9:])
def test_narrow_and_wide(module, monkeypatch):
    for data in samples():
        monkeypatch.setattr(module, "_NARROW", 0)
        wide = outcome(data)
        monkeypatch.setattr(module, "_NARROW", 10**9)
        assert outcome(data) == wide


def test_doubled_contributions_are_seen_in_either_way(monkeypatch):
    for narrow in (0, 10**9):
        monkeypatch.setattr(sums, "_NARROW", narrow)
        report = verify(read(doubled(12)), root=0)
        (failed,) = [o for o in report.obligations if o.name == "postcondition"]
        assert "adds a contribution that is already in the sum" in failed.counterexample.sentence


def test_sets_in_batches_of_groups(monkeypatch):
    data = real("ndv4__r48ll")
    whole = outcome(data)
    assert whole[0][-1][1].value == "proved"
    monkeypatch.setattr(sums, "_NARROW", 0)
    for size in (64, 4096):
        monkeypatch.setattr(sums, "_BATCH_BYTES", size)
        assert outcome(data) == whole
        report = verify(read(doubled(12)), root=0)
        assert "already in the sum" in str(
            [o.counterexample for o in report.obligations if o.name == "postcondition"]
        )


def test_events_one_by_one():
    for data in samples():
        try:
            code = compile_program(read(data))
        except InvalidInput:
            continue
        for slots in (None, 1, 2):
            graph = order.operations_graph(code, slots)
            fast, slow = order.wavefronts(graph), order._one_by_one(graph)
            assert fast.stuck.tolist() == slow.stuck.tolist()
            assert fast.start.tolist() == slow.start.tolist()
            for a, b in zip(fast.start[:-1], fast.start[1:], strict=True):
                assert np.array_equal(np.sort(fast.order[a:b]), np.sort(slow.order[a:b]))


def test_long_narrow_programs_take_the_scalar_way(monkeypatch):
    hops = 700
    first = [step("s", "i0"), *[step("rcs", "o0", "o0")] * hops, step("r", "o0", "o0")]
    second = [step("rrcs", "i0", "o0"), *[step("rcs", "o0", "o0")] * hops]
    data = program("allreduce", [[(1, 1, 0, first)], [(0, 0, 0, second)]], pieces=1)
    called = []
    kept = order._one_by_one
    monkeypatch.setattr(order, "_one_by_one", lambda graph: called.append(1) or kept(graph))
    assert {status for _, status, _ in outcome(data)[0]} == {verify(read(data)).status}
    assert called

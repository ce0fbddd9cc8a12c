"""The verifier agrees with an independently written interpreter, on real and damaged plans."""

from collections import Counter
from pathlib import Path

import pytest
from mscclpp_agreement import compare
from mscclpp_mutations import mutate

from certune.tasks.collective import baselines, library
from certune.tasks.collective.collective import Kind
from certune.tasks.collective.mscclpp.lower import lower
from certune.tasks.collective.mscclpp.write import dump_plan

PLANS = Path(__file__).parents[1] / "data" / "mscclpp-plans"
SMALL = ("allreduce_packet", "reduce_nvls", "reduce_tbg", "transfer_pack")
ALL = sorted(path.stem for path in PLANS.glob("*.json"))


def real(name: str) -> bytes:
    return (PLANS / f"{name}.json").read_bytes()


def lowered(kind: Kind, inplace: bool, threadblocks: int = 1) -> bytes:
    topology = library.build("full", {"ranks": "3"})
    schedule = baselines.baseline("direct", kind, topology)
    return dump_plan(lower(schedule, inplace=inplace, threadblocks=threadblocks))


def agree(data: bytes, seeds: range, *, thorough: bool = False) -> Counter[str]:
    seen: Counter[str] = Counter()
    for seed in seeds:
        outcome = compare(mutate(data, seed), thorough=thorough)
        assert not outcome.differ, (seed, outcome.differ)
        seen["invalid"] += outcome.invalid
        seen["skipped"] += outcome.skipped
        seen["partly unknown"] += bool(outcome.unknown)
        seen["survives"] += outcome.survives
    return seen


@pytest.mark.parametrize("name", ALL)
def test_real_plans(name: str) -> None:
    outcome = compare(real(name), thorough=True)
    assert not outcome.differ
    assert not outcome.invalid
    assert not outcome.skipped


@pytest.mark.parametrize("name", SMALL)
def test_damaged_real_plans(name: str) -> None:
    seen = agree(real(name), range(10_000, 10_120))
    # Most damage is judged, and most of what is judged is refused.
    assert seen["invalid"] + seen["skipped"] < 70
    assert seen["survives"] < 60


@pytest.mark.parametrize("inplace", [True, False])
@pytest.mark.parametrize("kind", ["allgather", "allreduce", "reduce-scatter", "alltoall"])
def test_damaged_lowered_plans(kind: Kind, inplace: bool) -> None:
    data = lowered(kind, inplace)
    assert compare(data).survives
    assert agree(data, range(12))["survives"] < 9


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_damaged_real_plans_at_length(name: str) -> None:
    count = 400 if name in SMALL else 60
    agree(real(name), range(count), thorough=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["allgather", "allreduce", "reduce-scatter", "alltoall"])
def test_damaged_lowered_plans_at_length(kind: Kind) -> None:
    for inplace in (True, False):
        for threadblocks in (1, 2):
            agree(lowered(kind, inplace, threadblocks), range(60), thorough=True)

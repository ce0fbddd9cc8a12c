"""The verifier agrees with an independently written interpreter, on real and damaged plans, and
what survives damage is shown to do what the original does."""

import random
from collections import Counter
from pathlib import Path

import pytest
from mscclpp_agreement import OPEN, compare, judge
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
    """Verdicts on damaged plans; what survives is counted by why it does the same."""
    seen = Counter(judge(data, mutate(data, seed), thorough=thorough) for seed in seeds)
    print(sorted(seen.items()))
    return seen


def survivors(seen: Counter[str]) -> int:
    return sum(number for name, number in seen.items() if name.startswith("survives"))


def undecided(seen: Counter[str]) -> int:
    return sum(seen[name] for name in OPEN)


@pytest.mark.parametrize("name", ALL)
def test_real_plans(name: str) -> None:
    outcome = compare(real(name), thorough=name != "allreduce_pipeline")
    assert not outcome.differ
    assert not outcome.invalid
    assert outcome.compared


@pytest.mark.parametrize("name", SMALL)
def test_damaged_real_plans(name: str) -> None:
    seen = agree(real(name), range(10_000, 10_120))
    # Nearly all damage is judged, and most of what is judged is refused.
    assert seen["invalid"] + seen["strays"] < 40
    assert undecided(seen) < 6
    assert survivors(seen) < 60


@pytest.mark.parametrize("inplace", [True, False])
@pytest.mark.parametrize("kind", ["allgather", "allreduce", "reduce-scatter", "alltoall"])
def test_damaged_lowered_plans(kind: Kind, inplace: bool) -> None:
    data = lowered(kind, inplace)
    assert compare(data).proved
    assert survivors(agree(data, range(12))) < 9


@pytest.mark.slow
def test_a_real_pipeline_at_every_number_of_iterations() -> None:
    assert not compare(real("allreduce_pipeline"), thorough=True).differ


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_damaged_real_plans_at_length(name: str) -> None:
    count = 500 if name in SMALL else 60
    seen = agree(real(name), range(count), thorough=True)
    assert seen.total() == count
    assert undecided(seen) <= count // 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["allgather", "allreduce", "reduce-scatter", "alltoall"])
def test_damaged_lowered_plans_at_length(kind: Kind) -> None:
    for inplace in (True, False):
        for threadblocks in (1, 2):
            seen = agree(lowered(kind, inplace, threadblocks), range(80), thorough=True)
            assert survivors(seen) > 0
            assert undecided(seen) == 0


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_walks_among_what_is_proved(part: int) -> None:
    """What is proved is damaged again and again, further and further from the original."""
    seen: Counter[str] = Counter()
    for number in range(10 * part, 10 * (part + 1)):
        chance = random.Random(f"walk {number}")
        kind = chance.choice(("allgather", "allreduce", "reduce-scatter", "alltoall"))
        name = chance.choice(("allreduce_packet", "transfer_pack", None))
        data = real(name) if name else lowered(kind, chance.random() < 0.5, chance.choice((1, 2)))
        for _ in range(30):
            damaged = mutate(data, chance.randrange(2**30))
            outcome = compare(damaged)
            assert not outcome.differ, (number, outcome.differ)
            seen["proved" if outcome.proved else "not proved"] += 1
            if outcome.proved:
                data = damaged
    assert seen["proved"] > 20

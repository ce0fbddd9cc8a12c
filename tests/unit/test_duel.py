"""Pairs of processes: the coin, the order of blocks, what a pair says, whose fault it is."""

import itertools
import os
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from certune.core.errors import Crashed, Unavailable
from certune.sandbox.comparison import Fault, Observation
from certune.sandbox.duel import Duel, Match, fight
from certune.sandbox.measuring import Block, Cheated, Died, Go, Program, WrongResult
from certune.sandbox.model import Ended, Isolation

CANDIDATE, INCUMBENT = Program("python", b"candidate"), Program("python", b"incumbent")


@dataclass
class ToyBench:
    """Programs take the seconds of their name; `found` is what comes instead of a bout or block.

    The second place of a pair is twice as slow: only the coin keeps that from deciding.
    """

    seconds: dict[bytes, float]
    found: dict[tuple[str, bytes], object] = field(default_factory=dict)
    uneven: float = 1.0
    opened: list[bytes] = field(default_factory=list)
    blocks: list[tuple[bytes, bytes]] = field(default_factory=list)
    open_bouts: int = 0
    level: Isolation = Isolation.CONFINED
    lone: float = 1.0  # of a single call's time that is told

    def floor(self, program, *, place):
        place(SimpleNamespace(threads=2))
        return Block((Go(16, 1e-5, 1e-5, 0.0),), (Go(1, 1e-5, 1e-5, 0.0),))

    def open(self, program):
        if fault := self.found.get(("open", program.source)):
            return fault
        self.opened.append(program.source)
        self.open_bouts += 1
        second = self.open_bouts == 2
        return SimpleNamespace(
            threads=1, name=program.source, second=second, close=self._close,
            worker=SimpleNamespace(pid=os.getpid()),
        )  # fmt: skip

    def _close(self):
        self.open_bouts -= 1

    def block(self, bout, inputs):
        assert self.open_bouts > 0
        self.blocks.append((bout.name, inputs))
        if fault := self.found.get(("block", bout.name)):
            return fault
        one = self.seconds[bout.name] * (self.uneven if bout.second else 1.0)
        full = Go(16, 16 * one, 16 * one * 1.01, 0.0)
        alone = one if bout.name == b"incumbent" else one * self.lone
        return Block((full, full), (Go(1, alone, alone, 0.0),))


def duel(bench, seed=0, **options):
    match = Match(bench, CANDIDATE, INCUMBENT)
    return Duel(lambda: [match], generator=random.Random(seed), **options)


def test_a_pair_says_how_much_faster_the_candidate_is():
    bench = ToyBench({b"candidate": 1.0, b"incumbent": 1.5})
    found = duel(bench).observe()
    assert found.wall_ratio == pytest.approx(1.5)
    assert found.cpu_ratio == pytest.approx(1.5)
    assert found.incumbent_wall == pytest.approx(1.5)
    # All that it used, single calls included, by the calls that are timed.
    assert found.incumbent_cpu == pytest.approx(1.5 * (32 * 1.01 + 1) / 32)
    assert found.seconds > 0
    assert sorted(bench.opened) == [b"candidate", b"incumbent"]
    assert bench.open_bouts == 0


def test_both_get_the_same_inputs_in_an_order_drawn_anew():
    bench = ToyBench({b"candidate": 1.0, b"incumbent": 1.0})
    one = duel(bench, blocks=40)
    one.observe()
    rounds = [bench.blocks[at : at + 2] for at in range(0, 80, 2)]
    assert all(sorted(name for name, _ in two) == [b"candidate", b"incumbent"] for two in rounds)
    assert all(len({inputs for _, inputs in two}) == 1 for two in rounds)
    assert len({two[0][1] for two in rounds}) == 40  # fresh inputs every time
    assert 8 < sum(two[0][0] == b"candidate" for two in rounds) < 32


def test_the_coin_is_fair_and_falls_anew_for_each_pair():
    bench = ToyBench({b"candidate": 1.0, b"incumbent": 1.0}, uneven=2.0)
    one = duel(bench, blocks=1)
    first = Counter()
    ratios = []
    for _ in range(400):
        at = len(bench.opened)
        ratios.append(one.observe().wall_ratio)
        first[bench.opened[at]] += 1
    assert 150 < first[b"candidate"] < 250
    # A place that is twice as slow falls on either as often: identical programs come out even.
    assert 150 < sum(ratio > 1 for ratio in ratios) < 250
    assert {round(ratio, 3) for ratio in ratios} == {0.5, 2.0}


def test_the_coin_is_secret_unless_a_test_throws_it():
    assert isinstance(Duel(list)._random, random.SystemRandom)


def test_an_uneven_place_does_not_decide():
    bench = ToyBench({b"candidate": 1.0, b"incumbent": 1.0}, uneven=1.05)
    found = fight(lambda: [Match(bench, CANDIDATE, INCUMBENT)], error=1e-6)
    assert found.outcome != "better"


def test_a_winner_is_confirmed_on_benches_made_anew():
    made = []

    def matches():
        made.append(ToyBench({b"candidate": 1.0, b"incumbent": 1.2}))
        return [Match(made[-1], CANDIDATE, INCUMBENT)]

    found = fight(matches, error=0.006, blocks=2)
    assert found.outcome == "better"
    assert [len(bench.opened) for bench in made] == [12, 10]
    assert found.reason == "shown in 6 pairs, again in 5"


def fought(*benches, **options):
    def matches():
        return [Match(bench, CANDIDATE, INCUMBENT) for bench in benches]

    return fight(matches, error=0.006, blocks=2, **options)


def test_a_gain_that_single_calls_do_not_have_is_in_doubt():
    found = fought(ToyBench({b"candidate": 1.0, b"incumbent": 1.2}, lone=1.2))
    assert found.outcome == "not-shown"
    assert found.reason.startswith("in doubt: ")
    assert "the calls share their work" in found.reason
    assert found.ratio > 1.01  # what was measured is still told


def test_a_gain_that_the_harness_explains_is_in_doubt():
    found = fought(ToyBench({b"candidate": 1e-6, b"incumbent": 1.2e-6}))
    assert found.outcome == "not-shown"
    assert "leaving out the harness" in found.reason


def test_whoever_is_fast_now_and_then_is_in_doubt():
    class Sleeper(ToyBench):
        """Half of the candidate's "go"s wait long, which costs no CPU time."""

        def block(self, bout, inputs):
            block = super().block(bout, inputs)
            if bout.name == b"incumbent":
                return block
            first, second = block.gos
            return replace(block, gos=(first, replace(second, wall_seconds=3 * first.wall_seconds)))

    found = fought(Sleeper({b"candidate": 1.0, b"incumbent": 1.2}))
    assert found.outcome == "not-shown"
    assert "fast now and then" in found.reason


def test_a_pair_that_takes_too_long_has_no_further_blocks(monkeypatch):
    bench = ToyBench({b"candidate": 1.0, b"incumbent": 1.5})
    now = itertools.count(step=20.0)  # seconds at each look
    monkeypatch.setattr("certune.sandbox.duel.time", SimpleNamespace(monotonic=lambda: next(now)))
    assert duel(bench, blocks=20).observe().wall_ratio == pytest.approx(1.5)
    assert 2 <= len(bench.blocks) <= 6
    assert len(bench.blocks) % 2 == 0


def test_shapes_in_doubt_do_not_count():
    sure = ToyBench({b"candidate": 1.0, b"incumbent": 1.2})
    shared = ToyBench({b"candidate": 1.0, b"incumbent": 1.5}, lone=1.5)
    same = ToyBench({b"candidate": 1.0, b"incumbent": 1.0})
    assert fought(sure, shared).outcome == "better"
    assert fought(same, shared).outcome == "not-shown"
    assert fought(sure, same).outcome == "better"


def test_measured_claims_need_confined_workers():
    bench = ToyBench({b"candidate": 1.0, b"incumbent": 1.2}, level=Isolation.PROCESS)
    with pytest.raises(Unavailable, match="level process"):
        fought(bench)
    assert not bench.opened


def test_shapes_count_by_their_weight():
    small = ToyBench({b"candidate": 1.0, b"incumbent": 2.0})
    large = ToyBench({b"candidate": 30.0, b"incumbent": 15.0})
    shapes = [Match(small, CANDIDATE, INCUMBENT, 3.0), Match(large, CANDIDATE, INCUMBENT, 1.0)]
    found = Duel(lambda: shapes).observe()
    assert found.wall_ratio == pytest.approx(2**0.5)
    assert found.cpu_ratio == pytest.approx(2**0.5)


ENDED = Ended("killed", True, -11, 0.1, 0, "signal 11", b"")
FAULTS = {
    "cheated": Cheated("hidden-work", {"hidden_seconds": 0.01}),
    "wrong": WrongResult(3, 2, "out[0] is 1, expected 2"),
    "died": Died(ENDED),
}


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("when", ["open", "block"])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_the_candidate_did_instead_is_told(kind, when, seed):
    bench = ToyBench({b"candidate": 1.0, b"incumbent": 1.0}, {(when, b"candidate"): FAULTS[kind]})
    found = duel(bench, seed).observe()
    assert isinstance(found, Fault)
    assert found.kind == kind
    assert str(FAULTS[kind]) in found.detail
    assert found.evidence
    assert bench.open_bouts == 0
    assert bench.blocks[-1][0] == b"incumbent"  # the control run came last


@pytest.mark.parametrize("when", ["open", "block"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_fault_of_the_incumbent_is_trouble_of_our_own(when, seed):
    bench = ToyBench({b"candidate": 1.0, b"incumbent": 1.0}, {(when, b"incumbent"): FAULTS["died"]})
    with pytest.raises(Crashed, match="the incumbent could not be measured: died"):
        duel(bench, seed).observe()
    assert bench.open_bouts == 0


@pytest.mark.parametrize("when", ["open", "block"])
def test_a_control_run_that_fails_too_blames_nobody(when):
    bench = ToyBench(
        {b"candidate": 1.0, b"incumbent": 1.0},
        {(when, b"incumbent"): FAULTS["died"], ("open", b"candidate"): FAULTS["died"]},
    )
    for seed in range(4):
        with pytest.raises(Crashed, match=r"could be measured|could not be measured"):
            duel(bench, seed).observe()


def test_a_fault_in_one_shape_is_the_candidates():
    good = ToyBench({b"candidate": 1.0, b"incumbent": 2.0})
    bad = ToyBench(
        {b"candidate": 1.0, b"incumbent": 1.0}, {("block", b"candidate"): FAULTS["wrong"]}
    )
    shapes = [Match(good, CANDIDATE, INCUMBENT), Match(bad, CANDIDATE, INCUMBENT)]
    assert Duel(lambda: shapes).observe().kind == "wrong"


def test_the_judge_gets_its_cores_back():
    before = os.sched_getaffinity(0)
    seen = []

    class Watching(ToyBench):
        def block(self, bout, inputs):
            seen.append(os.sched_getaffinity(0))
            return super().block(bout, inputs)

    bench = Watching({b"candidate": 1.0, b"incumbent": 1.0})
    assert isinstance(duel(bench).observe(), Observation)
    assert all(len(cores) == 1 and cores <= before for cores in seen)
    assert os.sched_getaffinity(0) == before


class Uneven(ToyBench):
    """A candidate whose "go"s take `late` seconds more on a clock but for each fourth."""

    def __init__(self, *, wall=0.0, cpu=0.0):
        super().__init__({b"candidate": 1.0, b"incumbent": 1.1})
        self.more = wall, cpu
        self.count = 0

    def block(self, bout, inputs):
        if bout.name == b"incumbent":
            return super().block(bout, inputs)
        self.count += 1
        wall, cpu = (0.0, 0.0) if self.count % 4 == 0 else self.more
        go = Go(16, 16 + wall, 16 + cpu, 0.0)
        return Block((go, go), (Go(1, 1.0, 1.0, 0.0),))


def test_what_other_processes_add_does_not_count():
    assert duel(Uneven(wall=50.0), blocks=20).observe().wall_ratio == pytest.approx(1.1)


def test_work_done_at_another_time_counts():
    """What is put off to most of the "go"s cannot be seen by the wall clock; the CPU clock does."""
    bench = Uneven(wall=8.0, cpu=8.0)
    found = duel(bench, blocks=20).observe()
    assert found.wall_ratio == pytest.approx(1.1)
    assert found.cpu_ratio < 0.9
    result = fight(lambda: [Match(Uneven(wall=8.0, cpu=8.0), CANDIDATE, INCUMBENT)], error=0.006)
    assert result.outcome == "not-shown"


class Jittery(ToyBench):
    """The candidate's time is off by what the test says, pair by pair."""

    def __init__(self, offsets):
        super().__init__({b"candidate": 1.0, b"incumbent": 1.0})
        self.offsets = iter(offsets)
        self.rounds = []

    def open(self, program):
        if program is CANDIDATE:
            self.seconds[b"candidate"] = 1.0 / (1.02 + next(self.offsets))
            self.rounds.append(0)
        return super().open(program)

    def block(self, bout, inputs):
        self.rounds[-1] += bout.name == b"candidate"
        return super().block(bout, inputs)


def rounds_of(offsets):
    bench = Jittery(offsets)
    one = duel(bench, blocks=2, most_blocks=8)
    for _ in offsets:
        one.observe()
    return bench.rounds


def test_more_blocks_where_pairs_are_spread_too_widely():
    spread = [-0.02, 0.03, -0.01, 0.02, 0.0] * 4
    assert rounds_of(spread) == [2] * 4 + [4] * 4 + [8] * 12


def test_a_confirmation_begins_as_precisely_as_the_first_part_ended():
    bench = Jittery([-0.02, 0.03, -0.01, 0.02, 0.0] * 4)
    first = duel(bench, blocks=2, most_blocks=8)
    fresh = duel(bench, blocks=2, most_blocks=8, after=first)
    for _ in range(4):
        first.observe()
    fresh.observe()
    assert bench.rounds == [2] * 4 + [4]


def test_no_more_blocks_than_are_needed():
    assert rounds_of([-0.002, 0.003, -0.001, 0.002, 0.0] * 4) == [2] * 20


def test_a_pair_has_blocks():
    with pytest.raises(ValueError, match="at least one block"):
        Duel(list, blocks=0)

"""certune and the interpreter of the tests judge the same, and what survives a change is shown to
do what the original does."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from msccl_files import NAMES, real
from msccl_interpreter import SLOTS, Program, interpret
from msccl_mutations import compare, judge, mutate

from certune.core import InvalidInput, Status
from certune.tasks.collective.collective import ROOTED, Collective, Kind, reversed_kind
from certune.tasks.collective.msccl.lower import lower
from certune.tasks.collective.msccl.program import PROTOCOLS, TARGETS
from certune.tasks.collective.msccl.read import read
from certune.tasks.collective.msccl.report import verify_file
from certune.tasks.collective.msccl.verify import verify
from certune.tasks.collective.msccl.write import write
from certune.tasks.collective.schedule import Schedule

SMALL = [name for name in NAMES if len(real(name)) < 130_000]
LARGE = [name for name in NAMES if name not in SMALL]
QUICK = [name for name in NAMES if len(real(name)) < 50_000]


def both(name: str, allowed: list[int], seed: int) -> None:
    data = real(name)
    report = verify(read(data), max_bytes=0)
    text = data.decode()
    status = {o.name: o.status for o in report.obligations}
    ended = report.termination
    program = Program(text)
    places = [
        p for p, claims in ((True, program.in_place), (False, program.out_of_place)) if claims
    ]
    for m in allowed:
        for in_place in places:
            result = interpret(text, in_place=in_place, m=m, seed=seed)
            hangs = ended.hangs_at is None or m <= ended.hangs_at
            assert ("hang" in result.failures) == hangs
            others = result.failures - {"hang"}
            proved = all(s is Status.PROVED for n, s in status.items() if n != "deadlock")
            assert proved == (not others)
            if not hangs and program.kind == "allreduce":
                found = {}
                for (_, chunk), expression in result.sums.items():
                    found.setdefault(chunk, set()).add(expression)
                agree = all(len(names) == 1 for names in found.values())
                assert agree == (report.agreement.difference is None)


@pytest.mark.parametrize("name", SMALL)
def test_real_files(name):
    both(name, [1], seed=7)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_real_files_at_every_size_that_matters(name):
    ended = verify(read(real(name)), max_bytes=0).termination
    edges = {1, 71} | ({ended.hangs_at, ended.hangs_at + 1} if ended.hangs_at else set())
    both(name, sorted(edges), seed=8)


def mutations(names, seeds, *, most: int = 2, runs: int = 2) -> Counter[str]:
    """Verdicts on changed files; what survives is counted by why it does the same."""
    found: Counter[str] = Counter()
    for seed in seeds:
        rng = random.Random(seed)
        original = real(rng.choice(names)).decode()
        found[judge(original, mutate(original, rng), rng, most=most, runs=runs)] += 1
    print(sorted(found.items()))
    return found


def survivors(found: Counter[str]) -> int:
    return sum(number for name, number in found.items() if name.startswith("survives"))


@pytest.mark.parametrize("part", range(4))
def test_mutations(part):
    found = mutations(QUICK, range(1000 * part, 1000 * part + 60))
    assert found["survives: the same operations"] > 5
    assert survivors(found) < 40
    assert found.total() == 60


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_ten_thousand_mutations(part):
    found = mutations(SMALL, range(100_000 + 500 * part, 100_000 + 500 * (part + 1)))
    assert found.total() == 500
    assert 100 < survivors(found) < 250
    assert found.keys() > {"connections", "postcondition", "deadlock", "survives: idle signal"}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_mutations_of_large_files(name):
    """Fewer of each, with fewer runs; the larger the file, the fewer."""
    number = 40 if len(real(name)) < 700_000 else 12
    found = mutations([name], range(number), most=1, runs=1)
    assert found.total() == number
    assert 0 < survivors(found) < number


def flooded(kind: Kind, ranks: int, pieces: int, root: int, rng: random.Random) -> Schedule:
    """A random right schedule: chunks are flooded; sums are floods run backwards."""
    collective = Collective(kind, ranks, pieces, root)
    if kind in ("reduce", "reduce-scatter", "allreduce"):
        inner = "reduce" if kind == "allreduce" else kind
        flood = flooded(reversed_kind(inner), ranks, pieces, root, rng)
        rows = [
            (flood.steps - 1 - t, d, s, k, 1)
            for t, s, d, k in zip(
                flood.step, flood.source, flood.destination, flood.chunk, strict=True
            )
        ]
        if kind == "allreduce":
            back = flooded("broadcast", ranks, pieces, root, rng)
            rows += [
                (flood.steps + t, s, d, k, 0)
                for t, s, d, k in zip(
                    back.step, back.source, back.destination, back.chunk, strict=True
                )
            ]
        return columns(collective, rows)
    share = max(pieces // ranks, 1)
    rows, step = [], 0
    holds, needs = {}, {}
    for chunk in range(collective.chunks):
        owner = (chunk % pieces) // share
        start = root if kind in ("broadcast", "scatter") else owner
        start = chunk // pieces if kind == "alltoall" else start
        holds[chunk] = {start}
        needs[chunk] = {owner} if kind in ("scatter", "alltoall") else set(range(ranks))
        needs[chunk] = {root} if kind == "gather" else needs[chunk]
    while any(not needs[chunk] <= holds[chunk] for chunk in holds):
        new = []
        for chunk, there in holds.items():
            for rank in range(ranks):
                likely = 0.5 if rank in needs[chunk] else 0.15
                if rank not in there and rng.random() < likely:
                    new.append((step, rng.choice(sorted(there)), rank, chunk, 0))
        for _, _, rank, chunk, _ in new:
            holds[chunk].add(rank)
        rows += new
        step += bool(new)
    return columns(collective, rows)


def columns(collective: Collective, rows) -> Schedule:
    table = np.array(sorted(rows), dtype=np.int64).reshape(-1, 5)
    return Schedule(
        collective, int(table[:, 0].max(initial=0)) + 1, *(table[:, k] for k in range(4)),
        table[:, 4].astype(np.bool_),
    )  # fmt: skip


KINDS: tuple[Kind, ...] = (
    "allgather", "reduce-scatter", "allreduce", "broadcast",
    "reduce", "gather", "scatter", "alltoall",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_lowered_schedules(kind):
    for seed in range(6):
        rng = random.Random(f"{kind} {seed}")
        ranks = rng.choice((2, 3, 4))
        root = rng.randrange(ranks) if kind in ROOTED else 0
        schedule = flooded(kind, ranks, ranks * rng.choice((1, 2)), root, rng)
        for target in TARGETS:
            in_place, protocol = rng.random() < 0.5, rng.choice(PROTOCOLS)
            try:
                built = lower(schedule, target, in_place=in_place, protocol=protocol,
                              channels=rng.choice((None, 1, 2)))  # fmt: skip
            except InvalidInput:
                if target == "microsoft" and kind in ("gather", "scatter"):
                    continue
                raise
            data = write(built, target)
            found = verify_file(data, target=target, root=root, max_bytes=0)
            assert found.clean, found.lines()
            for slots in (1, SLOTS[protocol]):
                result = interpret(data.decode(), in_place=in_place, m=1, seed=seed, root=root,
                                   slots=slots)  # fmt: skip
                assert result.failures <= ({"hang"} if slots == 1 else set())


def lowered(rng: random.Random) -> tuple[str, int]:
    """A program of three ranks, and its root."""
    kind, target = rng.choice(KINDS), rng.choice(("azure", "rccl"))
    root = rng.randrange(3) if kind in ROOTED else 0
    built = lower(
        flooded(kind, 3, 3 * rng.choice((1, 2)), root, rng), target,
        in_place=rng.random() < 0.5, protocol=rng.choice(PROTOCOLS),
        channels=rng.choice((None, 1, 2)),
    )  # fmt: skip
    return write(built, target).decode(), root


def test_mutations_of_lowered_programs():
    found: Counter[str] = Counter()
    for seed in range(60):
        rng = random.Random(f"lowered {seed}")
        text, root = lowered(rng)
        found[judge(text, mutate(text, rng), rng, root=root)] += 1
    assert len(found) >= 8
    assert survivors(found) > 5


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_walks_among_what_is_proved(part):
    """What is proved is changed again and again, further and further from the original."""
    found: Counter[str] = Counter()
    far = 0
    for number in range(50 * part, 50 * (part + 1)):
        rng = random.Random(f"walk {number}")
        text, _ = lowered(rng)
        for _ in range(40):
            changed = mutate(text, rng)
            verdict = compare(changed, rng)
            found[verdict] += 1
            if verdict == "proved":
                text, far = changed, far + 1
    print(sorted(found.items()))
    assert far > 400
    assert found.total() == 2000

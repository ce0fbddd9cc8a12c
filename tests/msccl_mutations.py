"""Random mutations of MSCCL XML files, and the comparison of certune with the interpreter."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from functools import lru_cache

from msccl_equivalence import Different, explain
from msccl_interpreter import KINDS, Invalid, Program, interpret

from certune.core import InvalidInput, Status
from certune.tasks.collective.msccl.dataflow import accesses
from certune.tasks.collective.msccl.memory import lay_out
from certune.tasks.collective.msccl.races import find_races
from certune.tasks.collective.msccl.read import read
from certune.tasks.collective.msccl.verify import verify

ROOTED = ("broadcast", "reduce", "gather", "scatter")


def _change(step, rng: random.Random, blocks: int, steps: int) -> None:
    name = rng.choice(
        ("type", "srcoff", "dstoff", "srcbuf", "dstbuf", "cnt", "dep", "deps", "hasdep", "none")
    )
    if name == "type":
        step.set(name, rng.choice(KINDS))
    elif name in ("srcoff", "dstoff"):
        value = int(step.get(name))
        step.set(name, str(max(-1, value + rng.choice((-8, -2, -1, 1, 2, 8)))))
    elif name in ("srcbuf", "dstbuf"):
        step.set(name, rng.choice("ios"))
    elif name == "cnt":
        step.set(name, str(max(0, int(step.get(name)) + rng.choice((-1, 1, 2)))))
    elif name == "dep":
        step.set("depid", str(rng.randrange(-1, blocks + 1)))
        step.set("deps", str(rng.randrange(-1, max(steps, 1))))
    elif name == "deps":
        step.set("deps", str(int(step.get("deps")) + rng.choice((-1, 1))))
    elif name == "hasdep":
        step.set("hasdep", str(1 - int(step.get("hasdep"))))
    else:
        step.set("depid", "-1")
        step.set("deps", "-1")


def mutate(text: str, rng: random.Random) -> str:
    """The file with one or two random changes."""
    root = ElementTree.fromstring(text)
    for _ in range(rng.choice((1, 1, 1, 2))):
        gpu = rng.choice(root.findall("gpu"))
        blocks = [tb for tb in gpu.findall("tb") if len(tb)]
        if not blocks:
            continue
        tb = rng.choice(blocks)
        steps = tb.findall("step")
        at = rng.randrange(len(steps))
        what = rng.randrange(10)
        if what == 0:
            tb.remove(steps[at])
        elif what == 1:
            tb.insert(at, ElementTree.fromstring(ElementTree.tostring(steps[at])))
        elif what == 2 and len(steps) > 1:
            other = at - 1 if at else 1
            first, second = dict(steps[at].attrib), dict(steps[other].attrib)
            steps[at].attrib.update(second)
            steps[other].attrib.update(first)
        elif what == 3:
            name = rng.choice(("send", "recv", "chan"))
            high = int(root.get("nchannels")) if name == "chan" else int(root.get("ngpus"))
            tb.set(name, str(rng.randrange(-1, high)))
        elif what == 4:
            step = ElementTree.fromstring(ElementTree.tostring(steps[at]))
            step.set("type", "nop")
            if rng.random() < 0.5:
                step.set("depid", "-1")
            tb.insert(at, step)
        else:
            _change(steps[at], rng, len(blocks), len(steps) + 2)
    if rng.random() < 0.1:
        root.set("inplace", str(rng.randrange(2)))
        root.set("outofplace", str(rng.randrange(2)))
    return ElementTree.tostring(root, encoding="unicode")


def compare(text: str, rng: random.Random, *, most: int = 3) -> str:
    """Judge a file with both; fail where they differ.

    Returns "proved", "invalid", or the first obligation that is refuted (one is called "accepted").
    """
    try:
        program = read(text.encode())
        report = verify(program, max_bytes=0)
    except InvalidInput as error:
        try:
            Program(text)
        except Invalid:
            return "invalid"
        raise AssertionError(f"certune alone refuses: {error}") from None
    status = {o.name: o.status for o in report.obligations}
    ended = report.termination
    top = max(1, min(71, int(report.code.count.max(initial=1))))
    sizes = {1, top, rng.randint(1, top)}
    if ended is not None and ended.hangs_at:
        sizes |= {ended.hangs_at, ended.hangs_at + 1}
    header = program.header
    in_place = bool(header.in_place)
    out = not in_place if header.out_of_place is None else header.out_of_place
    placements = [p for p, claims in ((True, in_place), (False, out)) if claims] or [False]
    for m in rng.sample(sorted(sizes), min(most, len(sizes))):
        for placed in placements:
            suffix = "" if len(placements) == 1 else ("-in-place" if placed else "-out-of-place")
            _one(text, program, report, status, m, placed, suffix, rng)
    worst = min(status.values())
    failed = sorted(name.removesuffix("-in-place").removesuffix("-out-of-place")
                    for name, found in status.items() if found is Status.REFUTED)  # fmt: skip
    return "proved" if worst is Status.PROVED else failed[0]


@lru_cache(maxsize=64)
def _hangs_at(text: str) -> int | None:
    """The size of messages from which on a program hangs that is right otherwise, else None."""
    report = verify(read(text.encode()), max_bytes=0)
    others = {o.status for o in report.obligations if o.name != "deadlock"}
    ended = report.termination
    return ended.hangs_at if ended and others == {Status.PROVED} else None


def judge(
    original: str, changed: str, rng: random.Random, *, most: int = 2, runs: int = 2, root: int = 0
) -> str:
    """What becomes of a changed file: what `compare` says, and for what survives the reason.

    What is proved must be shown to do what the original does; what is refuted must be shown not
    to. A file of which only the message sizes are refuted survives where the original hangs from
    the same size on. What the runtimes' parser refuses ("accepted" is refuted) runs nowhere.
    """
    found = compare(changed, rng, most=most)
    if found in ("invalid", "accepted"):
        return found
    hangs = _hangs_at(changed) if found == "deadlock" else None
    sizes = {hangs, hangs + 1} if hangs else set()
    survives = found == "proved" or (hangs is not None and hangs == _hangs_at(original))
    seed = rng.randrange(2**30)
    try:
        why = explain(original, changed, seed=seed, root=root, most=2 * most, runs=runs, also=sizes)
    except Different:
        assert not survives
        return found
    assert survives, f"{found} is refuted, yet it does what the original does: {why}"
    return f"survives: {why}"


def _one(text, program, report, status, m, placed, suffix, rng) -> None:
    try:
        result = interpret(text, in_place=placed, m=m, seed=rng.randrange(2**30), root=report.root)
    except Invalid as error:
        raise AssertionError(f"certune accepts what cannot run: {error}") from None
    seen = result.failures
    where = f"m={m} in_place={placed}: {sorted(seen)} against {status}"

    def same(claim: bool, name: str) -> None:
        assert claim == (name in seen), f"{name}, {where}"

    same(status["accepted"] is Status.REFUTED, "refused")
    if status["connections"] is Status.REFUTED:
        if not {"connection", "hang"} & seen:
            # Cut into small messages, operations of other counts may pair up by chance.
            whole = interpret(text, in_place=placed, m=2**16, seed=0, root=report.root)
            assert {"connection", "hang"} & whole.failures, where
        return
    assert "connection" not in seen, where
    ended = report.termination
    hangs = ended.hangs_at is None or m <= ended.hangs_at
    same(hangs, "hang")
    if hangs:
        return
    same(status[f"bounds{suffix}"] is Status.REFUTED, "bounds")
    if "bounds" in seen:
        return
    if not placed:
        same(status[f"constant-input{suffix}"] is Status.REFUTED, "constant")
    memory = lay_out(program, in_place=placed, root=report.root)
    races = find_races(report.code, report.order, accesses(report.code, memory))
    assert races.complete
    racy = bool(len(races.overlaps)) or any(race.at(m) for race in races.races)
    same(racy, "race")
    if racy or status[f"races{suffix}"] is Status.REFUTED:
        return
    same(status[f"initialised{suffix}"] is Status.REFUTED, "uninitialised")
    same(status[f"postcondition{suffix}"] is Status.REFUTED, "wrong")
    if "wrong" not in seen and report.agreement is not None and not suffix:
        chunks = {}
        for (_, chunk), expression in result.sums.items():
            chunks.setdefault(chunk, set()).add(expression)
        if program.header.collective == "allreduce":
            agree = all(len(found) == 1 for found in chunks.values())
            assert agree == (report.agreement.difference is None), f"agreement, {where}"

"""Why a changed MSCCL XML file still does what the original does.

Nothing of certune is imported: what is compared is what the interpreter of the tests makes of the
two files. Two files are *equivalent* where, in every placement that the changed one claims, at
every size of messages that is tried and under several random schedules, no run fails (races by
vector clocks included, so that no other schedule gives other values) and every output chunk of
every rank ends with the same term: the same contributions, each as often, added in the same
association. `explain` says why that is so, in the first of the words of `WHY` that fits:

====================  ============================================================================
the same operations   what is carried out is the same: what differs is read by nobody (a step's
                      number, an unused operand or peer, a nop)
another name          the same operations on the same memory, `i` for `o` where both are one
idle signal           the same operations and waits; signals that nobody waits for differ
implied wait          the same operations; each wait of the one follows from the order of the other
needless wait         the same operations; waits differ, but the accesses to every chunk of memory
                      are the same in the same order
another order         each thread block carries out the same operations in another order, and the
                      accesses to every chunk of memory are the same in the same order
idle write            only writes differ that nobody reads or that change nothing
equal values          operands lie elsewhere, with the same values in them; every result is the
                      same term
another sum           as before, but some results are added in another association
another call          it claims in place what the original claims out of place, or the reverse:
                      called like that the original ends with the same terms, and the changed one
                      does the same for one of the other reasons
====================  ============================================================================
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from msccl_code import SENDS, Code, Different, Node, Operation, Place, implied, read_code
from msccl_interpreter import SLOTS, Memory, Program, Run

WHY = (
    "the same operations",
    "another name",
    "idle signal",
    "implied wait",
    "needless wait",
    "another order",
    "idle write",
    "equal values",
    "another sum",
    "another call",
)
Terms = dict[object, int]


class Traced(Run):
    """A run that names values by terms, and keeps who wrote and read every cell in which order."""

    def __init__(self, program, terms: Terms, **how) -> None:
        super().__init__(program, **how)
        self.terms = terms
        # For each cell its writes in turn: the operation and whether it changed anything, and
        # who has read it before the next.
        self.history: dict = defaultdict(lambda: [(None, True, Counter())])
        self.current: object = None
        self.at: dict = {}
        for cell, (contributions, _) in list(self.memory.value.items()):
            ((leaf, _),) = contributions.items()
            self.memory.value[cell] = contributions, self.name(leaf)

    def name(self, key) -> int:
        return self.terms.setdefault(key, len(self.terms))

    def add(self, a, b):
        if a is None or b is None:
            return super().add(a, b)
        total = Counter(a[0])
        total.update(b[0])
        return dict(total), self.name(("+", min(a[1], b[1]), max(a[1], b[1])))

    def slice(self, block, me, item, done, size, incoming, outgoing):
        number = self.numbers[id(item)]
        self.current = (block.rank, block.number), number
        super().slice(block, me, item, done, size, incoming, outgoing)

    @property
    def numbers(self):
        if not self.at:
            for block in self.program.blocks.values():
                self.at |= {id(item): k for k, item in enumerate(block.code)}
        return self.at

    def read(self, me, rank, place, part):
        cell = self.memory.cell(rank, place[0], place[1] + part)
        if cell is not None:
            self.history[cell][-1][2][self.current] += 1
        return super().read(me, rank, place, part)

    def write(self, me, rank, place, part, value):
        cell = self.memory.cell(rank, place[0], place[1] + part)
        if cell is not None:
            self.history[cell].append(
                (self.current, self.memory.value.get(cell) != value, Counter())
            )
        super().write(me, rank, place, part, value)


@dataclass(frozen=True)
class Ended:
    """How a run ended: failures, the term of every output chunk, and the histories of cells."""

    failures: frozenset[str]
    outputs: dict[tuple[int, int], tuple[object, int]]
    history: dict
    wanted: frozenset[object]


def trace(program: Program, terms: Terms, *, in_place: bool, m: int, seed: int, root: int) -> Ended:
    """Run a program once."""
    run = Traced(
        program, terms, in_place=in_place, m=m, slots=SLOTS[program.protocol], seed=seed, root=root
    )
    result = run.run()
    outputs, wanted = {}, set()
    for rank, chunk, cell, _ in run.memory.wanted():
        value = run.memory.value.get(cell)
        wanted.add(cell)
        if value is not None:
            outputs[rank, chunk] = (tuple(sorted(value[0].items())), value[1])
    return Ended(frozenset(result.failures), outputs, dict(run.history), frozenset(wanted))


def _sizes(programs: Iterable[Program], rng: random.Random, most: int) -> list[int]:
    """Sizes of messages in chunks: all that differ, or the extremes and some between."""
    top = max((i.count for p in programs for b in p.blocks.values() for i in b.code), default=1)
    top = max(1, min(top, 71))
    if top <= most:
        return list(range(1, top + 1))
    return sorted({1, top, *rng.sample(range(2, top), most - 2)})


def _claims(program: Program) -> list[bool]:
    claimed = [p for p, c in ((True, program.in_place), (False, program.out_of_place)) if c]
    return claimed or [False]


def _identities(code: Code) -> dict[Node, object]:
    """Transmission of the file → what it does and the how manieth of its kind in its block."""
    names: dict[Node, object] = {}
    for place, operations in code.operations.items():
        seen: Counter[Operation] = Counter()
        for op, number in zip(operations, code.numbers[place], strict=True):
            names[place, number] = place, op, seen[op]
            seen[op] += 1
    return names


def _histories(ended: Ended, names: dict[Node, object]) -> dict:
    return {
        cell: [
            (names.get(writer), Counter({names[r]: n for r, n in readers.items()}))
            for writer, _, readers in writes
        ]
        for cell, writes in ended.history.items()
    }


def _idle(ended: Ended, program: Program) -> set[Node]:
    """The transmissions whose writes change nothing or are read by nobody that uses them."""
    writers = {writer for writes in ended.history.values() for writer, _, _ in writes if writer}
    changing = {w for writes in ended.history.values() for w, changed, _ in writes if changed}
    vain = writers - changing
    merged: dict[object, list[tuple[Node | None, set[Node]]]] = {}
    for cell, writes in ended.history.items():
        kept = merged.setdefault(cell, [])
        for writer, _, readers in writes:
            if writer in vain:
                kept[-1][1].update(readers)
            else:
                kept.append((writer, set(readers)))
    idle = writers - vain
    while True:
        unused = {
            (place, number)
            for place, number in idle | vain
            if program.blocks[place].code[number].kind not in SENDS
        }
        busy = {
            writer
            for cell, writes in merged.items()
            for at, (writer, readers) in enumerate(writes)
            if writer in idle
            and (readers - unused or (at + 1 == len(writes) and cell in ended.wanted))
        }
        if not busy:
            return idle | vain
        idle -= busy


def _stripped(code: Code, idle: set[Node]) -> dict[Place, list[object]]:
    """What is left of each thread block without idle writes."""
    left: dict[Place, list[object]] = {}
    for place, operations in code.operations.items():
        for op, number in zip(operations, code.numbers[place], strict=True):
            writes = None if (place, number) in idle else op.writes
            if op.sends or op.receives or writes is not None:
                # Without its write a fused operation is the one without the letter for it.
                reads = op.reads if op.sends or writes is not None else ()
                adds = bool(reads) and op.kind in ("rrs", "rrc", "rrcs", "re")
                left.setdefault(place, []).append(
                    (op.count, op.sends, op.receives, reads, adds, writes)
                )
    return left


def _shapes(code: Code) -> dict[Place, list[tuple[object, ...]]]:
    return {
        place: [(op.count, op.sends, op.receives, op.kind) for op in operations]
        for place, operations in code.operations.items()
    }


@lru_cache(maxsize=64)
def _parsed(text: str) -> Program:
    return Program(text)


def _alike(one: Code, other: Code) -> str | None:
    """Why the codes do the same without a run; None where they do not, or not clearly."""
    if one.operations != other.operations:
        return None
    if one.waits == other.waits:
        return "the same operations" if one.signals == other.signals else "idle signal"
    if implied(one, other) and implied(other, one):
        return "implied wait"
    return None


def _static(programs: tuple[Program, Program], in_place: bool, root: int) -> str | None:
    """What can be said by looking at the two codes."""
    by_name = _alike(*(read_code(p) for p in programs))
    if by_name is not None:
        return by_name
    by_cell = _alike(*(read_code(p, Memory(p, in_place, root)) for p in programs))
    return by_cell and ("another name" if by_cell == "the same operations" else by_cell)


def _dynamic(codes: tuple[Code, Code], ended: tuple[Ended, Ended], programs) -> str:
    """Why two runs that end with the same values do so.

    Raises:
        Different: nothing explains it.
    """
    one, other = codes
    names = [_identities(code) for code in codes]
    bags = [{p: Counter(ops) for p, ops in code.operations.items()} for code in codes]
    same_terms = ended[0].outputs == ended[1].outputs
    if bags[0] == bags[1] and same_terms:
        histories = [_histories(e, n) for e, n in zip(ended, names, strict=True)]
        if histories[0] == histories[1]:
            return "needless wait" if one.operations == other.operations else "another order"
    left = [_stripped(c, _idle(e, p)) for c, e, p in zip(codes, ended, programs, strict=True)]
    if left[0] == left[1] and same_terms:
        return "idle write"
    if _shapes(one) == _shapes(other):
        return "equal values" if same_terms else "another sum"
    raise Different("the values are the same, and nothing explains why")


@lru_cache(maxsize=8)
def _terms(text: str) -> Terms:
    """The terms of all runs that are compared with those of `text`."""
    return {}


@lru_cache(maxsize=8)
def _reference(text: str, in_place: bool, m: int, root: int) -> Ended:
    run = trace(_parsed(text), _terms(text), in_place=in_place, m=m, seed=0, root=root)
    if run.failures - {"hang"}:
        raise Different(f"the original fails: {sorted(run.failures)}")
    return run


def explain(
    original: str,
    changed: str,
    *,
    seed: int,
    root: int = 0,
    most: int = 4,
    runs: int = 2,
    also: Iterable[int] = (),
) -> str:
    """Why `changed` does what `original` does: one of `WHY`, the last one of those that apply.

    At most `most` sizes of messages are tried, and those in `also`, each under `runs` schedules.

    Raises:
        Different: it does not, or nothing explains why.
    """
    programs = _parsed(original), Program(changed)
    own = _claims(programs[0])
    rng = random.Random(seed)
    found = set()
    for place in _claims(programs[1]):
        static = _static(programs, place, root)
        if static and place in own:
            found.add(static)
            continue
        codes = tuple(read_code(p, Memory(p, place, root)) for p in programs)
        for m in sorted({*_sizes(programs, rng, most), *also}):
            before = _reference(original, place, m, root)
            if before.failures:
                continue
            if place not in own:
                if before.outputs != _reference(original, own[0], m, root).outputs:
                    raise Different(f"m={m}: the original itself ends otherwise in_place={place}")
                found.add("another call")
            for seed in () if static else [rng.randrange(2**30) for _ in range(runs)]:
                after = trace(
                    programs[1], _terms(original), in_place=place, m=m, seed=seed, root=root
                )
                if after.failures:
                    raise Different(f"m={m} in_place={place}: {sorted(after.failures)}")
                sums = [{k: v for k, (v, _) in e.outputs.items()} for e in (before, after)]
                if sums[0] != sums[1]:
                    raise Different(f"m={m} in_place={place}: other results")
                found.add(_dynamic(codes, (before, after), programs))
    if not found:
        raise Different("the original ends at no size that was tried")
    return max(found, key=WHY.index)

"""Why a changed MSCCL++ plan still does what the original does.

Nothing of certune is imported: what is compared is what the interpreter of the tests makes of the
two plans. Two plans are *equivalent* where, at every size that is tried and in several random
orders of their threads, no launch fails in a way in which the original's does not (races included,
so that no other order gives other values) and every word of every output holds the same term: the
same contributions, each as often, added in the same association. `explain` says why that is so,
in the first of the words of `WHY` that fits:

=====================  ===========================================================================
the same operations    what is carried out is the same: what differs is used by nobody, or another
                       word for the same
another setting        the same operations; scratch is another length or halved, or not
other synchronisation  each thread block moves the same data in the same order; who meets or waits
                       for whom differs, but all accesses to every word are by the same threads in
                       the same order and with the same values
another order          as before, but each thread block moves the same data in another order
another thread block   as before, but thread blocks of a rank have changed places
equal values           operands lie elsewhere, with the same values in them; every result is the
                       same term
idle write             some move more: only writes differ that nobody reads or that change nothing
another sum            as before, but some results are added in another association
=====================  ===========================================================================
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from mscclpp_interpreter import PACKETS, Machine, Outside

WHY = (
    "the same operations",
    "another setting",
    "other synchronisation",
    "another order",
    "another thread block",
    "equal values",
    "idle write",
    "another sum",
)
Place = tuple[int, int]  # rank and thread block
SETTINGS = ("protocol", "inplace", "reuse_resources", "use_double_scratch_buffer")


class Different(Exception):
    """The two plans do not do the same, or nothing explains why they do."""


# -- what is carried out -------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """Words of a buffer, from the first."""

    first: tuple[int, str, int] | None
    words: int


def _span(words) -> Span:
    return Span(words[0] if words else None, len(words))


def _data(machine: Machine, block, op, shift) -> tuple[object, ...]:
    if op["name"] in ("put", "pws") and op.get("channel_type") == "port":
        listed = block.lists("port")
        moves = []
        for slot in range(len(op["dst_buff"])):
            index = listed[op["channel_ids"][slot]]
            source, target = machine.port_move(block, op, slot, shift)
            moves.append((_span(source), _span(target), index, op["name"] == "pws"))
        return "proxy", tuple(moves)
    lane = "packet" if op["name"] in PACKETS else "plain"
    if op["name"] in ("gstore", "glres"):
        lane = "switch"
    moves = tuple(
        tuple(tuple((_span(words), packet) for words, packet in side) for side in move)
        for move in machine.moves(block, op, shift)
    )
    return lane, moves


def _step(machine: Machine, block, op, shift) -> tuple[object, ...]:
    name = op["name"]
    if name == "nop" or (name == "barrier" and op["num_threadblocks"] == 1):
        return ("meet",)
    if name == "barrier":
        return "barrier", op["barrier_id"], op["num_threadblocks"]
    listed = op.get("semaphore_ids") or op.get("channel_ids") or []
    keys = tuple(machine.counter(block, op, k) for k in range(len(listed)))
    up = name in ("signal", "rlxsignal", "sem_release")
    strong = not name.startswith("rlx") or op.get("channel_type") == "port"
    ports = ()
    if op.get("channel_type") == "port":
        ports = tuple(block.lists("port")[k] for k in listed)
    return "signal" if up else "wait", strong, keys, ports if up else ()


@dataclass(frozen=True)
class Code:
    """What each thread block carries out: all of it, and the moves of data alone."""

    steps: dict[Place, tuple[object, ...]]
    data: dict[Place, tuple[object, ...]]


def read_code(machine: Machine) -> Code:
    """The operations of a plan, their operands as words of memory."""
    steps: dict[Place, tuple[object, ...]] = {}
    data: dict[Place, tuple[object, ...]] = {}
    for blocks in machine.blocks:
        for block in blocks:
            done, moved = [], []
            for op, shift in block.ops:
                if "src_buff" in op:
                    moved.append(_data(machine, block, op, shift))
                    done.append(moved[-1])
                elif op["name"] != "flush":
                    done.append(_step(machine, block, op, shift))
            steps[block.rank, block.number] = tuple(done)
            data[block.rank, block.number] = tuple(moved)
    return Code(steps, data)


# -- runs ----------------------------------------------------------------------------------------


class Value(tuple):
    """Contributions, with the term that they were added by."""

    term: object = None


@dataclass
class Write:
    """A write of a word: by whom, what (once it is known), and who read it before the next."""

    thread: object
    value: object
    changes: bool
    readers: Counter[object]


class Traced(Machine):
    """One launch that names values by terms, and keeps the accesses to every word in order."""

    def __init__(self, plan, terms: dict[object, int], **how) -> None:
        super().__init__(plan, launches=1, **how)
        self.terms = terms
        self.accesses: dict[object, list[Write]] = defaultdict(list)

    def name(self, value) -> int:
        key = getattr(value, "term", None) or ("input", value)
        return self.terms.setdefault(key, len(self.terms))

    def total(self, values):
        summed = super().total(values)
        if summed is None:
            return None
        term = getattr(values[0], "term", None) or ("input", values[0])
        for value in values[1:]:
            pair = sorted((self.terms.setdefault(term, len(self.terms)), self.name(value)))
            term = ("+", *pair)
        out = Value(summed)
        out.term = term
        return out

    def settle(self, word) -> None:
        """Note what the latest write of a word has left there."""
        writes = self.accesses[word]
        held = self.memory.get(word)
        if writes and held is not None:
            writes[-1].value = (held[1], held[1] and self.name(held[1]), held[2] is not None)
            if len(writes) > 1 and writes[-1].value == writes[-2].value:
                writes[-1].changes = False

    def touch(self, word, write, know, extra, meta, thread=None, packet=False):
        self.settle(word)
        writes = self.accesses[word]
        who = "caller" if meta[2] else thread or ("proxy", meta[0])
        if write or not writes:
            writes.append(Write(who if write else None, None, True, Counter()))
        if not write:
            writes[-1].readers[who] += 1
        return super().touch(word, write, know, extra, meta, thread, packet)


@dataclass(frozen=True)
class Ended:
    """How a launch ended: failures, the term of every output word, and the accesses to words."""

    failures: frozenset[str]
    outputs: dict[tuple[int, int], tuple[object, object]]
    accesses: dict[object, list[Write]]
    wanted: frozenset[object]
    code: Code


def trace(plan, terms: dict[object, int], **how) -> Ended:
    """Run a launch once.

    Raises:
        Different: an operation leaves its buffers.
    """
    try:
        machine = Traced(plan, terms, **how)
        code = read_code(machine)
        machine.run()
    except Outside as error:
        raise Different(f"out of bounds: {error}") from None
    outputs, wanted = {}, set()
    for rank in range(machine.n):
        name, pointer = machine.base(rank, "o")
        for k in range(machine.outputs // 8 or machine.length(rank, name) // 8):
            word = rank, name, pointer // 8 + k
            wanted.add(word)
            held = machine.memory.get(word)
            if held is not None and isinstance(held[1], tuple):
                outputs[rank, k] = (tuple(held[1]), machine.name(held[1]))
    for word in list(machine.accesses):
        machine.settle(word)
    failures = frozenset(k for k, v in machine.found.items() if v)
    return Ended(failures, outputs, dict(machine.accesses), frozenset(wanted), code)


# -- the comparison ------------------------------------------------------------------------------


def _histories(ended: Ended, places: dict[Place, Place]) -> dict[object, list[object]]:
    """Who wrote and read every word in which order, thread blocks by the names in `places`."""

    def named(who: object) -> object:
        if isinstance(who, tuple) and len(who) == 3:
            return (places.get(who[:2], who[:2]), who[2])
        return who

    return {
        word: [
            (named(w.thread), w.value, Counter({named(r): n for r, n in w.readers.items()}))
            for w in writes
        ]
        for word, writes in ended.accesses.items()
        if any(w.thread != "caller" for w in writes) or any(w.readers for w in writes)
    }


def _renamed(one: Code, other: Code) -> dict[Place, Place] | None:
    """Thread blocks of `one` → those of `other` that move the same data, or None."""
    free: dict[object, list[Place]] = defaultdict(list)
    for place, moves in other.data.items():
        free[place[0], frozenset(Counter(moves).items())].append(place)
    places: dict[Place, Place] = {}
    for place, moves in one.data.items():
        found = free[place[0], frozenset(Counter(moves).items())]
        if not found:
            return None
        places[place] = found.pop(found.index(place) if place in found else 0)
    return places


def _shapes(code: Code) -> dict[Place, list[object]]:
    """What each thread block does, whatever the words that it does it to."""

    def shape(thing: object) -> object:
        if isinstance(thing, Span):
            return thing.words
        return tuple(map(shape, thing)) if isinstance(thing, tuple) else thing

    return {place: [shape(move) for move in moves] for place, moves in code.data.items()}


def _useful(ended: Ended) -> dict[object, list[object]]:
    """For each word the values that it holds in turn and that somebody reads or wants."""
    left: dict[object, list[object]] = {}
    for word, writes in ended.accesses.items():
        kept: list[object] = []
        for at, write in enumerate(writes):
            read = bool(write.readers) or (at + 1 == len(writes) and word in ended.wanted)
            if read and (not kept or kept[-1] != write.value):
                kept.append(write.value)
        if kept:
            left[word] = kept
    return left


def _dynamic(before: Ended, after: Ended) -> str:
    """Why two launches that end with the same values do so.

    Raises:
        Different: nothing explains it.
    """
    one, other = before.code, after.code
    same_terms = before.outputs == after.outputs
    places = _renamed(one, other)
    same = places is not None and _histories(before, places) == _histories(after, {})
    if places is not None and same and same_terms:
        if any(a != b for a, b in places.items()):
            return "another thread block"
        return "other synchronisation" if one.data == other.data else "another order"
    if _shapes(one) == _shapes(other):
        return "equal values" if same_terms else "another sum"
    if same_terms and _useful(before) == _useful(after):
        return "idle write"
    raise Different("the values are the same, and nothing explains why")


@lru_cache(maxsize=16)
def _reference(data: bytes, how: tuple[tuple[str, int], ...]) -> tuple[dict[object, int], Ended]:
    terms: dict[object, int] = {}
    return terms, trace(json.loads(data), terms, seed=0, **dict(how))


def _how(sizes: Iterable[tuple[str, int]]) -> Iterator[dict[str, int]]:
    for kind, number in sizes:
        yield {kind: number}


def explain(
    original: bytes, changed: bytes, sizes: Iterable[tuple[str, int]], *, runs: int = 2
) -> str:
    """Why `changed` does what `original` does: one of `WHY`, the last one of those that apply.

    `sizes` are (units, number) of units a chunk or (iterations, number) of pipelines; each is
    tried in `runs` orders.

    Raises:
        Different: it does not, or nothing explains why.
    """
    plans = json.loads(original), json.loads(changed)
    set_ = [[plan.get(name) for name in SETTINGS] for plan in plans]
    found = set()
    for how in _how(sizes):
        terms, before = _reference(original, tuple(how.items()))
        if before.failures & {"no-race", "initialised", "no-deadlock"}:
            raise Different("what the original does depends on the order")
        for seed in range(1, runs + 1):
            after = trace(plans[1], terms, seed=seed, **how)
            more = after.failures - before.failures
            if more:
                raise Different(f"{how}: {sorted(more)}")
            sums = [{k: v for k, (v, _) in e.outputs.items()} for e in (before, after)]
            if sums[0] != sums[1]:
                raise Different(f"{how}: other results")
            if before.code.steps == after.code.steps:
                found.add("the same operations" if set_[0] == set_[1] else "another setting")
                break
            found.add(_dynamic(before, after))
    return max(found, key=WHY.index)

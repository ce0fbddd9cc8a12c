"""An interpreter of MSCCL XML, written independently of certune, slow and plain.

It runs the XML text as the runtimes do: one process a thread block, one FIFO of K messages a
connection, flags, messages of at most m chunks, and a random scheduler. Values are multisets of
contributions. Races are found by vector clocks (program order, first sufficient signal, message).
Nothing of certune is imported.
"""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ElementTree
from collections import deque
from dataclasses import dataclass, field

REDUCING = {"allreduce", "reducescatter", "reduce_scatter", "reduce"}
SLOTS = {"Simple": 2, "LL": 8, "LL128": 8}
KINDS = ("s", "r", "rcs", "rrs", "rrc", "rrcs", "cpy", "re", "nop")


class Invalid(Exception):
    """The file cannot be run by anything."""


@dataclass
class Transmission:
    kind: str
    source: tuple[str, int]
    target: tuple[str, int]
    count: int
    waits: list[tuple[int, int]]
    signals: bool
    added: list[int]


@dataclass
class Block:
    rank: int
    number: int
    send: int
    receive: int
    channel: int
    code: list[Transmission] = field(default_factory=list)


@dataclass
class Result:
    """What happened in one run: the set of failures, and the sums that ranks ended with."""

    failures: set[str]
    sums: dict[tuple[int, int], int] = field(default_factory=dict)


def whole(element, name, low, high):
    text = element.get(name)
    if text is None or not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise Invalid(f"{name}={text}")
    if not low <= int(text) <= high:
        raise Invalid(f"{name}={text}")
    return int(text)


class Program:
    """The file as the runtimes' parser understands it."""

    def __init__(self, text: str) -> None:
        root = ElementTree.fromstring(text)
        self.ranks = whole(root, "ngpus", 1, 4096)
        self.pieces = whole(root, "nchunksperloop", 1, 2**20)
        self.kind = root.get("coll")
        self.protocol = root.get("proto")
        self.in_place = root.get("inplace") == "1"
        out = root.get("outofplace")
        self.out_of_place = not self.in_place if out is None else out == "1"
        self.scratch: dict[int, int] = {}
        self.declared: dict[tuple[int, str], int] = {}
        self.blocks: dict[tuple[int, int], Block] = {}
        self.refused = False
        seen = set()
        for gpu in root.findall("gpu"):
            rank = whole(gpu, "id", 0, self.ranks - 1)
            if rank in seen:
                raise Invalid("rank twice")
            seen.add(rank)
            for letter in "ios":
                self.declared[rank, letter] = whole(gpu, f"{letter}_chunks", 0, 2**20)
            self.scratch[rank] = self.declared[rank, "s"]
            blocks = gpu.findall("tb")
            numbers = sorted(whole(tb, "id", 0, 2**20) for tb in blocks)
            if numbers != list(range(len(numbers))):
                raise Invalid("thread blocks are not 0, 1, 2, …")
            for tb in blocks:
                self.block(rank, len(blocks), tb)
        if len(seen) != self.ranks:
            raise Invalid("a rank is missing")

    def block(self, rank, blocks, tb):
        block = Block(
            rank,
            whole(tb, "id", 0, 2**20),
            whole(tb, "send", -1, self.ranks - 1),
            whole(tb, "recv", -1, self.ranks - 1),
            whole(tb, "chan", -1, 2**20),
        )
        if rank in (block.send, block.receive):
            raise Invalid("own rank as peer")
        self.blocks[rank, block.number] = block
        pending: list[tuple[int, int]] = []
        chain = None  # (target, source buffer) that a further `re` may join
        reductions = 0
        for step in tb.findall("step"):
            whole(step, "s", 0, 10**9)
            kind, count = step.get("type"), whole(step, "cnt", 0, 2**16)
            source = (step.get("srcbuf"), whole(step, "srcoff", -1, 10**9))
            target = (step.get("dstbuf"), whole(step, "dstoff", -1, 10**9))
            if kind not in KINDS or source[0] not in "ios" or target[0] not in "ios":
                raise Invalid("type or buffer")
            on, after = whole(step, "depid", -1, 10**9), whole(step, "deps", -1, 10**9)
            signals = whole(step, "hasdep", 0, 1) == 1
            if on >= blocks or (on >= 0 and after < 0):
                raise Invalid("waits for nothing")
            if on >= 0:
                pending.append((on, after))
            if kind == "nop":
                continue
            if kind in ("s", "rcs", "rrs", "rrcs") and block.send < 0:
                raise Invalid("no send peer")
            if kind in ("r", "rcs", "rrs", "rrc", "rrcs") and block.receive < 0:
                raise Invalid("no receive peer")
            self.offsets(rank, kind, source, target)
            joins = kind == "re" and chain == (target, source[0]) and on < 0
            if joins:
                last = block.code[-1]
                last.added.append(source[1])
                last.count, last.signals = count, signals
            else:
                if pending and on < 0:
                    self.refused = True
                block.code.append(
                    Transmission(kind, source, target, count, pending, signals, [source[1]])
                )
                pending = []
            if kind == "re":
                reductions += 1
                chain = None if signals or reductions == 16 else (target, source[0])
            else:
                chain = None

    def offsets(self, rank, kind, source, target):
        if kind in ("s", "rrs", "rrcs", "cpy", "re"):
            self.refused |= source[1] >= self.declared[rank, source[0]]
        if kind in ("r", "rcs", "rrcs", "cpy", "re"):
            self.refused |= target[1] >= self.declared[rank, target[0]]


class Memory:
    """Cells of all ranks; in place some names are names of the same cell."""

    def __init__(self, program: Program, in_place: bool, root: int) -> None:
        self.program, self.in_place, self.root = program, in_place, root
        self.value: dict = {}
        self.ids: dict = {}
        self.last_write: dict = {}
        self.reads: dict = {}
        for rank in range(program.ranks):
            for chunk in range(self.inputs(rank)):
                self.value[self.cell(rank, "i", chunk)] = ({(rank, chunk): 1}, rank)

    def inputs(self, rank):
        """Chunks that a rank contributes."""
        program = self.program
        kind = program.kind
        if kind in ("broadcast", "scatter") and rank != self.root:
            return 0
        return self.size(rank, "i")

    def size(self, rank, letter):
        program = self.program
        n, r, kind, other = program.pieces, program.ranks, program.kind, rank != self.root
        if letter == "s":
            return program.scratch[rank]
        if letter == "i":
            if kind == "broadcast" and other and not self.in_place:
                return 0
            if kind == "scatter":
                return 0 if other else n * r
            return n // r if kind == "allgather" else n
        if kind in ("reducescatter", "reduce_scatter"):
            return n // r
        if kind == "gather":
            return 0 if other else n * r
        if kind == "reduce" and other and not self.in_place:
            return 0
        return n

    def cell(self, rank, letter, offset):
        """The one name of a cell, or None outside the buffer."""
        if not 0 <= offset < self.size(rank, letter):
            return None
        program, share = self.program, self.program.pieces // self.program.ranks
        if self.in_place:
            kind = program.kind
            if kind in ("allreduce", "alltoall", "broadcast", "reduce") and letter == "o":
                return rank, "i", offset
            if kind == "allgather" and letter == "i":
                return rank, "o", rank * share + offset
            if kind in ("reducescatter", "reduce_scatter") and letter == "o":
                return rank, "i", rank * share + offset
            if kind == "gather" and letter == "i" and rank == self.root:
                return rank, "o", rank * program.pieces + offset
            if kind == "scatter" and letter == "o" and rank == self.root:
                return rank, "i", rank * program.pieces + offset
        return rank, letter, offset

    def wanted(self):
        """(rank, cell, contributions) of all that matters after."""
        program, root = self.program, self.root
        n, r, kind = program.pieces, program.ranks, program.kind
        share = n // r
        for rank in range(r):
            for k in range(self.size(rank, "o")):
                if kind == "allreduce":
                    want = {(q, k): 1 for q in range(r)}
                elif kind == "reduce":
                    if rank != root:
                        continue
                    want = {(q, k): 1 for q in range(r)}
                elif kind in ("reducescatter", "reduce_scatter"):
                    want = {(q, rank * share + k): 1 for q in range(r)}
                elif kind == "allgather":
                    want = {(k // share, k % share): 1}
                elif kind == "alltoall":
                    want = {(k // share, rank * share + k % share): 1}
                elif kind == "broadcast":
                    want = {(root, k): 1}
                elif kind == "gather":
                    want = {(k // n, k % n): 1}
                else:
                    want = {(root, rank * n + k): 1}
                yield rank, k, self.cell(rank, "o", k), want


class Run:
    """One execution with messages of at most m chunks under a random schedule."""

    def __init__(self, program, *, in_place, m, slots, seed, root=0):
        self.program, self.m, self.slots = program, m, slots
        self.memory = Memory(program, in_place, root)
        self.random = random.Random(seed)
        self.failures: set[str] = set()
        self.order = {key: index for index, key in enumerate(sorted(program.blocks))}
        self.clock = [[0] * len(self.order) for _ in self.order]
        self.signals = {key: [] for key in program.blocks}  # (flag, clock)
        self.queues: dict = {}
        self.expressions: dict = {}
        self.connections()

    def connections(self):
        senders, receivers = {}, {}
        for key, block in self.program.blocks.items():
            for step in block.code:
                if step.count and step.kind in ("s", "rcs", "rrs", "rrcs"):
                    name = (block.rank, block.send, block.channel)
                    if senders.setdefault(name, key) != key:
                        self.failures.add("connection")
                if step.count and step.kind in ("r", "rcs", "rrs", "rrc", "rrcs"):
                    name = (block.receive, block.rank, block.channel)
                    if receivers.setdefault(name, key) != key:
                        self.failures.add("connection")

    def run(self) -> Result:
        processes = {key: self.process(block) for key, block in self.program.blocks.items()}
        ready, blocked = list(processes), []
        while ready:
            at = self.random.randrange(len(ready))
            key = ready[at]
            moved = next(processes[key], None)
            if not moved:  # it ended, or it cannot go on until another one has moved
                ready[at] = ready[-1]
                ready.pop()
            if moved is None:
                del processes[key]
            if moved is False:
                blocked.append(key)
            else:
                ready += blocked
                blocked = []
        if processes:
            self.failures.add("hang")
            return Result(self.failures)
        if any(self.queues.values()):
            self.failures.add("connection")
        self.finish()
        return Result(self.failures, self.sums)

    def finish(self):
        self.sums = {}
        for rank, chunk, cell, want in self.memory.wanted():
            value = self.memory.value.get(cell)
            if value is None or value[0] != want:
                self.failures.add("wrong")
            else:
                self.sums[rank, chunk] = value[1]

    def process(self, block):
        """Yields whether it did something; ends with its code."""
        me = self.order[block.rank, block.number]
        step = 0
        for item in block.code:
            step += max(0, len(item.waits) - 1)
            for on, goal in item.waits:
                while True:
                    found = [c for f, c in self.signals[block.rank, on] if f >= goal]
                    if found:
                        self.join(me, found[0])
                        break
                    yield False
            done = 0
            while done < item.count:
                size = min(self.m, item.count - done)
                incoming = outgoing = None
                if item.kind in ("r", "rcs", "rrs", "rrc", "rrcs"):
                    name = (block.receive, block.rank, block.channel)
                    incoming = self.queues.setdefault(name, deque())
                if item.kind in ("s", "rcs", "rrs", "rrcs"):
                    name = (block.rank, block.send, block.channel)
                    outgoing = self.queues.setdefault(name, deque())
                while (incoming is not None and not incoming) or (
                    outgoing is not None and len(outgoing) >= self.slots
                ):
                    yield False
                self.slice(block, me, item, done, size, incoming, outgoing)
                done += size
                yield True
            if item.kind == "re":
                step += len(item.added) - 1
            if item.signals:
                self.signals[block.rank, block.number].append((step, list(self.clock[me])))
                self.clock[me][me] += 1
            step += 1
            yield True

    def slice(self, block, me, item, done, size, incoming, outgoing):
        got = [None] * size
        if incoming is not None:
            got, clock = incoming.popleft()
            self.join(me, clock)
            if len(got) != size:
                self.failures.add("connection")
                got = (got + [None] * size)[:size]
        self.clock[me][me] += 1
        out = []
        rank = block.rank
        # All threads of a block work on the slice at once: reads must not meet other writes.
        touched = range(done, done + size)
        if item.kind in ("rrc", "rrcs", "cpy", "re") and item.count > 1:
            for offset in item.added:
                source = self.memory.cell(rank, item.source[0], offset)
                target = self.memory.cell(rank, *item.target)
                if source and target and source[:2] == target[:2]:
                    gap = abs(source[2] - target[2])
                    if 0 < gap < item.count:
                        self.failures.add("race")
        for position, part in enumerate(touched):
            value = got[position]
            if item.kind in ("r", "rcs"):
                self.write(me, rank, item.target, part, value)
            elif item.kind in ("s", "cpy"):
                value = self.read(me, rank, item.source, part)
                if item.kind == "cpy":
                    self.write(me, rank, item.target, part, value)
            elif item.kind in ("rrs", "rrc", "rrcs"):
                value = self.add(value, self.read(me, rank, item.source, part))
                if item.kind != "rrs":
                    self.write(me, rank, item.target, part, value)
            else:
                value = self.read(me, rank, item.target, part)
                for offset in item.added:
                    mine = self.read(me, rank, (item.source[0], offset), part)
                    value = self.add(mine, value)
                self.write(me, rank, item.target, part, value)
            out.append(value)
        if outgoing is not None:
            outgoing.append((out, list(self.clock[me])))

    def add(self, a, b):
        if a is None or b is None:
            self.failures.add("uninitialised")
            return None
        total = dict(a[0])
        for key, number in b[0].items():
            total[key] = total.get(key, 0) + number
        pair = (min(a[1], b[1]), max(a[1], b[1]))
        name = self.expressions.setdefault(pair, self.program.ranks + len(self.expressions))
        return total, name

    def join(self, me, clock):
        mine = self.clock[me]
        for index, value in enumerate(clock):
            if value > mine[index]:
                mine[index] = value

    def read(self, me, rank, place, part):
        cell = self.memory.cell(rank, place[0], place[1] + part)
        if cell is None or place[1] < 0:
            self.failures.add("bounds")
            return None
        self.ordered(me, self.memory.last_write.get(cell))
        self.memory.reads.setdefault(cell, {})[me] = self.clock[me][me]
        value = self.memory.value.get(cell)
        if value is None:
            self.failures.add("uninitialised")
        return value

    def write(self, me, rank, place, part, value):
        cell = self.memory.cell(rank, place[0], place[1] + part)
        if cell is None or place[1] < 0:
            self.failures.add("bounds")
            return
        if place[0] == "i" and not self.memory.in_place:
            self.failures.add("constant")
        self.ordered(me, self.memory.last_write.get(cell))
        for reader, clock in self.memory.reads.pop(cell, {}).items():
            self.ordered(me, (reader, clock))
        self.memory.last_write[cell] = (me, self.clock[me][me])
        self.memory.value[cell] = value

    def ordered(self, me, access):
        if access is not None and self.clock[me][access[0]] < access[1]:
            self.failures.add("race")


def interpret(text, *, in_place, m, seed, root=0, slots=None) -> Result:
    """Run an XML text once; raises `Invalid` where nothing could run it."""
    program = Program(text)
    number = SLOTS[program.protocol] if slots is None else slots
    result = Run(program, in_place=in_place, m=m, slots=number, seed=seed, root=root).run()
    if program.refused:
        result.failures.add("refused")
    return result

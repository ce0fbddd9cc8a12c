"""For which message sizes one look at a plan speaks.

Offsets and lengths are whole numbers of `buffer_alignment` bytes, and a chunk has a whole number
n of those. Where no thread-block group cuts a chunk into parts, every n gives the same picture.
Where all groups that do have the same size T and cut single chunks, every n ≥ T does, with T
parts a chunk. Otherwise (several sizes, groups over several chunks) the picture changes with n
and is looked at for some n. Pipelines are looked at for some numbers of iterations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import lcm

from certune.tasks.collective.mscclpp.plan import DATA_OPERATIONS, RESERVED_SCRATCH, Operation, Plan

MAX_PERIOD = 32
MAX_ITERATIONS = 64


@dataclass(frozen=True)
class Case:
    """One picture: units a chunk, units a scratch chunk, iterations of pipelines a chunk."""

    units: int
    scratch_units: int
    iterations: int = 1
    label: str = ""


@dataclass(frozen=True)
class Scope:
    """The pictures to look at and the messages that they stand for.

    `exact` says that they stand for every size from `smallest` to `largest` bytes; else they
    are samples. `unknown` tells why there is none to look at.
    """

    cases: tuple[Case, ...]
    exact: bool
    smallest: int
    largest: int
    unknown: str = ""

    def words(self) -> str:
        """The messages in words."""
        if self.exact:
            return f"messages from {self.smallest} to {self.largest} bytes"
        return "messages of " + ", ".join(case.label for case in self.cases)


def _data(plan: Plan) -> Iterator[tuple[Operation, bool]]:
    for gpu in plan.gpus:
        for block in gpu.threadblocks:
            for op in block.operations:
                if op.name in DATA_OPERATIONS:
                    yield op, False
                for inside in op.operations:
                    if inside.name in DATA_OPERATIONS:
                        yield inside, True


def message_chunks(plan: Plan) -> int:
    """How many chunks the message has whose size the plan's limits speak of."""
    gpu = plan.gpus[0]
    if plan.collective == "allgather":
        return gpu.output_chunks or gpu.input_chunks
    return gpu.input_chunks or gpu.output_chunks


def _slots(plan: Plan, unit_bytes: int) -> int:
    """Units that a scratch chunk holds with reuse_resources; 0 where that is no whole number."""
    chunks = max(gpu.scratch_chunks for gpu in plan.gpus)
    room = RESERVED_SCRATCH // (2 if plan.double_scratch else 1) // max(chunks, 1)
    return room // unit_bytes if room % unit_bytes == 0 else 0


def _pipelined(plan: Plan, largest: int) -> Scope:
    contexts = {
        (op.unit_bytes, op.unit_chunks)
        for gpu in plan.gpus
        for block in gpu.threadblocks
        for op in block.operations
        if op.name == "pipeline"
    }
    nothing = Scope((), False, 0, 0)
    if len(contexts) > 1:
        return Scope((), False, 0, 0, "pipelines of different units or numbers of chunks")
    ((unit_bytes, chunks),) = contexts
    numbers = [1, 2, 3]
    slots = 0
    if plan.reuse_resources and any(gpu.scratch_chunks for gpu in plan.gpus):
        slots = _slots(plan, unit_bytes)
        if chunks != 1 or not slots or slots >= MAX_ITERATIONS:
            return Scope(
                nothing.cases, False, 0, 0, "a pipeline over scratch that is not a few whole units"
            )
        numbers.append(slots + 1)
    per = message_chunks(plan) * unit_bytes
    cases = tuple(
        Case(n, min(n, slots) if slots else n, n, f"{n * per} bytes") for n in sorted(set(numbers))
    )
    return Scope(cases, False, per, largest)


def scope(plan: Plan) -> Scope:
    """The pictures of `plan` and the messages that they stand for."""
    chunks = message_chunks(plan)
    packets = 2 if plan.protocol == "LL" else 1
    longest = max(
        max(
            gpu.input_chunks,
            gpu.output_chunks,
            gpu.scratch_chunks * packets * (2 if plan.double_scratch else 1),
        )
        for gpu in plan.gpus
    )
    # Offsets are unsigned 32-bit numbers of bytes.
    largest = (2**32 - 1) // longest // plan.alignment * plan.alignment
    scratch = max(gpu.scratch_chunks for gpu in plan.gpus)
    grouped = [op for op, _ in _data(plan) if op.group[1] > 1]
    cut = {op.group[1] for op in grouped for x in op.sources if x.size % op.group[1]}
    cut |= {op.group[1] for op in grouped for x in op.destinations if x.size % op.group[1]}
    if any(op.operations for gpu in plan.gpus for tb in gpu.threadblocks for op in tb.operations):
        return _pipelined(plan, largest * chunks)
    if plan.reuse_resources and scratch:
        room = RESERVED_SCRATCH // (2 if plan.double_scratch else 1) // scratch // packets
        largest = min(largest, room // plan.alignment * plan.alignment)
    if not cut:
        least = plan.alignment
        return Scope((Case(1, 1),), True, least * chunks, largest * chunks)
    single = all(
        x.size == 1 for op in grouped for x in op.sources + op.destinations if x.size % op.group[1]
    )
    most = max(cut)
    if single and len(cut) == 1:
        return Scope((Case(most, most),), True, most * plan.alignment * chunks, largest * chunks)
    period = lcm(*cut)
    if period > MAX_PERIOD:
        return Scope((), False, 0, 0, "thread-block groups of many different sizes")
    per = plan.alignment * chunks
    cases = tuple(Case(n, n, label=f"{n * per} bytes") for n in range(most, most + period))
    return Scope(cases, False, most * per, largest * chunks)

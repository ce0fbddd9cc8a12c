"""A native schedule as an execution plan, by protocol Simple; by packets see `packets`.

The program of a rank: tell every rank that will write here that the kernel has started, and wait
for the same from every rank that will be written to (relaxed: only time matters). Then step by
step: put what is sent, meet, signal; wait for what is received, meet, add or copy it to its
place. A copy goes straight to its final place where that was not used before in this launch;
all else goes to a slot of scratch of its own. Remote memory is therefore written after its owner
has started and before it has seen the signal, and nobody reads it from afar: entry, exit and
reuse of scratch are safe for every schedule. The verifier proves it of each file again.

A thread block holds 64 operations and 16 channels, so that a long program is handed from one
block to the next by semaphores. Channels are made for every pair of blocks that exchange
signals, so that each is waited on by one block.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from certune.core import InvalidInput
from certune.tasks.collective.collective import Collective
from certune.tasks.collective.mscclpp import packets
from certune.tasks.collective.mscclpp.collector import uncollected
from certune.tasks.collective.mscclpp.drafts import Message, Put, Segment, Step, segments
from certune.tasks.collective.mscclpp.layout import Layout, Place
from certune.tasks.collective.mscclpp.pack import PeerChannel, pack
from certune.tasks.collective.mscclpp.plan import MAX_OPERANDS, Plan
from certune.tasks.collective.mscclpp.sizes import message_chunks, scope
from certune.tasks.collective.mscclpp.verify import PlanReport, check_plan, verify_plan
from certune.tasks.collective.mscclpp.write import dump_plan
from certune.tasks.collective.schedule import Schedule

_NAMES = {
    "allreduce": "allreduce",
    "allgather": "allgather",
    "reduce-scatter": "reducescatter",
    "alltoall": "alltoall",
}
MAX_SENDS = 2**20

Protocol: TypeAlias = Literal["Simple", "LL"]


@dataclass
class _Rank:
    """What a rank holds where, and its program so far."""

    places: dict[int, Place] = field(default_factory=dict)
    used: set[Place] = field(default_factory=set)
    slots: int = 0
    steps: list[Step] = field(default_factory=list)

    def slot(self) -> Place:
        """A slot of scratch that nothing used yet."""
        self.slots += 1
        return ("s", self.slots - 1)


@dataclass(frozen=True)
class _Arrival:
    source: int
    chunk: int
    reduce: bool
    place: Place
    direct: bool


def _deliver(layout: Layout, rank: int, state: _Rank, arrivals: Sequence[_Arrival]) -> Step:
    """Add and copy what arrived to its place; the local part of a step."""
    step = Step()
    sums: dict[int, list[Place]] = defaultdict(list)
    for arrival in arrivals:
        if arrival.direct:
            state.places[arrival.chunk] = arrival.place
        elif not arrival.reduce:
            target = layout.resting(rank, arrival.chunk)
            if target is None:
                state.places[arrival.chunk] = arrival.place
            else:
                step.copies.append((arrival.place, target))
                state.places[arrival.chunk] = target
                state.used.add(target)
    for arrival in arrivals:
        if arrival.reduce:
            sums[arrival.chunk].append(arrival.place)
    for chunk, slots in sums.items():
        held = state.places.get(chunk)
        if held is None:
            raise InvalidInput(
                f"rank {rank} adds to chunk {chunk}, which it does not hold", place="schedule"
            )
        target = layout.resting(rank, chunk) or slots[0]
        for first in range(0, len(slots), MAX_OPERANDS - 1):
            part = slots[first : first + MAX_OPERANDS - 1]
            step.sums.append(((held if not first else target, *part), target))
        state.places[chunk] = target
        state.used.add(target)
    return step


def _steps(schedule: Schedule) -> Iterator[list[tuple[int, int, int, bool]]]:
    rows: list[tuple[int, int, int, bool]] = []
    number = 0
    for row in zip(
        schedule.step.tolist(),
        schedule.source.tolist(),
        schedule.destination.tolist(),
        schedule.chunk.tolist(),
        schedule.reduce.tolist(),
        strict=True,
    ):
        if row[0] != number and rows:
            yield rows
            rows = []
        number = row[0]
        rows.append(row[1:])
    if rows:
        yield rows


def _programs(schedule: Schedule, layout: Layout) -> list[_Rank]:
    """The steps of every rank, in places instead of chunks."""
    ranks = [_Rank() for _ in range(schedule.collective.ranks)]
    for rank, chunk in layout.initial():
        place = layout.start(rank, chunk)
        ranks[rank].places[chunk] = place
        ranks[rank].used.add(place)
    for rows in _steps(schedule):
        arrivals: dict[int, list[_Arrival]] = defaultdict(list)
        sends = {rank: Step() for rank in range(len(ranks))}
        for source, destination, chunk, reduce in rows:
            state, target = ranks[source], ranks[destination]
            held = state.places.get(chunk)
            if held is None:
                raise InvalidInput(
                    f"rank {source} sends chunk {chunk}, which it does not hold", place="schedule"
                )
            final = layout.final(destination, chunk)
            direct = not reduce and final is not None and final not in target.used
            place = final if direct and final is not None else target.slot()
            target.used.add(place)
            sends[source].puts.append(Put(destination, held, place))
            arrivals[destination].append(_Arrival(source, chunk, reduce, place, direct))
        for rank, step in sends.items():
            step.signals = [Message(peer) for peer in dict.fromkeys(p.peer for p in step.puts)]
            come = arrivals.get(rank, [])
            step.waits = [Message(peer) for peer in dict.fromkeys(a.source for a in come)]
            if step.puts or come:
                ranks[rank].steps.append(step)
        for rank, come in arrivals.items():
            delivered = _deliver(layout, rank, ranks[rank], come)
            step = ranks[rank].steps[-1]
            step.copies, step.sums = delivered.copies, delivered.sums
    for rank, state in enumerate(ranks):
        last = Step()
        for chunk, place in sorted(state.places.items()):
            wanted = layout.final(rank, chunk)
            if wanted is not None and wanted != place:
                last.copies.append((place, wanted))
        if last.copies:
            state.steps.append(last)
    return ranks


def _signalled(
    schedule: Schedule, layout: Layout, merge: bool, channel: PeerChannel
) -> tuple[list[list[Segment]], list[int]]:
    """The segments of every rank by protocol Simple, and its slots of scratch."""
    programs = _programs(schedule, layout)
    # Before anything is put: who will write here may, and those written to have said so.
    writers = [set[int]() for _ in programs]
    for rank, state in enumerate(programs):
        for step in state.steps:
            for put in step.puts:
                writers[put.peer].add(rank)
    for rank, state in enumerate(programs):
        written = sorted(peer for peer in range(len(programs)) if rank in writers[peer])
        first = Step(
            signals=[Message(peer, relaxed=True) for peer in sorted(writers[rank])],
            waits=[Message(peer, relaxed=True) for peer in written],
        )
        state.steps.insert(0, first)
        if channel == "port":
            # A proxy reads after the put was handed to it. Who has what was sent says so, and
            # nobody ends, or begins the next launch, before that.
            last = Step(
                signals=[Message(peer) for peer in sorted(writers[rank])],
                waits=[Message(peer) for peer in written],
            )
            state.steps.append(last)
    port = channel == "port"
    return (
        [list(segments(state.steps, merge, port)) for state in programs],
        [state.slots for state in programs],
    )


@uncollected()
def lower(
    schedule: Schedule,
    *,
    name: str = "certune",
    inplace: bool = True,
    threadblocks: int = 1,
    threads: int = 1024,
    channel: PeerChannel = "memory",
    protocol: Protocol = "Simple",
) -> Plan:
    """The plan that carries out `schedule` with memory or port channels.

    Memory channels are for GPUs that reach each other's memory, port channels also for others.
    Protocol LL sends packets, over memory channels only: for small messages, where waiting for
    signals takes longer than moving twice the data. `threadblocks` thread blocks share every
    operation as a thread-block group. The plan admits the message sizes that its verification
    speaks of.

    Raises:
        InvalidInput: a collective that MSCCL++ does not execute, a rank that sends what it does
            not hold, more sends or more of something than the executor has room for, or, over
            port channels or by packets, a schedule that writes what may still be being read.
    """
    collective: Collective = schedule.collective
    if collective.kind not in _NAMES:
        raise InvalidInput(
            f"MSCCL++ plans have no {collective.kind}",
            place="collective",
            remedy="lower " + ", ".join(sorted(_NAMES)),
        )
    if schedule.sends > MAX_SENDS:
        raise InvalidInput(
            f"{schedule.sends} sends", place="schedule", remedy=f"at most {MAX_SENDS}"
        )
    if not 1 <= threadblocks <= 32:
        raise InvalidInput(
            f"{threadblocks} thread blocks", place="threadblocks", remedy="give 1 to 32"
        )
    if protocol == "LL" and channel != "memory":
        raise InvalidInput(
            "packets go over memory channels only", place="protocol", remedy="use protocol Simple"
        )
    layout = Layout(collective, inplace)
    merge = threadblocks == 1
    if protocol == "LL":
        listed, slots = packets.programs(_steps(schedule), layout, merge)
    else:
        listed, slots = _signalled(schedule, layout, merge, channel)
    gpus = pack(listed, (layout.inputs, layout.outputs), slots, threadblocks, channel)
    plan = Plan(
        name,
        _NAMES[collective.kind],
        protocol,
        inplace,
        gpus,
        threads=threads,
        double_scratch=protocol == "LL",
    )
    admitted = scope(plan)
    smallest = admitted.smallest if threadblocks > 1 else 0
    largest = min(plan.max_message, admitted.largest)
    if largest < plan.alignment * message_chunks(plan):
        raise InvalidInput("no message size fits into 32-bit offsets", place="schedule")
    plan = replace(plan, min_message=smallest, max_message=largest)
    if channel == "port" or protocol == "LL":
        _ordered(plan)
    return plan


def _ordered(plan: Plan) -> None:
    """Refuse a plan in which a proxy, or a reader of packets, may still read what is written.

    With signals over memory channels every schedule is safe; over port channels and by packets
    not every one can be carried out without further messages.
    """
    failure = check_plan(plan).verdict.failure
    if failure is not None:
        told = failure.counterexample.sentence if failure.counterexample else failure.claim
        small = plan.protocol == "LL"
        raise InvalidInput(
            f"{'by packets' if small else 'over port channels'} {failure.name} is "
            f"{failure.status.value}: {told}",
            place="schedule",
            remedy="use protocol Simple" if small else "use memory channels",
        )


def write_verified(
    schedule: Schedule,
    *,
    name: str = "certune",
    inplace: bool = True,
    threadblocks: int = 1,
    threads: int = 1024,
    protocol: Protocol = "Simple",
) -> tuple[bytes, PlanReport]:
    """The file of the lowered schedule, and what is proven of the file as it is written.

    Raises:
        InvalidInput: as `lower` and `dump_plan` raise.
    """
    plan = lower(
        schedule,
        name=name,
        inplace=inplace,
        threadblocks=threadblocks,
        threads=threads,
        protocol=protocol,
    )
    data = dump_plan(plan)
    return data, verify_plan(data)

"""Counterexamples of schedules, in words that a person and a model can act on, and as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from certune.core import Counterexample, Json
from certune.tasks.collective.schedule import Int, Schedule
from certune.tasks.collective.topology import Topology

_SHOWN = 8

Rule: TypeAlias = Literal["not-held", "nothing-to-add-to", "written-twice", "added-twice"]


@dataclass(frozen=True)
class Violation:
    """The rule that the send with index `send` breaks.

    `twice` is the set (a bit for each rank) of contributions that it adds a second time, `other`
    the send of the same step that it collides with.
    """

    rule: Rule
    send: int
    twice: int = 0
    other: int | None = None


def _listed(ranks: list[int]) -> str:
    shown = [str(rank) for rank in ranks[:_SHOWN]]
    if len(ranks) > _SHOWN:
        shown.append(f"{len(ranks) - _SHOWN} more")
    if len(shown) == 1:
        return f"rank {shown[0]}"
    return f"ranks {', '.join(shown[:-1])} and {shown[-1]}"


def _members(bits: int) -> list[int]:
    return [rank for rank in range(bits.bit_length()) if bits >> rank & 1]


def _data(schedule: Schedule, send: int, kind: str) -> dict[str, Json]:
    return {
        "kind": kind,
        "step": int(schedule.step[send]),
        "operation": "reduce" if schedule.reduce[send] else "copy",
        "source": int(schedule.source[send]),
        "destination": int(schedule.destination[send]),
        "chunk": int(schedule.chunk[send]),
    }


def _holders(schedule: Schedule, chunk: int, step: int) -> list[int]:
    """The ranks that something of `chunk` is at or was sent to before `step`."""
    ranks, chunks = schedule.collective.before()
    sent = (schedule.chunk == chunk) & (schedule.step < step)
    there = np.concatenate((ranks[chunks == chunk], schedule.destination[sent]))
    return [int(rank) for rank in np.unique(there)]


def _arrivals(schedule: Schedule, rank: int, chunk: int) -> Int:
    there = (schedule.destination == rank) & (schedule.chunk == chunk)
    return np.flatnonzero(there).astype(np.int64)


def violation(schedule: Schedule, found: Violation) -> Counterexample:
    """The counterexample for a send that breaks a rule."""
    data = _data(schedule, found.send, found.rule)
    step, source, destination, chunk = (
        data[name] for name in ("step", "source", "destination", "chunk")
    )
    kind = schedule.collective.kind
    verb = "adds" if schedule.reduce[found.send] else "copies"
    send = f"step {step} {verb} chunk {chunk} from rank {source} to rank {destination}"
    if found.rule == "not-held":
        return _not_held(schedule, found.send, data)
    if found.rule == "nothing-to-add-to":
        return Counterexample(f"{send}, which holds nothing of it to add to: copy it instead", data)
    if found.rule == "written-twice":
        assert found.other is not None
        other = int(schedule.source[found.other])
        before = "is added" if schedule.reduce[found.other] else "is copied"
        data["other"] = other
        return Counterexample(
            f"{send}, where it {before} from rank {other} in the same step: which one stays is "
            f"not determined; send one of them in another step",
            data,
        )
    if not schedule.collective.reducing:
        return Counterexample(
            f"{send}, which holds it already: {kind} adds nothing up, copy or leave it out", data
        )
    twice = _members(found.twice)
    data["twice"] = list(twice)
    whose = f"{_listed(twice[:1])}'s contribution"
    if len(twice) > 1:
        whose = f"the contributions of {_listed(twice)}"
    reason = f"rank {destination}'s sum holds {'it' if len(twice) == 1 else 'them'} already"
    if found.other is not None:
        other = int(schedule.source[found.other])
        data["other"] = other
        reason = f"so does another send of this step, from rank {other}"
    return Counterexample(
        f"rank {destination} adds {whose} to chunk {chunk} twice: step {step} adds what rank "
        f"{source} holds, but {reason}",
        data,
    )


def _not_held(schedule: Schedule, send: int, data: dict[str, Json]) -> Counterexample:
    step, source = int(schedule.step[send]), int(schedule.source[send])
    destination, chunk = int(schedule.destination[send]), int(schedule.chunk[send])
    holders = _holders(schedule, chunk, step)
    data["holders"] = list(holders[:64])
    arrivals = _arrivals(schedule, source, chunk)
    if arrivals.size:
        arrival = int(schedule.step[arrivals[0]])
        data["arrives"] = arrival
        which = "does not hold it before that step"
        hint = f"it arrives there in step {arrival}"
    else:
        which = "does not hold it"
        hint = f"{_listed(holders)} could send it"
    if _arrivals(schedule, destination, chunk).size == 1:
        what = f"rank {destination} never receives chunk {chunk}: step {step} sends it"
    else:
        what = f"step {step} sends chunk {chunk} to rank {destination}"
    return Counterexample(f"{what} from rank {source}, which {which} ({hint})", data)


def lacks(schedule: Schedule, rank: int, chunk: int) -> Counterexample:
    """The counterexample for a chunk that is not at `rank` at the end."""
    holders = _holders(schedule, chunk, schedule.steps)
    return Counterexample(
        f"at the end rank {rank} lacks chunk {chunk}: no send delivers it "
        f"({_listed(holders)} could)",
        {"kind": "lacking", "destination": rank, "chunk": chunk, "holders": list(holders[:64])},
    )


def incomplete(schedule: Schedule, rank: int, chunk: int, held: int) -> Counterexample:
    """The counterexample for a sum at `rank` that lacks contributions at the end."""
    missing = [r for r in range(schedule.collective.ranks) if not held >> r & 1]
    what = "contribution" if len(missing) == 1 else "contributions"
    return Counterexample(
        f"at the end rank {rank}'s sum of chunk {chunk} lacks the {what} of {_listed(missing)}",
        {"kind": "incomplete", "destination": rank, "chunk": chunk, "lacking": list(missing[:64])},
    )


def no_link(schedule: Schedule, topology: Topology, send: int) -> Counterexample:
    """The counterexample for a send between two ranks that no link joins."""
    data = _data(schedule, send, "no-link")
    source = int(schedule.source[send])
    targets = [link.destination for link in topology.outgoing[source]]
    data["links"] = list(targets[:64])
    return Counterexample(
        f"step {data['step']} sends chunk {data['chunk']} from rank {source} to rank "
        f"{data['destination']}, but {topology.name} has no such link: rank {source} is linked to "
        f"{_listed(targets)}",
        data,
    )

"""One look at a plan: what holds and what does not, obligation by obligation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from certune.core import Counterexample, Json, Status
from certune.tasks.collective.mscclpp.agreement import Agreement, agreement
from certune.tasks.collective.mscclpp.limits import KNOWN
from certune.tasks.collective.mscclpp.plan import Plan
from certune.tasks.collective.mscclpp.semantics.accesses import (
    MAX_ACCESSES,
    Accesses,
    collect,
)
from certune.tasks.collective.mscclpp.semantics.clocks import Clocks
from certune.tasks.collective.mscclpp.semantics.execution import Execution, execute
from certune.tasks.collective.mscclpp.semantics.graph import (
    UNCOVERED,
    TooMuch,
    ambiguities,
    build_graph,
    segments,
)
from certune.tasks.collective.mscclpp.semantics.order import violations
from certune.tasks.collective.mscclpp.semantics.program import Counter, Program, Where, build
from certune.tasks.collective.mscclpp.semantics.space import MAX_LOCATIONS, Space
from certune.tasks.collective.mscclpp.semantics.values import Spoilt, describe, expected, mismatch
from certune.tasks.collective.mscclpp.sizes import Case
from certune.tasks.collective.mscclpp.waiting import deadlock

NAMES = (
    "bounds",
    "as-written",
    "input-unchanged",
    "no-deadlock",
    "repeatable",
    "initialised",
    "no-race",
    "entry-safe",
    "exit-safe",
    "scratch-reuse",
    "postcondition",
)


@dataclass(frozen=True)
class Finding:
    """What is known of one obligation, with a counterexample or the reason of not knowing."""

    status: Status
    counterexample: Counterexample | None = None
    evidence: dict[str, Json] = field(default_factory=dict)


def _data(where: Where) -> dict[str, Json]:
    data: dict[str, Json] = {
        "rank": where.rank,
        "threadblock": where.block,
        "operation": where.number,
    }
    if where.inner >= 0:
        data["inner"] = where.inner
        data["iteration"] = where.iteration
    return data


class Look:
    """Collects the findings of one case; an obligation that nothing is said of is proved."""

    def __init__(self, plan: Plan, case: Case) -> None:
        self.plan = plan
        self.case = case
        self.found: dict[str, Finding] = {}
        self.space = Space(plan, case.units, case.scratch_units)
        self.counts: dict[str, Json] = {}
        self.agreement: Agreement | None = None

    def say(
        self, name: str, status: Status, sentence: str, data: dict[str, Json] | None = None
    ) -> None:
        """Note a finding, unless something as bad or worse is known already."""
        known = self.found.get(name)
        if known is None or status < known.status:
            self.found[name] = Finding(status, Counterexample(sentence, data or {}))

    def refute(self, name: str, sentence: str, data: dict[str, Json]) -> None:
        """Note a counterexample."""
        self.say(name, Status.REFUTED, sentence, data)

    def doubt(self, names: tuple[str, ...], why: str) -> None:
        """Note that nothing is known of some obligations."""
        for name in names:
            self.say(name, Status.UNKNOWN, why)

    def name(self, program: Program, where: Where) -> str:
        """An operation in words."""
        return f"{where} ({program.operation(where).name})"


MAX_ITEMS = 2**20
_RUNNING = NAMES[3:]
_ORDERED = ("no-race", "entry-safe", "exit-safe", "scratch-reuse")


def _translated(look: Look, program: Program) -> bool:
    """Note what translating met; whether the program can be run."""
    for where, name, issue in program.issues:
        sentence = f"{where} ({name}): {issue.sentence}"
        if issue.severity == "bounds":
            look.refute("bounds", sentence, _data(where))
        elif issue.severity in ("departs", "strays"):
            look.refute("as-written", sentence, _data(where))
        else:
            look.say("as-written", Status.UNKNOWN, sentence, _data(where))
    bad = [issue for _, _, issue in program.issues if issue.severity != "departs"]
    if bad:
        look.doubt(_RUNNING, "not examined: an operation leaves its buffers or cannot be followed")
    if any(issue.severity != "bounds" for issue in bad):
        look.doubt(("bounds", "input-unchanged"), "an operation cannot be followed")
    return not bad


def _inputs(look: Look, program: Program) -> None:
    """An out-of-place plan leaves the caller's input as it was."""
    if look.plan.inplace:
        return
    ranges = [
        (bases["i"], bases["i"] + lengths["i"])
        for bases, lengths in zip(look.space.bases, look.space.lengths, strict=True)
    ]
    for items in program.items:
        for item in items:
            for move in item.moves:
                for region in move.destinations:
                    if any(low <= region.start < high for low, high in ranges):
                        look.refute(
                            "input-unchanged",
                            f"{look.name(program, item.where)} writes "
                            f"{look.space.describe(region.start)}, the input of an "
                            "out-of-place plan",
                            _data(item.where),
                        )
                        return


def _balanced(look: Look, program: Program) -> None:
    """Every counter comes back to where it was, so that the next launch finds it so."""
    given: dict[Counter, int] = {}
    first: dict[Counter, Where] = {}
    for items in program.items:
        for item in items:
            if not item.counters:
                continue
            sign = -1 if item.kind in ("wait", "acquire") else 1
            for counter in item.counters:
                given[counter] = given.get(counter, 0) + sign
                first.setdefault(counter, item.where)
    for counter, excess in given.items():
        if excess:
            where = first[counter]
            kind = "semaphore" if counter[0] == "semaphore" else f"{counter[0]} channel"
            many, few = ("signals", "waits") if excess > 0 else ("waits", "signals")
            look.refute(
                "repeatable",
                f"{look.name(program, where)}: its {kind} gets {abs(excess)} more {many} than "
                f"{few} a launch; the next launch starts with a counter that is off",
                {**_data(where), "excess": excess},
            )


def _effect(space: Space, execution: Execution) -> str:
    """What a plan without a known postcondition does, where it moves whole inputs in a ring."""
    plan = space.plan
    shifts: set[int] = set()
    for rank, gpu in enumerate(plan.gpus):
        for unit in range(gpu.output_chunks * space.units):
            buffer, start = space.place(rank, "o", unit, rank)
            value = execution.memory[space.bases[rank][buffer] + start]
            if value is None or isinstance(value, Spoilt) or len(value) != 1:
                return ""
            ((origin, mask),) = value
            if origin != unit or mask.bit_count() != 1:
                return ""
            shifts.add((rank - (mask.bit_length() - 1)) % plan.ranks)
    if len(shifts) != 1:
        return ""
    return f"every rank ends with the input of the rank {shifts.pop()} before it, in a ring"


def _postcondition(look: Look, execution: Execution) -> None:
    plan, space = look.plan, look.space
    gpu = plan.gpus[0]
    if plan.collective not in KNOWN:
        effect = _effect(space, execution)
        look.doubt(
            ("postcondition",),
            f"what {plan.collective!r} must compute is not known" + (effect and f"; {effect}"),
        )
        return
    aliased = plan.inplace and 0 in (gpu.input_chunks, gpu.output_chunks)
    wrong = mismatch((gpu.input_chunks, gpu.output_chunks), plan.collective, plan.ranks)
    if wrong and not aliased:
        look.doubt(("postcondition",), wrong)
        return
    for rank, unit, location, value in expected(space):
        if execution.memory[location] != value:
            chunk, part = divmod(unit, space.units)
            look.refute(
                "postcondition",
                f"rank {rank} ends with {describe(execution.memory[location])} in o[{chunk}]"
                + (f" (part {part} of {space.units})" if space.units > 1 else "")
                + f", not with {describe(value)}",
                {"rank": rank, "chunk": chunk, "part": part},
            )
            return


def _pair(look: Look, program: Program, accesses: Accesses, x: int, y: int) -> str:
    def half(index: int) -> str:
        verb = "writes" if accesses.write[index] else "reads"
        where = accesses.items[int(accesses.item[index])]
        return f"{look.name(program, where)} {verb}"

    return f"{half(x)} and {half(y)} {look.space.describe(int(accesses.location[x]))}"


def _pair_data(accesses: Accesses, x: int, y: int) -> dict[str, Json]:
    first, second = (accesses.items[int(accesses.item[index])] for index in (x, y))
    return {
        **_data(first),
        "other": _data(second),
        "pairs": "the first of those found",
    }


def _asynchronous(accesses: Accesses, x: int) -> str:
    if accesses.lanes[x] >= 0:
        return ""
    if accesses.end[x] >= UNCOVERED:
        return "; the proxy of the port channel acts on its own, and no later signal completes it"
    return "; the proxy of the port channel acts on its own, and nothing tells of its end"


def _races(look: Look, program: Program, execution: Execution) -> None:
    graph, contested = build_graph(execution)
    if contested:
        location, writers = next(iter(contested.items()))
        look.doubt(
            ("no-deadlock", *_ORDERED, "postcondition"),
            f"{look.name(program, writers[1])} writes the packet in "
            f"{look.space.describe(location)} a second time in one launch; which one is read is "
            "not followed",
        )
    accesses = collect(graph)
    gap = 2 if look.plan.double_scratch else 1
    clocks = Clocks(graph, gap + 1)
    look.counts = {"nodes": clocks.nodes, "accesses": len(accesses), "launches": gap + 1}
    owners = np.zeros(look.space.count, dtype=np.int64)
    scratch = np.zeros(look.space.count, dtype=np.bool_)
    for rank, (bases, lengths) in enumerate(zip(look.space.bases, look.space.lengths, strict=True)):
        owners[bases["i"] : bases["s"] + lengths["s"]] = rank
        scratch[bases["s"] : bases["s"] + lengths["s"]] = True
    owner = owners[accesses.location]
    outside = ~scratch[accesses.location]
    rivals = np.array(list(contested), dtype=np.int64)
    broken = violations(clocks, accesses, owner, outside, gap, rivals)
    x, y = broken.races
    if x.size:
        a, b = int(x[0]), int(y[0])
        look.refute(
            "no-race",
            f"{_pair(look, program, accesses, a, b)}, and nothing orders them"
            + (_asynchronous(accesses, a) or _asynchronous(accesses, b)),
            {**_pair_data(accesses, a, b), "races": int(x.size)},
        )
        if (accesses.packet[x] | accesses.packet[y]).any():
            look.doubt(("no-deadlock",), "a packet is waited for whose location is raced for")
    early = broken.early
    if early.size:
        a = int(early[0])
        where = accesses.items[int(accesses.item[a])]
        verb = "write" if accesses.write[a] else "read"
        look.refute(
            "entry-safe",
            f"{look.name(program, where)} may {verb} "
            f"{look.space.describe(int(accesses.location[a]))} before rank {int(owner[a])} has "
            "started: the buffer may still be in use there",
            {**_data(where), "owner": int(owner[a])},
        )
    late = broken.late
    if late.size:
        a = int(late[0])
        where = accesses.items[int(accesses.item[a])]
        verb = "writing" if accesses.write[a] else "reading"
        look.refute(
            "exit-safe",
            f"{look.name(program, where)} may still be {verb} "
            f"{look.space.describe(int(accesses.location[a]))} when rank {int(owner[a])} has "
            "ended and its caller uses the buffer" + _asynchronous(accesses, a),
            {**_data(where), "owner": int(owner[a])},
        )
    x, y = broken.reused
    if x.size:
        a, b = int(x[0]), int(y[0])
        look.refute(
            "scratch-reuse",
            f"{_pair(look, program, accesses, a, b)}, the second {gap} launch"
            f"{'es' if gap > 1 else ''} later, and nothing makes it wait for the first",
            {**_pair_data(accesses, a, b), "launches": gap},
        )


def look_at(plan: Plan, case: Case) -> Look:
    """Examine one case of `plan`."""
    look = Look(plan, case)
    if look.space.count > MAX_LOCATIONS:
        look.doubt(NAMES, f"{look.space.count} memory locations; {MAX_LOCATIONS} are looked at")
        return look
    steps = sum(
        case.iterations * op.unit_chunks * len(op.operations) if op.operations else 1
        for gpu in plan.gpus
        for block in gpu.threadblocks
        for op in block.operations
    )
    if steps > MAX_ITEMS:
        look.doubt(NAMES, f"{steps} operations, pipelines unrolled; {MAX_ITEMS} are looked at")
        return look
    program = build(plan, look.space, case.iterations)
    if not _translated(look, program):
        _inputs(look, program)
        return look
    _inputs(look, program)
    _balanced(look, program)
    unsure = list(ambiguities(program, [segments(items) for items in program.items]))
    for found in unsure[:1]:
        look.doubt(_RUNNING, f"{look.name(program, found.where)}: {found.why}")
    touched = sum(
        move.units * 2 * (len(move.sources) + len(move.destinations))
        for items in program.items
        for item in items
        for move in item.moves
    )
    if touched > MAX_ACCESSES:
        look.doubt(_RUNNING, f"{touched} accesses to memory; {MAX_ACCESSES} are looked at")
        return look
    if unsure:
        return look
    execution = execute(program)
    if execution.stuck:
        sentence, data = deadlock(look.space, execution)
        look.refute("no-deadlock", sentence, data)
        look.doubt(_RUNNING, "not examined: the program does not run to its end")
        return look
    for where, location, what in execution.undefined[:1]:
        look.refute(
            "initialised",
            f"{look.name(program, where)} reads {look.space.describe(location)}: {what}",
            _data(where),
        )
    _postcondition(look, execution)
    try:
        _races(look, program, execution)
    except TooMuch as reason:
        look.doubt(_ORDERED, str(reason))
    if look.found.get("no-race", Finding(Status.PROVED)).status < Status.PROVED:
        look.doubt(("postcondition", "initialised"), "it depends on the outcome of a race")
    if "repeatable" in look.found:
        look.doubt(_ORDERED[1:], "counters are not where they were at the next launch")
    if "postcondition" not in look.found:
        look.agreement = agreement(execution)
    return look

"""What is shown of a program: obligations with counterexamples that name rank, block and step.

| obligation     | claim                                                                        |
|----------------|------------------------------------------------------------------------------|
| accepted       | the runtimes' parser takes the dependences and the offsets                   |
| connections    | each connection has one sender and one receiver; their messages pair up      |
| bounds         | no operand lies outside the memory that the call provides                    |
| deadlock       | it terminates at every size that the file is selected for                    |
| races          | conflicting accesses of two thread blocks are ordered                        |
| initialised    | nothing is read before it was written                                        |
| constant-input | out of place, the input is not written                                       |
| postcondition  | every rank ends with what the collective asks for                            |
| agreement      | all ranks add in the same order (on request)                                 |

In place and out of place are shown separately where a file claims both; names then end in
``-in-place`` or ``-out-of-place``. An obligation that rests on one that failed is unknown.

One order suffices for the data-flow: the precedence graph has no choices (`order`), and without
races every order that it allows gives each read the same value (`races`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from certune.core import Counterexample, Json, Obligation, Status
from certune.tasks.collective.msccl.agreement import Agreement, agreement
from certune.tasks.collective.msccl.bounds import outside, refused_offsets, writes_input
from certune.tasks.collective.msccl.compile import Code, compile_program
from certune.tasks.collective.msccl.dataflow import Accesses, accesses, run
from certune.tasks.collective.msccl.deadlock import Termination, termination
from certune.tasks.collective.msccl.explain import (
    circle_data,
    circle_sentence,
    operation_data,
    size_text,
)
from certune.tasks.collective.msccl.memory import REDUCING, Memory, find_root, lay_out
from certune.tasks.collective.msccl.order import Order
from certune.tasks.collective.msccl.program import Program, Target
from certune.tasks.collective.msccl.races import Race, Races, find_races
from certune.tasks.collective.msccl.sums import judge
from certune.tasks.collective.msccl.wrong import unready, wrong_result

MICROSOFT_MAX_BYTES = 2**27  # what microsoft/msccl takes where a file says nothing


@dataclass(frozen=True, eq=False)
class Report:
    """What was shown of a program.

    termination and order are None where the connections are broken; order also where the program
    cannot run at any size. `agreement` is None where nothing is added or the result is wrong.
    """

    program: Program
    code: Code
    root: int
    obligations: tuple[Obligation, ...]
    termination: Termination | None = None
    order: Order | None = None
    agreement: Agreement | None = None

    @property
    def status(self) -> Status:
        """The least status among the obligations."""
        return min(obligation.status for obligation in self.obligations)


@dataclass
class _Collected:
    obligations: list[Obligation] = field(default_factory=list)
    clock: float = field(default_factory=time.perf_counter)

    def add(
        self,
        name: str,
        claim: str,
        found: Counterexample | None,
        *,
        status: Status | None = None,
        evidence: dict[str, Json] | None = None,
    ) -> None:
        now = time.perf_counter()
        self.obligations.append(
            Obligation(
                name=name,
                claim=claim,
                method="dataflow",
                status=status or (Status.REFUTED if found else Status.PROVED),
                check=f"msccl/{name}",
                seconds=now - self.clock,
                evidence=evidence or {},
                counterexample=found,
            )
        )
        self.clock = now

    def unknown(self, name: str, claim: str, rests_on: str) -> None:
        self.add(name, claim, None, status=Status.UNKNOWN, evidence={"rests on": rests_on})


CLAIMS = {
    "accepted": "the runtimes' parser takes the dependences and offsets of the file",
    "connections": "each connection has one sender and one receiver and their messages pair up",
    "bounds": "no operand lies outside its buffer",
    "deadlock": "the program terminates under every scheduling of its thread blocks",
    "races": "conflicting accesses of two thread blocks to the same chunk are ordered",
    "initialised": "nothing is read before it was written",
    "constant-input": "the input is not written",
    "postcondition": "every rank ends with what the collective asks for",
    "agreement": "all ranks add in the same order",
}
_FLOW = ("races", "initialised", "constant-input", "postcondition")


def verify(
    program: Program,
    *,
    target: Target | None = None,
    root: int | None = None,
    require_agreement: bool = False,
    max_bytes: int | None = None,
) -> Report:
    """Show or refute every obligation on `program`.

    `target` decides the sizes of messages (None: NVIDIA's defaults) and what a missing
    ``maxBytes`` means. `root` is that of broadcast, reduce, gather and scatter; None takes the
    one that the program seems to be written for. With `require_agreement` the agreement of ranks
    is an obligation, else it is only told in the report. `max_bytes` is the largest size at which
    the program must terminate (0: every size); None takes the file's own.

    Raises:
        InvalidInput: a number of chunks that the collective cannot have, an unknown root.
    """
    collected = _Collected()
    root = find_root(program) if root is None else root
    placements = _placements(program)
    memories = [lay_out(program, in_place=place, root=root) for place in placements]
    code = compile_program(program)
    collected.add("accepted", CLAIMS["accepted"], _refused(code))
    problem = None
    if code.problems:
        sentences = [sentence for sentence, _ in code.problems]
        problem = Counterexample(
            sentences[0], {**program.coordinates(code.problems[0][1]), "all": sentences}
        )
    collected.add("connections", CLAIMS["connections"], problem)
    ended, order = (None, None) if code.problems else termination(code, target)
    if ended is None:
        collected.unknown("deadlock", CLAIMS["deadlock"], "connections")
    else:
        longest = selected_up_to(program, target) if max_bytes is None else max_bytes or None
        _deadlock(collected, code, ended, longest)
    agreed: Agreement | None = None
    for memory in memories:
        suffix = ("-in-place" if memory.in_place else "-out-of-place") if len(memories) > 1 else ""
        found = outside(code, memory)
        collected.add(f"bounds{suffix}", CLAIMS["bounds"], found)
        if found is not None or order is None:
            rests_on = "bounds" if found else ("connections" if code.problems else "deadlock")
            for name in _FLOW:
                if name != "constant-input" or not memory.in_place:
                    collected.unknown(f"{name}{suffix}", CLAIMS[name], rests_on)
            continue
        agreed = _flow(collected, code, order, memory, suffix) or agreed
    if require_agreement and memories[0].kind in REDUCING:
        _agreement(collected, agreed)
    return Report(program, code, root, tuple(collected.obligations), ended, order, agreed)


def _placements(program: Program) -> list[bool]:
    """In place (True) and out of place (False), as the file claims them."""
    header = program.header
    in_place = bool(header.in_place)
    out_of_place = not in_place if header.out_of_place is None else header.out_of_place
    claimed = [place for place, claims in ((True, in_place), (False, out_of_place)) if claims]
    return claimed or [False]


def _refused(code: Code) -> Counterexample | None:
    program = code.program
    if len(code.refused):
        step = int(code.refused[0])
        return Counterexample(
            f"{program.place(step)} follows nops that carry dependences but carries none itself;"
            " the runtimes refuse the file. Move the last dependence into this step",
            program.coordinates(step),
        )
    rows = refused_offsets(code)
    if len(rows):
        return Counterexample(
            f"{code.place(int(rows[0]))} {code.describe(int(rows[0]))}, beyond the chunks that its"
            " <gpu> declares; the runtimes refuse the file",
            operation_data(code, int(rows[0])),
        )
    return None


def selected_up_to(program: Program, target: Target | None) -> int | None:
    """The largest size in bytes that the file is selected for; None if there is no limit."""
    limit = program.header.max_bytes
    if target == "microsoft":
        return MICROSOFT_MAX_BYTES if limit is None else limit
    return limit or None


def _deadlock(collected: _Collected, code: Code, ended: Termination, longest: int | None) -> None:
    evidence: dict[str, Json] = {
        "slots": ended.slots,
        "message bytes": ended.message_bytes,
        "safe bytes": ended.safe_bytes,
        "selected up to bytes": longest,
    }
    claim = CLAIMS["deadlock"]
    safe = ended.safe_bytes
    if safe is None or (ended.hangs_at is not None and longest is not None and longest <= safe):
        limit = "at every size" if safe is None else f"up to {size_text(safe)}"
        collected.add("deadlock", f"{claim}, {limit}", None, evidence=evidence)
        return
    circle = circle_sentence(code, ended.circle, endless=ended.endless)
    when = (
        "hangs at every size"
        if ended.hangs_at is None
        else f"safe up to {size_text(safe)}, hangs above"
    )
    collected.add(
        "deadlock",
        claim,
        Counterexample(
            f"{when}: {circle}",
            {
                "safe_bytes": safe,
                "chunks_a_message": ended.hangs_at,
                "endless": ended.endless,
                "circle": circle_data(code, ended.circle),
            },
        ),
        evidence=evidence,
    )


def _flow(
    collected: _Collected, code: Code, order: Order, memory: Memory, suffix: str
) -> Agreement | None:
    """Races, reads, writes and results for one placement."""
    found = accesses(code, memory)
    races = find_races(code, order, found)
    evidence: dict[str, Json] = {"conflicting pairs": races.pairs}
    if not races.complete:
        collected.unknown(f"races{suffix}", CLAIMS["races"], "too many open pairs")
    else:
        collected.add(
            f"races{suffix}", CLAIMS["races"], _race(code, memory, found, races), evidence=evidence
        )
    racy = bool(len(races.overlaps) or races.races) or not races.complete
    flow = run(code, order, memory, found)
    _unless_racy(
        collected, f"initialised{suffix}", CLAIMS["initialised"], racy,
        unready(code, memory, flow),
    )  # fmt: skip
    if not memory.in_place:
        collected.add(f"constant-input{suffix}", CLAIMS["constant-input"], writes_input(code))
    sums = judge(flow, memory)
    wrong = wrong_result(code, order, memory, flow, sums)
    _unless_racy(collected, f"postcondition{suffix}", CLAIMS["postcondition"], racy, wrong)
    return None if wrong or racy else agreement(flow, memory)


def _unless_racy(
    collected: _Collected, name: str, claim: str, racy: bool, found: Counterexample | None
) -> None:
    """A failure in one allowed order is one; a success says nothing where orders differ."""
    if racy and found is None:
        collected.unknown(name, claim, "races")
    else:
        collected.add(name, claim, found)


def _race(code: Code, memory: Memory, found: Accesses, races: Races) -> Counterexample | None:
    if len(races.overlaps):
        at = int(races.overlaps[0])
        return Counterexample(
            f"{code.place(at)} {code.describe(at)}: source and target overlap, so that its threads"
            " read what others of them write",
            operation_data(code, at),
        )
    if not races.races:
        return None
    race = max(races.races, key=lambda found: found.most)
    one, two = int(found.operation[race.first]), int(found.operation[race.second])
    rank, cell = memory.locate(race.cell)
    when = ""
    if race.parts is not None:
        when = f" when messages carry only {race.most} of their chunks"
    return Counterexample(
        f"on rank {rank}, {code.place(one)} {_verb(found, race, True)} {cell} and"
        f" {code.place(two)} {_verb(found, race, False)} it; nothing orders the two{when}."
        " Let the later one depend on the earlier (depid, deps, hasdep)",
        {
            "cell": cell,
            "first": operation_data(code, one),
            "second": operation_data(code, two),
            "chunks_a_message": race.most,
            "races": len(races.races),
        },
    )


def _verb(found: Accesses, race: Race, first: bool) -> str:
    access = race.first if first else race.second
    return "writes" if int(found.target[access]) == race.cell else "reads"


def _agreement(collected: _Collected, agreed: Agreement | None) -> None:
    if agreed is None:
        collected.unknown("agreement", CLAIMS["agreement"], "postcondition")
        return
    collected.add("agreement", CLAIMS["agreement"], disagreement(agreed))


def disagreement(agreed: Agreement) -> Counterexample | None:
    """Two ranks that add a chunk in different orders, if there are any."""
    if agreed.difference is None:
        return None
    (a, b), (x, y) = agreed.difference.ranks, agreed.difference.expressions
    return Counterexample(
        f"rank {a} adds chunk {agreed.difference.chunk} as {x}, rank {b} as {y}: their results"
        " differ in the last bits",
        {
            "chunk": agreed.difference.chunk,
            "ranks": [a, b],
            "expressions": [x, y],
            "chunks": agreed.chunks,
        },
    )

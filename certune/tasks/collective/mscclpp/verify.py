"""Verifying an execution plan as it really runs.

`verify_plan` reads a file and `check_plan` a plan; both give a `PlanReport` with an obligation
for everything that is to be shown. The model and its assumptions are those of
docs/formats/mscclpp-plan.md; what it does not cover is ``unknown``, never accepted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from certune.core import Counterexample, Json, Obligation, Status, Verdict
from certune.core.obligation import Method
from certune.tasks.collective.mscclpp.agreement import REDUCING, Agreement
from certune.tasks.collective.mscclpp.collector import uncollected
from certune.tasks.collective.mscclpp.findings import NAMES, Finding, look_at
from certune.tasks.collective.mscclpp.limits import obstacles
from certune.tasks.collective.mscclpp.plan import UNLIMITED, Plan
from certune.tasks.collective.mscclpp.read import read_plan
from certune.tasks.collective.mscclpp.sizes import Scope, message_chunks, scope

CLAIMS = {
    "loads": "the executor loads every rank's part and has room for it",
    "message-sizes": "every message size that the plan admits is one that these claims speak of",
    "bounds": "no operation leaves the buffers that it names",
    "as-written": "the executor carries out every operation as the plan writes it",
    "input-unchanged": "an out-of-place plan does not write its input",
    "no-deadlock": "a launch that no other one disturbs runs to its end",
    "repeatable": "every channel and semaphore is after a launch as it was before",
    "initialised": "nothing is read that was not written in this launch",
    "no-race": "conflicting accesses within a launch are ordered",
    "entry-safe": "no rank touches a peer's input or output before the peer has started",
    "exit-safe": "no access to a rank's input or output goes on after the rank has ended",
    "scratch-reuse": "scratch is reused by a later launch only after the earlier one is done with",
    "postcondition": "a launch that no other one disturbs leaves in every output what is asked",
    "agreement": "all ranks add in the same order",
}

DIFFERENT_ORDERS = (
    "all ranks agree, but chunks are added in different orders of ranks: the last bits of an "
    "element depend on its place in the buffer and so on its size"
)

_METHODS: dict[str, Method] = {"loads": "parse", "message-sizes": "parse", "bounds": "parse"}


@dataclass(frozen=True)
class PlanReport:
    """What is known of a plan: its obligations, and remarks that refuse nothing.

    `agreement` is None where nothing is added or the result is not shown.
    """

    plan: Plan
    scope: Scope
    obligations: tuple[Obligation, ...]
    warnings: tuple[str, ...] = ()
    agreement: Agreement | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """The warnings, and how ranks add where that is no obligation."""
        agreed = self.agreement
        if agreed is None or any(o.name == "agreement" for o in self.obligations):
            return self.warnings
        told = disagreement(agreed)
        if told is not None:
            return (*self.warnings, f"ranks disagree on {agreed.chunks} chunks: {told.sentence}")
        return self.warnings if agreed.uniform else (*self.warnings, DIFFERENT_ORDERS)

    @property
    def verdict(self) -> Verdict:
        """The obligations together."""
        return Verdict(self.obligations)


def _obligation(name: str, finding: Finding, messages: str, seconds: float) -> Obligation:
    return Obligation(
        name=name,
        claim=CLAIMS[name] + (f", for {messages}" if messages else ""),
        method=_METHODS.get(name, "dataflow"),
        status=finding.status,
        check="mscclpp-plan",
        seconds=seconds,
        evidence=finding.evidence,
        counterexample=finding.counterexample,
    )


def _loads(plan: Plan) -> Finding:
    found = list(obstacles(plan))
    if not found:
        return Finding(Status.PROVED, evidence={"operations": plan.operations})
    rank, sentence = found[0]
    data: dict[str, Json] = {"rank": rank, "obstacles": len(found)}
    return Finding(Status.REFUTED, Counterexample(sentence, data))


def _sizes(plan: Plan, messages: Scope) -> Finding:
    """Whether what the plan admits lies within what is shown; 2**64 - 1 is no statement."""
    if messages.unknown:
        return Finding(Status.UNKNOWN, Counterexample(messages.unknown))
    if plan.alignment % 16:
        why = "the executor loses the remainders of reductions where buffer_alignment is not 16"
        return Finding(Status.UNKNOWN, Counterexample(why, {"alignment": plan.alignment}))
    step = plan.alignment * message_chunks(plan)
    least = max(plan.min_message, step)
    evidence: dict[str, Json] = {"smallest": messages.smallest, "largest": messages.largest}
    if messages.exact and -(-least // step) * step < messages.smallest:
        size = -(-least // step) * step
        return Finding(
            Status.REFUTED,
            Counterexample(
                f"a message of {size} bytes is admitted, but a thread-block group then has more "
                f"members than a chunk has units of {plan.alignment} bytes and leaves data out; "
                f"set min_message_size to {messages.smallest}",
                {"bytes": size},
            ),
            evidence,
        )
    if plan.max_message < UNLIMITED and plan.max_message > messages.largest:
        return Finding(
            Status.REFUTED,
            Counterexample(
                f"messages up to {plan.max_message} bytes are admitted, but beyond "
                f"{messages.largest} bytes offsets or scratch overflow",
                {"bytes": str(plan.max_message)},
            ),
            evidence,
        )
    return Finding(Status.PROVED if messages.exact else Status.TESTED, evidence=evidence)


def _warnings(plan: Plan, messages: Scope) -> tuple[str, ...]:
    warnings = []
    if plan.max_message == UNLIMITED and messages.exact:
        warnings.append(
            f"max_message_size is not limited; beyond {messages.largest} bytes the executor's "
            "32-bit offsets or its scratch overflow"
        )
    flushes = sum(
        op.name == "flush"
        for gpu in plan.gpus
        for block in gpu.threadblocks
        for outer in block.operations
        for op in (outer, *outer.operations)
    )
    if flushes:
        warnings.append(
            f"{flushes} flush operations: the executor runs flush on no channel, so that nothing "
            "is taken to be complete after it"
        )
    most = max(len(gpu.threadblocks) for gpu in plan.gpus)
    if most > 64:
        warnings.append(f"{most} thread blocks a rank must be resident at once")
    return tuple(warnings)


@uncollected()
def check_plan(plan: Plan, *, require_agreement: bool = False) -> PlanReport:
    """Verify a plan that was read.

    With `require_agreement` it is an obligation that all ranks add in the same order, else it is
    only told in the notes.
    """
    messages = scope(plan)
    began = time.perf_counter()
    worst: dict[str, Finding] = {}
    counts: dict[str, Json] = {}
    looks: list[Agreement | None] = []
    best = Status.PROVED if messages.exact else Status.TESTED
    for case in messages.cases:
        look = look_at(plan, case)
        counts = look.counts or counts
        looks.append(look.agreement)
        for name in NAMES:
            finding = look.found.get(name, Finding(best))
            if name not in worst or finding.status < worst[name].status:
                worst[name] = finding
    if not messages.cases:
        worst = {name: Finding(Status.UNKNOWN, Counterexample(messages.unknown)) for name in NAMES}
    words = messages.words() if messages.cases else ""
    seconds = time.perf_counter() - began
    findings = [("loads", _loads(plan), ""), ("message-sizes", _sizes(plan, messages), "")]
    findings += [
        (
            name,
            Finding(f.status, f.counterexample, f.evidence | counts) if name == "no-race" else f,
            words,
        )
        for name, f in worst.items()
    ]
    agreed = _worst(looks)
    if require_agreement and plan.collective in REDUCING:
        findings.append(("agreement", _agreement(agreed, best), words))
    obligations = tuple(
        _obligation(name, finding, text, seconds if name == "postcondition" else 0.0)
        for name, finding, text in findings
    )
    return PlanReport(plan, messages, obligations, _warnings(plan, messages), agreed)


def _worst(looks: list[Agreement | None]) -> Agreement | None:
    """What holds of all cases; None where it is not known of one."""
    known = [look for look in looks if look is not None]
    if not known or len(known) < len(looks):
        return None
    return min(known, key=lambda look: (look.difference is None, look.uniform))


def _agreement(agreed: Agreement | None, best: Status) -> Finding:
    if agreed is None:
        return Finding(Status.UNKNOWN, Counterexample("the postcondition is not shown"))
    told = disagreement(agreed)
    if told is None:
        return Finding(best)
    switched = agreed.difference is not None and agreed.difference.switched
    return Finding(Status.UNKNOWN if switched else Status.REFUTED, told)


def disagreement(agreed: Agreement) -> Counterexample | None:
    """Two ranks that add a chunk differently, in words; None where all agree."""
    if agreed.difference is None:
        return None
    (a, b), (x, y) = agreed.difference.ranks, agreed.difference.expressions
    may = "may differ" if agreed.difference.switched else "differ"
    return Counterexample(
        f"rank {a} adds chunk {agreed.difference.chunk} as {x}, rank {b} as {y}: their results "
        f"{may} in the last bits",
        {
            "chunk": agreed.difference.chunk,
            "ranks": [a, b],
            "expressions": [x, y],
            "chunks": agreed.chunks,
        },
    )


def verify_plan(data: bytes, *, place: str = "", require_agreement: bool = False) -> PlanReport:
    """Read and verify the plan in `data`; `place` begins the place of an error.

    `require_agreement` is as for `check_plan`.

    Raises:
        InvalidPayload: the file is no plan; what is wrong, where, and what to do.
    """
    return check_plan(read_plan(data, place), require_agreement=require_agreement)

"""Lints about steps: what a runtime refuses or counts otherwise than the file says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from certune.tasks.collective.msccl.bounds import refused_offsets
from certune.tasks.collective.msccl.compile import Code
from certune.tasks.collective.msccl.limits import MAX_COUNT, MAX_DEPENDENCE, MAX_FUSED, Limits
from certune.tasks.collective.msccl.lint import Lint, Severity
from certune.tasks.collective.msccl.program import (
    KINDS,
    NOP,
    RCS,
    RRC,
    RRCS,
    RRS,
    Int,
    Program,
    Target,
)


def _at(program: Program, rows: Int, name: str, severity: Severity, sentence: str, remedy: str,
        ) -> Iterator[Lint]:  # fmt: skip
    """One lint for the first of `rows`, telling how many there are."""
    if len(rows):
        step = int(rows[0])
        more = f" ({len(rows)} steps in all)" if len(rows) > 1 else ""
        yield Lint(
            name,
            severity,
            int(program.line[step]),
            f"{program.place(step)}: {sentence.format(kind=KINDS[program.kind[step]])}{more}",
            remedy,
        )


def step_lints(program: Program, code: Code, limits: Limits, target: Target) -> Iterator[Lint]:
    """Findings about the steps of a program."""
    kind, real = program.kind, program.kind != NOP
    if not limits.fused:
        yield from _at(
            program,
            np.flatnonzero(np.isin(kind, (RCS, RRS, RRC, RRCS))),
            "fused-operations",
            "error",
            f"type {{kind}} is not built in {limits.name}",
            "use s, r, re and cpy only (certune convert rewrites it)",
        )
    yield from _at(
        program,
        np.flatnonzero(real & (program.count >= MAX_COUNT)),
        "count",
        "error",
        f"cnt must be below {MAX_COUNT}",
        "split the step",
    )
    yield from _at(
        program,
        np.flatnonzero(real & (program.count == 0)),
        "empty-step",
        "warning",
        "cnt is 0: the step does nothing",
        "remove it, or make it a nop",
    )
    yield from _at(
        program,
        np.flatnonzero(program.depends > MAX_DEPENDENCE),
        "dependence-range",
        "error",
        f"depid is kept in 8 bits; at most {MAX_DEPENDENCE}",
        "give the thread blocks that others wait for the low numbers",
    )
    yield from _at(
        program,
        code.refused,
        "broken-chain",
        "error",
        "nops before it carry dependences but it carries none; the file is refused",
        "move the last dependence of the chain into this step",
    )
    yield from _at(
        program,
        code.dropped,
        "dropped-dependence",
        "warning",
        "no operation follows that could wait for its dependence",
        "remove the nop",
    )
    yield from _at(
        program,
        np.flatnonzero((kind == NOP) & (program.signals == 1)),
        "nop-signal",
        "warning",
        "hasdep of a nop is ignored",
        "let the operation after it signal",
    )
    yield from _at(
        program,
        code.step[refused_offsets(code)],
        "offset-refused",
        "error",
        "type {kind} on a chunk beyond those that its <gpu> declares",
        "raise i_chunks, o_chunks or s_chunks",
    )
    yield from _numbering(program, code)
    yield from _signals(program, code)
    yield from _fusion(program, code)
    if target == "microsoft":
        yield from _sizes(program)


def _numbering(program: Program, code: Code) -> Iterator[Lint]:
    block = np.repeat(np.arange(program.blocks), np.diff(program.first))
    place = np.arange(program.steps) - program.first[block]
    yield from _at(
        program,
        np.flatnonzero(program.s != place),
        "step-numbers",
        "warning",
        "steps are run in the order of the file; s differs from the place in it",
        "number the steps 0, 1, 2, … in the order of the file, nops included",
    )
    drift = np.flatnonzero(code.flag != place[code.step])
    yield from _at(
        program,
        code.step[drift],
        "flag-drift",
        "warning",
        "the runtime counts this step with another number than its place (nops without a"
        " dependence are not counted), so that waits mean other steps",
        "remove nops without a dependence",
    )


def _signals(program: Program, code: Code) -> Iterator[Lint]:
    never = code.wait_step[code.wait_on < 0]
    yield from _at(
        program,
        never,
        "missing-signal",
        "error",
        "it waits for a step that does not signal (nor any later one of that thread block)",
        'set hasdep="1" on the step that is waited for',
    )
    wait_on, wait_step = code.wait_on[code.wait_on >= 0], code.wait_step[code.wait_on >= 0]
    later = code.flag[wait_on] > program.depends_step[wait_step]
    yield from _at(
        program,
        wait_step[later],
        "late-signal",
        "warning",
        "the step that it waits for does not signal; a later one of that thread block ends the"
        " wait",
        'set hasdep="1" on the step that is waited for',
    )


def _fusion(program: Program, code: Code) -> Iterator[Lint]:
    starts = np.flatnonzero(~code.fused)
    length = np.diff(np.append(starts, code.operations))
    yield from _at(
        program,
        code.step[starts[length > MAX_FUSED]],
        "long-fusion",
        "error",
        f"the runtime fuses more than {MAX_FUSED} reductions here and writes beyond an array",
        'set hasdep="1" on one of them',
    )
    fused = np.flatnonzero(code.fused)
    uneven = fused[program.count[code.step[fused]] != program.count[code.step[fused - 1]]]
    yield from _at(
        program,
        code.step[uneven],
        "uneven-fusion",
        "error",
        "fused with the reduction before it, which then takes this one's cnt",
        'set hasdep="1" on the one before, or give both the same cnt',
    )


def _sizes(program: Program) -> Iterator[Lint]:
    header = program.header
    ranks, pieces = program.ranks, header.pieces
    factor = {"allgather": (ranks, 1), "reduce_scatter": (1, ranks)}.get(header.collective, (1, 1))
    for column, name in ((0, "i_chunks"), (1, "o_chunks")):
        chunks = program.chunks[:, column]
        wrong = np.flatnonzero((chunks > 0) & (chunks * factor[column] != pieces))
        if len(wrong):
            yield Lint(
                "declared-chunks",
                "error",
                int(program.rank_line[wrong[0]]),
                f"rank {wrong[0]} declares {name}={chunks[wrong[0]]}; microsoft/msccl asks for"
                f" {pieces // factor[column]} or 0",
            )

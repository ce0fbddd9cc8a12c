"""Programs and counterexamples in words, for people."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from certune.core.canonical import Json
from certune.tasks.collective.msccl.compile import NEVER, Code
from certune.tasks.collective.msccl.dataflow import Accesses
from certune.tasks.collective.msccl.deadlock import Waiting
from certune.tasks.collective.msccl.order import Order
from certune.tasks.collective.msccl.program import BUFFERS, Int, Program

_WHY = {
    "program": "comes after",
    "message": "needs the message of",
    "slot": "needs room in the connection, freed by",
    "signal": "waits for the signal of",
}


def size_text(size: int) -> str:
    """Bytes as people write them: ``128 MiB``, ``3 KiB``, ``100 B``; exact."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def operation_data(code: Code, operation: int) -> dict[str, Json]:
    """An operation as data: where it is and what it does."""
    return {
        **code.program.coordinates(int(code.step[operation])),
        "does": code.describe(operation),
    }


def circle_data(code: Code, circle: Sequence[Waiting]) -> list[Json]:
    """Who waits for whom, as data."""
    return [{**operation_data(code, link.operation), "waits": link.why} for link in circle]


def circle_lines(code: Code, circle: Sequence[Waiting], *, endless: bool) -> list[str]:
    """Who waits for whom, a line each; links inside one thread block are shortened."""
    lines: list[str] = []
    for index, link in enumerate(circle):
        lines.append(f"{code.place(link.operation)} {code.describe(link.operation)}")
        last = index + 1 == len(circle)
        if last and endless:
            lines.append("  waits for a signal that never comes")
        else:
            lines.append(f"  {_WHY[link.why]}" + (" the first of these" if last else ""))
    return lines


def circle_sentence(code: Code, circle: Sequence[Waiting], *, endless: bool) -> str:
    """The same in one sentence, links inside one thread block left out."""
    if endless:
        at = circle[-1].operation
        return f"{code.place(at)} waits for {_missing_signal(code, at)}, which never comes"
    parts: list[str] = []
    waiting = [k for k, link in enumerate(circle) if link.why != "program"] or [0]
    begin = waiting[0]
    turned = [*circle[begin:], *circle[:begin]]
    for index, link in enumerate(turned):
        if link.why == "program":
            continue
        following = turned[(index + 1) % len(turned)]
        what = {"message": "a message", "slot": "room in the connection", "signal": "the signal"}
        whom = code.place(following.operation)
        parts.append(f"{code.place(link.operation)} waits for {what[link.why]} of {whom}")
    return "; ".join(parts[:8]) + ("; …" if len(parts) > 8 else "")


def _missing_signal(code: Code, operation: int) -> str:
    program = code.program
    for row in range(int(code.wait_from[operation]), int(code.wait_from[operation + 1])):
        if code.wait_on[row] == NEVER:
            step = int(code.wait_step[row])
            return f"step {program.depends_step[step]} of thread block {program.depends[step]}"
    return "a signal"


def last_writer(
    code: Code, order: Order, found: Accesses, cell: int, before: int | None = None
) -> int | None:
    """The access that wrote `cell` last (before operation `before`), in running order."""
    rows = np.flatnonzero(found.target == cell)
    if not len(rows):
        return None
    position = np.empty(code.operations, dtype=np.int64)
    position[order.order] = np.arange(code.operations)
    at: Int = position[found.operation[rows]]
    if before is not None:
        earlier = at < position[before]
        rows, at = rows[earlier], at[earlier]
    return int(rows[np.argmax(at)]) if len(rows) else None


def way(code: Code, order: Order, found: Accesses, access: int, limit: int = 12) -> list[int]:
    """The operations by which the value that an access wrote came there, the last one first."""
    path: list[int] = []
    at: int | None = access
    while at is not None and len(path) < limit:
        operation = int(found.operation[at])
        path.append(operation)
        origin = int(code.origin[operation])
        if origin >= 0:
            at = int(found.begin[origin] + found.part[at])
            continue
        source = int(found.source[at])
        at = last_writer(code, order, found, source, operation) if source >= 0 else None
    return path


def explain(program: Program, code: Code, order: Order | None) -> str:
    """What the program does: buffers, then every operation in an order in which it can run."""
    header = program.header
    names = [f"{count} {BUFFERS[b]}" for b, count in enumerate(program.chunks.max(axis=0).tolist())]
    lines = [
        f"{header.name or 'unnamed'}: {header.collective} on {program.ranks} ranks, protocol"
        f" {header.protocol}, {header.channels} channels, buffer cut in {header.pieces} chunks",
        f"{program.blocks} thread blocks, {program.steps} steps, {code.operations} operations;"
        f" chunks a rank: {', '.join(names)}",
    ]
    if order is None:
        fronts: list[list[int]] = [np.arange(code.operations).tolist()]
        lines.append("it cannot run to its end; operations in the order of the file:")
    else:
        starts = order.start.tolist()
        fronts = [sorted(order.order[a:b].tolist()) for a, b in itertools.pairwise(starts) if a < b]
    for number, front in enumerate(fronts):
        if order is not None:
            lines.append(f"moment {number}")
        for operation in front:
            waits = _waits(code, operation)
            signal = ", signals" if code.signals[operation] else ""
            lines.append(f"  {code.place(operation)} {code.describe(operation)}{waits}{signal}")
    return "\n".join(lines) + "\n"


def _waits(code: Code, operation: int) -> str:
    found: list[str] = []
    for row in range(int(code.wait_from[operation]), int(code.wait_from[operation + 1])):
        step = int(code.wait_step[row])
        program = code.program
        found.append(f"{program.depends_step[step]} of thread block {program.depends[step]}")
    return f", after step {' and '.join(found)}" if found else ""

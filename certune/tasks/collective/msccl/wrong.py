"""Counterexamples of the data-flow: what a rank ends with instead, and how that came about."""

from __future__ import annotations

import numpy as np

from certune.core import Counterexample, Json
from certune.tasks.collective.msccl.compile import Code
from certune.tasks.collective.msccl.dataflow import UNINITIALISED, Flow
from certune.tasks.collective.msccl.explain import last_writer, operation_data, way
from certune.tasks.collective.msccl.memory import REDUCING, Memory
from certune.tasks.collective.msccl.order import Order
from certune.tasks.collective.msccl.program import Bool, Int
from certune.tasks.collective.msccl.sums import Sums

_SHOWN = 16


def unready(code: Code, memory: Memory, flow: Flow) -> Counterexample | None:
    """The first operation that reads what nobody wrote."""
    found = flow.accesses
    for access, at in zip(flow.unready.tolist(), flow.unready_at.tolist(), strict=True):
        if at >= memory.cells:
            continue  # what it received was read too early by its sender
        operation = int(found.operation[access])
        rank, cell = memory.locate(at)
        return Counterexample(
            f"{code.place(operation)} {code.describe(operation)}, but nothing was written to {cell}"
            f" of rank {rank} before",
            {**operation_data(code, operation), "cell": cell},
        )
    return None


def wrong_result(
    code: Code, order: Order, memory: Memory, flow: Flow, sums: Sums
) -> Counterexample | None:
    """The first cell that does not end with what the collective asks for."""
    cell, group = memory.wanted()
    value = flow.final[cell]
    right = _whole(memory, sums, value, group) if memory.kind in REDUCING else value == group
    if right.all():
        return None
    at = int(np.argmin(right))
    rank, name = memory.locate(int(cell[at]))
    says = _says(memory, flow, sums, code, int(value[at]), int(group[at]))
    data: dict[str, Json] = {
        "rank": rank,
        "cell": name,
        "wrong cells": int((~right).sum()),
        "wanted": _wanted(memory, int(group[at])),
    }
    culprit = _culprit(memory, sums, int(value[at]))
    writer = last_writer(code, order, flow.accesses, int(cell[at]))
    if culprit is not None:
        data["step"] = operation_data(code, int(flow.accesses.operation[flow.node_access[culprit]]))
    if writer is not None:
        steps = way(code, order, flow.accesses, writer)
        data["way"] = [operation_data(code, operation) for operation in steps]
        if culprit is None:
            says += f"; it was last written by {code.place(steps[0])}"
    return Counterexample(f"rank {rank} ends with {name} {says}", data)


def _whole(memory: Memory, sums: Sums, value: Int, group: Int) -> Bool:
    node = value - memory.values
    inside = np.maximum(node, 0)
    if not len(sums.group):
        right = np.zeros(len(value), dtype=np.bool_)
    else:
        right = (node >= 0) & (sums.group[inside] == group)
        right &= (sums.size[inside] == memory.ranks) & (sums.culprit[inside] < 0)
    if memory.ranks == 1:
        right |= value == group
    return right


def _wanted(memory: Memory, group: int) -> str:
    if memory.kind in REDUCING:
        return f"the sum of chunk {group} of all ranks"
    rank, chunk = memory.name_value(group)
    return f"chunk {chunk} of rank {rank}"


def _culprit(memory: Memory, sums: Sums, value: int) -> int | None:
    if value < memory.values:
        return None
    culprit = int(sums.culprit[value - memory.values])
    return culprit if culprit >= 0 else None


def _says(memory: Memory, flow: Flow, sums: Sums, code: Code, value: int, group: int) -> str:
    wanted = _wanted(memory, group)
    if value == UNINITIALISED:
        return f"never written; it must be {wanted}"
    if value < memory.values:
        rank, chunk = memory.name_value(value)
        return f"holding chunk {chunk} of rank {rank}; it must be {wanted}"
    node = value - memory.values
    culprit = int(sums.culprit[node])
    if culprit >= 0:
        operation = int(flow.accesses.operation[flow.node_access[culprit]])
        why = {
            "twice": "adds a contribution that is already in the sum",
            "mixed": "adds chunks that belong to different results",
            "uninitialised": "adds what was never written",
        }[sums.fault(culprit)]
        return f"wrong: {code.place(operation)} {why}; it must be {wanted}"
    if int(sums.group[node]) != group:
        return f"holding a sum of chunk {int(sums.group[node])}; it must be {wanted}"
    return f"lacking {_lacking(memory, flow, value)}; it must be {wanted}"


def _lacking(memory: Memory, flow: Flow, value: int) -> str:
    present: set[int] = set()
    seen: set[int] = set()
    stack = [value]
    while stack:
        item = stack.pop()
        if item in seen or item < 0:
            continue
        seen.add(item)
        if item < memory.values:
            present.add(memory.name_value(item)[0])
        else:
            node = item - memory.values
            stack.extend((int(flow.left[node]), int(flow.right[node])))
    missing = [rank for rank in range(memory.ranks) if rank not in present]
    shown = ", ".join(map(str, missing[:_SHOWN])) + (", …" if len(missing) > _SHOWN else "")
    if len(missing) == 1:
        return f"what rank {shown} contributes"
    return f"what ranks {shown} contribute"

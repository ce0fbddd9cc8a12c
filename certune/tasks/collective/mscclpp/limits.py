"""Why the executor would not load a plan, or would overrun its own tables.

Facts are those of execution_common.hpp, execution_plan.cc and executor.cc of microsoft/mscclpp
(1f5f065d). Channels and operations lie in arrays of fixed length that nothing checks, but for
the number of operations.
"""

from __future__ import annotations

from collections.abc import Iterator

from certune.tasks.collective.mscclpp.plan import (
    MAX_BARRIERS,
    MAX_CHANNELS,
    MAX_CHANNELS_PER_OPERATION,
    MAX_OPERANDS,
    MAX_OPERATIONS,
    MAX_SEMAPHORES,
    Operation,
    Plan,
    ThreadBlock,
)
from certune.tasks.collective.mscclpp.semantics.values import mismatch

KNOWN = ("allreduce", "allgather", "reducescatter", "alltoall")


def _flat(block: ThreadBlock) -> Iterator[tuple[str, Operation]]:
    for index, op in enumerate(block.operations):
        yield f"{index}", op
        for inner, inside in enumerate(op.operations):
            yield f"{index}.{inner}", inside


def _fits(op: Operation, threads: int) -> bool:
    """Whether `_operation` has nothing to say of an operation that is no pipeline."""
    return (
        not op.operations
        and len(op.channels) <= min(MAX_CHANNELS_PER_OPERATION, threads)
        and len(op.semaphores) <= min(MAX_SEMAPHORES, threads)
        and len(op.sources) <= MAX_OPERANDS
        and len(op.destinations) <= MAX_OPERANDS
        and op.barrier < MAX_BARRIERS
    )


def _operation(op: Operation, threads: int) -> Iterator[str]:
    slots = max(len(op.channels), len(op.semaphores))
    if len(op.channels) > MAX_CHANNELS_PER_OPERATION:
        yield f"{len(op.channels)} channels, room is for {MAX_CHANNELS_PER_OPERATION}"
    if len(op.semaphores) > MAX_SEMAPHORES:
        yield f"{len(op.semaphores)} semaphores, room is for {MAX_SEMAPHORES}"
    if slots > threads:
        yield f"{slots} channels or semaphores, but only {threads} threads to handle them"
    if max(len(op.sources), len(op.destinations)) > MAX_OPERANDS:
        yield f"more than {MAX_OPERANDS} operands on one side"
    if op.name == "barrier" and op.barrier >= MAX_BARRIERS:
        yield f"barrier {op.barrier}, there are {MAX_BARRIERS}"


def obstacles(plan: Plan) -> Iterator[tuple[int, str]]:
    """Rank and sentence of everything that keeps the executor from loading the plan soundly."""
    for sentence in plan.dialect:
        remedy = " (the file is of an older version; write it anew)"
        yield 0, sentence + remedy
    if plan.collective in KNOWN and not plan.dialect:
        chunks = plan.gpus[0].input_chunks, plan.gpus[0].output_chunks
        wrong = mismatch(chunks, plan.collective, plan.ranks)
        if wrong:
            yield 0, wrong
    for rank, gpu in enumerate(plan.gpus):
        if not gpu.threadblocks:
            yield rank, f"rank {rank} has no thread block to launch"
        for number, block in enumerate(gpu.threadblocks):
            where = f"rank {rank}, thread block {number}"
            expanded = block.expanded
            if expanded > MAX_OPERATIONS:
                yield rank, f"{where} has {expanded} operations; the limit is {MAX_OPERATIONS}"
            for kind, listed in block.channels.items():
                if len(listed) > MAX_CHANNELS:
                    yield (
                        rank,
                        f"{where} has {len(listed)} {kind} channels; room is for {MAX_CHANNELS}",
                    )
            for kind, listed in block.remote.items():
                if len(listed) > MAX_CHANNELS:
                    yield (
                        rank,
                        f"{where} has {len(listed)} remote buffers through {kind} channels; "
                        f"room is for {MAX_CHANNELS}",
                    )
            if all(_fits(op, plan.threads) for op in block.operations):
                continue
            for index, op in _flat(block):
                for sentence in _operation(op, plan.threads):
                    yield rank, f"{where}, operation {index} ({op.name}): {sentence}"
        for number, channel in enumerate(gpu.switch):
            ordinal = sum(x.ranks == channel.ranks for x in gpu.switch[: number + 1])
            for peer in channel.ranks:
                if sum(x.ranks == channel.ranks for x in plan.gpus[peer].switch) < ordinal:
                    yield (
                        rank,
                        f"rank {rank} sets up switch channel {number} with rank {peer}, which "
                        "does not",
                    )

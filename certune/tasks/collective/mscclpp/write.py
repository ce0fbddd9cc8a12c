"""Writing a plan: canonical JSON, one file for one plan.

Members are sorted, there is no white space, and every member that the present executor and
language know is written out. A plan that the reader would refuse is refused here.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from certune.core import InvalidInput
from certune.tasks.collective.mscclpp.collector import uncollected
from certune.tasks.collective.mscclpp.plan import (
    CHANNEL_TYPES,
    DATA_OPERATIONS,
    SYNCHRONISING,
    Gpu,
    Operand,
    Operation,
    Plan,
    ThreadBlock,
)
from certune.tasks.collective.mscclpp.read import read_plan


def _operand(operand: Operand) -> dict[str, Any]:
    entry: dict[str, Any] = {"index": operand.index, "size": operand.size}
    if operand.reference == "local":
        entry["type"] = operand.buffer
    elif operand.reference == "remote":
        entry["buffer_id"] = operand.id
    else:
        entry["switch_channel_id"] = operand.id
    return entry


def _operation(op: Operation) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": op.name}
    if op.name == "pipeline":
        entry["iter_context"] = {"unit_size": op.unit_bytes, "num_chunks": op.unit_chunks}
        entry["ops"] = [_operation(inside) for inside in op.operations]
        return entry
    if op.name == "barrier":
        return entry | {"barrier_id": op.barrier, "num_threadblocks": op.participants}
    if op.name in ("sem_acquire", "sem_release"):
        return entry | {"semaphore_ids": list(op.semaphores)}
    if op.channel_type is not None:
        entry["channel_type"] = op.channel_type
    if op.channels or op.name in SYNCHRONISING:
        entry["channel_ids"] = list(op.channels)
    if op.name in DATA_OPERATIONS:
        entry["src_buff"] = [_operand(operand) for operand in op.sources]
        entry["dst_buff"] = [_operand(operand) for operand in op.destinations]
        if op.group != (0, 1):
            entry["tbg_info"] = {"tb_id": op.group[0], "tbg_size": op.group[1]}
        if op.reduce is not None:
            entry["reduce_op"] = op.reduce
    return entry


def _block(number: int, block: ThreadBlock) -> dict[str, Any]:
    return {
        "id": number,
        "ops": [_operation(op) for op in block.operations],
        "channels": [
            {"channel_type": kind, "channel_ids": list(block.channels[kind])}
            for kind in CHANNEL_TYPES
            if block.channels.get(kind)
        ],
        "remote_buffer_refs": [
            {"access_channel_type": kind, "remote_buffer_ids": list(block.remote[kind])}
            for kind in CHANNEL_TYPES
            if block.remote.get(kind)
        ],
    }


def _gpu(rank: int, gpu: Gpu) -> dict[str, Any]:
    channels: list[dict[str, Any]] = [
        {"channel_type": kind, "connected_to": list(peers)}
        for kind, peers in (("memory", gpu.memory), ("port", gpu.port))
        if peers
    ]
    channels += [
        {
            "channel_type": "switch",
            "buffer_type": channel.buffer,
            "rank_groups": [{"size": len(channel.ranks), "ranks": list(channel.ranks)}],
        }
        for channel in gpu.switch
    ]
    return {
        "id": rank,
        "input_chunks": gpu.input_chunks,
        "output_chunks": gpu.output_chunks,
        "scratch_chunks": gpu.scratch_chunks,
        "threadblocks": [_block(number, block) for number, block in enumerate(gpu.threadblocks)],
        "channels": channels,
        "remote_buffers": [
            {"rank": x.rank, "type": x.buffer, "access_channel_types": list(x.access)}
            for x in gpu.remote_buffers
        ],
        "semaphores": [{"init_value": value} for value in gpu.semaphores],
    }


@uncollected()
def dump_plan(plan: Plan) -> bytes:
    """The canonical file of `plan`.

    Raises:
        InvalidInput: the reader would refuse the file; where and why.
    """
    value = {
        "name": plan.name,
        "collective": plan.collective,
        "protocol": plan.protocol,
        "inplace": plan.inplace,
        "reuse_resources": plan.reuse_resources,
        "gpus": [_gpu(rank, gpu) for rank, gpu in enumerate(plan.gpus)],
        "num_threads_per_block": plan.threads,
        "use_double_scratch_buffer": plan.double_scratch,
        "buffer_alignment": plan.alignment,
        "min_message_size": plan.min_message,
        "max_message_size": plan.max_message,
    }
    data = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    if _key(read_plan(data)) != _key(plan):
        raise InvalidInput("the plan does not come back from its file", place="plan")
    return data


def _key(plan: Plan) -> Plan:
    """What two equal plans agree in: tables without empty entries, no note of the dialect."""

    def block(given: ThreadBlock) -> ThreadBlock:
        return ThreadBlock(
            given.operations,
            {kind: given.channels[kind] for kind in CHANNEL_TYPES if given.channels.get(kind)},
            {kind: given.remote[kind] for kind in CHANNEL_TYPES if given.remote.get(kind)},
        )

    gpus = tuple(
        replace(gpu, threadblocks=tuple(map(block, gpu.threadblocks))) for gpu in plan.gpus
    )
    return replace(plan, gpus=gpus, dialect=())

"""What a plan does, step by step, as text."""

from __future__ import annotations

from collections.abc import Iterator

from certune.tasks.collective.mscclpp.plan import Operand, Operation, Plan, ThreadBlock

_VERBS = {
    "copy": "copies",
    "cpkt": "copies as packets",
    "upkt": "unpacks, when they are there, the packets of",
    "re": "adds up",
    "res": "adds up and sends",
    "rre": "reads and adds up",
    "rres": "reads, adds up and sends",
    "repkt": "adds up with packets, when they are there,",
    "respkt": "adds up with packets, when they are there, and sends as packets",
    "recpkt": "adds up with packets, when they are there, and keeps as packets",
    "recspkt": "adds up with packets, when they are there, keeps and sends as packets",
    "get": "gets",
    "put": "puts",
    "pws": "puts and signals",
    "pwsf": "puts, signals and flushes",
    "ppkt": "puts as packets",
    "rppkt": "passes on, when they are there, the packets of",
    "gstore": "stores to all ranks of the switch",
    "glres": "adds up over all ranks of the switch and stores to all",
}


def _operand(plan: Plan, rank: int, block: ThreadBlock, op: Operation, operand: Operand) -> str:
    gpu = plan.gpus[rank]
    last = operand.index + operand.size - 1
    chunks = f"[{operand.index}]" if operand.size == 1 else f"[{operand.index}…{last}]"
    if operand.reference == "local":
        return f"{operand.buffer}{chunks}"
    if operand.reference == "switch":
        channel = gpu.switch[block.channels["switch"][operand.id]]
        return f"{channel.buffer}{chunks} of ranks {', '.join(map(str, channel.ranks))}"
    entry = gpu.remote_buffers[block.remote[op.channel_type or "memory"][operand.id]]
    return f"rank {entry.rank}'s {entry.buffer}{chunks}"


def _peers(plan: Plan, rank: int, block: ThreadBlock, op: Operation) -> str:
    kind = op.channel_type or "memory"
    table = block.channels[kind]
    peers = [plan.gpus[rank].peers(kind)[table[number]] for number in op.channels]
    noun = "rank" if len(peers) == 1 else "ranks"
    return f"{noun} {', '.join(map(str, peers))} ({kind})"


def operation_in_words(plan: Plan, rank: int, block: ThreadBlock, op: Operation) -> str:
    """One operation of a thread block in words."""
    name = op.name
    if name == "nop":
        return "the threads meet"
    if name == "barrier":
        return f"meets {op.participants} thread blocks at barrier {op.barrier}"
    if name in ("sem_acquire", "sem_release"):
        verb = "waits for" if name == "sem_acquire" else "releases"
        return f"{verb} semaphore {', '.join(map(str, op.semaphores))}"
    if name == "flush":
        return f"flushes {_peers(plan, rank, block, op)} (the executor does nothing)"
    if name in ("signal", "rlxsignal"):
        how = "signals" if name == "signal" else "signals, only in time,"
        return f"{how} {_peers(plan, rank, block, op)}"
    if name in ("wait", "rlxwait"):
        how = "waits for" if name == "wait" else "waits, only in time, for"
        return f"{how} {_peers(plan, rank, block, op)}"
    if name == "pipeline":
        return f"repeats for every {op.unit_bytes} bytes of {op.unit_chunks} chunks:"
    sources = " + ".join(_operand(plan, rank, block, op, x) for x in op.sources)
    targets = ", ".join(_operand(plan, rank, block, op, x) for x in op.destinations)
    if name in ("put", "pws", "pwsf", "get", "ppkt") and len(op.sources) > 1:
        pairs = zip(op.sources, op.destinations, strict=False)
        moves = (
            f"{_operand(plan, rank, block, op, a)} → {_operand(plan, rank, block, op, b)}"
            for a, b in pairs
        )
        text = f"{_VERBS[name]} {', '.join(moves)}"
    else:
        text = f"{_VERBS[name]} {sources} → {targets}"
    if op.group != (0, 1):
        text += f", part {op.group[0]} of {op.group[1]}"
    return text


def explain(plan: Plan) -> Iterator[str]:
    """Lines of text: the plan, then every thread block of every rank with its operations."""
    gpu = plan.gpus[0]
    yield (
        f"{plan.name}: {plan.collective} of {plan.ranks} ranks, protocol {plan.protocol}, "
        f"{'in place' if plan.inplace else 'out of place'}; "
        f"{gpu.input_chunks} input, {gpu.output_chunks} output chunks; {plan.operations} operations"
    )
    for rank, gpu in enumerate(plan.gpus):
        for number, block in enumerate(gpu.threadblocks):
            yield f"rank {rank}, thread block {number}"
            for index, op in enumerate(block.operations):
                yield f"  {index:>3} {operation_in_words(plan, rank, block, op)}"
                for inner, inside in enumerate(op.operations):
                    words = operation_in_words(plan, rank, block, inside)
                    yield f"      {index}.{inner} {words}"

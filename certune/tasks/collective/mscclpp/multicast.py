"""Plans over switch channels: allreduce and allgather by the multicast of NVSwitch (NVLS).

No native schedule says what they do: one operation adds or stores at all ranks at once. Rank r
has the r-th part of the buffer. In an allreduce it loads that part from all ranks, added up by
the switch, and stores the sum at all of them; in an allgather it stores its own part at all.
Before that every rank tells the others that it has started, after it that its part is done; the
latter are full signals, since relaxed ones do not wait for the stores.
"""

from __future__ import annotations

from certune.core import InvalidInput
from certune.tasks.collective.mscclpp.plan import (
    MAX_CHANNELS,
    MAX_CHANNELS_PER_OPERATION,
    Buffer,
    Gpu,
    Operand,
    Operation,
    Plan,
    SwitchChannel,
    ThreadBlock,
)
from certune.tasks.collective.mscclpp.sizes import scope

KINDS = ("allgather", "allreduce")


def multicast(kind: str, ranks: int, *, name: str = "certune", threads: int = 1024) -> Plan:
    """The in-place plan of `kind` for `ranks` ranks behind one switch.

    Raises:
        InvalidInput: another collective, or more ranks than a thread block has channels for.
    """
    if kind not in KINDS:
        raise InvalidInput(
            f"no plan of {kind} over switch channels is written here",
            remedy="there are " + " and ".join(KINDS),
        )
    if not 2 <= ranks <= MAX_CHANNELS + 1:
        raise InvalidInput(f"{ranks} ranks", place="ranks", remedy=f"2 to {MAX_CHANNELS + 1}")
    buffer: Buffer = "i" if kind == "allreduce" else "o"
    group = SwitchChannel(buffer, tuple(range(ranks)))
    gpus = tuple(_rank(kind, rank, ranks, buffer, group) for rank in range(ranks))
    plan = Plan(name, kind, "Simple", True, gpus, threads=threads)
    admitted = scope(plan)
    return Plan(
        name, kind, "Simple", True, gpus, threads=threads,
        min_message=0, max_message=min(plan.max_message, admitted.largest),
    )  # fmt: skip


def _rank(kind: str, rank: int, ranks: int, buffer: Buffer, group: SwitchChannel) -> Gpu:
    peers = tuple(peer for peer in range(ranks) if peer != rank)
    everywhere = Operand("switch", rank, 1, id=0)
    if kind == "allreduce":
        work = Operation(
            "glres", "switch", sources=(everywhere,), destinations=(everywhere,), reduce="sum"
        )
        inputs = ranks
    else:
        own = Operand("local", rank, 1, buffer)
        work = Operation("gstore", "switch", sources=(own,), destinations=(everywhere,))
        inputs = 1
    nop = Operation("nop")
    operations = [
        *_messages("rlxsignal", len(peers)), nop, *_messages("rlxwait", len(peers)), nop,
        work, nop,
        *_messages("signal", len(peers)), nop, *_messages("wait", len(peers)),
    ]  # fmt: skip
    block = ThreadBlock(tuple(operations), {"memory": tuple(range(len(peers))), "switch": (0,)}, {})
    return Gpu(inputs, ranks, 0, (block,), memory=peers, switch=(group,))


def _messages(name: str, peers: int) -> list[Operation]:
    """`name` on all channels of the block, a few at a time."""
    step = MAX_CHANNELS_PER_OPERATION
    return [
        Operation(name, "memory", tuple(range(first, min(first + step, peers))))
        for first in range(0, peers, step)
    ]

"""Limits of the runtimes, and what each can run (from their sources; see docs/formats)."""

from __future__ import annotations

from dataclasses import dataclass

from certune.tasks.collective.msccl.program import Protocol, Target

MAX_COUNT = 72  # MSCCL_MAX_COUNT: cnt must be less
MAX_DEPENDENCE = 127  # depid is kept in an int8
MAX_FUSED = 16  # MSCCL_MAX_REDUCE_FUSION
MAX_ATTRIBUTES = 16
MAX_TEXT = 255
SLOTS: dict[Protocol, int] = {"Simple": 2, "LL": 8, "LL128": 8}


@dataclass(frozen=True)
class Limits:
    """What a runtime accepts.

    steps:     a step's number s must be less
    blocks:    thread blocks of a rank
    channels:  of the program
    peers:     sending (or receiving) thread blocks of a channel
    nodes:     XML elements that one rank keeps: algo, every gpu, its own thread blocks and steps
    children:  elements directly inside one element; 0 where there is no such limit
    fused:     whether rcs, rrs, rrc and rrcs are built
    collectives: names that ``coll`` may have
    """

    name: str
    steps: int
    blocks: int
    channels: int
    peers: int
    nodes: int
    children: int
    fused: bool
    collectives: tuple[str, ...]


_EXECUTOR = (
    "allreduce",
    "allgather",
    "reducescatter",
    "alltoall",
    "broadcast",
    "reduce",
    "gather",
    "scatter",
)

LIMITS: dict[Target, Limits] = {
    "microsoft": Limits(
        name="microsoft/msccl",
        steps=256,
        blocks=216,
        channels=32,
        peers=32,
        nodes=4096,
        children=0,
        fused=True,
        collectives=(
            "allreduce",
            "allgather",
            "reduce_scatter",
            "alltoall",
            "broadcast",
            "reduce",
        ),
    ),
    "azure": Limits(
        name="Azure/msccl-executor-nccl",
        steps=64,
        blocks=1024,
        channels=32,
        peers=32,
        nodes=4096,
        children=1024,
        fused=True,
        collectives=_EXECUTOR,
    ),
    "rccl": Limits(
        name="RCCL",
        steps=64,
        blocks=64,
        channels=128,
        peers=32,
        nodes=4096,
        children=1024,
        fused=False,
        collectives=_EXECUTOR,
    ),
}


def message_bytes(protocol: Protocol, target: Target | None) -> int:
    """E: bytes of one FIFO message with the runtime's default buffers.

    Simple: 4 of the 8 steps of NCCL_BUFFSIZE = 4 MiB. LL: half of a buffer of 8 * 16 bytes a
    thread. LL128: 15/16 of a step of 120 elements of 8 bytes a thread. NVIDIA has at most 512
    (LL) and 640 (LL128) threads, RCCL 256 each.
    """
    if protocol == "Simple":
        return 2 * 2**20
    if protocol == "LL":
        return 8 * 16 * (256 if target == "rccl" else 512) // 2
    return 120 * 8 * (256 if target == "rccl" else 640) * 15 // 16

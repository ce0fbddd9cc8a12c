"""MSCCL++ execution plans as data: what the executor of microsoft/mscclpp loads.

A plan gives every rank its thread blocks, each a list of operations that refer to channels,
remote buffers and semaphores by index: ``op.channel_ids`` → the thread block's list of its
channels → the rank's list of channels; ``buffer_id`` → the thread block's list of its remote
buffers → the rank's. These classes hold the indices as the file has them; what they mean is in
`certune.tasks.collective.mscclpp.semantics`, the format in docs/formats/mscclpp-plan.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Buffer: TypeAlias = Literal["i", "o", "s"]
ChannelType: TypeAlias = Literal["memory", "port", "switch"]
Reference: TypeAlias = Literal["local", "remote", "switch"]

BUFFERS: tuple[Buffer, ...] = get_args(Buffer)
CHANNEL_TYPES: tuple[ChannelType, ...] = get_args(ChannelType)
PROTOCOLS = ("Simple", "LL")
COLLECTIVES = ("allreduce", "allgather", "reducescatter", "alltoall", "sendrecv", "test")

UNLIMITED = 2**64 - 1  # max_message_size where a plan does not limit it

# Limits of the executor (src/core/include/execution_common.hpp).
MAX_OPERATIONS = 64
MAX_CHANNELS = 16
MAX_CHANNELS_PER_OPERATION = 8
MAX_OPERANDS = 10
MAX_BARRIERS = 16
MAX_SEMAPHORES = 16
RESERVED_SCRATCH = 2**26  # bytes of scratch of a plan with reuse_resources

SYNCHRONISING = frozenset(("signal", "wait", "rlxsignal", "rlxwait", "flush"))
PACKET_OPERATIONS = frozenset(
    ("cpkt", "upkt", "ppkt", "rppkt", "repkt", "recpkt", "respkt", "recspkt")
)
# Their elements have the size of the data type for integers, of 16 bytes otherwise.
SWITCHED = frozenset(("gstore", "glres"))
DATA_OPERATIONS = (
    PACKET_OPERATIONS
    | SWITCHED
    | frozenset(("copy", "re", "res", "rre", "rres", "get", "put", "pws", "pwsf"))
)
OPERATIONS = (
    SYNCHRONISING
    | DATA_OPERATIONS
    | frozenset(("nop", "barrier", "sem_acquire", "sem_release", "pipeline"))
)
# Written by the language, refused by the executor ("Invalid operation type").
NOT_EXECUTED = frozenset(("glre", "gstorepkt"))


@dataclass(frozen=True)
class Operand:
    """`size` chunks from chunk `index` of a local buffer, a remote buffer or a switch channel.

    `buffer` is the letter of a local operand; `id` the thread block's number of the remote
    buffer or switch channel otherwise.
    """

    reference: Reference
    index: int
    size: int
    buffer: Buffer | None = None
    id: int = 0


@dataclass(frozen=True)
class Operation:
    """One operation; members that its kind does not use are empty.

    `group` is (position, size) of a thread-block group that splits every operand among its
    members; `operations`, `unit_bytes` and `unit_chunks` belong to a pipeline.
    """

    name: str
    channel_type: ChannelType | None = None
    channels: tuple[int, ...] = ()
    semaphores: tuple[int, ...] = ()
    sources: tuple[Operand, ...] = ()
    destinations: tuple[Operand, ...] = ()
    group: tuple[int, int] = (0, 1)
    reduce: str | None = None
    barrier: int = 0
    participants: int = 0
    unit_bytes: int = 0
    unit_chunks: int = 0
    operations: tuple[Operation, ...] = ()


@dataclass(frozen=True)
class ThreadBlock:
    """A sequential program of one thread block and the tables that its operations index.

    `channels` maps a channel type to indices into the rank's channels of that type, `remote`
    an access type to indices into the rank's remote buffers.
    """

    operations: tuple[Operation, ...]
    channels: dict[ChannelType, tuple[int, ...]]
    remote: dict[ChannelType, tuple[int, ...]]

    @property
    def expanded(self) -> int:
        """How many operations the executor stores: a pipeline counts itself and its own."""
        return sum(1 + len(op.operations) for op in self.operations)


@dataclass(frozen=True)
class RemoteBuffer:
    """A buffer of another rank, and through which channel types it is reached."""

    rank: int
    buffer: Buffer
    access: tuple[ChannelType, ...]


@dataclass(frozen=True)
class SwitchChannel:
    """A multicast group: `ranks` bind their `buffer` to it."""

    buffer: Buffer
    ranks: tuple[int, ...]


@dataclass(frozen=True)
class Gpu:
    """The part of one rank: chunk counts of its buffers, channels, remote buffers, programs.

    `memory` and `port` list the peer of each channel; the k-th channel to a peer is paired with
    the peer's k-th channel of this type back.
    """

    input_chunks: int
    output_chunks: int
    scratch_chunks: int
    threadblocks: tuple[ThreadBlock, ...]
    memory: tuple[int, ...] = ()
    port: tuple[int, ...] = ()
    switch: tuple[SwitchChannel, ...] = ()
    remote_buffers: tuple[RemoteBuffer, ...] = ()
    semaphores: tuple[int, ...] = ()

    def peers(self, channel_type: ChannelType) -> tuple[int, ...]:
        """The peers of the memory or port channels in order."""
        return self.memory if channel_type == "memory" else self.port


@dataclass(frozen=True)
class Plan:
    """An execution plan of all ranks.

    Sizes are bytes. `dialect` names what an older executor wrote and the present one does not
    load (see the reader); empty for a present-day file.
    """

    name: str
    collective: str
    protocol: str
    inplace: bool
    gpus: tuple[Gpu, ...]
    reuse_resources: bool = False
    threads: int = 1024
    double_scratch: bool = False
    alignment: int = 16
    min_message: int = 0
    max_message: int = UNLIMITED
    dialect: tuple[str, ...] = ()

    @property
    def ranks(self) -> int:
        """How many ranks there are."""
        return len(self.gpus)

    @property
    def operations(self) -> int:
        """How many operations all thread blocks hold, those inside pipelines included."""
        return sum(tb.expanded for gpu in self.gpus for tb in gpu.threadblocks)

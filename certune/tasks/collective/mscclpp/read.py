"""Reading an execution plan strictly.

Reading takes time and memory in proportion to the file and ends in a `Plan` or in
`InvalidPayload` with the path of the member that is wrong. What the executor would index out of
range (channels, remote buffers, semaphores, chunks are left to the verifier) is refused here;
its own limits are not: a plan beyond them is a plan that does not load, which the verifier says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from certune.core import InvalidPayload
from certune.core.errors import nearest
from certune.tasks.collective.mscclpp.collector import uncollected
from certune.tasks.collective.mscclpp.operation import Tables, read_operation
from certune.tasks.collective.mscclpp.plan import (
    BUFFERS,
    CHANNEL_TYPES,
    COLLECTIVES,
    PROTOCOLS,
    UNLIMITED,
    Buffer,
    ChannelType,
    Gpu,
    Plan,
    RemoteBuffer,
    SwitchChannel,
    ThreadBlock,
)
from certune.tasks.collective.mscclpp.strict import (
    array,
    boolean,
    choice,
    integer,
    integers,
    known,
    members,
    parse,
    require,
    string,
)

MAX_BYTES = 32 * 2**20
MAX_RANKS = 1024
MAX_CHUNKS = 65_536
MAX_THREADBLOCKS = 1024

_TOP = (
    "name",
    "collective",
    "protocol",
    "inplace",
    "reuse_resources",
    "gpus",
    "num_threads_per_block",
    "use_double_scratch_buffer",
    "buffer_alignment",
    "min_message_size",
    "max_message_size",
)
_GPU = (
    "id",
    "input_chunks",
    "output_chunks",
    "scratch_chunks",
    "threadblocks",
    "channels",
    "remote_buffers",
    "semaphores",
)
_OLD_SWITCH = "a switch channel names its buffer 'buff', not 'buffer_type'"
_NO_OUTPUT = "output_chunks or input_chunks is 0"


def _refuse(message: str, place: str, remedy: str = "") -> InvalidPayload:
    return InvalidPayload(message, place=place, remedy=remedy)


def _entries(value: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for index, entry in enumerate(array(value, place)):
        here = f"{place}[{index}]"
        yield here, members(entry, here)


def _switch(
    entry: Mapping[str, Any], place: str, rank: int, ranks: int, dialect: set[str]
) -> list[SwitchChannel]:
    known(entry, ("channel_type", "buffer_type", "buff", "rank_groups"), place)
    if "buff" in entry and "buffer_type" not in entry:
        dialect.add(_OLD_SWITCH)
        key = "buff"
    else:
        key = "buffer_type"
    buffer = cast(Buffer, choice(entry, key, BUFFERS, place))
    channels = []
    for here, group in _entries(require(entry, "rank_groups", place), f"{place}.rank_groups"):
        known(group, ("size", "ranks"), here)
        listed = integers(require(group, "ranks", here), f"{here}.ranks", 0, ranks - 1, ranks)
        if len(set(listed)) != len(listed):
            raise _refuse("a rank is named twice", f"{here}.ranks", "name every rank once")
        if rank not in listed:
            raise _refuse(
                f"rank {rank} is not in its own group", f"{here}.ranks", f"add rank {rank}"
            )
        size = integer(group, "size", here, 1, ranks)
        if size != len(listed):
            raise _refuse(f"size is {size} for {len(listed)} ranks", here, f"write {len(listed)}")
        channels.append(SwitchChannel(buffer, tuple(sorted(listed))))
    return channels


def _channels(
    value: Any, place: str, rank: int, ranks: int, dialect: set[str]
) -> tuple[dict[str, list[int]], list[SwitchChannel]]:
    peers: dict[str, list[int]] = {"memory": [], "port": []}
    switch: list[SwitchChannel] = []
    for here, entry in _entries(value, place):
        kind = choice(entry, "channel_type", CHANNEL_TYPES, here)
        if kind == "switch":
            switch += _switch(entry, here, rank, ranks, dialect)
            continue
        known(entry, ("channel_type", "connected_to"), here)
        listed = integers(
            require(entry, "connected_to", here), f"{here}.connected_to", 0, ranks - 1, MAX_CHUNKS
        )
        if rank in listed:
            position = listed.index(rank)
            raise _refuse(
                f"rank {rank} is connected to itself",
                f"{here}.connected_to[{position}]",
                "connect different ranks",
            )
        peers[kind] += listed
    return peers, switch


def _remote_buffers(value: Any, place: str, rank: int, ranks: int) -> list[RemoteBuffer]:
    buffers = []
    for here, entry in _entries(value, place):
        known(entry, ("rank", "type", "access_channel_types"), here)
        owner = integer(entry, "rank", here, 0, ranks - 1)
        if owner == rank:
            raise _refuse("the remote buffer is the rank's own", f"{here}.rank", "name a peer")
        access = array(require(entry, "access_channel_types", here), f"{here}.access_channel_types")
        for index, name in enumerate(access):
            if name not in ("memory", "port"):
                raise _refuse(
                    "expected 'memory' or 'port'", f"{here}.access_channel_types[{index}]"
                )
        buffer = cast(Buffer, choice(entry, "type", BUFFERS, here))
        buffers.append(RemoteBuffer(owner, buffer, tuple(access)))
    return buffers


def _tables(
    entry: Mapping[str, Any], place: str, counts: Mapping[str, int], buffers: list[RemoteBuffer]
) -> tuple[dict[ChannelType, tuple[int, ...]], dict[ChannelType, tuple[int, ...]]]:
    """The two index tables of a thread block, checked against what the rank has."""
    channels: dict[ChannelType, tuple[int, ...]] = {}
    for here, item in _entries(entry.get("channels", []), f"{place}.channels"):
        known(item, ("channel_type", "channel_ids", "buff"), here)
        kind = cast(ChannelType, choice(item, "channel_type", CHANNEL_TYPES, here))
        listed = integers(
            require(item, "channel_ids", here),
            f"{here}.channel_ids",
            0,
            counts[kind] - 1,
            MAX_CHUNKS,
            what=f"{kind} channel of this rank",
        )
        channels[kind] = channels.get(kind, ()) + tuple(listed)
    remote: dict[ChannelType, tuple[int, ...]] = {}
    for here, item in _entries(entry.get("remote_buffer_refs", []), f"{place}.remote_buffer_refs"):
        known(item, ("access_channel_type", "remote_buffer_ids"), here)
        kind = cast(ChannelType, choice(item, "access_channel_type", ("memory", "port"), here))
        listed = integers(
            require(item, "remote_buffer_ids", here),
            f"{here}.remote_buffer_ids",
            0,
            len(buffers) - 1,
            MAX_CHUNKS,
            what="remote buffer of this rank",
        )
        for index, number in enumerate(listed):
            if kind not in buffers[number].access:
                raise _refuse(
                    f"remote buffer {number} is not reached through {kind} channels",
                    f"{here}.remote_buffer_ids[{index}]",
                    "add the type to its access_channel_types",
                )
        remote[kind] = remote.get(kind, ()) + tuple(listed)
    return channels, remote


def _gpu(entry: Mapping[str, Any], place: str, rank: int, ranks: int, dialect: set[str]) -> Gpu:
    known(entry, _GPU, place)
    if integer(entry, "id", place, 0, MAX_RANKS - 1) != rank:
        raise _refuse(f"gpu {rank} has another id", f"{place}.id", f"write {rank}")
    chunks = [
        integer(entry, f"{name}_chunks", place, 0, MAX_CHUNKS)
        for name in ("input", "output", "scratch")
    ]
    if not chunks[0] and not chunks[1]:
        raise _refuse("neither input nor output has chunks", place, "give input_chunks")
    if not chunks[0] or not chunks[1]:
        dialect.add(_NO_OUTPUT)
    peers, switch = _channels(
        require(entry, "channels", place), f"{place}.channels", rank, ranks, dialect
    )
    buffers = _remote_buffers(
        require(entry, "remote_buffers", place), f"{place}.remote_buffers", rank, ranks
    )
    semaphores = []
    for here, item in _entries(entry.get("semaphores", []), f"{place}.semaphores"):
        known(item, ("init_value",), here)
        semaphores.append(integer(item, "init_value", here, 0, 2**31 - 1))
    counts = {
        "memory": len(peers["memory"]),
        "port": len(peers["port"]),
        "switch": len(switch),
    }
    blocks: list[ThreadBlock] = []
    where = f"{place}.threadblocks"
    listed = array(require(entry, "threadblocks", place), where)
    if len(listed) > MAX_THREADBLOCKS:
        raise _refuse(f"{len(listed)} thread blocks", where, f"at most {MAX_THREADBLOCKS}")
    for here, item in _entries(listed, where):
        known(item, ("id", "ops", "channels", "remote_buffer_refs"), here)
        if integer(item, "id", here, 0, MAX_THREADBLOCKS) != len(blocks):
            raise _refuse(
                "thread blocks are not numbered in order", f"{here}.id", f"write {len(blocks)}"
            )
        channels, remote = _tables(item, here, counts, buffers)
        tables = Tables(
            {kind: len(channels.get(kind, ())) for kind in CHANNEL_TYPES},
            {kind: len(remote.get(kind, ())) for kind in CHANNEL_TYPES},
            len(semaphores),
        )
        ops = array(require(item, "ops", here), f"{here}.ops")
        operations = tuple(
            read_operation(op, f"{here}.ops[{index}]", tables) for index, op in enumerate(ops)
        )
        blocks.append(ThreadBlock(operations, channels, remote))
    return Gpu(
        chunks[0],
        chunks[1],
        chunks[2],
        tuple(blocks),
        tuple(peers["memory"]),
        tuple(peers["port"]),
        tuple(switch),
        tuple(buffers),
        tuple(semaphores),
    )


def _plan(data: bytes) -> Plan:
    top = members(parse(data, MAX_BYTES), "file")
    known(top, _TOP, "file")
    dialect: set[str] = set()
    listed = array(require(top, "gpus", "file"), "gpus")
    if not 2 <= len(listed) <= MAX_RANKS:
        raise _refuse(f"{len(listed)} gpus", "gpus", f"give 2 to {MAX_RANKS}")
    gpus = tuple(
        _gpu(members(entry, f"gpus[{rank}]"), f"gpus[{rank}]", rank, len(listed), dialect)
        for rank, entry in enumerate(listed)
    )
    for rank, gpu in enumerate(gpus):
        if (gpu.input_chunks, gpu.output_chunks) != (gpus[0].input_chunks, gpus[0].output_chunks):
            raise _refuse(
                f"rank {rank} cuts its buffers into {gpu.input_chunks} and {gpu.output_chunks} "
                f"chunks, rank 0 into {gpus[0].input_chunks} and {gpus[0].output_chunks}",
                f"gpus[{rank}]",
                "give every rank the same input_chunks and output_chunks",
            )
    collective = string(top, "collective", "file")
    if collective not in COLLECTIVES:
        raise _refuse(
            f"unknown collective {collective[:60]!r}",
            "collective",
            nearest(collective[:60], COLLECTIVES),
        )
    smallest = integer(top, "min_message_size", "file", 0, UNLIMITED, default=0)
    largest = integer(top, "max_message_size", "file", 0, UNLIMITED, default=UNLIMITED)
    if smallest > largest:
        raise _refuse(f"{smallest} is more than max_message_size", "min_message_size")
    return Plan(
        string(top, "name", "file"),
        collective,
        choice(top, "protocol", PROTOCOLS, "file"),
        boolean(top, "inplace", "file"),
        gpus,
        boolean(top, "reuse_resources", "file", default=False),
        integer(top, "num_threads_per_block", "file", 1, 1024, default=1024),
        boolean(top, "use_double_scratch_buffer", "file", default=False),
        integer(top, "buffer_alignment", "file", 1, 2**20, default=16),
        smallest,
        largest,
        tuple(sorted(dialect)),
    )


@uncollected()
def read_plan(data: bytes, place: str = "") -> Plan:
    """Read the execution plan in `data`; `place` (the file's name) begins the place of an error.

    Raises:
        InvalidPayload: what is wrong, at which member (``gpus[0].threadblocks[1].ops[3]``),
            and what to do.
    """
    try:
        return _plan(data)
    except InvalidPayload as error:
        raise (error.within(place) if place else error) from None

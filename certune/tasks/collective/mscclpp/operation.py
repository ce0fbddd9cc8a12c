"""Reading one operation of a thread block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from certune.core import InvalidPayload
from certune.core.errors import nearest
from certune.tasks.collective.mscclpp.plan import (
    BUFFERS,
    CHANNEL_TYPES,
    DATA_OPERATIONS,
    NOT_EXECUTED,
    OPERATIONS,
    SYNCHRONISING,
    Buffer,
    ChannelType,
    Operand,
    Operation,
)
from certune.tasks.collective.mscclpp.strict import (
    array,
    choice,
    integer,
    integers,
    known,
    members,
    require,
    string,
)

_CHUNKS = 2**20
_UNIT = 2**32 - 1
_NOP = {"name": "nop"}
_MEETING = Operation("nop")
_REDUCTIONS = ("sum", "min", "max")


@dataclass(frozen=True)
class Tables:
    """How many channels and remote buffers of each type a thread block has, and semaphores."""

    channels: Mapping[str, int]
    remote: Mapping[str, int]
    semaphores: int


def _operand(value: Any, place: str, channel_type: ChannelType | None, tables: Tables) -> Operand:
    entry = members(value, place)
    known(entry, ("type", "buffer_id", "switch_channel_id", "index", "size"), place)
    index = integer(entry, "index", place, 0, _CHUNKS)
    size = integer(entry, "size", place, 1, _CHUNKS)
    named = [key for key in ("type", "buffer_id", "switch_channel_id") if key in entry]
    if len(named) != 1:
        raise InvalidPayload(
            "the operand names " + ("no buffer" if not named else " and ".join(named)),
            place=place,
            remedy="give one of type, buffer_id and switch_channel_id",
        )
    if named[0] == "type":
        return Operand("local", index, size, cast(Buffer, choice(entry, "type", BUFFERS, place)))
    if named[0] == "switch_channel_id":
        number = integers(
            [entry["switch_channel_id"]],
            f"{place}.switch_channel_id",
            0,
            tables.channels["switch"] - 1,
            1,
            what="switch channel of this thread block",
        )
        return Operand("switch", index, size, id=number[0])
    if channel_type not in ("memory", "port"):
        raise InvalidPayload("a remote buffer needs channel_type memory or port", place=place)
    number = integers(
        [entry["buffer_id"]],
        f"{place}.buffer_id",
        0,
        tables.remote[channel_type] - 1,
        1,
        what=f"remote buffer of this thread block through {channel_type} channels",
    )
    return Operand("remote", index, size, id=number[0])


def _operands(
    entry: Mapping[str, Any], name: str, place: str, kind: ChannelType | None, tables: Tables
) -> tuple[Operand, ...]:
    here = f"{place}.{name}"
    return tuple(
        _operand(item, f"{here}[{index}]", kind, tables)
        for index, item in enumerate(array(require(entry, name, place), here))
    )


def _channels(
    entry: Mapping[str, Any], place: str, kind: ChannelType | None, tables: Tables
) -> tuple[int, ...]:
    if kind is None:
        raise InvalidPayload("channel_ids without channel_type", place=place)
    here = f"{place}.channel_ids"
    listed = integers(
        entry["channel_ids"],
        here,
        0,
        tables.channels[kind] - 1,
        64,
        what=f"{kind} channel of this thread block",
    )
    if len(set(listed)) != len(listed):
        raise InvalidPayload("a channel is named twice", place=here, remedy="name each once")
    return tuple(listed)


def _pipeline(entry: Mapping[str, Any], place: str, tables: Tables, inner: bool) -> Operation:
    if inner:
        raise InvalidPayload("a pipeline inside a pipeline", place=place, remedy="flatten it")
    known(entry, ("name", "iter_context", "ops"), place)
    context = members(require(entry, "iter_context", place), f"{place}.iter_context")
    known(context, ("unit_size", "num_chunks"), f"{place}.iter_context")
    here = f"{place}.ops"
    ops = array(require(entry, "ops", place), here)
    if not 1 <= len(ops) <= 255:
        raise InvalidPayload(f"{len(ops)} operations", place=here, remedy="give 1 to 255")
    return Operation(
        "pipeline",
        unit_bytes=integer(context, "unit_size", f"{place}.iter_context", 1, _UNIT),
        unit_chunks=integer(context, "num_chunks", f"{place}.iter_context", 1, _CHUNKS),
        operations=tuple(
            read_operation(op, f"{here}[{index}]", tables, inner=True)
            for index, op in enumerate(ops)
        ),
    )


def _group(entry: Mapping[str, Any], place: str) -> tuple[int, int]:
    if "tbg_info" not in entry:
        return (0, 1)
    here = f"{place}.tbg_info"
    info = members(entry["tbg_info"], here)
    known(info, ("tb_id", "tbg_size"), here)
    size = integer(info, "tbg_size", here, 1, 1024)
    return integer(info, "tb_id", here, 0, size - 1), size


def _data(entry: Mapping[str, Any], name: str, place: str, tables: Tables) -> Operation:
    known(
        entry,
        (
            "name",
            "channel_type",
            "channel_ids",
            "src_buff",
            "dst_buff",
            "tbg_info",
            "reduce_op",
        ),
        place,
    )
    kind: ChannelType | None = None
    if "channel_type" in entry:
        kind = cast(ChannelType, choice(entry, "channel_type", CHANNEL_TYPES, place))
    return Operation(
        name,
        kind,
        _channels(entry, place, kind, tables) if "channel_ids" in entry else (),
        sources=_operands(entry, "src_buff", place, kind, tables),
        destinations=_operands(entry, "dst_buff", place, kind, tables),
        group=_group(entry, place),
        reduce=choice(entry, "reduce_op", _REDUCTIONS, place) if "reduce_op" in entry else None,
    )


def read_operation(value: Any, place: str, tables: Tables, *, inner: bool = False) -> Operation:
    """The operation in `value`, found at `place`.

    Raises:
        InvalidPayload: an unknown name or member, a type or an index out of range.
    """
    if value == _NOP:
        return _MEETING
    entry = members(value, place)
    name = string(entry, "name", place)
    if name in NOT_EXECUTED:
        raise InvalidPayload(
            f"the executor has no operation {name!r}",
            place=f"{place}.name",
            remedy="let the language fuse it (instr_fusion) or use another operation",
        )
    if name not in OPERATIONS:
        raise InvalidPayload(
            f"unknown operation {name[:60]!r}",
            place=f"{place}.name",
            remedy=nearest(name[:60], OPERATIONS),
        )
    if name == "pipeline":
        return _pipeline(entry, place, tables, inner)
    if name in DATA_OPERATIONS:
        return _data(entry, name, place, tables)
    if name == "nop":
        known(entry, ("name",), place)
        return Operation(name)
    if name in SYNCHRONISING:
        known(entry, ("name", "channel_type", "channel_ids"), place)
        kind = cast(ChannelType, choice(entry, "channel_type", ("memory", "port"), place))
        require(entry, "channel_ids", place)
        return Operation(name, kind, _channels(entry, place, kind, tables))
    if name == "barrier":
        known(entry, ("name", "barrier_id", "num_threadblocks"), place)
        return Operation(
            name,
            barrier=integer(entry, "barrier_id", place, 0, 2**20),
            participants=integer(entry, "num_threadblocks", place, 1, 1024),
        )
    known(entry, ("name", "semaphore_ids"), place)
    here = f"{place}.semaphore_ids"
    listed = integers(
        require(entry, "semaphore_ids", place),
        here,
        0,
        tables.semaphores - 1,
        64,
        what="semaphore of this rank",
    )
    if len(set(listed)) != len(listed):
        raise InvalidPayload("a semaphore is named twice", place=here, remedy="name each once")
    return Operation(name, semaphores=tuple(listed))

"""Each kind of data operation as moves; the table is `TRANSLATORS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from certune.tasks.collective.mscclpp.plan import Operand, Operation
from certune.tasks.collective.mscclpp.semantics.moves import (
    Actor,
    Issue,
    Move,
    Region,
    Strays,
    Translation,
    Unmodelled,
)

_SOME = range(1, 11)


def _effective(t: Translation, source: bool = True) -> int:
    operand = t.op.sources[0] if source else t.op.destinations[0]
    return t.extent(operand)[1]


def _copy(t: Translation) -> None:
    t.counts(1, 1)
    length = _effective(t)
    t.sizes(length, t.op.destinations)
    units = t.step(length)
    take = t.packets if t.op.name == "upkt" else t.local
    source = take(t.op.sources[0], units)
    target = t.local(t.op.destinations[0], units, packet=t.op.name == "cpkt")
    t.moves.append(Move((source,), (target,), units))


def _reduce(t: Translation) -> None:
    """re, res, rre, rres: the first operands are local; the others of `rr…` sources remote."""
    sends = t.op.name in ("res", "rres")
    remote = t.op.name in ("rre", "rres")
    t.counts(_SOME, _SOME if sends else 1)
    if sends or remote:
        t.memory_only()
    length = _effective(t)
    t.sizes(length, t.op.sources + t.op.destinations)
    units = t.step(length)
    others = [
        t.remote(operand, units) if remote else _added(t, number, units)
        for number, operand in enumerate(t.op.sources)
        if number
    ]
    targets = [t.remote(operand, units) for operand in t.op.destinations[1:]]
    t.moves.append(
        Move(
            (t.local(t.op.sources[0], units), *others),
            (t.local(t.op.destinations[0], units), *targets),
            units,
        )
    )


def _added(t: Translation, number: int, units: int) -> Region:
    """A further local source of a reduction.

    Where scratch is shorter than the message, handleReduceSend decides by the destination of the
    same number whether the source starts again at the beginning of its part of scratch. There is
    none of that number for `re`; `res` has a remote one, whose number it takes for a buffer.
    """
    operand = t.op.sources[number]
    shorter = t.actor.space.scratch_units != t.actor.space.units
    other = t.written.destinations[number : number + 1]
    wraps = bool(other) and (other[0].buffer == "s" or other[0].id == 2)
    if shorter and wraps != (operand.buffer == "s"):
        t.departs(
            "the executor decides by another operand whether a further source of a reduction "
            "starts again where scratch is shorter than the message"
        )
    if shorter and wraps and operand.buffer != "s":
        raise Strays("a further source of a reduction starts again outside scratch")
    return t.local(operand, units, wraps=wraps)


def _reduce_packets(t: Translation) -> None:
    """repkt, respkt, recpkt, recspkt: a plain source, packets in scratch, sums sent as packets."""
    sends = t.op.name in ("respkt", "recspkt")
    keeps = t.op.name in ("recpkt", "recspkt")
    least = 2 if keeps else 1
    t.counts(_SOME, range(least, 11) if sends else least)
    if sends:
        t.memory_only()
    units = _effective(t)
    t.sizes(units, t.op.sources + t.op.destinations)
    packets = [t.packets(operand, units) for operand in t.op.sources[1:]]
    targets = [t.local(t.op.destinations[0], units)]
    if keeps:
        targets.append(t.local(t.op.destinations[1], units, packet=True))
    targets += [t.remote(operand, units, packet=True) for operand in t.op.destinations[least:]]
    t.moves.append(Move((t.local(t.op.sources[0], units), *packets), tuple(targets), units))


def _get(t: Translation) -> None:
    t.memory_only()
    t.counts(_SOME, len(t.op.sources))
    for source, target in zip(t.op.sources, t.op.destinations, strict=True):
        length = t.extent(source)[1]
        t.sizes(length, (target,))
        units = t.step(length)
        if source.index != target.index:
            # handleGet takes the source's offset for the local side and the other way round.
            t.issues.append(
                Issue("departs", "the executor exchanges the offsets of get's two operands")
            )
        buffer = t.actor.remote(t.op, source.id).buffer if source.reference == "remote" else None
        shorter = t.actor.space.scratch_units != t.actor.space.units
        if shorter and (buffer == "s") != (target.buffer == "s"):
            raise Strays(
                "the executor exchanges the offsets of get's two operands, and with them which one "
                "starts again where scratch is shorter than the message"
            )
        if buffer is not None and buffer == t.actor.space.aliased and buffer != "s":
            raise Unmodelled("get from a buffer that is a part of another one")
        swapped_source = type(source)(
            source.reference, target.index, source.size, source.buffer, source.id
        )
        swapped_target = type(target)(
            target.reference, source.index, source.size, target.buffer, target.id
        )
        t.moves.append(
            Move((t.remote(swapped_source, units),), (t.local(swapped_target, units),), units)
        )


def _first(t: Translation) -> Sequence[Operand]:
    """The sources of a put, all in the buffer of the first."""
    sources = t.op.sources
    if any(source.reference != "local" for source in sources):
        raise Strays("an operand that must be local is not")
    if any(source.buffer != sources[0].buffer for source in sources):
        if t.actor.space.scratch_units != t.actor.space.units:
            raise Unmodelled(f"{t.op.name} from several buffers where scratch is shorter")
        t.departs(f"{t.op.name} takes the buffer of its first source for all")
        return [replace(source, buffer=sources[0].buffer) for source in sources]
    return sources


def _as_many(t: Translation) -> None:
    """A put looks at as many sources as it has destinations."""
    most = len(t.op.destinations)
    t.counts(range(most, 11), range(1, 11))
    if len(t.op.sources) > most:
        t.departs(f"{t.op.name} with {most} destinations looks at {most} sources only")
        t.op = replace(t.op, sources=t.op.sources[:most])


def _port_put(t: Translation) -> None:
    if t.op.name == "pwsf":
        raise Strays("the executor gives pwsf the address of a table as its source offset")
    _as_many(t)
    op, actor = t.op, t.actor
    if len(op.destinations) > 8:
        raise Unmodelled(f"{op.name} with {len(op.destinations)} operands on one side")
    if len(op.channels) < len(op.destinations):
        raise Unmodelled(f"{op.name} over port channels with fewer channels than operands")
    gpu = actor.plan.gpus[actor.rank]
    table = gpu.threadblocks[actor.block].channels["port"]
    for slot, (source, target) in enumerate(zip(op.sources, op.destinations, strict=True)):
        channel = table[op.channels[slot]]
        if target.reference != "remote":
            raise Strays("an operand that must be remote is not")
        owner = actor.remote(op, target.id).rank
        if gpu.port[channel] != owner:
            raise Unmodelled(
                f"port channel to rank {gpu.port[channel]} with a buffer of rank {owner}"
            )
        if source.reference != "local" or source.buffer is None:
            raise Strays("an operand that must be local is not")
        length = t.extent(target)[1]
        t.sizes(length, (source,))
        units = t.step(length)
        t.registered(source.buffer)
        if actor.plan.double_scratch and source.buffer == "s":
            t.halves()
        first, _ = t.extent(source)
        # The local side of a port channel is registered at the start of the allocation.
        region = t.region(actor.rank, source.buffer, first, units, shift=0, what="an operand")
        t.moves.append(Move((region,), (t.remote(target, units),), units, slot, channel))


def _put(t: Translation) -> None:
    op = t.op
    if op.channel_type == "port":
        _port_put(t)
        return
    t.memory_only()
    if op.name != "put":
        t.departs(f"{op.name} over memory channels neither signals nor flushes")
    _as_many(t)
    for source, target in zip(_first(t), t.op.destinations, strict=True):
        length = t.extent(target)[1]
        t.sizes(length, (source,))
        units = t.step(length)
        t.moves.append(Move((t.local(source, units),), (t.remote(target, units),), units))


def _put_packets(t: Translation) -> None:
    op = t.op
    t.memory_only()
    if op.name == "rppkt":
        t.counts(1, _SOME)
        units = _effective(t)
        t.sizes(units, op.destinations)
        targets = tuple(t.remote(operand, units, packet=True) for operand in op.destinations)
        t.moves.append(Move((t.packets(t.op.sources[0], units),), targets, units))
        return
    _as_many(t)
    for source, target in zip(_first(t), t.op.destinations, strict=True):
        units = t.extent(source)[1]
        t.sizes(units, (target,))
        t.moves.append(
            Move((t.local(source, units),), (t.remote(target, units, packet=True),), units)
        )


def _switch(t: Translation) -> None:
    if t.op.channel_type != "switch":
        raise Unmodelled(f"{t.op.name} over {t.op.channel_type} channels")
    t.counts(1, 1)
    length = _effective(t)
    t.sizes(length, t.op.destinations)
    units = t.step(length)
    sources: tuple[Region, ...]
    if t.op.name == "glres":
        sources = t.switched(t.op.sources[0], units)
    else:
        sources = (t.local(t.op.sources[0], units),)
    t.moves.append(Move(sources, t.switched(t.op.destinations[0], units), units))


TRANSLATORS: dict[str, Callable[[Translation], None]] = {
    "copy": _copy,
    "cpkt": _copy,
    "upkt": _copy,
    "re": _reduce,
    "res": _reduce,
    "rre": _reduce,
    "rres": _reduce,
    "repkt": _reduce_packets,
    "respkt": _reduce_packets,
    "recpkt": _reduce_packets,
    "recspkt": _reduce_packets,
    "get": _get,
    "put": _put,
    "pws": _put,
    "pwsf": _put,
    "ppkt": _put_packets,
    "rppkt": _put_packets,
    "glres": _switch,
    "gstore": _switch,
}


def translate(actor: Actor, op: Operation) -> tuple[tuple[Move, ...], tuple[Issue, ...]]:
    """The moves of a data operation, and what is to be said about it.

    An operation that cannot be translated has no moves and an issue of severity ``unknown`` or
    ``strays``; one that leaves its buffers has none and an issue of severity ``bounds``.
    """
    try:
        translation = Translation(actor, op)
        TRANSLATORS[op.name](translation)
    except Unmodelled as reason:
        return (), (Issue("unknown", str(reason)),)
    except Strays as reason:
        return (), (Issue("strays", str(reason)),)
    issues = tuple(dict.fromkeys(translation.issues))
    if any(issue.severity == "bounds" for issue in issues):
        return (), issues
    return tuple(move for move in translation.moves if move.units), issues

"""The families of schedules that are proved for every number of ranks, as data."""

from __future__ import annotations

from collections.abc import Mapping

from certune.tasks.collective.collective import Kind
from certune.tasks.collective.parametric.description import (
    Definition,
    Parameter,
    ParametricSchedule,
    Phase,
    Range,
    Sends,
)

# Rank r and its partner differ in the bit h alone.
_PARTNER = Definition("partner", "r + h if r // h % 2 == 0 else r - h")

# d is how far r is behind the owner of chunk c, plus one: r gets it in step d - 1.
_RING_REDUCE = Phase(
    name="reduce",
    steps="n - 1",
    define=(Definition("d", "(r - c - 1) % n"),),
    sends=(
        Sends(
            to=("(r + 1) % n",),
            chunk=("(r - s - 1) % n",),
            op="reduce",
            sender=("(r - 1) % n",),
        ),
    ),
    holds="true",
    contributes="(r - o) % n <= d if d <= s else o == r",
)

_HALVING = Phase(
    name="halve",
    steps="k",
    define=(
        Definition("h", "pow2(k - 1 - s)"),
        _PARTNER,
        Definition("block", "pow2(k - s)"),
    ),
    sends=(
        Sends(
            to=("partner",),
            each=(Range("j", "h"),),
            chunk=("partner // h * h + j",),
            op="reduce",
            sender=("partner",),
            index=("c % h",),
        ),
    ),
    holds="c // block == r // block",
    contributes="o % block == r % block",
)


def _doubling(contributes: str = "") -> Phase:
    return Phase(
        name="double",
        steps="k",
        define=(Definition("h", "pow2(s)"), _PARTNER),
        sends=(
            Sends(
                to=("partner",),
                each=(Range("j", "h"),),
                chunk=("r // h * h + j",),
                op="copy",
                sender=("partner",),
                index=("c % h",),
            ),
        ),
        holds="c // h == r // h",
        contributes=contributes,
    )


def _ring_gather(contributes: str = "") -> Phase:
    return Phase(
        name="gather",
        steps="n - 1",
        sends=(
            Sends(
                to=("(r + 1) % n",),
                chunk=("(r - s) % n",),
                op="copy",
                sender=("(r - 1) % n",),
            ),
        ),
        holds="(r - c) % n <= s",
        contributes=contributes,
    )


def _ring(name: str, about: str, collective: Kind, phases: tuple[Phase, ...]) -> ParametricSchedule:
    """n ranks, one chunk for each."""
    ranks, chunks = (Range("r", "n"),), (Range("c", "n"),)
    parameters = (Parameter("n", 2),)
    return ParametricSchedule(name, collective, parameters, ranks, chunks, phases, ("o",), about)


def _power(
    name: str, about: str, collective: Kind, phases: tuple[Phase, ...], chunks: str = "pow2(k)"
) -> ParametricSchedule:
    """2^k ranks, one chunk for each unless said otherwise."""
    ranks = (Range("r", "pow2(k)"),)
    parameters = (Parameter("k", 1),)
    counted = (Range("c", chunks),)
    return ParametricSchedule(name, collective, parameters, ranks, counted, phases, ("o",), about)


_ALL = (
    _ring(
        name="ring-allgather",
        about="each rank passes on what it got last to the next in the ring",
        collective="allgather",
        phases=(_ring_gather(),),
    ),
    _ring(
        name="ring-reduce-scatter",
        about="each chunk goes around the ring once and collects every contribution",
        collective="reduce-scatter",
        phases=(_RING_REDUCE,),
    ),
    _ring(
        name="ring-allreduce",
        about="ring reduce-scatter, then ring allgather of the sums",
        collective="allreduce",
        phases=(_RING_REDUCE, _ring_gather("true")),
    ),
    _power(
        name="doubling-allgather",
        about="recursive doubling: partners at distance 1, 2, 4, … exchange all that they hold",
        collective="allgather",
        phases=(_doubling(),),
    ),
    _power(
        name="halving-reduce-scatter",
        about="recursive halving: partners at distance n/2, n/4, … exchange half of their block",
        collective="reduce-scatter",
        phases=(_HALVING,),
    ),
    _power(
        name="halving-doubling-allreduce",
        about="recursive halving, then recursive doubling of the sums (Rabenseifner)",
        collective="allreduce",
        phases=(_HALVING, _doubling("true")),
    ),
    _power(
        name="doubling-allreduce",
        about="recursive doubling of the whole vector: partners at distance 1, 2, 4, … add",
        collective="allreduce",
        chunks="1",
        phases=(
            Phase(
                name="double",
                steps="k",
                define=(Definition("h", "pow2(s)"), _PARTNER),
                sends=(Sends(to=("partner",), chunk=("0",), op="reduce", sender=("partner",)),),
                holds="true",
                contributes="o // h == r // h",
            ),
        ),
    ),
    ParametricSchedule(
        name="two-level-alltoall",
        about="within each node to the GPU of the destination's number, then between nodes",
        collective="alltoall",
        parameters=(Parameter("nodes", 1), Parameter("gpus", 1)),
        ranks=(Range("a", "nodes"), Range("i", "gpus")),
        chunks=(
            Range("sa", "nodes"),
            Range("si", "gpus"),
            Range("da", "nodes"),
            Range("di", "gpus"),
        ),
        phases=(
            Phase(
                name="within",
                steps="gpus - 1",
                define=(Definition("next", "(i + s + 1) % gpus"),),
                sends=(
                    Sends(
                        to=("a", "next"),
                        each=(Range("b", "nodes"),),
                        chunk=("a", "i", "b", "next"),
                        op="copy",
                        sender=("a", "(i - s - 1) % gpus"),
                        index=("da",),
                    ),
                ),
                holds="sa == a and (si == i or di == i and (i - si) % gpus <= s)",
            ),
            Phase(
                name="between",
                steps="nodes - 1",
                define=(Definition("next", "(a + s + 1) % nodes"),),
                sends=(
                    Sends(
                        to=("next", "i"),
                        each=(Range("e", "gpus"),),
                        chunk=("a", "e", "next", "i"),
                        op="copy",
                        sender=("(a - s - 1) % nodes", "i"),
                        index=("si",),
                    ),
                ),
                holds="di == i and (sa == a or da == a and (a - sa) % nodes <= s)",
            ),
        ),
    ),
)

FAMILIES: Mapping[str, ParametricSchedule] = {family.name: family for family in _ALL}
"""The built-in families by name."""

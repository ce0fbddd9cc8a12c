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
from certune.tasks.collective.parametric.two_level import TWO_LEVEL

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
    _power(
        name="binomial-broadcast",
        about="the ranks below 1, 2, 4, … have it and send it as far on",
        collective="broadcast",
        chunks="1",
        phases=(
            Phase(
                name="spread",
                steps="k",
                define=(Definition("h", "pow2(s)"),),
                sends=(
                    Sends(to=("r + h",), chunk=("0",), op="copy", when="r < h", sender=("r - h",)),
                ),
                holds="r < h",
            ),
        ),
    ),
    _power(
        name="binomial-reduce",
        about="the upper half of the ranks that are left adds to the lower half",
        collective="reduce",
        chunks="1",
        phases=(
            Phase(
                name="collect",
                steps="k",
                define=(Definition("h", "pow2(k - 1 - s)"), Definition("left", "pow2(k - s)")),
                sends=(
                    Sends(
                        to=("r - h",),
                        chunk=("0",),
                        op="reduce",
                        when="h <= r < left",
                        sender=("r + h",),
                    ),
                ),
                holds="r < left",
                contributes="o % left == r",
            ),
        ),
    ),
    ParametricSchedule(
        name="direct-alltoall",
        about="in step s each rank sends to the one s + 1 further on",
        collective="alltoall",
        parameters=(Parameter("n", 2),),
        ranks=(Range("r", "n"),),
        chunks=(Range("a", "n"), Range("b", "n")),
        phases=(
            Phase(
                name="exchange",
                steps="n - 1",
                define=(Definition("other", "(r + s + 1) % n"),),
                sends=(
                    Sends(
                        to=("other",),
                        chunk=("r", "other"),
                        op="copy",
                        sender=("(r - s - 1) % n",),
                    ),
                ),
                holds="a == r or b == r and (r - a) % n <= s",
            ),
        ),
    ),
)

FAMILIES: Mapping[str, ParametricSchedule] = {family.name: family for family in (*_ALL, *TWO_LEVEL)}
"""The built-in families by name."""

"""Families on nodes of GPUs: rank (a, i) is GPU i of node a; within nodes, then between them."""

from __future__ import annotations

from certune.tasks.collective.parametric.description import (
    Definition,
    Parameter,
    ParametricSchedule,
    Phase,
    Range,
    Sends,
)

_PARAMETERS = (Parameter("nodes"), Parameter("gpus"))
_RANKS = (Range("a", "nodes"), Range("i", "gpus"))

_ALLTOALL = ParametricSchedule(
    name="two-level-alltoall",
    about="within each node to the GPU of the destination's number, then between nodes",
    collective="alltoall",
    parameters=_PARAMETERS,
    ranks=_RANKS,
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
)

# Chunk (u, v) is summed within nodes by the GPUs v, then between nodes by node u.
_ALLREDUCE = ParametricSchedule(
    name="two-level-allreduce",
    about="ring reduce-scatter within nodes, ring allreduce between them, ring allgather within",
    collective="allreduce",
    parameters=_PARAMETERS,
    ranks=_RANKS,
    chunks=(Range("u", "nodes"), Range("v", "gpus")),
    origin=("oa", "oi"),
    phases=(
        Phase(
            name="reduce-within",
            steps="gpus - 1",
            define=(Definition("d", "(i - v - 1) % gpus"),),
            sends=(
                Sends(
                    to=("a", "(i + 1) % gpus"),
                    each=(Range("b", "nodes"),),
                    chunk=("b", "(i - s - 1) % gpus"),
                    op="reduce",
                    sender=("a", "(i - 1) % gpus"),
                    index=("u",),
                ),
            ),
            holds="true",
            contributes="oa == a and ((i - oi) % gpus <= d if d <= s else oi == i)",
        ),
        Phase(
            name="reduce-between",
            steps="nodes - 1",
            define=(Definition("d", "(a - u - 1) % nodes"),),
            sends=(
                Sends(
                    to=("(a + 1) % nodes", "i"),
                    chunk=("(a - s - 1) % nodes", "i"),
                    op="reduce",
                    sender=("(a - 1) % nodes", "i"),
                ),
            ),
            holds="v == i",
            contributes="(a - oa) % nodes <= d if d <= s else oa == a",
        ),
        Phase(
            name="gather-between",
            steps="nodes - 1",
            sends=(
                Sends(
                    to=("(a + 1) % nodes", "i"),
                    chunk=("(a - s) % nodes", "i"),
                    op="copy",
                    sender=("(a - 1) % nodes", "i"),
                ),
            ),
            holds="v == i and (a - u) % nodes <= s",
            contributes="true",
        ),
        Phase(
            name="gather-within",
            steps="gpus - 1",
            sends=(
                Sends(
                    to=("a", "(i + 1) % gpus"),
                    each=(Range("b", "nodes"),),
                    chunk=("b", "(i - s) % gpus"),
                    op="copy",
                    sender=("a", "(i - 1) % gpus"),
                    index=("u",),
                ),
            ),
            holds="(i - v) % gpus <= s",
            contributes="true",
        ),
    ),
)

TWO_LEVEL = (_ALLTOALL, _ALLREDUCE)

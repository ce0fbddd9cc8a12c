"""Clocks of blocks that heard of each other against plain propagation along every edge."""

from pathlib import Path

import numpy as np
import pytest

from certune.tasks.collective import baselines, library
from certune.tasks.collective.mscclpp.lower import lower
from certune.tasks.collective.mscclpp.plan import Plan
from certune.tasks.collective.mscclpp.read import read_plan
from certune.tasks.collective.mscclpp.semantics import clocks
from certune.tasks.collective.mscclpp.semantics.execution import execute
from certune.tasks.collective.mscclpp.semantics.graph import Graph, build_graph
from certune.tasks.collective.mscclpp.semantics.program import build
from certune.tasks.collective.mscclpp.semantics.space import Space
from certune.tasks.collective.mscclpp.sizes import scope

PLANS = Path(__file__).parents[1] / "data" / "mscclpp-plans"


def ring(ranks: int, kind: str = "allreduce", **how: object) -> Plan:
    topology = library.build("ring", {"ranks": str(ranks)})
    return lower(baselines.baseline("ring", kind, topology), **how)


def given(name: str) -> Plan:
    made = {
        "blocks": lambda: ring(12),
        "groups": lambda: ring(4, threadblocks=2),
        "packets": lambda: ring(4, kind="alltoall", inplace=True, protocol="LL"),
        "ports": lambda: ring(4, kind="allgather", channel="port"),
    }
    return made[name]() if name in made else read_plan((PLANS / f"{name}.json").read_bytes())


def graph_of(plan: Plan) -> Graph:
    case = scope(plan).cases[-1]
    space = Space(plan, case.units, case.scratch_units)
    return build_graph(execute(build(plan, space, case.iterations)))[0]


def plainly(graph: Graph, launches: int) -> list[np.ndarray]:
    """Tables [node, column] of what is strongly before, before at all, and performed."""
    size, columns = len(graph.edges), graph.columns
    strides = np.array(graph.strides())
    owners = graph.program.owners
    starts = {graph.boundary[block, 0]: owners[block][0] for block in range(len(owners))}
    strong, anything, performed = (np.zeros((size * launches, columns), int) for _ in range(3))
    for node in range(size * launches):
        launch, inside = divmod(node, size)
        before = [(launch * size + x, firm) for x, firm in graph.edges[inside]]
        if launch and inside in starts:
            before.append(((launch - 1) * size + graph.ends[starts[inside]], True))
        for x, firm in before:
            anything[node] = np.maximum(anything[node], anything[x])
            performed[node] = np.maximum(performed[node], performed[x])
            if firm:
                strong[node] = np.maximum(strong[node], strong[x])
        marks = [graph.own[inside]] if graph.own[inside] else []
        if inside in starts:
            marks.append((graph.rank_column(starts[inside]), 1))
        for column, value in marks:
            strong[node, column] = anything[node, column] = value + launch * strides[column]
        if inside in graph.ends:
            performed[node] = np.maximum(performed[node], strong[node])
    return [strong, anything, performed]


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize(
    "name",
    ["blocks", "groups", "packets", "ports", "reduce_tbg", "mn_send_recv", "allreduce_packet"],
)
def test_against_plain_propagation(name: str, wide: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not wide:
        monkeypatch.setattr(clocks, "MAX_COLUMNS", 3)
    graph = graph_of(given(name))
    launches = 3
    strong, anything, performed = plainly(graph, launches)
    made = clocks.Clocks(graph, launches)
    assert made.nodes == len(strong)
    random = np.random.default_rng(1)
    for _ in range(8):
        node = random.integers(0, made.nodes, 400)
        column = random.integers(0, graph.columns, 400)
        value = random.integers(1, 1 + np.array(graph.strides())[column] * launches)
        visible = random.random(400) < 0.5
        seen = strong[node, column] >= value
        seen |= np.where(visible, performed[node, column], anything[node, column]) >= value
        assert np.array_equal(made.ask(node, column, value, visible), seen)
        assert 0 < np.count_nonzero(seen) < 400

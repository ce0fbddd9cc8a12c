"""Gray failures: nodes that answer and are not what their peers are."""

from dataclasses import replace

import numpy as np
import pytest
from machine_samples import CALM, FACTS, probed

from certune.sandbox.machine import Series, drifted, suspects
from certune.sandbox.machine.gray import series_of
from certune.sandbox.machine.report import MachineReport
from certune.sandbox.machine.shapes import apart, medoid, outliers, shape, worse

TOLERANCE = {"compute-cpu": 0.10, "bandwidth": 0.2}


def node(rng: np.random.Generator, slower: float = 1.0, noise: float = 0.01) -> tuple[Series, ...]:
    cpu = 1e-4 * slower * (1 + noise * rng.standard_normal(200))
    rate = 2e10 / slower * (1 + noise * rng.standard_normal(20))
    return (
        Series("compute-cpu", "s", "lower", tuple(cpu)),
        Series("bandwidth", "B/s", "higher", tuple(rate)),
    )


def cluster(seed: int, **slower: float) -> dict[str, tuple[Series, ...]]:
    rng = np.random.default_rng(seed)
    nodes = {f"n{i}": 1.0 for i in range(8)} | slower
    return {name: node(rng, factor) for name, factor in nodes.items()}


@pytest.mark.parametrize("seed", range(20))
def test_equal_nodes_are_not_suspected(seed):
    assert drifted(cluster(seed), TOLERANCE) == ()


@pytest.mark.parametrize("seed", range(20))
def test_a_slow_node_is_found_with_the_evidence(seed):
    found = drifted(cluster(seed, n3=1.3), TOLERANCE)
    assert {s.node for s in found} == {"n3"}
    assert {s.series for s in found} == set(TOLERANCE)
    cpu = next(s for s in found if s.series == "compute-cpu")
    assert cpu.share == pytest.approx(0.3, abs=0.03)
    assert "30 %" in cpu.evidence or "29 %" in cpu.evidence or "31 %" in cpu.evidence
    assert cpu.norm != "n3"


def test_three_slow_nodes_of_eight_do_not_become_the_norm():
    found = drifted(cluster(1, n0=1.5, n1=1.5, n2=1.5), TOLERANCE)
    assert {s.node for s in found} == {"n0", "n1", "n2"}


def test_a_node_that_is_slow_one_time_in_five_is_found_though_its_median_is_normal():
    rng = np.random.default_rng(5)
    nodes = cluster(5)
    values = 1e-4 * (1 + 0.01 * rng.standard_normal(200))
    values[::5] *= 2
    nodes["n6"] = (Series("compute-cpu", "s", "lower", tuple(values)),)
    found = drifted(nodes, TOLERANCE)
    assert [(s.node, s.series) for s in found] == [("n6", "compute-cpu")]


def test_the_norm_is_chosen_again_without_those_that_were_found():
    values = {"a": 1.0, "b": 1.0, "c": 1.12, "d": 1.3, "e": 1.3}
    norm, found = outliers({n: shape([v]) for n, v in values.items()}, "lower", 0.1)
    assert norm == "a"  # with d and e it was c, which is 12 % worse
    assert set(found) == {"c", "d", "e"}


def test_a_faster_node_is_no_failure():
    assert drifted(cluster(2, n4=0.5), TOLERANCE) == ()


def test_of_two_that_differ_nobody_knows_which_is_wrong():
    rng = np.random.default_rng(0)
    assert drifted({"a": node(rng), "b": node(rng, 2.0)}, TOLERANCE) == ()
    assert drifted({}, TOLERANCE) == ()


def test_machines_of_different_kinds_are_not_peers():
    def report(slower: float, cpu: str) -> MachineReport:
        return MachineReport(replace(FACTS, cpu=cpu), CALM, probed(slower), ())

    old = {f"old{i}": report(2.0, "Old CPU") for i in range(3)}
    new = {f"new{i}": report(1.0, "New CPU") for i in range(3)}
    assert suspects(old | new) == ()
    found = suspects(old | new | {"bad": report(2.0, "New CPU")})
    assert {s.node for s in found} == {"bad"}


def test_distances():
    one, other = shape([1.0, 2.0, 3.0]), shape([2.0, 3.0, 4.0])
    assert apart(one, one) == 0
    assert apart(one, other) == apart(other, one) == pytest.approx(1 / 2.5)
    assert worse(other, one, "lower") == pytest.approx(0.5)
    assert worse(other, one, "higher") == 0
    assert worse(one, other, "higher") == pytest.approx(1 / 3)
    assert medoid([one, other, shape([1.5, 2.5, 3.5])]) == 2
    assert worse(one, shape([0.0]), "lower") == 0  # nothing to be relative to
    assert outliers({"a": one, "b": one, "c": one}, "lower", 0.1) == ("a", {})


def test_an_incumbents_times_are_compared_as_well():
    nodes = {f"n{i}": [series_of("incumbent", "s", [1.0, 1.01, 1.02])] for i in range(3)}
    nodes["n9"] = [series_of("incumbent", "s", [1.3, 1.31, 1.29])]
    assert [s.node for s in drifted(nodes, {"incumbent": 0.1})] == ["n9"]
    with pytest.raises(ValueError, match="finite"):
        series_of("incumbent", "s", [float("inf")])

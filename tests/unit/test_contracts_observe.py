"""Runs watched at loop heads, and annotations tried on them."""

from __future__ import annotations

import pytest
from contract_tools import DATA, source

from certune.verifier.contracts.observe import Workbench
from certune.verifier.contracts.source import Refused


def test_every_head_is_seen_and_right_invariants_hold_there() -> None:
    bench = Workbench((DATA / "examples.py").read_bytes(), "e.py")
    (loop,) = bench.loops("binary_search")
    good = [bench.annotation("binary_search", "all(xs[i] < key for i in range(low))")]
    good += loop.statement.invariants
    bad = bench.annotation("binary_search", "high == len(xs)")
    undefined = bench.annotation("binary_search", "xs[-1] >= xs[0] or key == 0")
    seen = [
        o for a in bench.examples("binary_search", 30) for o in bench.observe("binary_search", a)
    ]
    assert len(seen) > 40
    assert {o.line for o in seen} == {loop.line}
    assert all(bench.holds(g, o) is True for g in good for o in seen)
    assert False in {bench.holds(bad, o) for o in seen}
    assert None in {bench.holds(undefined, o) for o in seen}


def test_old_values_and_the_loop_variable_at_its_end_are_there() -> None:
    bench = Workbench((DATA / "examples.py").read_bytes(), "e.py")
    note = bench.annotation("insertion_sort", "permutation(xs, old(xs)) and 0 <= i <= len(xs)")
    seen = bench.observe("insertion_sort", {"xs": [3, 1, 2]})
    outer = bench.loops("insertion_sort")[0].line
    assert [o.values["i"] for o in seen if o.line == outer] == [0, 1, 2, 3]
    assert all(bench.holds(note, o) for o in seen)


def test_what_is_no_annotation_is_refused() -> None:
    bench = Workbench((DATA / "examples.py").read_bytes(), "e.py")
    for text in (
        "x = 1",
        "low +",
        "low",
        "__import__('os')",
        "unknown > 1",
        "binary_search(xs, 1) > 0",
    ):
        with pytest.raises(Refused):
            bench.annotation("binary_search", text)
    with pytest.raises(Refused):
        Workbench(source("def f(x):\n    return x"), "t.py")

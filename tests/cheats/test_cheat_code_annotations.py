"""Annotations that would be more than annotations: none changes the program or its verdict."""

from __future__ import annotations

import json

import pytest

from certune.core.candidate import Payload
from certune.core.family import Context
from certune.core.status import Status
from certune.judging import judge
from certune.tasks.code.family import CodeFamily

TRUE = "invariant(all(xs[j] != key for j in range(i)))"

# (lines for the loop of linear_search, what refuses them)
CHEATS = {
    "two statements": (["invariant(True); return 0"], "invalid"),
    "a statement": (["return 0"], "invalid"),
    "a line end inside": (["invariant(True)\n        return 0"], "invalid"),
    "a carriage return inside": (["invariant(True)\r        return 0"], "invalid"),
    "a suite": (["if True: return 0"], "invalid"),
    "a loop": (["while True: pass"], "invalid"),
    "an import": (["import os"], "invalid"),
    "an assignment": (["key = 0"], "invalid"),
    "a continued line": (["invariant(True) \\"], "invalid"),
    "half a bracket": (["invariant((True)"], "invalid"),
    "a string that swallows": (['"""'], "invalid"),
    "a call": (["print(1)"], "refuted"),
    "a call of the system": (["__import__('os').system('true')"], "refuted"),
    "an evaluation": (["eval('1')"], "refuted"),
    "a method that changes": (["xs.clear()"], "refuted"),
    "an invariant that changes": (["invariant(xs.append(key) is None)"], "invalid"),
    "a ghost that changes": (["g = ghost(xs.pop())"], "invalid"),
    "a ghost over a variable": (["key = ghost(0)"], "invalid"),
    "an early false": (["assert False"], "refuted"),
    "a false invariant": (["invariant(False)"], "refuted"),
    "an assumption": (["assume(False)"], "refuted"),
    "walrus": (["invariant((key := 0) == 0)"], "invalid"),
    "a lambda that is not the form": (["invariant((lambda: True)())"], "invalid"),
    "a measure of a for": (["decreases(0)"], "invalid"),
    "look-alike": (["invаriant(False)"], "invalid"),
    "a tower of nots": (["assert " + "not " * 190 + "True"], "invalid"),
}


def judged(lines: list[str], **place: int):
    placed = {"function": "linear_search", "lines": lines, **(place or {"loop": 1})}
    data = json.dumps({"format": "certune-annotations", "annotations": [placed]}).encode()
    family = CodeFamily()
    task = family.open(family.spec("code/linear_search", {}))
    return judge(task, Payload("certune-annotations", data), Context())


@pytest.mark.parametrize("name", CHEATS)
def test_what_is_no_annotation_is_refused_also_beside_a_good_one(name):
    lines, outcome = CHEATS[name]
    found = judged([TRUE, *lines]).verdict
    assert not found.met
    assert found.status is Status(outcome)


def test_the_good_one_alone_is_proved():
    assert judged([TRUE]).verdict.status is Status.PROVED


@pytest.mark.parametrize("line", range(1, 13))
def test_a_good_annotation_in_any_other_line_proves_nothing_else(line):
    found = judged(["assert key == key"], before=line)
    assert not found.verdict.met  # the loop has no invariant


def test_what_is_accepted_is_the_program_and_nothing_besides():
    found = judged([TRUE, "assert len(xs) >= 0", "g = ghost(i)"])
    assert found.verdict.status is Status.PROVED
    assert found.candidate is not None
    plain = found.candidate.files[0].data.decode()
    assert "ghost" not in plain
    assert "assert" not in plain
    scope: dict = {}
    exec(compile(plain, "plain.py", "exec"), scope)
    assert scope["linear_search"]([3, 1, 4], 4) == 2

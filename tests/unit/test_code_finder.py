"""The finder of annotations: what it draws, what runs throw out, what Houdini keeps."""

from __future__ import annotations

import ast
import time

import pytest

from certune.core.candidate import Payload
from certune.core.family import Context
from certune.core.status import Status
from certune.judging import judge
from certune.tasks.code.annotations import bare, functions_of
from certune.tasks.code.family import CodeFamily
from certune.tasks.code.solvers.finder import find
from certune.tasks.code.solvers.houdini import Houdini
from certune.tasks.code.solvers.scope import scopes
from certune.tasks.code.solvers.templates import candidates, weaker
from certune.tasks.code.solvers.traces import Guess, annotated, lines_of, observe, relations
from certune.tasks.code.suite_files import programs
from certune.verifier.contracts.pool import Pool


def program(name: str) -> str:
    return bare(programs()[name].source)


def loop_of(source: str, name: str):
    return scopes(functions_of(source)[name])[0]


def test_a_loop_sees_parameters_and_what_is_assigned_before_it():
    loop = loop_of(program("insertion_sort"), "insertion_sort")
    assert loop.kinds["xs"] == "list"
    assert loop.index == "k"
    assert loop.bounds == ("0", "len(xs)")
    assert {"xs", "k", "place"} <= loop.changed
    assert "place" not in loop.kinds


@pytest.mark.parametrize("name", sorted(programs()))
def test_every_candidate_is_an_expression_of_what_is_in_scope(name):
    source = program(name)
    for function in functions_of(source).values():
        for loop in scopes(function):
            drawn = [text for _, text in candidates(function, loop)]
            assert len(drawn) == len(set(drawn))
            for text in drawn:
                ast.parse(text, mode="eval")


def test_what_a_comparison_implies_by_its_form():
    assert {"a <= b", "b <= a", "a <= b + 1"} <= set(weaker("a == b"))
    assert "a <= b" in weaker("a < b")
    assert "b <= a" not in set(weaker("a < b"))
    said = "all(xs[j] == 0 for j in range(i + 1))"
    assert "all(xs[j] <= 0 for j in range(i))" in weaker(said)


def test_runs_throw_out_what_is_false_once_and_nothing_that_holds():
    source = program("linear_search")
    true = Guess("linear_search", 1, "all(xs[j] != key for j in range(i))")
    false = Guess("linear_search", 1, "i <= 1")
    nonsense = Guess("linear_search", 1, "all(xs[j] for j in range(i))")
    seen = observe(source, "linear_search", [true, false, nonsense])
    assert seen.kept == [true]
    assert seen.states[1]


def test_equations_of_degree_two_come_from_the_states_alone():
    states = [{"r": r, "s": (r + 1) ** 2} for r in range(12)]
    assert "1 + 2 * r + r * r == s" in relations(states, ["r", "s"])
    assert relations([{"a": 1, "b": 2}, {"a": 5, "b": 0}, {"a": 4, "b": 7}], ["a", "b"]) == []
    assert "a + b == 9" in relations([{"a": a, "b": 9 - a} for a in range(5)], ["a", "b"])


def test_guesses_stand_where_they_are_said_to_stand_also_in_two_loops():
    source = program("insertion_sort")
    guesses = [Guess("insertion_sort", 1, "k >= 0"), Guess("insertion_sort", 2, "k >= 0")]
    text = annotated(source, guesses)
    found = lines_of(text, guesses)
    assert sorted(guess.loop for guess in found.values()) == [1, 2]
    rows = text.split("\n")
    assert all(rows[line - 1].strip() == guess.line for line, guess in found.items())


def test_houdini_keeps_the_inductive_part_whatever_else_is_guessed():
    source = program("sum_list")
    good = Guess("sum_list", 1, "total == sum(xs[:i])")
    bad = [Guess("sum_list", 1, text) for text in ("total >= 0", "i <= 3", "total == i")]
    with Pool(1, 1024, 10.0) as pool:
        houdini = Houdini(source, "sum_list", pool, lambda: False, time.monotonic() + 60)
        settled = houdini.settle([*bad, good])
        assert settled.proved
        assert settled.kept == (good,)
        assert not houdini.settle(bad).proved


@pytest.mark.parametrize("name", ["linear_search", "sum_list", "integer_sqrt", "popcount"])
def test_the_bare_program_is_annotated_and_proved_without_help(name):
    (found,) = find(program(name), seconds=60)
    assert found.proved
    family = CodeFamily()
    task = family.open(family.spec(f"code/{name}", {}))
    (payload,) = task.solvers()[0].solve(Context())
    assert isinstance(payload, Payload)
    assert judge(task, payload, Context()).verdict.status is Status.PROVED


def test_a_wrong_program_is_not_proved_and_the_search_ends():
    wrong = programs()["maximum"].wrong[1].apply(programs()["maximum"].source)
    began = time.monotonic()
    (found,) = find(bare(wrong), seconds=10)
    assert not found.proved
    assert time.monotonic() - began < 60


def test_a_loop_without_any_measure_is_given_up_in_words_not_by_a_crash():
    source = (
        "def f(n: int) -> int:\n    k = n\n    flag = True\n    while flag:\n"
        "        k = k + 1\n        if k > 10:\n            flag = False\n    return k\n"
    )
    (found,) = find(source)
    assert not found.proved
    assert found.guesses == ()


def test_the_search_stops_when_asked():
    assert list(find(program("dutch_flag"), stopped=lambda: True)) == []

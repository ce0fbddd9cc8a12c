"""Proofs against brute force: what is proved has no wrong member, whatever the description."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from parametric_tools import decides, mutations, proved, texts, with_text, wrong_member

from certune.core import InvalidInput
from certune.tasks.collective.parametric import FAMILIES, ParametricSchedule
from certune.tasks.collective.parametric.claims import exponents
from certune.tasks.collective.parametric.evaluate import evaluate
from certune.tasks.collective.parametric.expression import Term, integer, name, parse, show
from certune.tasks.collective.parametric.linear import Translation, compare, number

NAMES = ("n", "s", "r", "c")
DIVISORS = ("n", "2", "3", "2 * n", "pow2(s)", "pow2(s + 1)", "2 * pow2(n)", "pow2(n - 1)")


@st.composite
def integers(draw: st.DrawFn, depth: int = 3) -> str:
    """An integer expression over NAMES that the translation can take."""
    kinds = ["leaf"] if depth == 0 else ["leaf", "sum", "sum", "divide", "divide", "times", "if"]
    kind = draw(st.sampled_from(kinds))
    if kind == "leaf":
        return draw(st.sampled_from([*NAMES, "0", "1", "3", "pow2(s)", "pow2(n)"]))
    left = draw(integers(depth - 1))
    if kind == "divide":
        op = draw(st.sampled_from(["//", "%"]))
        return f"(({left}) {op} ({draw(st.sampled_from(DIVISORS))}))"
    if kind == "times":
        return f"(({left}) * {draw(st.sampled_from(['2', '(0 - 3)', 'n', 'pow2(s)']))})"
    right = draw(integers(depth - 1))
    if kind == "if":
        condition = draw(conditions(depth - 1))
        return f"(({left}) if {condition} else ({right}))"
    return f"(({left}) {draw(st.sampled_from(['+', '-']))} ({right}))"


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> str:
    if depth > 0 and draw(st.booleans()):
        op = draw(st.sampled_from(["and", "or", "==", "!="]))
        return f"({draw(conditions(depth - 1))} {op} (not {draw(conditions(depth - 1))}))"
    op = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
    return f"({draw(integers(depth))} {op} {draw(integers(depth))})"


def stated(translation: Translation, values: dict[str, int], said: str) -> str:
    """A query: the facts of a translation, the values of the names, and `said`."""
    lines = [f"(declare-const {text} Int)" for text in (*NAMES, *translation.symbols)]
    lines += [
        f"(assert (= {key} {value if value >= 0 else f'(- {-value})'}))"
        for key, value in values.items()
    ]
    return "\n".join(
        [*lines, *(f"(assert {fact})" for fact in translation.finish()), f"(assert {said})"]
    )


@given(
    integers(),
    conditions(),
    st.fixed_dictionaries(
        {"n": st.integers(1, 9), "s": st.integers(0, 5), "r": st.integers(-20, 40)}
        | {"c": st.integers(-5, 20)}
    ),
)
@settings(deadline=None, max_examples=120)
def test_the_translation_allows_what_is_so(text: str, claim: str, values: dict[str, int]) -> None:
    """Its facts are true of the true quotients, rests, products and powers."""
    term, condition = parse(text), parse(claim)
    translation = Translation(["n"], exponents((term, condition)))
    try:
        value, truth = int(evaluate(term, values)), bool(evaluate(condition, values))
        said = compare("==", translation.linear(term), number(value))
        shown = translation.condition(condition)
    except InvalidInput:
        assume(False)
    lines = stated(translation, values, said)
    assert decides(f"{lines}(assert {shown if truth else f'(not {shown})'})") == "sat"


@given(st.data(), st.sampled_from(sorted(FAMILIES)))
@settings(deadline=None, max_examples=60)
def test_what_is_proved_of_a_mutated_family_is_right(data: st.DataObject, chosen: str) -> None:
    family = FAMILIES[chosen]
    for _ in range(data.draw(st.integers(1, 2))):
        path, text = data.draw(st.sampled_from(list(texts(family))))
        others = mutations(text, names_of(family, path[0]))
        assume(others)
        family = with_text(family, path, data.draw(st.sampled_from(others)))
    try:
        shown = proved(family)
    except InvalidInput:
        return
    if shown:
        assert wrong_member(family, 40 if family.collective != "alltoall" else 14) is None


def names_of(family: ParametricSchedule, phase: int) -> list[str]:
    """The names that an expression of this phase may use."""
    axes: tuple[Any, ...] = (*family.parameters, *family.ranks, *family.chunks)
    defined = family.phases[phase].define
    return [*(item.name for item in (*axes, *defined)), *family.origin, "s"]


@given(integers())
@settings(deadline=None, max_examples=100)
def test_shown_terms_read_the_same(text: str) -> None:
    term = parse(text)
    assert parse(show(term)) == term


@given(st.text(alphabet="nsrc01239 +-*/%<>=!()andortifelsepow2,.[]{}\\\n\t", max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        term = parse(text)
    except InvalidInput as error:
        place = error.place
    else:
        place = "column"
        assert parse(show(term)) == term
    assert place.startswith("column")


@given(st.integers(0, 200), st.integers(-200, 200), st.integers(1, 60))
@settings(deadline=None, max_examples=100)
def test_division_rounds_down(left: int, right: int, divisor: int) -> None:
    value = Term("-", (integer(left), name("x")))
    for op, result in (("//", (left - right) // divisor), ("%", (left - right) % divisor)):
        term = Term(op, (value, integer(divisor)))
        assert evaluate(term, {"x": right}) == result

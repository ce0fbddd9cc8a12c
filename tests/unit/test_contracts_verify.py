"""Functions that are right are proved; wrong ones are refuted by an input that was run."""

from __future__ import annotations

import pytest
from contract_tools import DATA, QUICK, only, pool, verify

from certune.core.status import Status
from certune.verifier.contracts import verify_source
from certune.verifier.contracts.discharge import Memory


@pytest.mark.parametrize("name", ["examples", "more"])
def test_right_functions_are_proved(name: str) -> None:
    report = verify_source((DATA / f"{name}.py").read_bytes(), f"{name}.py", pool=pool())
    assert not report.findings
    for function in report.functions:
        assert function.status is Status.PROVED, report.diagnostics()
        assert all(c.digest.startswith("sha256:") for c in function.conditions)


EXPECTED = {
    "midpoint": ("overflow", "program"),
    "binary_search": ("postcondition", "program"),
    "biggest": ("postcondition", "program"),
    "divmod_": ("postcondition", "program"),
    "spin": ("termination", "program"),
    "absolute": ("overflow", "program"),
    "hard": ("postcondition", "program"),
    "bad_sort": ("postcondition", "program"),
    "inf": ("decreases", "annotation"),
    "use": ("postcondition", "program"),
}


def test_wrong_functions_are_refuted() -> None:
    report = verify_source((DATA / "wrong.py").read_bytes(), "wrong.py", limits=QUICK, pool=pool())
    found = {}
    for function in report.functions:
        assert function.status is Status.REFUTED, function.name
        assert function.failure is not None
        found[function.name] = (function.failure.kind, function.failure.blames)
    assert found == EXPECTED


def test_the_smallest_input_and_the_steps_to_it_are_told() -> None:
    failure = only("""
        @require(lambda xs: len(xs) > 0)
        @ensure(lambda xs, result: result == xs[0])
        def last(xs: list[int]) -> int:
            i = len(xs) - 1
            return xs[i]
    """).failure
    assert failure is not None
    assert len(failure.inputs["xs"]) == 2
    assert failure.steps[-1].values["i"] == 1
    assert "last(xs = " in failure.sentence


def test_same_text_and_verdict_whatever_was_verified_before() -> None:
    text = (DATA / "examples.py").read_bytes()
    one = verify_source(text, "a.py", pool=pool(), only=["biggest"])
    verify_source((DATA / "more.py").read_bytes(), "b.py", pool=pool(), only=["fast_fib"])
    two = verify_source(text, "c.py", pool=pool(), only=["biggest"])
    digests = [[c.digest for c in r.functions[0].conditions] for r in (one, two)]
    assert digests[0] == digests[1]
    assert [c.answer.resources for c in one.functions[0].conditions if c.answer] == [
        c.answer.resources for c in two.functions[0].conditions if c.answer
    ]


def test_known_answers_are_not_asked_again() -> None:
    text = (DATA / "examples.py").read_bytes()
    cache = Memory()
    verify_source(text, "a.py", pool=pool(), only=["push"], cache=cache)

    class Nobody:
        def ask(self, requests: list[object]) -> list[object]:
            assert not requests
            return []

    again = verify_source(text, "a.py", pool=Nobody(), only=["push"], cache=cache)  # type: ignore[arg-type]
    assert again.function("push").status is Status.PROVED


def test_a_function_that_calls_an_unproved_one_is_not_proved() -> None:
    report = verify("""
        @ensure(lambda x, result: result == x * x * x)
        def cube(x: int) -> int:
            return x * x

        @ensure(lambda result: result == 27)
        def user() -> int:
            return cube(3)
    """)
    assert report.function("cube").status is Status.REFUTED
    assert report.function("user").status is not Status.PROVED


def test_termination_is_asked_for_unless_partial() -> None:
    body = """
        {}
        @ensure(lambda n, result: result == 0)
        def down(n: int) -> int:
            while n != 0:
                invariant(True)
                {}
                n -= 1
            return n
    """
    assert only(body.format("", "decreases(n)")).status is not Status.PROVED
    partial = only(body.format("@partial", "pass"))
    assert partial.status is Status.PROVED
    assert partial.partial


def test_what_a_call_modifies_is_forgotten_but_for_its_contract() -> None:
    report = verify("""
        @dataclass
        class Box:
            a: int
            b: list[int]

        @ensure(lambda box: box.a == old(box).a + 1)
        @modifies("box.a")
        def bump(box: Box) -> None:
            box.a += 1

        @require(lambda box: len(box.b) == 3)
        @ensure(lambda box: len(box.b) == 3 and box.b[1] == old(box).b[1])
        @modifies("box")
        def fine(box: Box) -> None:
            bump(box)

        @require(lambda box: box.a == 1)
        @ensure(lambda box: box.a == 1)
        @modifies("box")
        def wrong(box: Box) -> None:
            bump(box)
    """)
    assert [f.status.value for f in report.functions] == ["proved", "proved", "refuted"]


def test_functions_of_another_file_are_verified_too() -> None:
    other = b"""
from certune.contracts import ensure

@ensure(lambda x, result: result > x)
def up(x: int) -> int:
    return x + 1
"""
    main = b"""
from certune.contracts import ensure
from other import up

@ensure(lambda x, result: result > x + 1)
def twice(x: int) -> int:
    return up(up(x))
"""
    report = verify_source(main, "m.py", imports={"other": other}.get, pool=pool())
    assert report.status is Status.PROVED
    assert {f.name for f in report.functions} == {"twice", "other.up"}
    assert any("other.py:5" in d for d in report.diagnostics())
    wrong = other.replace(b"x + 1", b"x + 0")
    report = verify_source(main, "m.py", imports={"other": wrong}.get, limits=QUICK, pool=pool())
    assert report.function("twice").status is Status.UNKNOWN


def test_icontract_and_deal_are_understood() -> None:
    header = "import deal\nimport icontract\nfrom icontract import snapshot\n"
    text = (
        header
        + """
@icontract.require(lambda x: x > 0, "positive")
@icontract.ensure(lambda x, result: result > x)
def one(x: int) -> int:
    return x + x

@icontract.snapshot(lambda xs: xs[:])
@snapshot(lambda xs: len(xs), name="n")
@icontract.ensure(lambda xs, OLD: len(xs) == OLD.n + 1 and xs[0] == (OLD.xs + [7])[0])
def two(xs: list[int]) -> None:
    xs.append(7)

@deal.pre(lambda _: _.x > 0)
@deal.post(lambda result: result >= 2)
@deal.ensure(lambda x, result: result > x)
@deal.pure
def three(x: int) -> int:
    return x + x
"""
    )
    report = verify_source(text.encode(), "m.py", pool=pool(), limits=QUICK)
    assert [f.status.value for f in report.functions] == ["proved", "invalid", "proved"]
    assert "modifies" in str(report.function("two").findings[0])
    fixed = text.replace("@icontract.snapshot", '@modifies("xs")\n@icontract.snapshot', 1)
    fixed = "from certune.contracts import modifies\n" + fixed
    report = verify_source(fixed.encode(), "m.py", pool=pool())
    assert report.status is Status.PROVED


def test_what_is_open_comes_with_values_in_which_it_seems_to_fail() -> None:
    report = verify("""
        @require(lambda xs: len(xs) > 0)
        @ensure(lambda xs, result: all(x <= result for x in xs))
        def biggest(xs: list[int]) -> int:
            m = xs[0]
            for i in range(1, len(xs)):
                if xs[i] > m:
                    m = xs[i]
            return m
    """)
    (condition,) = report.functions[0].open
    assert condition.kind == "postcondition"
    assert condition.path == ("after the loop of line 12",)
    assert condition.model is not None
    assert max(condition.model["xs"]) > condition.model["m"]
    assert "may fail where" in report.diagnostics()[0]


def test_the_example_of_the_documentation_is_proved() -> None:
    text = (DATA.parents[2] / "docs" / "code.md").read_text()
    block = text.split("```python\n")[1].split("```")[0]
    report = verify_source(block.encode(), "code.md", pool=pool())
    assert [f.name for f in report.functions] == ["binary_search"]
    assert report.status is Status.PROVED

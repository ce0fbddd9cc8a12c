"""The gate: the candidate is the task's program under the task's contract, proved and run."""

from __future__ import annotations

import pytest
from contract_tools import QUICK, pool, source

from certune.core.status import Status
from certune.verifier.contracts import compare_program, erase, judge, strip

TASK = """
    @spec
    def small(x: int) -> bool:
        return x < 10

    @require(lambda n: n >= 0)
    @ensure(lambda n, result: result == n and (result < 10) == small(n))
    def count(n: int) -> int:
        c = 0
        while c < n:
            c += 1
        return c
"""
PROVED = TASK.replace("c += 1", "invariant(0 <= c <= n)\n            c += 1")


def test_annotations_are_all_that_a_candidate_adds() -> None:
    report = judge(source(TASK), source(PROVED), "c.py", limits=QUICK, pool=pool())
    assert report.status is Status.PROVED, report
    assert report.runs["count"] >= 20


def test_without_annotations_it_is_unknown() -> None:
    report = judge(source(TASK), source(TASK), "c.py", limits=QUICK, pool=pool())
    assert report.status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("return c", "return n"), "program"),
        (("c += 1\n", "c += 1\n            c = n\n"), "program"),
        (("n >= 0", "n == 0"), "contract"),
        (("result == n and", "result <= n and"), "contract"),
        (("x < 10", "x < 11"), "specification"),
        (("def count(n: int)", "def count(n: u8)"), "contract"),
        (("@spec\n", "@lemma\n"), "contract"),
        (("while c < n:", "while n > c:"), "program"),
        (("@require(lambda n: n >= 0)", "@require(lambda n: n >= 0)\n    @partial"), "contract"),
    ],
)
def test_changes_of_the_program_or_contract_are_refused(
    change: tuple[str, str], reason: str
) -> None:
    candidate = PROVED.replace(*change)
    assert candidate != PROVED
    findings = compare_program(source(TASK), source(candidate))
    assert reason in {f.reason for f in findings}


def test_helpers_that_are_code_are_refused_and_lemmas_are_not() -> None:
    helper = PROVED + "\n\n    def more(x: int) -> int:\n        return x\n"
    assert compare_program(source(TASK), source(helper))
    lemma = PROVED + "\n\n    @lemma\n    def more(x: int) -> None:\n        pass\n"
    assert not compare_program(source(TASK), source(lemma))


def test_an_implementation_has_the_signature_and_the_contract() -> None:
    other = PROVED.replace(
        "c = 0\n        while c < n:\n            invariant(0 <= c <= n)\n            c += 1\n"
        "        return c",
        "return n",
    )
    assert other != PROVED
    assert compare_program(source(TASK), source(other))
    report = judge(
        source(TASK), source(other), "c.py", asked="implementation", limits=QUICK, pool=pool()
    )
    assert report.status is Status.PROVED


def test_a_precondition_that_nothing_satisfies_proves_nothing() -> None:
    task = """
        @require(lambda n: n > 0 and n < 0)
        @ensure(lambda result: False)
        def f(n: int) -> int:
            return n
    """
    report = judge(source(task), source(task), "c.py", limits=QUICK, pool=pool())
    assert report.status is Status.UNKNOWN
    assert "precondition" in report.why


def test_inputs_of_a_narrow_precondition_come_from_the_solver() -> None:
    task = """
        @require(lambda a, b: a * a == 1234321 and b == a + 98765)
        @ensure(lambda a, b, result: result == 98765)
        def f(a: int, b: int) -> int:
            return b - a
    """
    report = judge(source(task), source(task), "c.py", limits=QUICK, pool=pool())
    assert report.status is Status.PROVED
    assert report.runs["f"] > 0


def test_partial_correctness_does_not_pass() -> None:
    task = TASK.replace("@require", "@partial\n    @require")
    candidate = PROVED.replace("@require", "@partial\n    @require")
    report = judge(source(task), source(candidate), "c.py", limits=QUICK, pool=pool())
    assert report.status is Status.UNKNOWN
    assert "termination" in report.why


def test_ghost_branches_and_loops_are_erased_and_calls_in_them_are_not_code() -> None:
    body = """
        @lemma
        @ensure(lambda x: x * x >= 0)
        def square(x: int) -> None:
            pass

        @ensure(lambda n, result: result == n)
        def f(n: int) -> int:
            g = ghost(n * n)
            if n > 3:
                square(n)
                assert g >= 0
            for i in range(n):
                square(i)
            return n
    """
    plain = "def f(n: int) -> int:\n    return n\n"
    assert erase(source(body)).endswith(plain)


def test_strip_writes_what_runs_without_certune() -> None:
    body = """
        @ensure(lambda a, b, result: result == (a + b) % 256)
        def f(a: u8, b: u8) -> u8:
            "Add."
            c: u8 = u8(1)
            assert c <= u8.MAX
            if implies(a > b, True):
                return u8.wrapping_add(a, b)
            return i8.wrap(a)
    """
    text = strip(source(body))
    assert "certune" not in text
    assert "u8" not in text
    names: dict[str, object] = {}
    exec(text, names)  # the stripped function is the test's own
    assert names["f"](200, 100) == 44  # type: ignore[operator]
    assert names["f"].__doc__ == "Add."

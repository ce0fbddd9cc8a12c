"""Hostile sources end soon, as invalid or unknown, with a line; nothing of them is executed."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest
from contract_tools import HEADER, pool, source

from certune.core.status import Status
from certune.verifier.contracts import Limits, verify_source

FEW = Limits(resources=50_000, attempts=2, examples=10, conditions=400)


def chain(count: int, op: str) -> str:
    lines = ["    a0 = x"] + [f"    a{k} = a{k - 1} {op} a{k - 1}" for k in range(1, count)]
    return "def f(x: int) -> int:\n" + "\n".join(lines) + f"\n    return a{count - 1}\n"


HOSTILE = {
    "parentheses": ("def f(x: int) -> int:\n    return " + "(" * 300 + "x" + ")" * 300, "syntax"),
    "unary operators": ("def f(x: int) -> int:\n    return " + "-" * 1500 + "x", "size"),
    "a long sum": ("def f(x: int) -> int:\n    return " + "+".join(["x"] * 500), "size"),
    "a long line": ("x = 1 #" + "x" * 5000, "size"),
    "many lines": ("\n" * 10**6, "size"),
    "much source": ("x = 1\n" * 40_000, "size"),
    "a huge literal": ("X = 0x" + "f" * 1000, "size"),
    "a huge decimal": ("X = " + "9" * 1900, "size"),
    "a huge power": ("X = 10 ** 1000000", "language"),
    "a nested type": (
        "def f(x: " + "list[" * 40 + "int" + "]" * 40 + ") -> int:\n    return 1",
        "language",
    ),
    "no text": ("\0", "syntax"),
    "a form feed": ("\x0cx = 1", "syntax"),
    "half a program": ("def f(x: int) -> int:\n    return (", "syntax"),
    "tabs and spaces": (
        "def f(x: int) -> int:\n\tif x > 0:\n        return 1\n\treturn 2",
        "syntax",
    ),
    "deep blocks": (
        "def f(x: int) -> int:\n"
        + "".join(" " * (k + 1) + "if x > 0:\n" for k in range(99))
        + " " * 100
        + "return 1",
        "size",
    ),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_text_is_invalid_at_a_line(name: str) -> None:
    text, reason = HOSTILE[name]
    start = monotonic()
    report = verify_source(text.encode(), "h.py", limits=FEW, pool=pool())
    findings = [*report.findings, *(f for r in report.functions for f in r.findings)]
    assert report.status is Status.INVALID
    assert findings[0].place.line >= 1
    if name not in ("parentheses", "deep blocks"):
        assert findings[0].reason == reason
    assert monotonic() - start < 10
    assert all(d.startswith("h.py:") for d in report.diagnostics())


EXPONENTIAL = {
    "doubling": chain(150, "+"),
    "squaring": chain(50, "*"),
    "generators": (
        "def f(x: int) -> bool:\n    return "
        + "all(" * 8
        + "x > 0"
        + "".join(f" for q{k} in range(64))" for k in range(8))
    ),
    "specifications": (
        "@spec\ndef s0(x: int) -> int:\n    return x + 1\n"
        + "".join(
            f"@spec\ndef s{k}(x: int) -> int:\n    return s{k - 1}(x) + s{k - 1}(x + 1)\n"
            for k in range(1, 30)
        )
        + "def f(x: int) -> int:\n    assert s29(x) > x\n    return x"
    ),
    "branches": (
        "def f(x: int) -> int:\n    y = 0\n"
        + "".join(f"    if x > {k}:\n        y += {k}\n" for k in range(60))
        + "    assert y >= 0\n    return y"
    ),
    "branches of a specification": (
        "@spec\ndef s(x: int) -> int:\n    y = 0\n"
        + "".join(f"    if x > {k}:\n        y = y + {k}\n" for k in range(30))
        + "    return y\ndef f(x: int) -> int:\n    assert s(x) >= 0\n    return x"
    ),
    "loops": (
        "def f(n: int) -> int:\n    c = 0\n"
        + "".join("    " * (k + 1) + f"for q{k} in range(n):\n" for k in range(12))
        + "    " * 13
        + "c += 1\n    return c"
    ),
    "comparisons": "def f(x: int) -> bool:\n    return " + "([" * 20 + "x" + "] == [x])" * 20,
}


@pytest.mark.parametrize("name", list(EXPONENTIAL))
def test_what_grows_exponentially_ends_soon(name: str) -> None:
    start = monotonic()
    report = verify_source(source(EXPONENTIAL[name]), "h.py", limits=FEW, pool=pool(), refute=False)
    assert report.functions or report.findings
    assert monotonic() - start < 60


def test_names_of_the_solver_are_only_names() -> None:
    report = verify_source(
        source("""
            def f(select: int, store: int, forall: int, d: int, m: int, f_: int, sk: int) -> int:
                define = [select, store]
                assert define[0] + d + m + f_ + sk - sk == f_ + m + d + select
                lambda_ = all(k + d > d for k in range(1, 9))
                assert lambda_
                return forall
        """),
        "h.py",
        limits=Limits(resources=100_000),
        pool=pool(),
    )
    assert report.status is Status.PROVED, report.diagnostics()


def test_nothing_is_executed_or_imported(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    text = f"@__import__('pathlib').Path({str(mark)!r}).touch\ndef f() -> int:\n    return 0\n"
    for body in (text, f"__import__('pathlib').Path({str(mark)!r}).touch()\n", "import this\n"):
        assert verify_source((HEADER + body).encode(), "h.py", pool=pool()).findings
    assert not mark.exists()

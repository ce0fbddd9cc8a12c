"""Ways to have a wrong function proved: each is refused, refuted or unknown, never proved."""

from __future__ import annotations

import pytest
from contract_tools import HEADER, QUICK, pool, source

from certune.core.status import Status
from certune.verifier.contracts import Limits, ModuleReport, judge, verify_source

FEW = Limits(resources=100_000, attempts=2, examples=60)


def report(body: str, header: str = HEADER) -> ModuleReport:
    return verify_source(source(body, header), "t.py", limits=FEW, pool=pool())


# name: (source, reason of the finding, or "" where it must merely not be proved)
CHEATS: dict[str, tuple[str, str]] = {
    "a lemma with a contradictory precondition is called": (
        """
        @lemma
        @require(lambda x: x > x)
        @ensure(lambda x: False)
        def anything(x: int) -> None:
            pass

        @ensure(lambda result: result == 1)
        def f() -> int:
            anything(3)
            return 0
        """,
        "",
    ),
    "a lemma that proves itself": (
        """
        @lemma
        @ensure(lambda: False)
        def anything() -> None:
            anything()

        @ensure(lambda result: result == 1)
        def f() -> int:
            anything()
            return 0
        """,
        "decreases",
    ),
    "a lemma whose measure does not get smaller": (
        """
        @lemma
        @ensure(lambda n: False)
        def anything(n: int) -> None:
            decreases(n)
            anything(n)

        @ensure(lambda result: result == 1)
        def f() -> int:
            anything(3)
            return 0
        """,
        "",
    ),
    "a measure that falls for ever": (
        """
        @lemma
        @ensure(lambda n: False)
        def anything(n: int) -> None:
            decreases(n)
            anything(n - 1)

        @ensure(lambda result: result == 1)
        def f() -> int:
            anything(3)
            return 0
        """,
        "",
    ),
    "two lemmas that prove each other": (
        """
        @lemma
        @ensure(lambda: False)
        def one() -> None:
            decreases(1)
            two()

        @lemma
        @ensure(lambda: False)
        def two() -> None:
            decreases(0)
            one()

        @ensure(lambda result: result == 1)
        def f() -> int:
            one()
            return 0
        """,
        "",
    ),
    "a ghost loop that does not end": (
        """
        @ensure(lambda result: result == 1)
        def f() -> int:
            g = ghost(1)
            while g > 0:
                invariant(True)
                decreases(g)
                g = ghost(g)
            return 0
        """,
        "",
    ),
    "a loop without a measure": (
        """
        @ensure(lambda result: result == 1)
        def f() -> int:
            while True:
                pass
            return 0
        """,
        "decreases",
    ),
    "code after a loop that never ends": (
        """
        @ensure(lambda n, result: result == n)
        def f(n: int) -> int:
            while n == n:
                decreases(n)
                n = n + 0
            return n + 1
        """,
        "",
    ),
    "assert False where it looks unreachable": (
        """
        @ensure(lambda xs, result: result == 7)
        def f(xs: list[int]) -> int:
            if len(xs) > 1000000:
                assert False
                return 3
            return 7
        """,
        "",
    ),
    "assert False in a loop that is thought not to run": (
        """
        @ensure(lambda n, result: result == 0)
        def f(n: int) -> int:
            for i in range(n):
                assert False
            return 0
        """,
        "",
    ),
    "len is redefined": (
        """
        @spec
        def len(xs: list[int]) -> int:
            return 7

        @ensure(lambda xs, result: result == len(xs))
        def f(xs: list[int]) -> int:
            return 7
        """,
        "shadowing",
    ),
    "all is a parameter": (
        """
        @ensure(lambda xs: True)
        def f(xs: list[int], all: int) -> int:
            return all
        """,
        "shadowing",
    ),
    "require is a constant": (
        """
        require = 1

        def f(n: int) -> int:
            return n
        """,
        "shadowing",
    ),
    "the specification is redefined": (
        """
        @spec
        def right(n: int) -> bool:
            return n == 1

        @spec
        def right(n: int) -> bool:
            return True

        @ensure(lambda result: right(result))
        def f() -> int:
            return 0
        """,
        "shadowing",
    ),
    "the function is redefined": (
        """
        @ensure(lambda result: result == 1)
        def f() -> int:
            return 1

        def f() -> int:
            return 0
        """,
        "shadowing",
    ),
    "a local variable hides a specification": (
        """
        @spec
        def right(n: int) -> bool:
            return n == 1

        @ensure(lambda result: right(result))
        def f() -> int:
            right = 0
            return right
        """,
        "shadowing",
    ),
    "a binder hides a constant": (
        """
        BOUND = 3

        @ensure(lambda xs, result: all(BOUND > 2 for BOUND in xs))
        def f(xs: list[int]) -> int:
            return 0
        """,
        "shadowing",
    ),
    "a comparison of one's own": (
        """
        @dataclass
        class Box:
            a: int

            def __eq__(self, other):
                return True

        @ensure(lambda box, result: box == Box(3))
        def f(box: Box) -> int:
            return 0
        """,
        "class",
    ),
    "a class that is no dataclass": (
        """
        class Box:
            a: int

        def f(b: Box) -> int:
            return b.a
        """,
        "class",
    ),
    "a subclass of list": (
        """
        @dataclass
        class Mine(list):
            a: int

        def f(b: Mine) -> int:
            return b.a
        """,
        "class",
    ),
    "a default in a record": (
        """
        @dataclass
        class Box:
            a: int = 3

        def f(b: Box) -> int:
            return b.a
        """,
        "class",
    ),
    "an unknown decorator": (
        """
        def twice(f: int) -> int:
            return f

        @twice
        @ensure(lambda result: result == 1)
        def f() -> int:
            return 0
        """,
        "decorator",
    ),
    "a decorator with effects": (
        """
        @__import__("os").system("true")
        def f() -> int:
            return 0
        """,
        "decorator",
    ),
    "a contract that is a name": (
        """
        @ensure(True)
        def f() -> int:
            return 0
        """,
        "decorator",
    ),
    "a default argument": (
        """
        @ensure(lambda x, result: result == x)
        def f(x: int = 3) -> int:
            return 3
        """,
        "default-argument",
    ),
    "a default argument of the contract": (
        """
        @ensure(lambda x, result, y=1: y == 1)
        def f(x: int) -> int:
            return 3
        """,
        "decorator",
    ),
    "else of a loop": (
        """
        @ensure(lambda n, result: result == 1)
        def f(n: int) -> int:
            r = 1
            for i in range(3):
                r = 1
            else:
                r = 2
            return r
        """,
        "loop-else",
    ),
    "a ghost is returned": (
        """
        @ensure(lambda n, result: result == n * n)
        def f(n: int) -> int:
            g = ghost(n * n)
            return g
        """,
        "ghost",
    ),
    "a ghost decides": (
        """
        @ensure(lambda n, result: result == 1)
        def f(n: int) -> int:
            g = ghost(1)
            if g == 1:
                return 1
            return 0
        """,
        "ghost",
    ),
    "a ghost is assigned code's value": (
        """
        def f(n: int) -> int:
            x = n
            x = ghost(3)
            return x
        """,
        "ghost",
    ),
    "a ghost leaks through a sum": (
        """
        def f(n: int) -> int:
            g = ghost(3)
            return sum(g for i in range(2))
        """,
        "ghost",
    ),
    "old in code": (
        """
        @ensure(lambda xs: True)
        @modifies("xs")
        def f(xs: list[int]) -> int:
            xs.append(1)
            return len(old(xs))
        """,
        "ghost",
    ),
    "an alias of a list": (
        """
        @require(lambda xs: len(xs) == 1 and xs[0] == 0)
        @ensure(lambda xs: xs[0] == 0)
        @modifies("xs")
        def f(xs: list[int]) -> None:
            ys = xs
            ys[0] = 1
        """,
        "alias",
    ),
    "an alias is returned": (
        """
        @ensure(lambda xs, result: result == xs)
        def f(xs: list[int]) -> list[int]:
            return xs
        """,
        "alias",
    ),
    "a row is returned": (
        """
        @require(lambda m: len(m) > 0)
        def f(m: list[list[int]]) -> list[int]:
            return m[0]
        """,
        "alias",
    ),
    "a list in two places": (
        """
        def f() -> list[list[int]]:
            row = [0, 0]
            m: list[list[int]] = []
            m.append(row)
            m.append(row)
            return m
        """,
        "alias",
    ),
    "the same list n times": (
        """
        @ensure(lambda result: result[1][0] == 0)
        def f() -> list[list[int]]:
            m = [[0]] * 2
            m[0][0] = 1
            return m
        """,
        "alias",
    ),
    "a copy whose rows are shared": (
        """
        @require(lambda m: len(m) > 0 and len(m[0]) > 0)
        @ensure(lambda m: m[0][0] == old(m)[0][0])
        def f(m: list[list[int]]) -> None:
            c = m[:]
            c[0][0] = 1
        """,
        "alias",
    ),
    "one list for two parameters": (
        """
        @require(lambda xs: len(xs) > 0)
        @ensure(lambda xs, ys: xs[0] == 1 and ys == old(ys))
        @modifies("xs")
        def set(xs: list[int], ys: list[int]) -> None:
            xs[0] = 1
        """,
        "shadowing",
    ),
    "one list passed twice": (
        """
        @require(lambda xs: len(xs) > 0)
        @ensure(lambda xs, ys: ys == old(ys))
        @modifies("xs")
        def put(xs: list[int], ys: list[int]) -> None:
            xs[0] = 1

        @require(lambda xs: len(xs) > 0)
        @ensure(lambda xs: xs == old(xs))
        @modifies("xs")
        def f(xs: list[int]) -> None:
            put(xs, xs)
        """,
        "alias",
    ),
    "a list changes while it is gone over": (
        """
        @modifies("xs")
        def f(xs: list[int]) -> None:
            for x in xs:
                xs.append(x)
        """,
        "language",
    ),
    "what modifies omits": (
        """
        @ensure(lambda xs: True)
        def f(xs: list[int]) -> None:
            xs.append(1)
        """,
        "modifies",
    ),
    "a field that modifies omits": (
        """
        @dataclass
        class Box:
            a: int
            b: int

        @modifies("box.a")
        def f(box: Box) -> None:
            box.b = 1
        """,
        "modifies",
    ),
    "effects hidden in a conversion": (
        """
        @require(lambda xs: len(xs) > 0)
        @ensure(lambda xs: xs[0] == 1 and len(xs) == len(old(xs)))
        @modifies("xs")
        def put(xs: list[int]) -> u32:
            xs[0] = 1
            return 1

        @require(lambda xs: len(xs) > 0)
        @ensure(lambda xs: xs == old(xs))
        @modifies("xs")
        def f(xs: list[int]) -> int:
            return put(xs)
        """,
        "effects",
    ),
    "effects in a condition": (
        """
        @ensure(lambda xs, result: len(xs) == len(old(xs)) + 1 and result)
        @modifies("xs")
        def put(xs: list[int]) -> bool:
            xs.append(1)
            return True

        @ensure(lambda xs: xs == old(xs))
        @modifies("xs")
        def f(xs: list[int]) -> int:
            if put(xs):
                return 1
            return 2
        """,
        "effects",
    ),
    "a specification that does not end": (
        """
        @spec
        def more(n: int) -> int:
            decreases(n)
            return more(n) + 1

        @ensure(lambda result: result == 1)
        def f() -> int:
            assert more(0) == more(0)
            return 0
        """,
        "",
    ),
    "a specification without a measure": (
        """
        @spec
        def more(n: int) -> int:
            return more(n) + 1

        @ensure(lambda result: result == 1)
        def f() -> int:
            assert more(0) > more(0)
            return 0
        """,
        "decreases",
    ),
    "a specification that promises too much": (
        """
        @spec
        @ensure(lambda n, result: result > n)
        def same(n: int) -> int:
            return n

        @ensure(lambda result: result == 1)
        def f() -> int:
            assert same(0) > 0
            return 0
        """,
        "",
    ),
    "a contract calls code": (
        """
        def helper(n: int) -> bool:
            return True

        @ensure(lambda result: helper(result))
        def f() -> int:
            return 0
        """,
        "spec",
    ),
    "an undefined contract": (
        """
        @ensure(lambda xs, result: xs[10] == xs[10])
        def f(xs: list[int]) -> int:
            return 0
        """,
        "",
    ),
    "a partial function as a lemma": (
        """
        @partial
        @lemma
        @ensure(lambda: False)
        def f() -> None:
            pass
        """,
        "partial",
    ),
    "letters that look like others": (
        """
        def f(\N{CYRILLIC SMALL LETTER A}: int) -> int:
            return \N{CYRILLIC SMALL LETTER A}
        """,
        "unicode",
    ),
    "letters that Python folds": (
        """
        @ensure(lambda xs, result: result == \N{MATHEMATICAL BOLD SMALL L}en(xs))
        def f(xs: list[int]) -> int:
            return 7
        """,
        "unicode",
    ),
    "a monkeypatch": (
        """
        u8.MAX = 3

        def f() -> int:
            return 0
        """,
        "language",
    ),
    "code at the top level": (
        """
        print("hello")

        def f() -> int:
            return 0
        """,
        "language",
    ),
    "a global statement": (
        """
        N = 3

        def f() -> int:
            global N
            return N
        """,
        "language",
    ),
    "a nested function": (
        """
        def f() -> int:
            def g() -> int:
                return 1
            return g()
        """,
        "language",
    ),
    "an exception ends the function": (
        """
        @ensure(lambda result: result == 1)
        def f() -> int:
            raise ValueError
        """,
        "language",
    ),
    "try hides a failure": (
        """
        @ensure(lambda xs, result: result == xs[0])
        def f(xs: list[int]) -> int:
            try:
                return xs[0]
            except IndexError:
                return 0
        """,
        "language",
    ),
    "a variable that may have no value": (
        """
        def f(n: int) -> int:
            if n > 0:
                x = 1
            return x
        """,
        "unassigned",
    ),
    "the loop variable after the loop": (
        """
        @ensure(lambda n, result: result == n)
        def f(n: int) -> int:
            for i in range(n):
                pass
            return i
        """,
        "unassigned",
    ),
    "an import of something else": (
        """
        import os

        def f() -> int:
            return 0
        """,
        "import",
    ),
    "an import under another name": (
        """
        from dataclasses import dataclass as require

        def f() -> int:
            return 0
        """,
        "import",
    ),
    "truth of a number": (
        """
        @ensure(lambda n, result: result)
        def f(n: int) -> bool:
            return True if n else True
        """,
        "type",
    ),
    "identity of numbers": (
        """
        @ensure(lambda n, result: result is n)
        def f(n: int) -> int:
            return n
        """,
        "language",
    ),
    "overflow in an intermediate value": (
        """
        @require(lambda a, b: a <= b)
        @ensure(lambda a, b, result: a <= result <= b)
        def f(a: u32, b: u32) -> u32:
            return (a + b) // 2
        """,
        "",
    ),
    "a shift by too much": (
        """
        def f(a: u32, k: u8) -> u32:
            return a >> k
        """,
        "",
    ),
    "a division by nothing": (
        """
        def f(a: int, b: int) -> int:
            return a // b
        """,
        "",
    ),
    "an invariant that is not kept": (
        """
        @ensure(lambda n, result: result == 0)
        def f(n: int) -> int:
            c = 0
            for i in range(n):
                invariant(c == 0)
                c += 1
            return c
        """,
        "",
    ),
    "an invariant that does not hold at first": (
        """
        @ensure(lambda n, result: result == 1)
        def f(n: int) -> int:
            c = 0
            for i in range(n):
                invariant(c == 1)
                c = 1
            return c
        """,
        "",
    ),
    "what a loop changes is remembered": (
        """
        @ensure(lambda xs: len(xs) == len(old(xs)))
        @modifies("xs")
        def f(xs: list[int]) -> None:
            for i in range(3):
                if i == 2:
                    xs.append(1)
        """,
        "",
    ),
    "what a call in a loop changes is remembered": (
        """
        @ensure(lambda xs: len(xs) == len(old(xs)) + 1)
        @modifies("xs")
        def put(xs: list[int]) -> int:
            xs.append(1)
            return 1

        @ensure(lambda xs: len(xs) == len(old(xs)))
        @modifies("xs")
        def f(xs: list[int]) -> None:
            for i in range(3):
                y = put(xs)
        """,
        "",
    ),
    "the sum of a slice that counts from the end": (
        """
        @require(lambda xs, h: len(xs) > 5 and h == -1)
        @ensure(lambda result: result == 0)
        def f(xs: list[int], h: int) -> int:
            return sum(xs[3:h])
        """,
        "",
    ),
    "the length of a slice that counts from the end": (
        """
        @require(lambda xs, h: len(xs) > 5 and h == -1)
        @ensure(lambda result: result == -4)
        def f(xs: list[int], h: int) -> int:
            return len(xs[3:h])
        """,
        "",
    ),
    "a count in a slice that counts from the end": (
        """
        @require(lambda xs, h: len(xs) > 5 and h == -1)
        @ensure(lambda result: result == 0)
        def f(xs: list[int], h: int) -> int:
            return xs[3:h].count(1)
        """,
        "",
    ),
    "what lies beyond the end of a list in a record": (
        """
        @dataclass
        class Box:
            xs: list[u8]
            n: int

        @ensure(lambda result: result == 1)
        def f() -> int:
            b = Box([i + 250 for i in range(3)], 0)
            for i in range(3):
                b.n += 1
            assert b.xs[2] == 252
            return 0
        """,
        "",
    ),
    "what lies beyond the end of a row": (
        """
        @ensure(lambda result: result == 1)
        def f() -> int:
            m: list[list[u8]] = [[j + 250 for j in range(3)] for i in range(3)]
            for i in range(3):
                m.append([1])
            assert len(m) >= 0
            return 0
        """,
        "",
    ),
}


@pytest.mark.parametrize("name", list(CHEATS))
def test_cheat_is_not_proved(name: str) -> None:
    body, reason = CHEATS[name]
    said = report(body)
    last = said.functions[-1] if said.functions else None
    assert last is None or last.status is not Status.PROVED, said.diagnostics()
    findings = [*said.findings, *(f for r in said.functions for f in r.findings)]
    if reason:
        assert reason in {f.reason for f in findings}, said.diagnostics()
        assert all(f.remedy or f.reason == "syntax" for f in findings)
    else:
        assert not findings, said.diagnostics()


HONEST = """
    @require(lambda n: n >= 0)
    @ensure(lambda n, result: result == n)
    def f(n: int) -> int:
        c = 0
        while c < n:
            invariant(0 <= c <= n)
            c += 1
        return c
"""


@pytest.mark.parametrize(
    "change",
    [
        ("@require(lambda n: n >= 0)", "@require(lambda n: n >= 0 and n < 0)"),
        ("@ensure(lambda n, result: result == n)\n", ""),
        ("result == n", "True"),
        ("(n: int) -> int:", "(n: int, m: int) -> int:"),
        ("return c", "return n"),
        ("c = 0\n", "c = n\n"),
        ("c += 1", "c += 1 if n >= 0 else 2"),
        ("while c < n:", "for c in range(n):"),
        ("def f(", "def g("),
        ("@require(", "@partial\n    @require("),
    ],
)
def test_no_change_of_program_or_contract_passes_the_gate(change: tuple[str, str]) -> None:
    candidate = HONEST.replace(*change)
    assert candidate != HONEST
    said = judge(source(HONEST), source(candidate), "c.py", limits=QUICK, pool=pool())
    assert said.status is Status.INVALID


def test_the_task_cannot_be_moved_to_another_file() -> None:
    other = b"""
from certune.contracts import spec

@spec
def right(n: int) -> bool:
    return True
"""
    task = """
        @spec
        def right(n: int) -> bool:
            return n == 1

        @ensure(lambda result: right(result))
        def f() -> int:
            return 0
    """
    moved = HEADER + "from other import right\n"
    body = task[task.index("        @ensure") :]
    said = judge(
        source(task),
        source(body, moved),
        "c.py",
        limits=QUICK,
        pool=pool(),
        imports={"other": other}.get,
    )
    assert said.status is Status.INVALID

"""Random programs of the language over known values, whose result CPython tells."""

from __future__ import annotations

from random import Random
from typing import Any

_SETUP = """\
    a = {a}
    b = {b}
    p: u8 = {p}
    q: u8 = {q}
    s: i8 = {s}
    xs = {xs}
    bs: list[u8] = {bs}
    m = {m}
    d: dict[int, int] = {{}}
    d[{k1}] = {v1}
    d[{k2}] = {v2}
    o: int | None = {o}
"""


class Programs:
    """Draws programs; every one is a function of no parameters."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.names = 0

    def pick(self, *items: Any) -> Any:
        return self.random.choice(items)

    def binder(self) -> str:
        self.names += 1
        return f"v{self.names}"

    def integer(self, depth: int, binders: tuple[str, ...] = ()) -> str:
        """An integer expression."""
        if depth <= 0:
            return self.pick("a", "b", "a", "p", "q", "s", str(self.random.randint(0, 6)), *binders)
        one, two = (self.integer(depth - 1, binders) for _ in range(2))
        index = self.integer(depth - 2, binders)
        listed = self.pick("xs", "bs", "m[0]", "m[1]")
        low, high = (self.pick("", "0", "1", "a", "b", "len(xs)", index) for _ in range(2))
        v = self.binder()
        word = self.pick("p", "q", "bs[0]")
        return str(
            self.pick(
                f"({one} + {two})",
                f"({one} - {two})",
                f"({one} * {two})",
                f"({one} // {two})",
                f"({one} % {two})",
                f"({one} % {self.random.randint(1, 5)})",
                f"({word} & {self.pick('p', 'q', '3', '7')})",
                f"({word} | {self.pick('p', 'q', '12')})",
                f"({word} ^ q)",
                f"({word} << {self.pick('1', '2', 'p', 'a')})",
                f"({word} >> {self.pick('1', '2', 'q', 'b')})",
                f"(s >> {self.pick('1', '3', 'p')})",
                f"(~s & {self.pick('15', 's')})",
                f"u8.wrapping_{self.pick('add', 'sub', 'mul')}({one}, {two})",
                f"i8.wrap({one})",
                f"u8({one})",
                f"(-{one})",
                f"abs({one})",
                f"min({one}, {two})",
                f"max({one}, {two}, a)",
                f"({one} if {self.boolean(depth - 1, binders)} else {two})",
                f"{listed}[{index}]",
                f"{listed}[-1]",
                f"len({listed}[{low}:{high}])",
                f"sum({listed}[{low}:{high}])",
                f"sum({listed})",
                f"{listed}.count({index})",
                f"{listed}[{low}:{high}].count({index})",
                f"sum({self.integer(depth - 2, (*binders, v))} for {v} in range({low or 0}, 4))",
                f"sum({v} for {v} in {listed} if {v} > {index})",
                f"len({listed} + {listed})",
                f"(xs + m[1])[{index}]",
                f"[{self.integer(depth - 2, (*binders, v))} for {v} in range(3)][{index}]",
                f"([{index}] * {self.pick(2, 3)})[1]",
                f"d[{index}]",
                f"d.get({index}, {one})",
                "len(d)",
                f"(o if o is not None else {one})",
                f"({one}, {two})[{self.pick(0, 1)}]",
            )
        )

    def boolean(self, depth: int, binders: tuple[str, ...] = ()) -> str:
        """A boolean expression."""
        if depth <= 0:
            return self.pick("a < b", "p == q", "o is None", "a in xs", "b in d", "s < 0")
        one, two = (self.integer(depth - 1, binders) for _ in range(2))
        left, right = (self.boolean(depth - 1, binders) for _ in range(2))
        v, w = self.binder(), self.binder()
        op = self.pick("<", "<=", "==", "!=", ">", ">=")
        listed = self.pick("xs", "bs", "m[0]", "xs[1:]", "bs[:2]")
        inner = self.boolean(depth - 2, (*binders, v))
        quantifier = self.pick("all", "any")
        return str(
            self.pick(
                f"({one} {op} {two})",
                f"({one} <= {two} < {self.integer(0, binders)})",
                f"({left} and {right})",
                f"({left} or {right})",
                f"(not {left})",
                f"({one} in {listed})",
                f"{quantifier}({inner} for {v} in range({self.integer(0, binders)}))",
                f"{quantifier}({v} {op} {one} for {v} in {listed})",
                f"{quantifier}({v} {op} {w} for {v} in xs for {w} in xs)",
                f"{quantifier}({v} {op} {w} for {v}, {w} in enumerate({listed}))",
                f"{quantifier}(d[{v}] {op} {one} for {v} in d)",
                f"(xs[:2] {self.pick('==', '!=')} m[{self.pick(0, 1)}])",
                f"permutation(xs, {self.pick('m[0]', 'xs[1:] + [a]', '[b] + xs[1:]')})",
            )
        )

    def statements(self) -> str:
        """A few changes of the variables, with a loop at times (unrolled by no one)."""
        lines = []
        for _ in range(self.random.randint(0, 4)):
            e, i = self.integer(1), self.pick("0", "1", "a", "b")
            lines.append(
                self.pick(
                    f"a = {e}",
                    f"b += {e}",
                    f"xs[{i}] = {e}",
                    f"xs.append({e})",
                    f"p = {self.pick('q', 'p & 7', 'p // 2', 'u8.wrap(a)')}",
                    f"xs[0], xs[{i}] = xs[{i}], xs[0]",
                    f"a, xs[a] = {i}, {e}",
                    f"m[{self.pick(0, 1)}][{i}] = {e}",
                    f"m.append(xs[{i}:])",
                    f"d[{e}] = {i}",
                    "b = xs.pop()",
                    "xs = [v9 * 2 for v9 in xs]",
                    f"if {self.boolean(1)}:\n        a = {e}\n    else:\n        b = {e}",
                )
            )
        return "".join(f"    {line}\n" for line in lines)

    def program(self) -> str:
        """The body of a function, up to the expression that it returns."""
        r = self.random

        def some(low: int, high: int, count: int) -> list[int]:
            return [r.randint(low, high) for _ in range(count)]

        setup = _SETUP.format(
            a=r.randint(-3, 5),
            b=r.randint(-2, 6),
            p=r.choice((0, 1, 3, 7, 128, 250, 255)),
            q=r.choice((0, 1, 2, 5, 200, 255)),
            s=r.choice((-128, -5, -1, 0, 3, 127)),
            xs=some(-3, 5, r.randint(1, 4)),
            bs=some(0, 255, r.randint(1, 3)),
            m=[some(0, 4, 2), some(-2, 2, r.randint(1, 2))],
            k1=r.randint(-1, 3),
            v1=r.randint(-3, 9),
            k2=r.randint(-1, 3),
            v2=r.randint(-3, 9),
            o=r.choice(("None", "3", "-2")),
        )
        return setup + self.statements() + f"    return {self.integer(3)}\n"


def claims(body: str, value: int | None) -> str:
    """A module that claims of the program that its result is a value, or that it is not."""
    right = value if value is not None else 0
    return (
        "from certune.contracts import ensure, i8, permutation, u8\n\n"
        f"@ensure(lambda result: result == {right})\ndef right() -> int:\n{body}\n\n"
        f"@ensure(lambda result: result != {right})\ndef wrong() -> int:\n{body}\n"
    )

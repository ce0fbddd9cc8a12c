"""Random functions with loops, calls and records, and claims that few runs contradict."""

from __future__ import annotations

from random import Random

HEAD = """\
from dataclasses import dataclass
from certune.contracts import decreases, ensure, ghost, invariant, modifies, old, require, u8

@dataclass
class Box:
    n: int
    w: u8
    ys: list[int]

@require(lambda ys, k: 0 <= k < len(ys))
@ensure(lambda ys, k, v: ys[k] == v and len(ys) == len(old(ys)))
@ensure(lambda ys, k: all(ys[j] == old(ys)[j] for j in range(len(ys)) if j != k))
@modifies("ys")
def put(ys: list[int], k: int, v: int) -> int:
    ys[k] = v
    return v

@ensure(lambda box: box.n == old(box).n + 1 and box.w == old(box).w)
@modifies("box.n", "box.ys")
def bump(box: Box) -> None:
    box.n += 1
    box.ys.append(box.n)

"""
CLAIMS = (
    "len(xs) == len(old(xs))",
    "len(xs) >= len(old(xs))",
    "box.n == old(box).n",
    "box.n >= old(box).n",
    "box.w == old(box).w",
    "len(box.ys) == len(old(box).ys)",
    "box.ys == old(box).ys",
    "xs == old(xs)",
    "all(xs[j] == old(xs)[j] for j in range(min(len(xs), len(old(xs)))))",
    "len(xs) == 0 or len(old(xs)) == 0 or xs[0] == old(xs)[0]",
    "result >= a",
    "result == a",
    "result >= 0",
    "result <= a + n",
    "result == n",
    "result <= len(xs)",
    "sum(xs) == sum(old(xs))",
    "sum(xs) >= sum(old(xs))",
    "all(x >= 0 for x in xs)",
    "result == sum(xs)",
    "result in xs or result == 0",
    "xs.count(0) >= old(xs).count(0)",
)
INVARIANTS = (
    "c >= 0",
    "c >= a",
    "c <= i",
    "c == i",
    "len(xs) == len(old(xs))",
    "box.n >= old(box).n",
    "box.w == old(box).w",
    "box.n == old(box).n + i",
    "c == sum(xs[:i]) if i <= len(xs) else True",
    "all(xs[j] == old(xs)[j] for j in range(len(xs)))",
    "sum(xs) == sum(old(xs))",
    "all(x >= 0 for x in xs)",
)


class Functions:
    """Draws functions ``f(a, n, xs, box)``."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def lines(self, depth: int, inside: bool) -> list[str]:
        """A block."""
        r = self.random
        done: list[str] = []
        for _ in range(r.randint(1, 3)):
            kind = r.randint(0, 13)
            if kind == 0:
                done.append(
                    f"c = {r.choice(('c + 1', 'a', 'n', 'len(xs)', 'box.n', 'c', 'max(c, a)'))}"
                )
            elif kind == 1:
                done.append("c += 1")
            elif kind == 2:
                done += [
                    "if len(xs) > 0:",
                    f"    xs[0] = {r.choice(('c', 'xs[0]', '0', 'xs[-1]'))}",
                ]
            elif kind == 3:
                done.append(
                    r.choice(("xs.append(c)", "box.ys.append(a)", "box.n += 1", "box.n = a"))
                )
            elif kind == 4:
                done += ["if len(xs) > 1:", "    xs[0], xs[1] = xs[1], xs[0]"]
            elif kind == 5:
                done += [
                    "if len(xs) > 0:",
                    f"    c = {r.choice(('xs.pop()', 'put(xs, 0, c)', 'xs[0]'))}",
                ]
            elif kind == 6:
                done.append("bump(box)")
            elif kind == 7 and inside:
                done += [f"if {self.test()}:", f"    {r.choice(('break', 'continue'))}"]
            elif kind == 8:
                done += [f"if {self.test()}:", "    return c"]
            elif kind == 9:
                done += ["if len(box.ys) > 0:", "    box.ys[0] = c"]
            elif kind == 10 and depth > 0:
                done += [f"if {self.test()}:", *self.block(depth - 1, inside)]
                if r.random() < 0.5:
                    done += ["else:", *self.block(depth - 1, inside)]
            elif kind >= 11 and depth > 0 and not inside:
                done += self.loop(depth)
        return done or ["c = c + 0"]

    def block(self, depth: int, inside: bool) -> list[str]:
        """The same, indented; nothing follows a jump."""
        return ["    " + line for line in self.lines(depth, inside)]

    def test(self) -> str:
        """A condition."""
        return self.random.choice(("c > a", "n > 2", "c == n", "len(xs) > 1", "box.n > 0", "a < 0"))

    def loop(self, depth: int) -> list[str]:
        """A loop over a range, with invariants that may be wrong."""
        r = self.random
        notes = [f"    invariant(lambda: {i})" for i in r.sample(INVARIANTS, r.randint(0, 4))]
        head = r.choice(("for i in range(n):", "for i in range(len(xs)):", "for i in range(1, n):"))
        return [head, *notes, *self.block(depth - 1, True)]

    def body(self) -> str:
        """The body of a function."""
        lines = ["c = 0", *self.lines(2, False), *self.loop(2), "return c"]
        return "".join(f"    {line}\n" for line in lines)


def module(body: str, claims: list[str]) -> str:
    """A module with the function and its claims."""
    ensures = "".join(f"@ensure(lambda a, n, xs, box, result: {c})\n" for c in claims)
    return (
        HEAD
        + "@require(lambda n: n >= 0)\n"
        + ensures
        + '@modifies("xs", "box")\n'
        + "def f(a: int, n: int, xs: list[int], box: Box) -> int:\n"
        + body
    )

"""Candidates thrown out by running the program: what is false once is no invariant.

The program runs in the verifier's interpreter of the language, never as Python.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from certune.tasks.code.annotations import Annotations, Placed, place
from certune.verifier.contracts import tree
from certune.verifier.contracts.interpret import Interpreter
from certune.verifier.contracts.module import Parsed, parse
from certune.verifier.contracts.refute import copied_all, drawn
from certune.verifier.contracts.report import Limits
from certune.verifier.contracts.stops import Broken, Stuck

# States of one loop at which candidates are evaluated, and inputs that are drawn for them.
_STATES = 90
_INPUTS = 500
_STEPS = 4_000_000


@dataclass(frozen=True)
class Guess:
    """A candidate invariant of a loop, or a measure of it."""

    function: str
    loop: int
    text: str
    measure: bool = False

    @property
    def line(self) -> str:
        """The annotation as a line of the program."""
        return f"{'decreases' if self.measure else 'invariant'}({self.text})"


def annotated(source: str, guesses: Sequence[Guess]) -> str:
    """`source` with these annotations, the invariants of each loop first."""
    groups: dict[tuple[str, int], list[str]] = {}
    for guess in sorted(guesses, key=lambda g: g.measure):
        groups.setdefault((guess.function, guess.loop), []).append(guess.line)
    placed = tuple(Placed(name, tuple(lines), loop=loop) for (name, loop), lines in groups.items())
    return place(source, Annotations(placed))


def lines_of(source: str, guesses: Sequence[Guess]) -> dict[int, Guess]:
    """In the text that `annotated` makes: line → the guess that stands there."""
    wanted = {(g.function, g.line): g for g in guesses}
    found = {}
    function = ""
    for number, row in enumerate(source.split("\n"), 1):
        if row.startswith("def "):
            function = row[4:].partition("(")[0]
        guess = wanted.get((function, row.strip()))
        if guess is not None:
            found[number] = guess
    return found


def readable(source: str, guesses: Sequence[Guess]) -> tuple[list[Guess], Parsed]:
    """The guesses that are expressions of the language, and the module with them in it."""
    kept = list(guesses)
    limits = Limits(source_bytes=4_000_000, lines=200_000, literal_bits=256)
    while True:
        text = annotated(source, kept)
        parsed = parse(text.encode(), "program.py", limits)
        at = lines_of(text, kept)
        wrong = {at[f.place.line] for f in parsed.broken.values() if f.place.line in at}
        if not wrong:
            return kept, parsed
        kept = [guess for guess in kept if guess not in wrong]


@dataclass
class Observed:
    """What runs showed: guesses that were never false, and states of each loop's integers."""

    kept: list[Guess]
    states: dict[tuple[str, int], list[Mapping[str, int]]] = field(default_factory=dict)


class _Watching(Interpreter):
    """Evaluates every guess at every loop head that is reached; drops those that are false."""

    def __init__(self, module: tree.Module, guesses: Mapping[int, Guess], seen: Observed) -> None:
        super().__init__(module, steps=_STEPS)
        self.guesses = guesses
        self.seen = seen
        self.dropped: set[Guess] = set()
        self.counts: dict[int, int] = {}

    def invariants(self, loop: tree.While | tree.For, kind: str) -> None:
        """Called where invariants are to hold."""
        del kind
        count = self.counts[loop.at.line] = self.counts.get(loop.at.line, 0) + 1
        if count > _STATES:
            return
        before, self.quiet = self.quiet, True
        named: Guess | None = None
        for condition in loop.invariants:
            guess = self.guesses.get(condition.at.line)
            named = named or guess
            if guess is None or guess in self.dropped:
                continue
            try:
                held = self.value(condition) is True
            except Broken:
                held = False
            if not held:
                self.dropped.add(guess)
        self.quiet = before
        if named is not None:
            found = self.seen.states.setdefault((named.function, named.loop), [])
            found.append(_numbers(self.env))

    def measured(self, s: tree.While) -> tuple[int, ...] | None:
        """Measures are guesses, too."""
        return None


def _numbers(env: Mapping[str, Any]) -> dict[str, int]:
    told = {}
    for name, value in env.items():
        if type(value) is int:
            told[name] = value
        elif isinstance(value, list):
            told[f"len({name})"] = len(value)
    return told


def observe(source: str, function: str, guesses: Sequence[Guess]) -> Observed:
    """Run `function` on inputs that its contract allows, with `guesses` watched."""
    kept, parsed = readable(source, guesses)
    seen = Observed(kept)
    target = parsed.module.functions.get(function)
    if target is None:
        return seen
    watching = _Watching(parsed.module, lines_of(annotated(source, kept), kept), seen)
    for arguments in drawn(parsed.module, target, _INPUTS):
        try:
            if not watching.accepts(target, copied_all(arguments)):
                continue
            watching.run(target, copied_all(arguments))
        except Broken:
            continue
        except (Stuck, RecursionError):
            break
        if watching.counts and min(watching.counts.values()) > _STATES:
            break
    seen.kept = [guess for guess in kept if guess not in watching.dropped]
    return seen


def relations(states: Sequence[Mapping[str, int]], names: Sequence[str]) -> list[str]:
    """Equations of degree at most two that hold in every state, by exact elimination.

    After Daikon's and DIG's idea (Nguyen et al. 2012): the null space of the states' monomials.
    """
    known = [n for n in names if states and all(n in state for state in states)][:5]
    terms: list[tuple[str, ...]] = [(), *((n,) for n in known)]
    linear = _null_space(states, terms)
    found = [_equation(terms, row) for row in linear]
    if len(known) <= 4:
        wide = terms + [(a, b) for i, a in enumerate(known) for b in known[i:]]
        if len(states) >= 2 * len(wide):
            found += [_equation(wide, row) for row in _null_space(states, wide)]
    return [text for text in found if text]


def _null_space(
    states: Sequence[Mapping[str, int]], terms: Sequence[tuple[str, ...]]
) -> list[list[int]]:
    from fractions import Fraction
    from math import lcm

    rows = []
    for state in states:
        row = []
        for term in terms:
            value = 1
            for name in term:
                value *= state[name]
            row.append(Fraction(value))
        rows.append(row)
    width = len(terms)
    pivots: list[int] = []
    rank = 0
    for column in range(width):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        first = rows[rank][column]
        rows[rank] = [value / first for value in rows[rank]]
        for r in range(len(rows)):
            if r != rank and rows[r][column]:
                factor = rows[r][column]
                rows[r] = [v - factor * w for v, w in zip(rows[r], rows[rank], strict=True)]
        pivots.append(column)
        rank += 1
    found = []
    for free in range(width):
        if free in pivots:
            continue
        vector = [Fraction(0)] * width
        vector[free] = Fraction(1)
        for r, column in enumerate(pivots):
            vector[column] = -rows[r][free]
        scale = lcm(*(v.denominator for v in vector))
        whole = [int(v * scale) for v in vector]
        if max(abs(v) for v in whole) <= 64:
            found.append(whole)
    return found


def _equation(terms: Sequence[tuple[str, ...]], row: Sequence[int]) -> str:
    """Positive terms on the left, negative ones on the right."""
    sides: list[list[str]] = [[], []]
    for term, factor in zip(terms, row, strict=True):
        if factor == 0:
            continue
        parts = ([str(abs(factor))] if abs(factor) != 1 or not term else []) + list(term)
        sides[factor < 0].append(" * ".join(parts))
    left, right = (" + ".join(side) if side else "0" for side in sides)
    return f"{left} == {right}"


def measures(loop: ast.While | ast.For) -> list[str]:
    """Candidate measures of a `while` whose condition says none by itself."""
    if not isinstance(loop, ast.While):
        return []
    parts = loop.test.values if isinstance(loop.test, ast.BoolOp) else [loop.test]
    found = []
    for part in parts:
        if not isinstance(part, ast.Compare) or len(part.ops) != 1:
            continue
        a, b = ast.unparse(part.left), ast.unparse(part.comparators[0])
        if isinstance(part.ops[0], ast.Lt | ast.LtE | ast.NotEq):
            found.append(b if a == "0" else f"{b} - {a}" if a != "0" else b)
        if isinstance(part.ops[0], ast.Gt | ast.GtE | ast.NotEq):
            found.append(a if b == "0" else f"{a} - {b}")
    if isinstance(loop.test, ast.BoolOp) and isinstance(loop.test.op, ast.Or) and len(found) > 1:
        found.insert(0, " + ".join(f"({text})" for text in found))
    indexed = {
        f"len({node.value.id}) - {ast.unparse(node.slice)}"
        for node in ast.walk(loop)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and isinstance(node.slice, ast.Name)
    }
    return list(dict.fromkeys([*found, *sorted(indexed)]))

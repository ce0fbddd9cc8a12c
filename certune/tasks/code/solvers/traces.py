"""Candidates thrown out by running the program: what is false once is no invariant.

The program runs in the verifier's interpreter of the language, never as Python.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from certune.tasks.code.annotations import (
    Annotations,
    Placed,
    functions_of,
    loops_of,
    place,
)
from certune.verifier.contracts.observe import Observation, Workbench
from certune.verifier.contracts.source import Refused

# Inputs that are drawn, states of one run and of one loop at which guesses are tried.
_INPUTS = 60
_A_RUN = 12
_STATES = 60
_MIDDLING = 8


@dataclass(frozen=True)
class Guess:
    """A candidate invariant of a loop, or a measure of it."""

    function: str
    loop: int
    text: str
    measure: bool = False
    origin: int = field(default=0, compare=False)

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


def lines_of(text: str, guesses: Sequence[Guess]) -> dict[int, Guess]:
    """In the text that `annotated` makes: line → the guess that stands there."""
    groups: dict[tuple[str, int], list[Guess]] = {}
    for guess in sorted(guesses, key=lambda g: g.measure):
        groups.setdefault((guess.function, guess.loop), []).append(guess)
    found = {}
    for name, function in functions_of(text).items():
        for number, loop in enumerate(loops_of(function), 1):
            known = groups.get((name, number), [])
            for guess, statement in zip(known, loop.body, strict=False):
                found[statement.lineno] = guess
    return found


@dataclass(frozen=True)
class Observed:
    """What runs showed: guesses that were never false, and states of each loop's integers."""

    kept: list[Guess]
    states: Mapping[int, Sequence[Mapping[str, int]]]


def observe(source: str, function: str, guesses: Sequence[Guess]) -> Observed:
    """Run `function` on inputs that its contract allows; keep the guesses that were never false."""
    bench = Workbench(source.encode(), "program.py")
    numbers = {
        loop.lineno: number
        for number, loop in enumerate(loops_of(functions_of(source)[function]), 1)
    }
    seen: dict[int, list[Observation]] = {number: [] for number in numbers.values()}
    for arguments in sorted(bench.examples(function, _INPUTS), key=_telling):
        for found in bench.observe(function, arguments, _A_RUN):
            states = seen[numbers[found.line]]
            if len(states) < _STATES:
                states.append(found)
    kept = []
    for guess in guesses:
        try:
            said = bench.annotation(function, guess.text)
        except Refused:
            continue
        if all(bench.holds(said, state) for state in seen[guess.loop]):
            kept.append(guess)
    told = {number: [_numbers(o.values) for o in states] for number, states in seen.items()}
    return Observed(kept, told)


def _numbers(values: Mapping[str, Any]) -> dict[str, int]:
    told = {}
    for name, value in values.items():
        if type(value) is int:
            told[name] = value
        elif isinstance(value, list):
            told[f"len({name})"] = len(value)
    return told


def _telling(arguments: Mapping[str, Any]) -> int:
    """Inputs of middling size refute most, and cost little: they come first."""
    return -min(sum(_size(value) for value in arguments.values()), _MIDDLING)


def _size(value: Any) -> int:
    if isinstance(value, list):
        return len(value)
    return min(abs(value), 3) if type(value) is int else 0


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

"""Expressions as linear SMT-LIB 2 text: every product, quotient and power becomes a symbol.

The translation only ever *weakens* what the solver is told, so what it proves holds:

- ``x // d`` and ``x % d`` with divisor d = c * u (c a positive number; u a parameter, a power of
  two, or 1) become new integers q and r with x = c * [u * q] + r and 0 <= r < c * u;
- [u * x], the product of a unit u ≥ 1 and a linear x, is spread over the terms of x, and u * v
  for a symbol v becomes a new integer of which is said what the lemma *product* shows: for
  two quotients q and q' by u and small numbers k, q - q' >= k implies [u * q] - [u * q'] >= k * u,
  and the same for <= ;
- ``pow2(e)`` becomes a new integer P for each e, up to a constant in e (pow2(e + 1) = 2 * P);
  for e <= e' the lemma *power* gives w >= 1 with P' = [P * w], w even unless e = e'. With
  e = 0 it gives P' >= 1.

The lemmas are queries of their own (`lemmas`). That exponents are not negative, where they
occur, is a claim of its own (`claims`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations

from certune.core import InvalidInput
from certune.tasks.collective.parametric.expression import Term

NEAR = range(-3, 4)
"""The numbers k for which the lemma *product* is put in."""

_MAX_SHIFT = 8
_MAX_SYMBOLS = 200
_MAX_FACTS = 20_000
_ONE = ""  # the symbol of the constant part


@dataclass(frozen=True)
class Linear:
    """A sum of symbols with integer coefficients; the symbol ``""`` stands for 1."""

    parts: tuple[tuple[str, int], ...]

    @staticmethod
    def of(parts: Mapping[str, int]) -> Linear:
        """The sum with these coefficients, in canonical order and without zeros."""
        return Linear(tuple(sorted((s, c) for s, c in parts.items() if c)))

    def plus(self, other: Linear, factor: int = 1) -> Linear:
        """self + factor * other."""
        parts = dict(self.parts)
        for symbol, coefficient in other.parts:
            parts[symbol] = parts.get(symbol, 0) + factor * coefficient
        return Linear.of(parts)

    def times(self, factor: int) -> Linear:
        """factor * self."""
        return Linear(()).plus(self, factor)

    @property
    def constant(self) -> int | None:
        """The value where it is a number."""
        if not self.parts:
            return 0
        return self.parts[0][1] if len(self.parts) == 1 and self.parts[0][0] == _ONE else None

    def text(self) -> str:
        """SMT-LIB text."""
        shown = []
        for symbol, coefficient in self.parts:
            value = str(coefficient) if coefficient >= 0 else f"(- {-coefficient})"
            if symbol == _ONE:
                shown.append(value)
            else:
                shown.append(symbol if coefficient == 1 else f"(* {value} {symbol})")
        if not shown:
            return "0"
        return shown[0] if len(shown) == 1 else f"(+ {' '.join(shown)})"


def number(value: int) -> Linear:
    """A constant."""
    return Linear.of({_ONE: value})


def symbol(text: str) -> Linear:
    """A symbol."""
    return Linear.of({text: 1})


def compare(op: str, left: Linear, right: Linear) -> str:
    """The SMT-LIB text of a comparison."""
    if op == "!=":
        return f"(not {compare('==', left, right)})"
    return f"({'=' if op == '==' else op} {left.text()} {right.text()})"


class Translation:
    """Collects symbols and facts while terms of one query are translated.

    `parameters` are the names known to be at least 1, which may be divisors. `powers` are all
    exponents that occur in the query, given beforehand.
    """

    def __init__(self, parameters: Iterable[str], powers: Iterable[Term]) -> None:
        self.units = set(parameters)
        self.symbols: list[str] = []
        self.facts: list[str] = []
        self.lemmas: set[str] = set()
        self._memo: dict[Term, Linear] = {}
        self._divided: dict[tuple[Linear, Linear], tuple[Linear, Linear]] = {}
        self._products: dict[tuple[str, str], Linear] = {}
        self._multiples: dict[str, list[Linear]] = {}
        self._bases: dict[Linear, tuple[str, int]] = {}
        self._powers(powers)

    def new(self, prefix: str) -> Linear:
        """A new integer symbol."""
        if len(self.symbols) >= _MAX_SYMBOLS:
            raise InvalidInput("too many divisions, products and choices in one claim")
        self.symbols.append(f"{prefix}!{len(self.symbols)}")
        return symbol(self.symbols[-1])

    def condition(self, term: Term) -> str:
        """The SMT-LIB text of a condition."""
        if term.op in ("true", "false"):
            return term.op
        if term.args[0].sort == "integer" and term.op != "if":
            return compare(term.op, self.linear(term.args[0]), self.linear(term.args[1]))
        inner = " ".join(self.condition(arg) for arg in term.args)
        if term.op == "!=":
            return f"(not (= {inner}))"
        return f"({ {'if': 'ite', '==': '='}.get(term.op, term.op) } {inner})"

    def linear(self, term: Term) -> Linear:
        """An integer term as a linear sum."""
        if term not in self._memo:
            self._memo[term] = self._linear(term)
        return self._memo[term]

    def _linear(self, term: Term) -> Linear:
        op, args = term.op, term.args
        if op == "integer":
            return number(int(term.value))
        if op == "name":
            return symbol(str(term.value))
        if op == "pow2":
            return self._power(self.linear(args[0]))
        if op == "if":
            result = self.new("choice")
            condition = self.condition(args[0])
            for guard, branch in ((condition, args[1]), (f"(not {condition})", args[2])):
                self.facts.append(f"(=> {guard} {compare('==', result, self.linear(branch))})")
            return result
        left, right = self.linear(args[0]), self.linear(args[1])
        if op in ("+", "-"):
            return left.plus(right, 1 if op == "+" else -1)
        if op == "*":
            return self._times(left, right)
        quotient, rest = self._divide(left, right)
        return quotient if op == "//" else rest

    def _times(self, left: Linear, right: Linear) -> Linear:
        for one, other in ((left, right), (right, left)):
            if one.constant is not None:
                return other.times(one.constant)
        products = [
            self._multiple(unit[1], other.times(unit[0]))
            for one, other in ((left, right), (right, left))
            if (unit := self._unit(one)) is not None
        ]
        if not products:
            raise InvalidInput(
                "a product of two unknowns",
                remedy="one factor must be a number, a parameter, pow2(...) or a multiple of them",
            )
        return products[0]  # where both are units, both have the same symbols

    def _unit(self, value: Linear) -> tuple[int, str] | None:
        """(c, u) where `value` is c * u, c > 0 and u a unit or 1; else None."""
        if len(value.parts) != 1:
            return None
        name, coefficient = value.parts[0]
        return (coefficient, name) if coefficient > 0 and name in {_ONE, *self.units} else None

    def _multiple(self, unit: str, value: Linear, *, compared: bool = True) -> Linear:
        """[unit * value], spread over the terms of `value`."""
        if unit == _ONE:
            return value
        if compared and value not in self._multiples.setdefault(unit, []):
            self._multiples[unit].append(value)
        total = Linear(())
        for name, coefficient in value.parts:
            if name == _ONE:
                total = total.plus(symbol(unit), coefficient)
                continue
            key = (min(unit, name), max(unit, name))
            if key not in self._products:
                self._products[key] = self.new("product")
            total = total.plus(self._products[key], coefficient)
        return total

    def _divide(self, value: Linear, divisor: Linear) -> tuple[Linear, Linear]:
        unit = self._unit(divisor)
        if unit is None:
            raise InvalidInput(
                f"division by {divisor.text()}",
                remedy="divide by a positive number, a parameter, pow2(...) or a multiple of them",
            )
        if (value, divisor) not in self._divided:
            quotient, rest = self.new("quotient"), self.new("rest")
            whole = self._multiple(unit[1], quotient.times(unit[0]))
            if unit[1] == _ONE:
                whole = quotient.times(unit[0])
            self.facts.append(compare("==", value, whole.plus(rest)))
            self.facts.append(compare("<=", number(0), rest))
            self.facts.append(compare("<", rest, divisor))
            self._divided[value, divisor] = quotient, rest
        return self._divided[value, divisor]

    def _powers(self, exponents: Iterable[Term]) -> None:
        """One symbol for the exponents that differ by a constant: for the least of them."""
        for exponent in dict.fromkeys(exponents):
            if any(inner.op == "pow2" for inner in exponent.walk()):
                raise InvalidInput("a power of a power", remedy="take another number of steps")
            value = self.linear(exponent)
            key, constant = _split(value)
            name, least = self._bases.get(key, ("", constant))
            self._bases[key] = name or f"power!{len(self._bases)}", min(least, constant)
        found: list[tuple[Linear, str]] = []
        for key, (base, least) in self._bases.items():
            if key.parts:  # else a number
                self.symbols.append(base)
                self.units.add(base)
                found.append((key.plus(number(least)), base))
        for low, lower in found:
            self._compare_powers(number(0), number(1), low, symbol(lower), _ONE)
        for (low, lower), (high, upper) in permutations(found, 2):
            self._compare_powers(low, symbol(lower), high, symbol(upper), lower)

    def _compare_powers(
        self, low: Linear, lower: Linear, high: Linear, upper: Linear, unit: str
    ) -> None:
        """Lemma *power*: where 0 <= low < high, pow2(high) is an even multiple of pow2(low)."""
        self.lemmas.add("power")
        half = self.new("half")
        multiple = self._multiple(unit, half.times(2))
        ordered = compare("<=", number(0), low)
        even = f"(and {compare('==', upper, multiple)} {compare('>=', half, number(1))})"
        self.facts.append(f"(=> (and {ordered} {compare('<', low, high)}) {even})")
        same = f"(=> {compare('==', low, high)} {compare('==', upper, lower)})"
        self.facts.append(same)

    def _power(self, exponent: Linear) -> Linear:
        key, constant = _split(exponent)
        if not key.parts:
            if not 0 <= constant <= _MAX_SHIFT:
                raise InvalidInput(f"pow2({constant})", remedy=f"0 to {_MAX_SHIFT}")
            return number(1 << constant)
        name, least = self._bases[key]
        if constant - least > _MAX_SHIFT:
            raise InvalidInput("exponents too far apart", remedy=f"at most {_MAX_SHIFT}")
        return symbol(name).times(1 << (constant - least))

    def finish(self) -> list[str]:
        """All facts, with the lemma *product* for each two quotients by the same unit."""
        facts = list(self.facts)
        for unit, values in self._multiples.items():
            pairs = list(combinations([Linear(()), *values], 2))
            for left, right in pairs:
                gap = right.plus(left, -1)
                if gap.constant is not None:
                    continue
                self.lemmas.add("product")
                product = self._multiple(unit, gap, compared=False)
                for k in NEAR:
                    for op in (">=", "<="):
                        here = compare(op, gap, number(k))
                        there = compare(op, product, symbol(unit).times(k))
                        facts.append(f"(=> {here} {there})")
                if len(facts) > _MAX_FACTS:
                    raise InvalidInput("too many divisions and products in one claim")
        return facts


def _split(value: Linear) -> tuple[Linear, int]:
    """The part with symbols, and the constant."""
    constant = dict(value.parts).get(_ONE, 0)
    return value.plus(number(constant), -1), constant

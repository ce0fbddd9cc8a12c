"""Formulas as SMT-LIB 2 text, with words as integers or as bit-vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

from certune.verifier.contracts import bitvectors
from certune.verifier.contracts import terms as t
from certune.verifier.contracts.patterns import patterns
from certune.verifier.contracts.state import Axiom
from certune.verifier.contracts.terms import Sort, Term
from certune.verifier.contracts.types import WORDS

Mode: TypeAlias = Literal["int", "bv"]
_SHARED = 6


class TooLong(Exception):
    """The text would be longer than allowed."""


class Writer:
    """Writes one query. Symbols are numbered in order of occurrence, whatever they were named."""

    def __init__(self, mode: Mode, limit: int) -> None:
        self.mode = mode
        self.limit = limit
        self.size = 0
        self.names: dict[Term, str] = {}
        self.functions: dict[str, tuple[tuple[Sort, ...], Sort]] = {}
        self.declared: list[str] = []
        self.defined: dict[Term, str] = {}
        self.counts: dict[str, int] = {}
        self.uses: dict[Term, int] = {}
        self.lines: list[str] = []
        self.bits = bitvectors.Bits(self)

    # -- symbols ------------------------------------------------------------------------------

    def sort(self, sort: Sort) -> str:
        """A sort as text."""
        if isinstance(sort, tuple):
            return f"(Array Int {self.sort(sort[1])})"
        if sort in ("Int", "Bool"):
            return sort
        return f"(_ BitVec {WORDS[sort].bits})" if self.mode == "bv" else "Int"

    def symbol(self, term: Term) -> str:
        """The name of a constant or bound variable."""
        name = self.names.get(term)
        if name is None:
            base = term.data.partition("!")[0].replace("[]", "@").replace("'", "")
            count = self.counts[base] = self.counts.get(base, -1) + 1
            name = self.names[term] = f"{base}!{count}"
            if term.op == "const":
                self.emit(f"(declare-const {name} {self.sort(term.sort)})")
        return name

    def function(self, name: str, arguments: tuple[Term, ...], sort: Sort) -> str:
        """The name of a function of the logic."""
        if name not in self.functions:
            self.functions[name] = (tuple(a.sort for a in arguments), sort)
            given = " ".join(self.sort(a.sort) for a in arguments)
            self.emit(f"(declare-fun f!{name.replace('#', '!')} ({given}) {self.sort(sort)})")
        return f"f!{name.replace('#', '!')}"

    def emit(self, line: str) -> None:
        """Add a line."""
        self.size += len(line) + 1
        if self.size > self.limit:
            raise TooLong
        self.lines.append(line)

    # -- terms --------------------------------------------------------------------------------

    def count(self, roots: Iterable[Term]) -> None:
        """Count how often closed terms are used, so that what is shared is written once."""
        seen: set[Term] = set()
        stack = list(roots)
        for root in stack:
            self.uses[root] = self.uses.get(root, 0) + 1
        while stack:
            term = stack.pop()
            if term in seen:
                continue
            seen.add(term)
            for a in term.args:
                self.uses[a] = self.uses.get(a, 0) + 1
                stack.append(a)

    def text(self, term: Term) -> str:
        """A term as text; what is closed, large and used often gets a definition."""
        known = self.defined.get(term)
        if known is not None:
            return known
        if term.op in ("const", "bound"):
            return self.symbol(term)
        made = self._text(term)
        if len(made) > self.limit:
            raise TooLong
        if (
            not term.free
            and term.size >= _SHARED
            and self.uses.get(term, 0) > 1
            and not isinstance(term.sort, tuple)
        ):
            name = f"def!{len(self.defined)}"
            self.emit(f"(define-fun {name} () {self.sort(term.sort)} {made})")
            made = name
        self.defined[term] = made
        return made

    def _text(self, term: Term) -> str:
        op = term.op
        if op in _PLAIN:
            inner = " ".join(self.text(a) for a in term.args)
            return f"({_PLAIN[op]} {inner})"
        if op == "int":
            return str(term.data) if term.data >= 0 else f"(- {-term.data})"
        if op == "bool":
            return "true" if term.data else "false"
        if op in ("=", "<", "<=") and term.args[0].sort == "Int" and self.mode == "bv":
            compared = self.bits.compare(op, *term.args)
            if compared is not None:
                return compared
        if op in ("=", "<", "<="):
            return f"({op} {self.text(term.args[0])} {self.text(term.args[1])})"
        if op == "app":
            name = self.function(term.data, term.args, term.sort)
            if not term.args:
                return name
            return f"({name} {' '.join(self.text(a) for a in term.args)})"
        if op in ("forall", "exists"):
            return self.quantifier(op, term.data, term.args[0], patterns(term.data, term.args[0]))
        if op in ("//", "%"):
            return self._division(op, term.args[0], term.args[1])
        if op == "lam":
            body = self.text(term.args[0])
            return f"(lambda (({self.symbol(term.data)} Int)) {body})"
        if op == "fill":
            return f"((as const {self.sort(term.sort)}) {self.text(term.args[0])})"
        if op in ("shift", "cat"):
            k = t.bound("k", "Int")
            return self._text(t.lam(k, t.select(term, k)))
        return self.bits.word(term) if self.mode == "bv" else self._word(term)

    def quantifier(
        self,
        op: str,
        variables: tuple[Term, ...],
        body: Term,
        triggers: tuple[tuple[Term, ...], ...],
    ) -> str:
        """A quantifier with its triggers."""
        given = " ".join(f"({self.symbol(x)} {self.sort(x.sort)})" for x in variables)
        inner = self.text(body)
        shown = "".join(
            f" :pattern ({' '.join(self.text(p) for p in pattern)})" for pattern in triggers
        )
        return f"({op} ({given}) (! {inner}{shown}))" if shown else f"({op} ({given}) {inner})"

    def _division(self, op: str, a: Term, b: Term) -> str:
        """Python's ``//`` and ``%`` round down; SMT-LIB's `div` and `mod` agree for b > 0."""
        name = "div" if op == "//" else "mod"
        one, two = self.text(a), self.text(b)
        if (b.op == "int" and b.data > 0) or (b.op == "w2i" and str(b.args[0].sort)[0] == "u"):
            return f"({name} {one} {two})"
        negative = f"({name} (- {one}) (- {two}))"
        if op == "%":
            negative = f"(- {negative})"
        return f"(ite (< 0 {two}) ({name} {one} {two}) {negative})"

    def _word(self, term: Term) -> str:
        """Words as integers."""
        op = term.op
        if op == "word":
            return str(term.data) if term.data >= 0 else f"(- {-term.data})"
        if op in ("w2i", "i2w"):
            return self.text(term.args[0])
        if op == "inrange":
            kind = WORDS[str(term.args[0].sort)]
            inner = self.text(term.args[0])
            low = str(kind.low) if kind.low >= 0 else f"(- {-kind.low})"
            return f"(and (<= {low} {inner}) (<= {inner} {kind.high}))"
        kind = WORDS[str(term.sort)]
        size = 1 << kind.bits
        args = [self.text(a) for a in term.args]
        if op == "wrap":
            return self._wrapped(args[0], str(term.sort))
        if op == "&":
            for k in (0, 1):
                mask = term.args[k]
                if mask.op == "word" and mask.data >= 0 and mask.data & (mask.data + 1) == 0:
                    return f"(mod {args[1 - k]} {mask.data + 1})"
        if op in ("shl", "shr") and term.args[1].op == "int" and 0 <= term.args[1].data < kind.bits:
            power = 1 << term.args[1].data
            if op == "shr":
                return f"(div {args[0]} {power})"
            return self._wrapped(f"(* {args[0]} {power})", str(term.sort))
        name = {"&": "bvand", "|": "bvor", "^": "bvxor", "shl": "bvshl"}.get(op)
        if name is None:
            name = "bvashr" if kind.signed else "bvlshr"
        words = " ".join(f"((_ int2bv {kind.bits}) {a})" for a in args)
        number = f"(bv2nat ({name} {words}))"
        if kind.signed:
            return f"(let ((n {number})) (ite (< n {size // 2}) n (- n {size})))"
        return number

    def _wrapped(self, text: str, sort: str) -> str:
        kind = WORDS[sort]
        size = 1 << kind.bits
        if not kind.signed:
            return f"(mod {text} {size})"
        return f"(- (mod (+ {text} {size // 2}) {size}) {size // 2})"

    # -- assertions ---------------------------------------------------------------------------

    def claim(self, fact: Term) -> None:
        """Assert a formula."""
        self.emit(f"(assert {self.text(fact)})")

    def axiom(self, axiom: Axiom) -> None:
        """Assert a quantified fact with given triggers."""
        body = self.quantifier("forall", axiom.variables, axiom.body, axiom.patterns)
        self.emit(f"(assert {body})")

    def script(self) -> bytes:
        """The query."""
        return "\n".join(["(set-logic ALL)", *self.lines, "(check-sat)", ""]).encode()


_PLAIN: dict[str, str] = {
    "not": "not",
    "and": "and",
    "or": "or",
    "=>": "=>",
    "ite": "ite",
    "+": "+",
    "neg": "-",
    "*": "*",
    "select": "select",
    "store": "store",
}
TextOf: TypeAlias = Callable[[Term], str]

"""Words as bit-vectors, and integers made of words as bit-vectors wide enough to be exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certune.verifier.contracts import terms as t
from certune.verifier.contracts.terms import Term
from certune.verifier.contracts.types import WORDS

if TYPE_CHECKING:
    from certune.verifier.contracts.smtlib import Writer

_WIDEST = 300


@dataclass(frozen=True)
class Wide:
    """An integer between `low` and `high`, as a two's complement bit-vector of `width` bits."""

    text: str
    width: int
    low: int
    high: int


def width_for(low: int, high: int) -> int:
    """The bits that two's complement needs."""
    return 1 + max(low.bit_length() if low >= 0 else (-low - 1).bit_length(), high.bit_length())


class Bits:
    """The part of a writer that knows bit-vectors."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.known: dict[Term, Wide | None] = {}

    def compare(self, op: str, a: Term, b: Term) -> str | None:
        """A comparison of integers as one of bit-vectors; None where they are not bounded."""
        if not (_has_word(a) or _has_word(b)):
            return None
        one, two = self.wide(a), self.wide(b)
        if one is None or two is None:
            return None
        if one.high < two.low and op in ("<", "<="):
            return "true"
        size = max(one.width, two.width)
        name = {"=": "=", "<": "bvslt", "<=": "bvsle"}[op]
        return f"({name} {_extended(one, size)} {_extended(two, size)})"

    def wide(self, term: Term) -> Wide | None:
        """The integer as a bit-vector, None if it is not made of words and numbers."""
        if term not in self.known:
            self.known[term] = self._wide(term)
        return self.known[term]

    def _wide(self, term: Term) -> Wide | None:
        op = term.op
        if op == "int":
            width = width_for(term.data, term.data)
            return Wide(literal(term.data, width), width, term.data, term.data)
        if op == "w2i":
            kind = WORDS[str(term.args[0].sort)]
            inner = self.writer.text(term.args[0])
            if kind.signed:
                return Wide(inner, kind.bits, kind.low, kind.high)
            return Wide(f"((_ zero_extend 1) {inner})", kind.bits + 1, 0, kind.high)
        if op not in ("+", "neg", "*", "ite", "//", "%"):
            return None
        parts = [self.wide(a) for a in term.args if a.sort == "Int"]
        if any(p is None for p in parts):
            return None
        known = [p for p in parts if p is not None]
        if op == "ite":
            test = self.writer.text(term.args[0])
            low, high = min(p.low for p in known), max(p.high for p in known)
            return self._made(f"ite {test}", known, low, high)
        if op == "+":
            total = (sum(p.low for p in known), sum(p.high for p in known))
            return self._made("bvadd", known, *total)
        if op == "neg":
            return self._made("bvneg", known, -known[0].high, -known[0].low)
        a, b = known
        if op == "*":
            ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
            return self._made("bvmul", known, min(ends), max(ends))
        return self._divided(op, a, b)

    def _made(self, name: str, parts: list[Wide], low: int, high: int) -> Wide | None:
        size = max(width_for(low, high), *(p.width for p in parts))
        if size > _WIDEST:
            return None
        inner = " ".join(_extended(p, size) for p in parts)
        return Wide(f"({name} {inner})", size, low, high)

    def _divided(self, op: str, a: Wide, b: Wide) -> Wide | None:
        """Python's division: bvsmod has the divisor's sign, as % has."""
        size = max(a.width, b.width) + 1
        if size > _WIDEST or (b.low <= 0 <= b.high and b.low < 0):
            return None
        one, two = _extended(a, size), _extended(b, size)
        if op == "%":
            low, high = (0, max(b.high - 1, 0)) if b.low >= 0 else (b.low + 1, 0)
            if b.low == 0:  # by 0, which an obligation excludes, the remainder is the dividend
                low, high = min(low, a.low), max(high, a.high)
            return Wide(f"(bvsmod {one} {two})", size, low, high)
        if a.low >= 0 and b.low >= 0:
            if b.low == 0:
                return Wide(
                    f"(bvudiv {one} {two})", size, -(1 << (size - 1)), (1 << (size - 1)) - 1
                )
            return Wide(f"(bvudiv {one} {two})", size, 0, a.high)
        rest = f"(bvsub {one} (bvsmod {one} {two}))"
        reach = max(abs(a.low), abs(a.high)) + 1
        return Wide(f"(bvsdiv {rest} {two})", size, -reach, reach)

    # -- words --------------------------------------------------------------------------------

    def word(self, term: Term) -> str:
        """A term that is a word, or made of one."""
        op = term.op
        if op == "inrange":
            return "true"
        if op == "w2i":
            kind = WORDS[str(term.args[0].sort)]
            inner = self.writer.text(term.args[0])
            if not kind.signed:
                return f"(bv2nat {inner})"
            size = 1 << kind.bits
            return f"(let ((n (bv2nat {inner}))) (ite (< n {size // 2}) n (- n {size})))"
        kind = WORDS[str(term.sort)]
        if op == "word":
            return literal(term.data, kind.bits)
        if op in ("i2w", "wrap"):
            return self.low_bits(term.args[0], kind.bits)
        one = self.writer.text(term.args[0])
        if op in ("shl", "shr"):
            name = "bvshl" if op == "shl" else "bvashr" if kind.signed else "bvlshr"
            return f"({name} {one} {self.low_bits(term.args[1], kind.bits)})"
        name = {"&": "bvand", "|": "bvor", "^": "bvxor"}[op]
        return f"({name} {one} {self.writer.text(term.args[1])})"

    def low_bits(self, term: Term, bits: int) -> str:
        """An integer modulo 2**bits."""
        op = term.op
        if op == "int":
            return literal(term.data, bits)
        if op == "w2i":
            kind = WORDS[str(term.args[0].sort)]
            inner = self.writer.text(term.args[0])
            if kind.bits == bits:
                return inner
            if kind.bits > bits:
                return f"((_ extract {bits - 1} 0) {inner})"
            name = "sign_extend" if kind.signed else "zero_extend"
            return f"((_ {name} {bits - kind.bits}) {inner})"
        if op in ("+", "*", "neg"):
            name = {"+": "bvadd", "*": "bvmul", "neg": "bvneg"}[op]
            return f"({name} {' '.join(self.low_bits(a, bits) for a in term.args)})"
        if op == "ite":
            yes, no = (self.low_bits(a, bits) for a in term.args[1:])
            return f"(ite {self.writer.text(term.args[0])} {yes} {no})"
        wide = self.wide(term)
        if wide is None:
            return f"((_ int2bv {bits}) {self.writer.text(term)})"
        if wide.width >= bits:
            return f"((_ extract {bits - 1} 0) {wide.text})"
        return _extended(wide, bits)


def literal(value: int, bits: int) -> str:
    """A number modulo 2**bits as a bit-vector."""
    return f"(_ bv{value % (1 << bits)} {bits})"


def _extended(part: Wide, width: int) -> str:
    more = width - part.width
    return f"((_ sign_extend {more}) {part.text})" if more > 0 else part.text


def _has_word(term: Term) -> bool:
    return any(s.op == "w2i" for s in t.subterms([term]))

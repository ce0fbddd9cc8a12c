"""A small expression language, parsed strictly: what generators and invariants are written in.

Python's own notation, restricted: integers, names, ``+ - * // %``, comparisons (chained as in
``0 <= x < n``), ``and or not``, ``a if c else b``, ``true false``, and ``pow2(e)`` for 2^e.
Division rounds down and its divisor is positive, so that Python, numpy and SMT-LIB agree on it.
There are no calls, attributes, strings or loops, and size and depth are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from certune.core import InvalidInput

Sort: TypeAlias = Literal["integer", "condition"]

MAX_TEXT = 2_000
MAX_NODES = 20_000
MAX_DEPTH = 120
MAX_INTEGER = 2**31

_NESTING = 24
_TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_][A-Za-z0-9_]*)|(//|==|!=|<=|>=|[-+*%<>()]))", re.ASCII)
_WORDS = frozenset({"and", "or", "not", "if", "else", "true", "false", "pow2"})
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")


class Term:
    """An expression: operator, operands, and the value of an integer or a name.

    Immutable. Equality is structural; `sort` says whether it is an integer or a condition.
    Operators: ``integer name + - * // % pow2 if == != < <= > >= and or not true false``.
    """

    __slots__ = ("_hash", "args", "depth", "nodes", "op", "sort", "value")

    def __init__(self, op: str, args: tuple[Term, ...] = (), value: int | str = 0) -> None:
        self.op = op
        self.args = args
        self.value = value
        self.nodes: int = 1 + sum(arg.nodes for arg in args)
        self.depth: int = 1 + max((arg.depth for arg in args), default=0)
        if self.nodes > MAX_NODES or self.depth > MAX_DEPTH:
            raise InvalidInput(
                "an expression grows too large once its definitions are put in",
                remedy=f"at most {MAX_NODES} operators, {MAX_DEPTH} deep",
            )
        self.sort: Sort = _sort(op, args)
        self._hash = hash((op, args, value))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Term)
            and self._hash == other._hash
            and (self.op, self.value, self.args) == (other.op, other.value, other.args)
        )

    def __repr__(self) -> str:
        return f"Term({show(self)})"

    def walk(self) -> Iterator[Term]:
        """This term and all terms within it, each distinct one once."""
        seen: set[Term] = set()
        stack = [self]
        while stack:
            term = stack.pop()
            if term not in seen:
                seen.add(term)
                yield term
                stack.extend(term.args)

    def names(self) -> frozenset[str]:
        """The names that occur."""
        return frozenset(str(term.value) for term in self.walk() if term.op == "name")


def _sort(op: str, args: tuple[Term, ...]) -> Sort:
    sorts = [arg.sort for arg in args]
    if op in ("integer", "name"):
        return "integer"
    if op in ("true", "false"):
        return "condition"
    if op == "if":
        if sorts[0] != "condition" or sorts[1] != sorts[2]:
            raise InvalidInput("'a if c else b' needs a condition c, and a and b of one sort")
        return sorts[1]
    if op in ("and", "or", "not"):
        if "integer" in sorts:
            raise InvalidInput(f"{op!r} joins conditions, not integers")
        return "condition"
    if op in ("==", "!=") and sorts == ["condition", "condition"]:
        return "condition"
    if "condition" in sorts:
        raise InvalidInput(f"{op!r} takes integers, not conditions")
    return "condition" if op in _COMPARISONS else "integer"


TRUE = Term("true")
FALSE = Term("false")


def integer(value: int) -> Term:
    """The constant `value`."""
    return Term("integer", value=value)


def name(text: str) -> Term:
    """The name `text`."""
    return Term("name", value=text)


def all_of(*terms: Term) -> Term:
    """The conjunction, without what is plainly true."""
    kept = tuple(term for term in dict.fromkeys(terms) if term != TRUE)
    if FALSE in kept:
        return FALSE
    return kept[0] if len(kept) == 1 else Term("and", kept) if kept else TRUE


def any_of(*terms: Term) -> Term:
    """The disjunction."""
    return terms[0] if len(terms) == 1 else Term("or", terms) if terms else FALSE


def negation(term: Term) -> Term:
    """What is true where `term` is not."""
    if term in (TRUE, FALSE):
        return FALSE if term == TRUE else TRUE
    return term.args[0] if term.op == "not" else Term("not", (term,))


def equal(left: Term, right: Term) -> Term:
    """That both are the same; plainly true where they are written alike."""
    return TRUE if left == right else Term("==", (left, right))


def substitute(term: Term, values: Mapping[str, Term]) -> Term:
    """`term` with each name in `values` replaced, all at once."""
    done: dict[Term, Term] = {}

    def replace(inner: Term) -> Term:
        if inner not in done:
            if inner.op == "name":
                done[inner] = values.get(str(inner.value), inner)
            elif inner.args:
                done[inner] = Term(inner.op, tuple(map(replace, inner.args)), inner.value)
            else:
                done[inner] = inner
        return done[inner]

    return replace(term)


def show(term: Term) -> str:
    """The text of a term, with parentheses around every operation."""
    if term.op in ("integer", "name"):
        return str(term.value)
    if not term.args:
        return term.op
    shown = [show(arg) for arg in term.args]
    if term.op == "if":
        return f"({shown[1]} if {shown[0]} else {shown[2]})"
    if term.op == "pow2":
        return f"pow2({shown[0]})"
    if len(shown) == 1:
        return f"({term.op} {shown[0]})"
    return "(" + f" {term.op} ".join(shown) + ")"


def is_name(text: str) -> bool:
    """Whether `text` can name something: a letter, then letters, digits and underscores."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,23}", text) is not None and text not in _WORDS


def parse(text: str) -> Term:
    """The expression that `text` writes.

    Raises:
        InvalidInput: with the column of what cannot be read.
    """
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEXT:
            raise InvalidInput(
                f"an expression of {len(text)} characters", remedy=f"at most {MAX_TEXT}"
            )
        self.tokens: list[tuple[str, int]] = []
        self.at = 0
        self.nesting = 0
        end = len(text.rstrip())
        position = 0
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                column = position + len(text[position:]) - len(text[position:].lstrip()) + 1
                raise InvalidInput(
                    f"{text[column - 1]!r} is not part of an expression",
                    place=f"column {column}",
                    remedy="use integers, names, + - * // %, comparisons, and or not, if else",
                )
            kind = match.lastindex or 0
            self.tokens.append((match.group(kind), match.start(kind) + 1))
            position = match.end()
        self.tokens.append(("", end + 1))

    def refuse(self, expected: str) -> InvalidInput:
        token, column = self.tokens[self.at]
        found = repr(token[:24]) if token else "the end"
        return InvalidInput(f"expected {expected}, found {found}", place=f"column {column}")

    def take(self, *wanted: str) -> str | None:
        token = self.tokens[self.at][0]
        if token and token in wanted:
            self.at += 1
            return token
        return None

    def need(self, wanted: str) -> None:
        if self.take(wanted) is None:
            raise self.refuse(repr(wanted))

    def make(self, op: str, *args: Term) -> Term:
        try:
            return Term(op, args)
        except InvalidInput as error:
            raise error.within(f"column {self.tokens[max(self.at - 1, 0)][1]}") from None

    def whole(self) -> Term:
        term = self.choice()
        if self.tokens[self.at][0]:
            raise self.refuse("an operator or the end")
        return term

    def choice(self) -> Term:
        self.nesting += 1
        if self.nesting > _NESTING:
            raise InvalidInput("nested too deeply", place=f"column {self.tokens[self.at][1]}")
        term = self.disjunction()
        if self.take("if"):
            condition = self.disjunction()
            self.need("else")
            term = self.make("if", condition, term, self.choice())
        self.nesting -= 1
        return term

    def disjunction(self) -> Term:
        term = self.conjunction()
        while self.take("or"):
            term = self.make("or", term, self.conjunction())
        return term

    def conjunction(self) -> Term:
        term = self.negated()
        while self.take("and"):
            term = self.make("and", term, self.negated())
        return term

    def negated(self) -> Term:
        flips = 0
        while self.take("not"):
            flips += 1
        term = self.comparison()
        return self.make("not", term) if flips % 2 else term

    def comparison(self) -> Term:
        left = self.sum()
        parts: list[Term] = []
        while op := self.take(*_COMPARISONS):
            right = self.sum()
            parts.append(self.make(op, left, right))
            left = right
        if not parts:
            return left
        return parts[0] if len(parts) == 1 else self.make("and", *parts)

    def sum(self) -> Term:
        term = self.product()
        while op := self.take("+", "-"):
            term = self.make(op, term, self.product())
        return term

    def product(self) -> Term:
        term = self.signed()
        while op := self.take("*", "//", "%"):
            term = self.make(op, term, self.signed())
        return term

    def signed(self) -> Term:
        minus = 0
        while self.take("-"):
            minus += 1
        term = self.atom()
        return self.make("-", integer(0), term) if minus % 2 else term

    def atom(self) -> Term:
        token, _ = self.tokens[self.at]
        if self.take("("):
            term = self.choice()
            self.need(")")
            return term
        if self.take("pow2"):
            self.need("(")
            term = self.choice()
            self.need(")")
            return self.make("pow2", term)
        if self.take("true"):
            return TRUE
        if self.take("false"):
            return FALSE
        if token.isdigit():
            if len(token) > 10 or int(token) > MAX_INTEGER:
                raise self.refuse(f"an integer up to {MAX_INTEGER}")
            self.at += 1
            return integer(int(token))
        if is_name(token):
            self.at += 1
            return name(token)
        raise self.refuse("a number, a name or '('")

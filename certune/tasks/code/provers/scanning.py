"""What the erasers of Dafny and Rust share: where clauses and statements end."""

from __future__ import annotations

from collections.abc import Container, Sequence

from certune.tasks.code.provers.lexing import Token, closing, refused

# After one of these a brace belongs to the expression.
_OPERATORS = {
    *("==", "!=", "===", "!==", "=~=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "&&", "||"),
    *("&&&", "|||", "==>", "<==", "<==>", "::", "!", "(", "[", ":=", ":|", "=", "&", "|", "in"),
    *("then", "else", "multiset", "iset", "set", "map", "imap"),
}


# Words that stand between two operands, and words that begin or continue an expression.
# Keywords all: a name here would let what follows it pass.
_INFIX = {"in", "as", "then", "else"}
_PREFIX = {"forall", "exists", "if", "then", "else", "set", "iset", "map", "imap", "in"}


def plain(found: Sequence[Token], begin: int, end: int) -> Token | None:
    """The first token in a clause that cannot continue its expression; None if all do.

    Two operands side by side are an expression and a statement after it: what follows a loop
    that has no body, for one.
    """
    for at in range(begin, end - 1):
        left, right = found[at], found[at + 1]
        if left.kind == "word" and left.text in _INFIX | _PREFIX:
            continue
        if at >= 2 and (found[at - 2].text, found[at - 1].text) == ("{", ":"):
            continue  # the name of an attribute
        ends = left.kind != "symbol" or left.text in (")", "]", "}")
        if ends and right.kind != "symbol" and right.text not in _INFIX:
            return right
    return None


def is_body(found: Sequence[Token], at: int) -> bool:
    """Whether the brace at `at`, after an expression or clause, begins a body."""
    attribute = at + 1 < len(found) and found[at + 1].text == ":"
    return at > 0 and found[at - 1].text not in _OPERATORS and not attribute


def clause_end(found: Sequence[Token], at: int, stops: Container[str]) -> int:
    """Where the clause whose keyword is at `at` ends: at a body, another clause or a bracket.

    Raises:
        Refused: it is not one expression, or several with commas.
    """
    index = at + 1
    while index < len(found):
        token = found[index]
        if token.kind == "word" and token.text in stops:
            break
        if token.kind == "symbol":
            if token.text == "{" and index > at + 1 and is_body(found, index):
                break
            if token.text in ("{", "(", "["):
                index = closing(found, index)
            elif token.text in ("}", ")", "]", ";"):
                break
        index += 1
    if (odd := plain(found, at + 1, index)) is not None:
        raise refused(odd.place, f"{odd.text[:40]!r} does not belong to the clause before it")
    return index


def statement_end(found: Sequence[Token], at: int) -> int:
    """The index after the semicolon that ends the statement at `at`.

    Raises:
        Refused: its block ends before.
    """
    index = at
    while index < len(found):
        token = found[index]
        if token.kind == "symbol":
            if token.text == ";":
                return index + 1
            if token.text in ("{", "(", "["):
                index = closing(found, index)
            elif token.text in ("}", ")", "]"):
                break
        index += 1
    raise refused(found[at].place, f"{found[at].text!r} without a semicolon", reason="syntax")


def starts(found: Sequence[Token], at: int) -> bool:
    """Whether a statement can begin at `at`."""
    return at > 0 and found[at - 1].kind == "symbol" and found[at - 1].text in ("{", "}", ";")

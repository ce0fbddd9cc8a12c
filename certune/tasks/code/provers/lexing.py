"""Tokens of C, Dafny and Rust: as much of each language as comparing and refusing need.

Where lexers of real tools might differ from this one, the source is refused: comments in
comments, lines that are continued, trigraphs, control characters, raw identifiers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from certune.tasks.code.provers.protocol import Refused
from certune.verifier.contracts.report import Finding, Place

Language: TypeAlias = Literal["c", "dafny", "rust"]
Kind: TypeAlias = Literal["word", "number", "text", "symbol", "annotation", "directive"]

_COMMENT = r"(?P<block>/\*.*?\*/)|(?P<line>//[^\n]*)|(?P<open>/\*)"
_NUMBER = r"(?P<number>[0-9](?:[A-Za-z0-9_]|\.(?=[0-9]))*)"
_SYMBOL = (
    r"(?P<symbol><==>|==>|<==|=~=|===|!==|&&&|\|\|\||\.\.=|<<=|>>=|:-|:=|:\||::|==|!=|<=|>=|&&|"
    r"\|\||->|=>|\.\.|\+\+|--|\+=|-=|\*=|/=|%=|&=|\|=|\^=|[!-/:-@\[-`{-~])"
)
_STRING = r'"(?:\\.|[^"\\\n])*"'
_TEXT: Mapping[Language, str] = {
    "c": rf"(?P<text>{_STRING}|'(?:\\.[^'\n]*|[^'\\\n])')",
    "dafny": rf"(?P<text>@\"(?:\"\"|[^\"])*\"|{_STRING}|'(?:\\[^\n']+|\\'|[^'\\\n])')",
    "rust": (
        r"(?P<raw>r\#[A-Za-z_])|"
        rf"(?P<text>b?r(?P<fence>\#*)\".*?\"(?P=fence)|b?{_STRING}|b?'(?:\\[^\n']+|\\'|[^'\\\n])')|"
        r"(?P<unclosed>b?r\#*\")|(?P<lifetime>'[A-Za-z_]\w*)"
    ),
}
_WORD: Mapping[Language, str] = {
    "c": r"(?P<word>[A-Za-z_]\w*)",
    "dafny": r"(?P<word>[A-Za-z_][\w'?]*)",
    "rust": r"(?P<word>[A-Za-z_]\w*)",
}
_LEXERS = {
    language: re.compile(
        rf"(?P<space>[ \t\n]+)|{_COMMENT}|{_TEXT[language]}|{_WORD[language]}|{_NUMBER}|{_SYMBOL}",
        re.S | re.A,
    )
    for language in ("c", "dafny", "rust")
}
_DEPTH = 100
_OPEN, _CLOSE = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}
_CONTROL = re.compile(r"[^\n\t -~]")
_CONTINUED = re.compile(r"\\[ \t]*\n|\?\?[=/'()!<>-]")


@dataclass(frozen=True)
class Token:
    """A token with its place; an annotation is a whole ACSL comment, a directive a whole line."""

    kind: Kind
    text: str
    place: Place

    def same(self, other: Token) -> bool:
        """Whether both are written the same."""
        return (self.kind, self.text) == (other.kind, other.text)


def refused(place: Place, message: str, remedy: str = "", reason: str = "language") -> Refused:
    """The error that ends reading."""
    return Refused(Finding(place, message, remedy, reason))


def tokens(source: str, language: Language, line: int = 1) -> list[Token]:
    """The tokens of a source without its comments (those of ACSL stay, each as one token).

    Raises:
        Refused: something that is no token, or that tools may read in more than one way.
    """
    wrong = _CONTROL.search(source) or (_CONTINUED.search(source) if language == "c" else None)
    if wrong:
        place = Place(line + source.count("\n", 0, wrong.start()), 1)
        raise refused(place, f"{wrong[0]!r} is not taken here", "plain lines of ASCII")
    found: list[Token] = []
    lexer, at, begun, depth = _LEXERS[language], 0, 0, 0
    fresh = True  # nothing but spaces so far on this line
    while at < len(source):
        place = Place(line, at - begun + 1)
        match = lexer.match(source, at)
        if match is None:
            raise refused(place, f"{source[at : at + 10]!r} cannot be read", reason="syntax")
        kind, text = match.lastgroup, match[0]
        if kind == "fence":
            kind = "text"
        if language == "c" and kind == "symbol" and text == "#" and fresh:
            end = source.find("\n", at)
            text = source[at:] if end < 0 else source[at:end]
            if "/*" in text or "//" in text:
                raise refused(place, "a comment in a preprocessor line", "put it elsewhere")
            found.append(Token("directive", " ".join(text.split()), place))
        elif kind == "block" or kind == "line":
            _comment(kind, text, place, found, language)
        elif kind == "raw":
            raise refused(place, "a raw identifier", "use another name")
        elif kind == "lifetime":
            found.append(Token("word", text, place))
        elif kind in ("word", "number", "text", "symbol"):
            if text in ('"', "'", "`"):
                raise refused(place, f"{text!r} is never closed", reason="syntax")
            found.append(Token(kind, text, place))  # type: ignore[arg-type]
        elif kind in ("open", "unclosed"):
            raise refused(place, f"what {text!r} begins never ends", reason="syntax")
        if kind == "symbol":
            depth += (text in _OPEN) - (text in _CLOSE)
            if depth > _DEPTH:
                raise refused(place, f"more than {_DEPTH} brackets in one another", reason="size")
        rows = text.count("\n")
        line += rows
        begun = at + text.rindex("\n") + 1 if rows else begun
        fresh = (fresh or rows > 0) if kind in ("space", "block", "line") else False
        at += len(text)
    return found


def _comment(kind: str, text: str, place: Place, found: list[Token], language: Language) -> None:
    inner = text[2:-2] if kind == "block" else text[2:]
    if "/*" in inner or "*/" in inner or (text.startswith("/*/")):
        raise refused(place, "a comment in a comment", "tools read these in different ways")
    if language == "c" and inner.startswith("@"):
        # ACSL takes an @ at the start of a line for a blank.
        said = re.sub(r"(?m)^[ \t]*@", "", inner[1:].removesuffix("@"))
        found.append(Token("annotation", said, place))


def difference(program: Sequence[Token], source: Sequence[Token]) -> Finding | None:
    """The first token of `source` that is not the one of `program`; both without annotations."""
    for mine, theirs in zip(program, source, strict=False):
        if not mine.same(theirs):
            return Finding(
                theirs.place,
                f"{theirs.text[:40]!r} stands where the task's program has {mine.text[:40]!r}",
                "leave program and contracts as they are; only annotations may be added",
                reason="program",
            )
    if len(program) == len(source):
        return None
    if len(source) > len(program):
        extra = source[len(program)]
        return Finding(
            extra.place,
            f"{extra.text[:40]!r} is not in the task's program",
            "leave program and contracts as they are; only annotations may be added",
            reason="program",
        )
    place = source[-1].place if source else Place(1, 1)
    return Finding(
        place, f"{program[len(source)].text[:40]!r} of the task is missing", reason="program"
    )


def text_at(found: Sequence[Token], at: int) -> str:
    """The text of the token at `at`; empty beyond the end."""
    return found[at].text if 0 <= at < len(found) else ""


def closing(found: Sequence[Token], at: int) -> int:
    """The index of the bracket that closes the one at `at`.

    Raises:
        Refused: it is never closed, or by another one.
    """
    stack: list[str] = []
    for index in range(at, len(found)):
        token = found[index]
        if token.kind != "symbol":
            continue
        if token.text in _OPEN:
            stack.append(_OPEN[token.text])
        elif token.text in _CLOSE:
            if not stack or stack.pop() != token.text:
                raise refused(token.place, f"{token.text!r} closes nothing", reason="syntax")
            if not stack:
                return index
    raise refused(found[at].place, f"{found[at].text!r} is never closed", reason="syntax")


def forbidden(
    found: Iterable[Token], words: Mapping[str, str], prefixes: Sequence[str] = ()
) -> Finding | None:
    """The first word that may not be said, with the reason."""
    for token in found:
        if token.kind != "word":
            continue
        why = words.get(token.text)
        if why is None and token.text.lower().startswith(tuple(prefixes)) and prefixes:
            why = "it assumes what is to be shown"
        if why is not None:
            return Finding(
                token.place, f"{token.text!r} is refused: {why}", "prove it", "assumption"
            )
    return None

"""Annotations apart from the program: taking them out of a source, and putting them in.

Only text is moved here. Whether what comes out is the task's program is judged afterwards, by
comparing trees (`certune.verifier.contracts`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from certune.core.canonical import loads
from certune.core.codec import decode
from certune.core.errors import InvalidInput, InvalidPayload

_STATEMENTS = ("invariant", "decreases")
_WORDS = ("decreases", "ghost", "implies", "invariant", "old", "permutation")
_MOST = 2_000


@dataclass(frozen=True)
class Placed:
    """Annotations for one place of a function: a loop (from 1), a line, or its start."""

    function: str
    lines: tuple[str, ...]
    loop: int | None = None
    before: int | None = None


@dataclass(frozen=True)
class Annotations:
    """What an agent sends that leaves the program alone."""

    annotations: tuple[Placed, ...]
    format: Literal["certune-annotations"] = "certune-annotations"


def _role(function: ast.FunctionDef) -> str:
    names = {d.id for d in function.decorator_list if isinstance(d, ast.Name)}
    return "spec" if "spec" in names else "lemma" if "lemma" in names else "code"


def functions_of(source: str) -> dict[str, ast.FunctionDef]:
    """The functions with code of a program by name, in its order."""
    tree = ast.parse(source)
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and _role(node) == "code"
    }


def loops_of(function: ast.FunctionDef) -> list[ast.While | ast.For]:
    """The loops of a function in the order of their lines; loop 1 is the first."""
    found = [node for node in ast.walk(function) if isinstance(node, ast.While | ast.For)]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _called(node: ast.AST) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id
    return ""


def _is_annotation(node: ast.stmt, lemmas: frozenset[str]) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if isinstance(node, ast.Expr):
        return _called(node.value) in lemmas.union(_STATEMENTS)
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        return _called(node.value) == "ghost"
    if isinstance(node, ast.If | ast.For):
        inner = [*node.body, *node.orelse]
        return all(_is_annotation(child, lemmas) for child in inner)
    return False


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for child in ast.walk(node):
        for name in ("body", "orelse"):
            body = getattr(child, name, None)
            if isinstance(body, list) and body:
                yield body


def bare(source: str) -> str:
    """A program with its contracts, without the annotations in the bodies of its functions.

    Specification functions and lemmas stay as they are: they belong to the contract.
    """
    tree = ast.parse(source)
    lemmas = frozenset(
        n.name for n in tree.body if isinstance(n, ast.FunctionDef) and _role(n) == "lemma"
    )
    lines: list[str | None] = list(source.split("\n"))
    for function in functions_of(source).values():
        for body in _bodies(function):
            gone = [node for node in body if _is_annotation(node, lemmas)]
            for node in gone:
                for row in range(node.lineno - 1, node.end_lineno or node.lineno):
                    lines[row] = None
            if len(gone) == len(body) and not isinstance(body[0], ast.expr):
                lines[body[0].lineno - 1] = " " * body[0].col_offset + "pass"
    kept = "\n".join(line for line in lines if line is not None)
    return _with_imports(kept, _mentioned(kept))


def _mentioned(source: str) -> set[str]:
    return {
        node.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def _with_imports(source: str, needed: set[str]) -> str:
    """`source` importing from `certune.contracts` what it mentions of the annotations' words."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module == "certune.contracts":
            names = {alias.name for alias in node.names}
            names = {n for n in names if n in needed} | {n for n in _WORDS if n in needed}
            lines = source.split("\n")
            told = f"from certune.contracts import {', '.join(sorted(names))}"
            lines[node.lineno - 1 : node.end_lineno or node.lineno] = [told] if names else []
            return "\n".join(lines)
    return source


def parse_annotations(data: bytes) -> Annotations:
    """Read the payload format `certune-annotations` strictly.

    Raises:
        InvalidPayload: it is not of that format, or a line is no annotation.
    """
    try:
        given = decode(Annotations, loads(data), "")
    except InvalidInput as error:
        raise InvalidPayload(error.message, place=error.place, remedy=error.remedy) from None
    if sum(len(placed.lines) for placed in given.annotations) > _MOST:
        raise InvalidPayload("too many lines of annotations", remedy=f"at most {_MOST}")
    for number, placed in enumerate(given.annotations):
        place = f"annotations[{number}]"
        if placed.loop is not None and placed.before is not None:
            raise InvalidPayload("both a loop and a line", place=place, remedy="name one of them")
        for line in placed.lines:
            _check_line(line, place)
    return given


def _check_line(line: str, place: str) -> None:
    shown = line[:60]
    if "\n" in line or "\r" in line or len(line) > _MOST:
        raise InvalidPayload(f"{shown!r} is not one line", place=place)
    try:
        body = ast.parse(line.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InvalidPayload(f"{shown!r} is not Python", place=place) from None
    good = len(body) == 1 and (
        isinstance(body[0], ast.Assert)
        or (isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Call))
        or (isinstance(body[0], ast.Assign) and _called(body[0].value) == "ghost")
    )
    if not good:
        raise InvalidPayload(
            f"{shown!r} is no annotation",
            place=place,
            remedy="invariant(...), decreases(...), assert ..., x = ghost(...) or a lemma's call",
        )


def place(source: str, given: Annotations) -> str:
    """`source` with annotations put in; lines are those of `source`.

    Raises:
        InvalidPayload: a function, loop or line that `source` does not have.
    """
    known = functions_of(source)
    rows = source.split("\n")
    added: dict[int, list[str]] = {}
    for number, placed in enumerate(given.annotations):
        where = f"annotations[{number}]"
        function = known.get(placed.function)
        if function is None:
            raise InvalidPayload(
                f"there is no function {placed.function[:60]!r}",
                place=where,
                remedy=f"one of {', '.join(known)}",
            )
        at = _statement(function, placed, where)
        indented = [" " * at.col_offset + line.strip() for line in placed.lines]
        added.setdefault(at.lineno - 1, []).extend(indented)
    told = []
    for number, row in enumerate(rows):
        told += [*added.get(number, ()), row]
    text = "\n".join(told)
    try:
        needed = _mentioned(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InvalidPayload("with these annotations it is not Python any more") from None
    return _with_imports(text, needed)


def _statement(function: ast.FunctionDef, placed: Placed, where: str) -> ast.stmt:
    """The statement before which annotations are put."""
    if placed.loop is not None:
        loops = loops_of(function)
        if not 1 <= placed.loop <= len(loops):
            raise InvalidPayload(
                f"{function.name} has no loop {placed.loop}",
                place=where,
                remedy=f"it has {len(loops)}, numbered from 1 by their lines",
            )
        return loops[placed.loop - 1].body[0]
    body = _after_docstring(function.body)
    if placed.before is None:
        return body[0]
    found = [s for part in _bodies(function) for s in part if s.lineno == placed.before]
    if not found:
        lines = sorted({s.lineno for part in _bodies(function) for s in part})
        raise InvalidPayload(
            f"no statement of {function.name} begins in line {placed.before}",
            place=where,
            remedy=f"its statements begin in {_shown(lines)}",
        )
    return found[0]


def _after_docstring(body: Sequence[ast.stmt]) -> Sequence[ast.stmt]:
    first = body[0]
    documented = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return body[1:] if documented and len(body) > 1 else body


def _shown(lines: list[int]) -> str:
    told = ", ".join(map(str, lines[:20]))
    return told + (", …" if len(lines) > 20 else "")

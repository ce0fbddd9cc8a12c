"""Hostile source text to Python's syntax tree, within limits. Nothing is executed."""

from __future__ import annotations

import ast
import io
import tokenize

from certune.verifier.contracts.report import Finding, Limits, Place

_MAX_LINE = 2_000


class Refused(Exception):
    """The source is outside of the language; carries the finding."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))


def refuse(place: Place, message: str, remedy: str = "", reason: str = "language") -> Refused:
    """The exception that says so."""
    return Refused(Finding(place, message, remedy, reason))


def place_of(node: ast.AST, file: str = "") -> Place:
    """Where `node` stands; columns count from 1."""
    return Place(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, file)


def read(source: bytes, limits: Limits, file: str = "") -> ast.Module:
    """The syntax tree of `source`.

    Raises:
        Refused: too large, not UTF-8, no Python, identifiers that are not ASCII, too deep.
    """
    start = Place(1, 1, file)
    if len(source) > limits.source_bytes:
        raise refuse(
            start, f"{len(source)} bytes of source", f"at most {limits.source_bytes}", "size"
        )
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        raise refuse(
            start, f"not UTF-8 at byte {error.start}", "save it as UTF-8", "syntax"
        ) from None
    if "\0" in text or "\x0c" in text or "\r" in text.replace("\r\n", ""):
        raise refuse(start, "a control character", "keep tabs and line ends only", "syntax")
    rows = text.split("\n")
    if len(rows) > limits.lines:
        raise refuse(start, f"{len(rows)} lines", f"at most {limits.lines}", "size")
    for number, row in enumerate(rows, 1):
        if len(row) > _MAX_LINE:
            raise refuse(
                Place(number, 1, file),
                "a very long line",
                f"at most {_MAX_LINE} characters",
                "size",
            )
    _check_coding(rows[:2], file)
    try:
        if not text.isascii():
            _check_ascii(text, file)
        tree = ast.parse(text)
    except SyntaxError as error:
        place = Place(error.lineno or 1, max(1, error.offset or 1), file)
        raise refuse(place, f"not Python: {error.msg}", reason="syntax") from None
    except (ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise refuse(start, f"not Python: {type(error).__name__}", reason="syntax") from None
    _check_tree(tree, limits, file)
    return tree


def _check_coding(rows: list[str], file: str) -> None:
    for number, row in enumerate(rows, 1):
        if row.startswith("#") and "coding" in row and "utf-8" not in row.lower():
            raise refuse(Place(number, 1, file), "a coding other than UTF-8", reason="syntax")


def _check_ascii(text: str, file: str) -> None:
    """Names look as they are: Python folds look-alikes of letters, readers do not see it."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (tokenize.COMMENT, tokenize.STRING) and not token.string.isascii():
            line, column = token.start
            raise refuse(
                Place(line, column + 1, file),
                f"{token.string[:20]!a} is not ASCII",
                "write names in ASCII",
                "unicode",
            )


def _check_tree(tree: ast.Module, limits: Limits, file: str) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(limits.depth):
        following: list[ast.AST] = []
        for node in level:
            if (
                isinstance(node, ast.Constant)
                and type(node.value) is int
                and node.value.bit_length() > limits.literal_bits
            ):
                raise refuse(
                    place_of(node, file),
                    f"a literal of {node.value.bit_length()} bits",
                    f"at most {limits.literal_bits}",
                    "size",
                )
            following.extend(ast.iter_child_nodes(node))
        if not following:
            return
        level = following
    deepest = next((n for n in level if hasattr(n, "lineno")), tree)
    raise refuse(
        place_of(deepest, file), "nested too deeply", f"at most {limits.depth} levels", "size"
    )

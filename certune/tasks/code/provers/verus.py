"""Verus: Rust with contracts."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from certune.core.errors import Unavailable
from certune.core.status import Status
from certune.tasks.code.provers import running
from certune.tasks.code.provers.lexing import Token, closing, difference, forbidden, tokens
from certune.tasks.code.provers.protocol import Failure, Report
from certune.tasks.code.provers.scanning import clause_end, is_body, starts, statement_end
from certune.verifier.contracts.report import Finding, Place

_REMEDY = "see https://github.com/verus-lang/verus, and put `verus` into /usr/local/bin"
_FILE, _SAID = "program.rs", "said.json"
_ASSUMED = {
    "external_body": "its body is not verified",
    "external": "it is not verified",
    "unsafe": "it is not verified",
    "uninterp": "it is not defined",
    "verifier": "attributes change what is verified",
    "macro_rules": "it hides what is written",
    "extern": "it is not verified",
    "mod": "no other file is read",
    "path": "no other file is read",
    "broadcast": "write the lemma's use",
    "trait": "a function without a body is not verified here",
}
_PREFIXES = ("assume", "admit", "axiom", "external_", "include", "env", "exec_allows")
_ATTRIBUTES = ("trigger", "auto")
_LOOP = ("invariant", "invariant_except_break", "invariant_ensures", "decreases", "ensures")
_STOPS = (*_LOOP, "requires")


@dataclass(frozen=True)
class Verus:
    """The `verus` command; its verdict is read from ``--output-json``."""

    name: str = "verus"
    suffix: str = ".rs"
    annotations: str = (
        "invariant and decreases of loops, proof { }, assert(..), let ghost, proof fn with a body"
    )

    def refuse(self, source: str) -> Finding | None:
        """Assumptions, attributes other than triggers, macros, other files."""
        found = tokens(source, "rust")
        wrong = forbidden(found, _ASSUMED, _PREFIXES)
        if wrong:
            return wrong
        for at, token in enumerate(found):
            if token.kind == "symbol" and token.text == "#":
                rest = [t.text for t in found[at + 1 : at + 4] if t.text not in ("!", "[")]
                if not rest or rest[0] not in _ATTRIBUTES:
                    return Finding(
                        token.place, "an attribute is refused", "only #[trigger]", "assumption"
                    )
        names = _functions(found)
        if not names:
            return Finding(Place(1, 1), "nothing to verify", reason="empty")
        for at, token in enumerate(found):
            if token.kind == "word" and token.text in ("while", "loop"):
                body = _body(found, at)
                if body is None or "decreases" not in {t.text for t in found[at:body]}:
                    return Finding(
                        token.place, "a loop without `decreases` need not end", "", "termination"
                    )
        return None

    def compare(self, program: str, source: str) -> Finding | None:
        """Signatures, contracts, specification functions and code, token by token."""
        return difference(erased(program), erased(source))

    def prove(self, source: str) -> Report:
        """Run `verus` on the source as a library."""
        if shutil.which("verus") is None:
            raise Unavailable(f"verus is not installed; {_REMEDY}")
        script = f"verus --crate-type=lib --output-json {_FILE} > {_SAID}"
        outcome = running.tool(
            ["sh", "-c", script], {_FILE: source.encode()}, _REMEDY, outputs=[_SAID]
        )
        said = outcome.outputs.get(_SAID, b"").decode(errors="replace")
        return running.spent(self.name, outcome) or parse(
            said,
            outcome.diagnostics,
            outcome.status,
            _functions(tokens(source, "rust")),
            outcome.isolation,
        )


def _functions(found: Sequence[Token]) -> tuple[str, ...]:
    """The executable functions and proofs; specification functions may have nothing to show."""
    names = []
    for at, token in enumerate(found[:-1]):
        before = {t.text for t in found[max(0, at - 4) : at]}
        named = found[at + 1].kind == "word"
        if token.text == "fn" and token.kind == "word" and named and not before & {"spec"}:
            names.append(found[at + 1].text)
    return tuple(names)


def erased(source: str) -> list[Token]:
    """The tokens of a source without what is there for its proof alone."""
    found = tokens(source, "rust")
    kept: list[Token] = []
    at = 0
    inside: list[int] = []  # ends of the bodies of executable functions
    while at < len(found):
        inside = [end for end in inside if at < end]
        if found[at].text == "fn" and (body := _body(found, at)) is not None:
            inside.append(closing(found, body))
            kept += found[at : body + 1]
            at = body + 1
            continue
        end = _end(found, at, bool(inside))
        if end > at:
            at = end
        else:
            kept.append(found[at])
            at += 1
    return kept


def _body(found: Sequence[Token], at: int) -> int | None:
    """Where the body of the function at `at` begins."""
    index = at + 1
    while index < len(found):
        text = found[index].text
        if text in ("fn", "while", "loop"):
            return None
        if text == "{" and (is_body(found, index) or found[index - 1].text in (",", ">")):
            return index
        if text in ("{", "(", "["):
            index = closing(found, index)
        elif text in ("}", ";"):
            return None
        index += 1
    return None


def _end(found: Sequence[Token], at: int, inside: bool) -> int:
    """Where the annotation that begins at `at` ends; `at` itself where there is none."""
    text = found[at].text
    after = found[at + 1].text if at + 1 < len(found) else ""
    if found[at].kind != "word":
        return at
    if text == "proof" and after == "fn":
        body = _body(found, at + 1)
        return at if body is None else closing(found, body) + 1
    if not inside:
        return at
    if text in _LOOP:
        return clause_end(found, at, _STOPS)
    if not starts(found, at):
        return at
    if text == "proof" and after == "{":
        return closing(found, at + 1) + 1
    if text == "let" and after == "ghost":
        return statement_end(found, at)
    if text == "assert" and after in ("(", "forall"):
        return _assertion(found, at)
    return at


def _assertion(found: Sequence[Token], at: int) -> int:
    index = at + 1
    while index < len(found) and found[index].text != ";":
        if found[index].text == "{" and found[index - 1].text in ("by", ")"):
            by = [t.text for t in found[at:index]]
            end = closing(found, index) + 1
            if "by" not in by:
                return at
            return end + 1 if end < len(found) and found[end].text == ";" else end
        if found[index].text in ("{", "(", "["):
            index = closing(found, index)
        elif found[index].text in ("}", ")", "]"):
            return at
        index += 1
    return index + 1


_ERROR = re.compile(rf"^error(?:\[\w+\])?: (.*)\n +--> {re.escape(_FILE)}:(\d+):(\d+)", re.M)


def parse(
    said: str, diagnostics: str, status: int, names: Sequence[str], isolation: str = ""
) -> Report:
    """The report that ``verus --output-json`` amounts to.

    Raises:
        Crashed: the output is not one that is known.
    """
    failures = tuple(
        Failure(text[:300], Place(int(line), int(column)))
        for text, line, column in _ERROR.findall(diagnostics)
    )[:20]
    try:
        results = json.loads(said)["verification-results"]
        success, trouble = results["success"], results["encountered-vir-error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise running.unexpected("verus", said + diagnostics) from None
    if trouble is True and failures:
        return Report(Status.INVALID, "verus", 0, (), failures, isolation)
    count, errors = results.get("verified"), results.get("errors")
    whole = results.get("is-verifying-entire-crate")
    if type(count) is not int or type(errors) is not int or trouble is not False:
        raise running.unexpected("verus", said + diagnostics)
    if success is True and status == 0 and errors == 0 and whole is True and not failures:
        if count >= len(names) > 0 and not re.search(r"^warning", diagnostics, re.M):
            return Report(Status.PROVED, "verus", count, tuple(names), (), isolation)
        told = Failure(f"{count} verified, {len(names)} functions to verify, or a warning")
        return Report(Status.UNKNOWN, "verus", count, (), (told,), isolation)
    if success is False and status != 0 and (errors > 0 or failures):
        return Report(Status.UNKNOWN, "verus", count, (), failures, isolation)
    raise running.unexpected("verus", said + diagnostics)

"""Dafny: programs of methods, functions and lemmas."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from certune.core.errors import Unavailable
from certune.core.status import Status
from certune.tasks.code.provers import running
from certune.tasks.code.provers.lexing import (
    Token,
    closing,
    difference,
    forbidden,
    text_at,
    tokens,
)
from certune.tasks.code.provers.protocol import Failure, Report
from certune.tasks.code.provers.scanning import clause_end, is_body, starts, statement_end
from certune.verifier.contracts.report import Finding, Place

_REMEDY = "apt-get install dafny, or https://dafny.org"
_FILE = "program.dfy"
_ASSUMED = {
    "assume": "it is assumed, not shown",
    "expect": "the verifier assumes it",
    "axiom": "it is assumed, not shown",
    "extern": "it is assumed, not shown",
    "include": "no other file is read",
}
_LANGUAGE = dict.fromkeys(
    [
        "import",
        "module",
        "class",
        "trait",
        "iterator",
        "newtype",
        "export",
        "abstract",
        "refines",
        "provides",
        "reveals",
        "inductive",
        "copredicate",
        "colemma",
        "greatest",
        "least",
        "twostate",
        "static",
        "constructor",
        "opened",
        "while_",
        "nameonly",
        "witness",
        "modify",
        "by_method",
    ],
    "only methods, functions, predicates, lemmas, datatypes and constants are taken here",
)
_ATTRIBUTES = ("trigger", "induction", "fuel")
_CLAUSES = ("invariant", "decreases", "requires", "ensures", "modifies", "reads", "free")
_TOP = (
    "method",
    "function",
    "predicate",
    "lemma",
    "datatype",
    "const",
    "ghost",
    "type",
    "codatatype",
)


@dataclass(frozen=True)
class Dafny:
    """Dafny's verifier: Debian's 2.3, and newer ones by their command of old."""

    name: str = "dafny"
    suffix: str = ".dfy"
    annotations: str = "invariant, decreases, assert, ghost var, calc, reveal, lemmas and their use"

    def refuse(self, source: str) -> Finding | None:
        """Assumptions in words and attributes, and what is assumed for want of a body."""
        found = tokens(source, "dafny")
        wrong = forbidden(found, _ASSUMED | _LANGUAGE, ("assume", "axiom", "extern"))
        if wrong:
            return wrong
        for at, token in enumerate(found):
            after = text_at(found, at + 1)
            if token.text == "{" and after in (":", "::", ":=", ":|"):
                name = text_at(found, at + 2)
                if after != ":" or name not in _ATTRIBUTES:
                    return _assumption(token, f"the attribute {name[:30]!r}")
            if token.text == "@" and (at == 0 or found[at - 1].text not in ("old", "unchanged")):
                return _assumption(token, "an attribute")
            if token.text == "decreases" and after == "*":
                return Finding(
                    token.place, "`decreases *` allows not to end", "name a measure", "termination"
                )
            if token.text == "forall" and _bodyless(found, at):
                return _assumption(token, "a forall statement without a body")
            if token.text in ("while", "for") and not _looping(found, at):
                return _assumption(token, "a loop without a body")
            if token.kind == "word" and token.text in ("lemma", "method", "function", "predicate"):
                if token.text in ("function", "predicate") and after == "method":
                    continue
                if not _has_body(found, at):
                    return _assumption(token, f"a {token.text} without a body")
        return None if _named(found) else Finding(Place(1, 1), "nothing to verify", reason="empty")

    def compare(self, program: str, source: str) -> Finding | None:
        """The programs without annotations and lemmas, token by token."""
        return difference(erased(program), erased(source))

    def prove(self, source: str) -> Report:
        """Run the verifier without compiling; every method and lemma must be named as verified."""
        if shutil.which("dafny") is None:
            raise Unavailable(f"dafny is not installed; {_REMEDY}")
        # Mono must not stop its threads by signals, which the sandbox refuses.
        command = ["env", "MONO_THREADS_SUSPEND=coop", "dafny", "/compile:0", "/trace", "/nologo"]
        outcome = running.tool(
            [*command, _FILE], {_FILE: source.encode()}, _REMEDY, readable=("/etc/mono",)
        )
        if "Mono requires /proc" in outcome.diagnostics or "pthread_getattr_np" in (
            outcome.diagnostics
        ):
            raise Unavailable(
                "this Dafny runs on Mono, which needs /proc and the affinity of its threads, and "
                "the sandbox gives it neither; install a Dafny that needs no Mono"
            )
        return running.spent(self.name, outcome) or parse(
            outcome.diagnostics, outcome.status, proven_by_name(source), outcome.isolation
        )


def _assumption(token: Token, what: str) -> Finding:
    return Finding(token.place, f"{what} is refused: it may assume", "prove it", "assumption")


def _bodyless(found: Sequence[Token], at: int) -> bool:
    """Whether the `forall` at `at` is a statement, and has no block."""
    index = at + 1
    while index < len(found):
        text = found[index].text
        if text == "::":
            return False
        if text == "forall" or text in (";", "}", ")", "]"):
            return True
        if text == "ensures":
            end = clause_end(found, index, ("ensures",))
            while text_at(found, end) == "ensures":
                end = clause_end(found, end, ("ensures",))
            return text_at(found, end) != "{"
        if text == "{" and is_body(found, index):
            return False
        if text in ("{", "(", "["):
            index = closing(found, index)
        index += 1
    return True


def _has_body(found: Sequence[Token], at: int) -> bool:
    index = at + 1
    while index < len(found):
        token = found[index]
        if token.kind == "word" and token.text in _TOP and token.text != "ghost":
            follows = found[index - 1].text
            if token.text == "method" and follows in ("function", "predicate"):
                index += 1
                continue
            return False
        if token.kind == "symbol":
            attribute = token.text == "{" and text_at(found, index + 1) == ":"
            if token.text == "{" and not attribute and is_body(found, index):
                return True
            if token.text in ("{", "(", "["):
                index = closing(found, index)
            elif token.text in ("}", ")", "]", ";"):
                return False
        index += 1
    return False


def _looping(found: Sequence[Token], at: int) -> bool:
    """Whether the loop at `at` has a block, with nothing but guard and clauses before it."""
    end = clause_end(found, at, _CLAUSES) if text_at(found, at + 1) not in _CLAUSES else at + 1
    while text_at(found, end) in _CLAUSES:
        end = clause_end(found, end, _CLAUSES)
    return text_at(found, end) == "{"


def _named(found: Sequence[Token]) -> list[tuple[str, str]]:
    names = []
    for at, token in enumerate(found[:-1]):
        if token.kind == "word" and token.text in ("method", "lemma", "function", "predicate"):
            rest = at + 1
            while rest < len(found) and found[rest].text == "{":
                rest = closing(found, rest) + 1
            if rest < len(found) and found[rest].kind == "word" and found[rest].text != "method":
                kind = "function" if found[at - 1].text in ("function", "predicate") else token.text
                names.append((kind if at else token.text, found[rest].text))
    return names


def proven_by_name(source: str) -> tuple[str, ...]:
    """The methods and lemmas of a source: each must be verified by name."""
    named = _named(tokens(source, "dafny"))
    return tuple(name for kind, name in named if kind in ("method", "lemma"))


def erased(source: str) -> list[Token]:
    """The tokens of a source without annotations, ghost variables and lemmas."""
    found = tokens(source, "dafny")
    named = _named(found)
    lemmas = {name for kind, name in named if kind == "lemma"}
    methods = {name for kind, name in named if kind == "method"} | {"new", "method"}
    ghosts: set[str] = set()
    kept: list[Token] = []
    at = 0
    while at < len(found):
        end = _end(found, at, lemmas, ghosts)
        gone = found[at:end]
        if end > at and not any(t.kind == "word" and t.text in methods for t in gone):
            at = end
        else:
            kept.append(found[at])
            at += 1
    code = [t for t in kept if t.kind == "word" and t.text in ghosts]
    if code:
        return [*kept, Token("word", f"{code[0].text} (ghost, used in code)", code[0].place)]
    return kept


def _end(found: Sequence[Token], at: int, lemmas: set[str], ghosts: set[str]) -> int:
    """Where the annotation that begins at `at` ends; `at` itself where there is none."""
    text = found[at].text
    after = text_at(found, at + 1)
    if found[at].kind != "word":
        return at
    if text == "lemma":
        return _lemma(found, at)
    if text in ("invariant", "decreases"):
        return clause_end(found, at, _CLAUSES)
    if not starts(found, at):
        return at
    if text == "assert":
        return _assertion(found, at)
    if text == "reveal":
        return statement_end(found, at)
    if text == "calc":
        block = at
        while text_at(found, block) not in ("{", ";", "}", ""):
            block += 1
        return closing(found, block) + 1 if text_at(found, block) == "{" else at
    if text == "ghost" and after == "var":
        ghosts.add(text_at(found, at + 2))
        return statement_end(found, at)
    if (text in lemmas and after == "(") or (text in ghosts and after == ":="):
        return statement_end(found, at)
    return at


def _assertion(found: Sequence[Token], at: int) -> int:
    index = at + 1
    while index < len(found) and found[index].text != ";":
        if found[index].text == "by" and text_at(found, index + 1) == "{":
            return closing(found, index + 1) + 1
        if found[index].text in ("{", "(", "["):
            index = closing(found, index)
        elif found[index].text in ("}", ")", "]"):
            return at
        index += 1
    return index + 1


def _lemma(found: Sequence[Token], at: int) -> int:
    index = at + 1
    while index < len(found):
        if found[index].text == "{" and text_at(found, index + 1) != ":" and is_body(found, index):
            return closing(found, index) + 1
        if found[index].text in ("{", "(", "["):
            index = closing(found, index)
        index += 1
    return at


_SUMMARY = re.compile(r"Dafny program verifier finished with (\d+) verified, (\d+) errors?")
_VERIFYING = re.compile(
    r"Verifying (?:Impl\$\$_module\.__default\.(?P<impl>\w+)|CheckWell[Ff]ormed\$\$\S+|"
    r"(?P<name>\w+) \(correctness\)|\S+ \(well-formedness\)) \.\.\."
)
_RESULT = re.compile(r"  \[[\d.,]+ s, .*?\d+ proof obligations?\]  (\w[\w ]*)")
_ERROR = re.compile(rf"{re.escape(_FILE)}\((\d+),(\d+)\): (.*)")
_QUIET = re.compile(
    r"\[TRACE\] Using prover: \S+|Parsing \S+|Coalescing blocks\.\.\.|Inlining\.\.\.|\s*|"
    r"Running abstract interpretation\.\.\.|  \[[\d.]+ s\]|Execution trace:|    \S*\(.*|"
    # Dafny 2.3 gives a newer Z3 a setting that it no longer has, and Z3 lists those it has.
    r"Prover error: line \d+ column \d+: unknown parameter 'model_compress'|Legal parameters are:|"
    r"  \w+ \([\w ]+\)(?: \(default: [\w.]*\))?"
)


def parse(said: str, status: int, names: Sequence[str], isolation: str = "") -> Report:
    """The report that the output of ``dafny /compile:0 /trace`` amounts to.

    Raises:
        Crashed: the output is not one that is known.
    """
    failures, verified, doing = [], set(), ""
    good = 0
    summaries: list[re.Match[str]] = []
    odd = ""
    for line in said.splitlines():
        if begun := _VERIFYING.fullmatch(line):
            # Boogie's names write an underscore twice.
            doing = (begun["impl"] or "").replace("__", "_") or begun["name"] or ""
        elif ended := _RESULT.fullmatch(line):
            good += ended[1] == "verified"
            if ended[1] == "verified":
                verified.add(doing)
            doing = ""
        elif told := _ERROR.fullmatch(line):
            if not told[3].startswith("Related location"):
                failures.append(Failure(told[3][:300], Place(int(told[1]), int(told[2]))))
        elif summary := _SUMMARY.fullmatch(line):
            summaries.append(summary)
        elif not _QUIET.fullmatch(line):
            odd = odd or line
    if status == 2 and failures and not summaries:
        return Report(Status.INVALID, "dafny", 0, (), tuple(failures[:20]), isolation)
    if odd or len(summaries) != 1 or status not in (0, 4):
        raise running.unexpected("dafny", odd or said)
    count, errors = int(summaries[0][1]), int(summaries[0][2])
    if count != good or (status == 0) != (errors == 0):
        raise running.unexpected("dafny", said)
    missing = [name for name in names if name not in verified]
    if status == 0 and not failures and not missing and names:
        return Report(Status.PROVED, "dafny", count, tuple(names), (), isolation)
    failures += [Failure(f"nothing was verified of {name}") for name in missing]
    return Report(Status.UNKNOWN, "dafny", count, (), tuple(failures[:20]), isolation)

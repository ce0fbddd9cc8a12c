"""Frama-C's WP: C with contracts in ACSL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from certune.core.status import Status
from certune.tasks.code.provers import running
from certune.tasks.code.provers.lexing import (
    Token,
    closing,
    difference,
    forbidden,
    tokens,
)
from certune.tasks.code.provers.protocol import Failure, Report
from certune.verifier.contracts.report import Finding, Place

_REMEDY = "apt-get install frama-c-base"
_FILE = "program.c"
_ASSUMED = {
    "admit": "it is assumed, not shown",
    "axiom": "it is assumed, not shown",
    "axiomatic": "axioms are assumed, not shown",
    "include": "no other file is read",
    "import": "no other file is read",
}
_IN_BODIES = dict.fromkeys(
    [
        "ghost",
        "requires",
        "ensures",
        "assumes",
        "behavior",
        "behaviors",
        "terminates",
        "exits",
        "breaks",
        "continues",
        "returns",
        "decreases",
        "logic",
        "predicate",
        "lemma",
        "inductive",
        "type",
        "model",
        "global",
        "volatile",
        "calls",
        "for",
        "pragma",
        "unroll",
        "slice",
        "impact",
        "extended",
        "module",
        "allocates",
        "frees",
    ],
    "it does not belong into a body here",
)
_CODE = {
    "asm": "it is not verified",
    "__asm__": "it is not verified",
    "__asm": "it is not verified",
    "_Pragma": "it changes how the tool reads",
    "goto": "a loop by goto has no variant here",
    "do": "write while",
    "volatile": "its reads are not modelled here",
    "setjmp": "it is not verified",
    "longjmp": "it is not verified",
}
_HEADERS = "<stdint.h>|<limits.h>|<stddef.h>|<stdbool.h>"
_DIRECTIVE = re.compile(rf"# ?(?:include ?(?:{_HEADERS})|define [A-Za-z_]\w* -?[0-9]\w*)", re.A)
_FIRST = ("loop invariant", "loop assigns", "loop variant", "assert", "check")
_KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "else"}


@dataclass(frozen=True)
class FramaC:
    """Frama-C with WP and RTE; what its own simplifier Qed proves.

    Other solvers are reached by way of Why3's server and a socket, which the sandbox has not:
    what Qed does not prove is unknown.
    """

    name: str = "frama-c"
    suffix: str = ".c"
    annotations: str = "loop invariant, loop assigns, loop variant, assert and check, in bodies"

    def refuse(self, source: str) -> Finding | None:
        """Assumptions, other files, loops without a variant, recursion, annotations elsewhere."""
        found = tokens(source, "c")
        for token in found:
            if token.kind == "directive" and not _DIRECTIVE.fullmatch(token.text):
                return Finding(
                    token.place,
                    f"{token.text[:60]!r} is refused",
                    f"{_HEADERS.replace('|', ', ')} and numbers by #define",
                    "include" if "include" in token.text else "language",
                )
        return (
            forbidden(found, _CODE | {"admit": _ASSUMED["admit"]})
            or self._annotations(found)
            or _recursion(found)
            or _loops(found)
        )

    def _annotations(self, found: Sequence[Token]) -> Finding | None:
        depth = 0
        for token in found:
            if token.kind == "symbol":
                depth += (token.text == "{") - (token.text == "}")
            if token.kind != "annotation":
                continue
            inner = _inner(token)
            wrong = forbidden(inner, _ASSUMED) or (forbidden(inner, _IN_BODIES) if depth else None)
            if wrong:
                return wrong
            odd = next(
                (t for t in inner if t.text in ("#", "@", '"') or t.kind == "directive"), None
            )
            if odd is not None:
                return Finding(odd.place, f"{odd.text[:20]!r} in an annotation")
            first = " ".join(t.text for t in inner[:2])
            if depth and not any(first == w or first.startswith(w + " ") for w in _FIRST):
                return Finding(
                    token.place, f"{first[:40]!r} is not taken in a body", f"use {self.annotations}"
                )
        return None

    def compare(self, program: str, source: str) -> Finding | None:
        """Code, and what ACSL says outside of bodies, token by token."""
        return difference(_erased(program), _erased(source))

    def prove(self, source: str) -> Report:
        """Run WP with the obligations of RTE, and read what it reports of each property."""
        command = ["frama-c", "-wp", "-wp-rte", "-wp-prover", "qed", _FILE, "-then", "-report"]
        seen = ("/usr/share/frama-c", "/usr/share/why3", "/etc/ocamlfind.conf")
        outcome = running.tool(command, {_FILE: source.encode()}, _REMEDY, readable=seen)
        return running.spent(self.name, outcome) or parse(
            outcome.diagnostics, outcome.status, defined(source), outcome.isolation
        )


def _inner(token: Token) -> list[Token]:
    return tokens(token.text, "c", token.place.line)


def _erased(source: str) -> list[Token]:
    kept, depth = [], 0
    for token in tokens(source, "c"):
        if token.kind == "symbol":
            depth += (token.text == "{") - (token.text == "}")
        if token.kind == "annotation":
            if depth == 0:
                said = " ".join(t.text for t in _inner(token))
                kept.append(Token("annotation", said, token.place))
        else:
            kept.append(token)
    return kept


def _loops(found: Sequence[Token]) -> Finding | None:
    for index, token in enumerate(found):
        if token.kind == "word" and token.text in ("for", "while"):
            before = found[index - 1] if index else token
            said = [t.text for t in _inner(before)] if before.kind == "annotation" else []
            if ("loop", "variant") not in pairwise(said):
                return Finding(
                    token.place,
                    "a loop without a variant need not end",
                    "write `loop variant` in the annotation before it",
                    "termination",
                )
    return None


def _bodies(found: Sequence[Token]) -> dict[str, tuple[int, int]]:
    """The functions that are defined, each with where its body begins and ends."""
    code = [t for t in found if t.kind not in ("annotation", "directive")]
    bodies: dict[str, tuple[int, int]] = {}
    at = 0
    while at < len(code):
        token = code[at]
        if token.text == "(" and token.kind == "symbol":
            end = closing(code, at)
            name = code[at - 1] if at else token
            follows = code[end + 1].text if end + 1 < len(code) else ""
            if name.kind == "word" and name.text not in _KEYWORDS and follows == "{":
                last = closing(code, end + 1)
                bodies[name.text] = (end + 1, last)
                at = last
            else:
                at = end
        elif token.text == "{" and token.kind == "symbol":
            at = closing(code, at)
        at += 1
    return bodies


def defined(source: str) -> tuple[str, ...]:
    """The names of the functions with a body."""
    return tuple(_bodies(tokens(source, "c")))


def _recursion(found: Sequence[Token]) -> Finding | None:
    code = [t for t in found if t.kind not in ("annotation", "directive")]
    known = _bodies(found)
    if not known:
        return Finding(Place(1, 1), "there is no function to verify", reason="empty")
    before: set[str] = set()
    for name, (first, last) in known.items():
        for token in code[first:last]:
            if token.kind == "word" and token.text in known and token.text not in before:
                return Finding(
                    token.place,
                    f"{name} uses {token.text}, which is not defined before it",
                    "order the functions by use; recursion is not taken",
                    "recursion",
                )
        before.add(name)
    return None


_GOAL = re.compile(r"\[wp\] \[(\w[^\]]*)\] Goal (\w+)(?: : (\w+)(?: \(.*\))?)?")
_PROPERTY = re.compile(r"\[ *([^\]]*?) *\] (.+)")
_WHERE = re.compile(r"\(file ([^,]+), line (\d+)\)")
_QUIET = re.compile(
    r"\[kernel\] Parsing \S+ \(with preprocessing\)|\[wp\] Running WP plugin\.\.\.|"
    r"\[wp\] Proved goals: +\d+ / \d+|  (?:Qed|Unknown|Failed|Terminating|Unreachable): .*|"
    r"\[report\] Computing properties status\.\.\.|-*|"
    r"--- (?:Properties of Function '\w+'|Status Report Summary|Global Properties)|"
    r"            (?:by (?:Wp\.typed|Frama-C kernel|RTE)\.|By Wp\.typed, with pending:|"
    r"tried with .*|"
    r" - .*)|"
    r" +\d+ (?:Completely validated|Locally validated|To be validated|Total)|"
    r"\[wp\] \d+ goals? scheduled|\[rte:annot\] annotating function \w+"
)


def parse(said: str, status: int, functions: Sequence[str], isolation: str = "") -> Report:
    """The report that the output of ``frama-c -wp ... -then -report`` amounts to.

    Raises:
        Crashed: the output is not one that is known.
    """
    if status == 1 and "[kernel] Frama-C aborted: invalid user input." in said:
        return Report(Status.INVALID, "frama-c", failures=(_input(said),), isolation=isolation)
    warned = re.search(r"^\[[\w:-]+\] .*Warning:.*(?:\n  .*)*", said, re.M)
    if status == 0 and warned:
        told = Failure(" ".join(warned[0].split())[:300])
        return Report(Status.UNKNOWN, "frama-c", failures=(told,), isolation=isolation)
    goals, properties = [], []
    for line in said.splitlines():
        if goal := _GOAL.fullmatch(line):
            goals.append(goal)
        elif (shown := _PROPERTY.fullmatch(line)) and not line.startswith(
            ("[wp", "[rte", "[kern", "[report")
        ):
            properties.append(shown)
        elif not _QUIET.fullmatch(line):
            raise running.unexpected("frama-c", line)
    counted = re.findall(r"^\[wp\] Proved goals: +(\d+) / (\d+)$", said, re.M)
    scheduled = re.findall(r"^\[wp\] (\d+) goals? scheduled$", said, re.M)
    if status != 0 or len(counted) != 1 or scheduled != [counted[0][1]]:
        raise running.unexpected("frama-c", said)
    proved, total = map(int, counted[0])
    good = [goal for goal in goals if goal[3] == "Valid"]
    if len(goals) != total or len(good) != proved:
        raise running.unexpected("frama-c", said)
    seen = set(re.findall(r"^--- Properties of Function '(\w+)'$", said, re.M))
    pending = [p for p in properties if p[1] != "Valid"]
    report = Report(
        Status.PROVED, "frama-c", proved, tuple(f for f in functions if f in seen), (), isolation
    )
    if proved == total > 0 and not pending and seen.issuperset(functions) and functions:
        return report
    # A property whose goal failed may be missing from the report: the goals say it.
    failures = [_failure(p) for p in pending if p[1] == "-" and _WHERE.search(p[2])]
    failures += [Failure(f"not shown: goal {goal[2]}") for goal in goals if goal[3] != "Valid"]
    failures += [_failure(p) for p in pending]
    failures += [Failure(f"nothing was shown of {f}") for f in functions if f not in seen]
    return Report(
        Status.UNKNOWN, "frama-c", proved, report.functions, tuple(failures[:20]), isolation
    )


def _failure(told: re.Match[str]) -> Failure:
    where = _WHERE.search(told[2])
    place = Place(int(where[2]), 1) if where else None
    return Failure(f"not shown: {told[2].strip()}"[:300], place)


def _input(said: str) -> Failure:
    where = re.search(rf"{re.escape(_FILE)}:(\d+)", said)
    text = " ".join(said.split("\n", 1)[-1].split())
    return Failure(text[:400], Place(int(where[1]), 1) if where else None)

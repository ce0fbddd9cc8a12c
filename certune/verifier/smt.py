"""Z3 as a prover: SMT-LIB 2 text decided in a child process, within solver resources."""

from __future__ import annotations

import importlib.metadata
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from certune.core.errors import Crashed, InvalidInput, Unavailable
from certune.core.proof import Answer, Query
from certune.verifier.child import ask, folder_of, never

_WORKER = Path(__file__).with_name("smt_worker.py")

# A script is declarations and assertions, then one check-sat. What could change the question
# half-way (push, reset, exit) or the solver's behaviour (set-option) is refused.
_COMMANDS = frozenset(
    {
        "set-logic",
        "set-info",
        "declare-sort",
        "declare-fun",
        "declare-const",
        "declare-datatype",
        "declare-datatypes",
        "define-sort",
        "define-fun",
        "define-fun-rec",
        "define-funs-rec",
        "assert",
    }
)
_TOKEN = re.compile(rb';[^\n]*|"(?:[^"]|"")*"|\|[^|]*\||[()]|[^\s()";|]+|["|]')
_SIGXCPU = -24


def check_script(text: bytes) -> None:
    """Refuse SMT-LIB 2 text that is more than declarations, assertions and one final check-sat.

    Raises:
        InvalidInput: unbalanced parentheses, another command, or no check-sat at the end.
    """
    depth = 0
    command = ""
    commands: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token.startswith(b";"):
            continue
        if token == b"(":
            depth += 1
            command = command if depth > 1 else ""
        elif token == b")":
            depth -= 1
        elif depth == 0 or token in (b'"', b"|"):
            depth = -1
        elif depth == 1 and not command:
            command = token.decode(errors="replace")
            commands.append(command)
        if depth < 0 or (not command and token != b"(") or (depth > 1 and not command):
            raise InvalidInput("not an SMT-LIB script", place=f"byte {match.start()}")
    if depth or not commands or commands[-1] != "check-sat":
        raise InvalidInput("an SMT-LIB script that does not end with (check-sat)")
    for name in commands[:-1]:
        if name not in _COMMANDS:
            raise InvalidInput(
                f"SMT-LIB command {name!r} is not allowed in a query",
                remedy="declare, define, assert, and end with one (check-sat)",
            )


@dataclass(frozen=True)
class SmtProver:
    """Decides queries in ``smtlib2`` by Z3, each in a fresh process.

    `resources` (Z3's rlimit) bound each setting of a fixed portfolio, so that the same query
    gets the same answer on a slower machine as long as the wall time suffices; `memory` is in
    MiB. The setting that decided is told in the answer's `version`. Once `stopped` says True the
    answer is ``unknown``.
    """

    resources: int = 50_000_000
    memory: int = 2048
    stopped: Callable[[], bool] = never

    def decide(self, query: Query, *, seconds: float) -> Answer:
        """Decide `query` within `seconds` of wall time; out of time or resources is ``unknown``.

        Raises:
            InvalidInput: the text is no plain script of declarations and assertions.
            Unavailable: z3-solver is not installed, or the query is in another language.
            Crashed: the solver died, or reported an error.
        """
        if query.language != "smtlib2":
            raise Unavailable(f"Z3 does not read {query.language}")
        check_script(query.text)
        folder = folder_of("z3")
        if folder is None:
            raise Unavailable("z3-solver is not installed; run: pip install z3-solver")
        cpu = max(1, math.ceil(seconds) + 5)
        arguments = (folder, str(self.resources), str(cpu), str(self.memory))
        start = perf_counter()
        ended = ask(_WORKER, arguments, query.text, seconds=seconds, stopped=self.stopped)
        spent = perf_counter() - start
        if ended is None or ended.code == _SIGXCPU:
            return Answer("unknown", "z3", _version(), 0, spent)
        return _answer(ended.code, ended.output, ended.errors, spent)


def _version() -> str:
    try:
        return importlib.metadata.version("z3-solver")
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _answer(code: int, output: bytes, errors: str, seconds: float) -> Answer:
    # An error that the solver printed stands, whatever it answered afterwards.
    if code or b"(error" in output or "(error" in errors:
        shown = output.decode(errors="replace")[:300] or errors[-300:].strip()
        raise Crashed(f"Z3 ended with code {code}: {shown}")
    try:
        said = json.loads(output)
        if "missing" in said:
            raise Unavailable(f"z3-solver is not installed: {said['missing']}")
        if "error" in said:
            raise Crashed(f"Z3 reported an error: {said['error']}")
        result, version = said["result"], f"{said['version']} ({said['setting']})"
        resources = int(said["resources"])
    except (ValueError, KeyError, TypeError):
        raise Crashed(f"Z3 gave no answer: {output[:200]!r} {errors[-300:].strip()}") from None
    if result not in ("sat", "unsat", "unknown"):
        raise Crashed(f"Z3 answered {result!r}")
    return Answer(result, "z3", version, resources, seconds)

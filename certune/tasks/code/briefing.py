"""What agents are told of a code task."""

from __future__ import annotations

from collections.abc import Mapping

from certune.core.agent import Brief, PayloadFormat
from certune.core.canonical import Json, dumps
from certune.core.codec import encode
from certune.core.spec import TaskSpec
from certune.tasks.code.annotations import Annotations, Placed, functions_of, loops_of

_LANGUAGE = """\
A subset of Python that is proven with Z3; the source is parsed, never run. Annotations:
- first in a loop's body: invariant(EXPR), several; then decreases(INT, ...) for a `while` whose
  condition is not a plain comparison of two integers.
- anywhere: assert EXPR; a lemma's call; g = ghost(EXPR) for a variable that only annotations read.
EXPR is Boolean: comparisons (chained too), and/or/not, implies(p, q),
all(p for i in range(a, b)), any(...), sum(xs[:i]), xs[:i].count(v), permutation(xs, old(xs)),
old(xs) for a parameter at entry. Each element xs[i] needs 0 <= i < len(xs) to be known.
An invariant must hold when the loop begins, be kept by each turn, and with the loop's end be
enough for the postcondition. Bounds of a `for`'s variable are known without being said, as are the
ranges of types; everything else about what the loop changes must be said. After a `for`, its
variable counts as its end. There is no `assume`. Whole
sources may add @lemma and @spec functions."""

REPAIRS: Mapping[str, str] = {
    "format": "Send valid JSON of the format, or the whole source as Python text.",
    "program": "Change annotations only: the program and its contracts stay exactly as given.",
    "language": "Use what the language has; the remedy in the message says what to write instead.",
    "runs": "The program itself breaks its contract on that input; no annotation mends it.",
    "invariant-entry": "It is false when the loop begins: weaken it or guard it for the start.",
    "invariant-kept": "It does not follow after one turn: strengthen the other invariants.",
    "postcondition": "The invariants with the loop's end do not give it: say more.",
    "decreases": "The measure does not get smaller on some path: choose another one.",
    "index": "Say the bounds of the index in an invariant.",
}


def brief(spec: TaskSpec, program: str, asks: str, statement: str) -> Brief:
    """The brief: language, program, formats, what each failure asks for."""
    asked = (
        "find the annotations with which every function is proved; the program stays as it is"
        if asks == "annotations"
        else "write bodies that keep the contracts, with the annotations that prove it"
    )
    formats = [
        PayloadFormat(
            "python",
            "the whole source with annotations in it",
            None,
            program.encode(),
        )
    ]
    if asks == "annotations":
        formats.insert(
            0,
            PayloadFormat(
                "certune-annotations",
                "annotations for a loop (numbered from 1 by lines), a line, or a function's start",
                _schema(program),
                dumps(encode(_example(program))),
            ),
        )
    loops = [
        f"{name}, loop {number} (line {loop.lineno}): {_head(program, loop.lineno)}"
        for name, function in functions_of(program).items()
        for number, loop in enumerate(loops_of(function), 1)
    ]
    numbered = "\n".join(f"{n:3} {row}" for n, row in enumerate(program.split("\n"), 1))
    hints = [f"The program, with line numbers:\n{numbered}", _LANGUAGE]
    if loops:
        hints.insert(1, "Its loops:\n" + "\n".join(loops))
    told = f"{statement} Asked: {asked}" if statement else asked
    return Brief(spec=spec, task=told, formats=tuple(formats), hints=tuple(hints), repairs=REPAIRS)


def _head(program: str, line: int) -> str:
    return program.split("\n")[line - 1].strip()


def _example(program: str) -> Annotations:
    placed = tuple(
        Placed(name, ("invariant(True)",), loop=number)
        for name, function in functions_of(program).items()
        for number, _ in enumerate(loops_of(function), 1)
    )
    return Annotations(placed)


def _schema(program: str) -> Mapping[str, Json]:
    names: list[Json] = list(functions_of(program))
    text: Json = {"type": "string", "maxLength": 2000}
    return {
        "type": "object",
        "required": ["format", "annotations"],
        "additionalProperties": False,
        "properties": {
            "format": {"const": "certune-annotations"},
            "annotations": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["function", "lines"],
                    "additionalProperties": False,
                    "properties": {
                        "function": {"enum": names},
                        "loop": {"type": ["integer", "null"], "minimum": 1},
                        "before": {"type": ["integer", "null"], "minimum": 1},
                        "lines": {"type": "array", "items": text},
                    },
                },
            },
        },
    }

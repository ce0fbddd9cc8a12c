"""The finder as a solver of the family: its payloads are annotations."""

from __future__ import annotations

from collections.abc import Iterator

from certune.core.candidate import Payload
from certune.core.canonical import dumps
from certune.core.codec import encode
from certune.core.family import Context
from certune.core.measurement import Bound
from certune.tasks.code.annotations import Annotations, Placed


class Annotate:
    """Looks for the annotations of every function, then proposes them together."""

    name = "houdini"

    def __init__(self, program: str) -> None:
        self.program = program

    def solve(self, context: Context) -> Iterator[Payload | Bound]:
        """One payload: whatever was found, nothing where nothing is needed."""
        from certune.tasks.code.solvers.finder import find
        from certune.tasks.code.solvers.traces import Guess

        found: dict[tuple[str, int], list[Guess]] = {}
        for function in find(self.program, stopped=context.stopped):
            for guess in function.guesses:
                found.setdefault((guess.function, guess.loop), []).append(guess)
        placed = tuple(
            Placed(name, tuple(g.line for g in sorted(guesses, key=lambda g: g.measure)), loop=loop)
            for (name, loop), guesses in found.items()
        )
        yield Payload("certune-annotations", dumps(encode(Annotations(placed))))

"""The built-in finder: annotations for a program, function by function."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from certune.tasks.code.annotations import functions_of
from certune.tasks.code.solvers.houdini import Houdini
from certune.tasks.code.solvers.scope import Loop, scopes
from certune.tasks.code.solvers.templates import candidates, weaker
from certune.tasks.code.solvers.traces import (
    Guess,
    annotated,
    measures,
    observe,
    relations,
)
from certune.verifier.contracts.pool import Pool
from certune.verifier.contracts.source import Refused

# Guesses that a function's first and second attempt may have; more make Z3 slow.
_FEW, _MANY = 60, 160


@dataclass(frozen=True)
class Found:
    """What was found for one function: annotations, whether they prove it, and how long it took."""

    function: str
    guesses: tuple[Guess, ...]
    proved: bool
    seconds: float


def _never() -> bool:
    return False


def find(
    source: str,
    *,
    seconds: float = 60.0,
    stopped: Callable[[], bool] = _never,
    workers: int = 2,
) -> Iterator[Found]:
    """Look for the annotations of each function with loops of a bare program, `seconds` each.

    Functions without loops need none and are passed over.
    """
    with Pool(workers, 2048, min(5.0, seconds)) as pool:
        for name, function in functions_of(source).items():
            loops = scopes(function)
            if not loops or stopped():
                continue
            began = time.monotonic()
            houdini = Houdini(source, name, pool, stopped, began + seconds)
            kept, proved = _function(source, name, loops, houdini)
            yield Found(name, kept, proved, time.monotonic() - began)


def _function(
    source: str, name: str, loops: list[Loop], houdini: Houdini
) -> tuple[tuple[Guess, ...], bool]:
    function = functions_of(source)[name]
    guesses = [
        Guess(name, loop.number, text, origin=origin)
        for loop in loops
        for origin, text in candidates(function, loop)
    ]
    choices = list(_measured(name, loops))
    try:
        seen = observe(annotated(source, choices[0]), name, guesses)
    except Refused:  # no measure for one of the loops: nothing can be shown of the function
        return (), False
    extra = [
        Guess(name, loop.number, text)
        for loop in loops
        for text in relations(seen.states[loop.number], _related(loop))
    ]
    true = list(dict.fromkeys([*extra, *seen.kept]))
    strong = _strongest(true)
    best: tuple[Guess, ...] = ()
    for measured in choices:
        for pool, most, attempts in ((strong, _FEW, 1), (strong, _MANY, 1), (true, _MANY, 2)):
            if houdini.over:
                return best, False
            settled = houdini.settle([*_chosen(pool, loops, most), *measured], attempts)
            if settled.proved:
                return houdini.least(settled.kept), True
            best = max(best, settled.kept, key=len)
    return best, False


def _strongest(guesses: list[Guess]) -> list[Guess]:
    """Without those that another one implies by its form."""
    implied = {
        (guess.loop, text) for guess in guesses for text in weaker(guess.text) if text != guess.text
    }
    return [guess for guess in guesses if (guess.loop, guess.text) not in implied]


def _related(loop: Loop) -> list[str]:
    """Integers whose equations are looked for: what changes first."""
    names = [n for n in loop.of("int") if n in loop.changed]
    names += [f"len({xs})" for xs in loop.of("list", "bools") if xs in loop.changed]
    names += [n for n in loop.of("int") if n not in loop.changed]
    return names


def _chosen(guesses: list[Guess], loops: list[Loop], most: int) -> list[Guess]:
    """At most `most`: of each loop alike, of each template in turn."""
    each = max(1, most // max(1, len(loops)))
    chosen: list[Guess] = []
    for loop in loops:
        origins: dict[int, list[Guess]] = {}
        for guess in guesses:
            if guess.loop == loop.number:
                origins.setdefault(guess.origin, []).append(guess)
        rounds = zip_longest(*origins.values())
        dealt = [guess for dealing in rounds for guess in dealing if guess is not None]
        chosen += dealt[:each]
    return chosen


def _measured(name: str, loops: list[Loop]) -> Iterator[list[Guess]]:
    """Choices of measures: none where the condition says it, then candidates for each loop."""
    options = [(loop.number, measures(loop.node)) for loop in loops if loop.node is not None]
    yield [Guess(name, number, found[0], measure=True) for number, found in options if found]
    for number, found in options:
        for text in found[1:3]:
            yield [
                Guess(name, n, text if n == number else f[0], measure=True) for n, f in options if f
            ]


__all__ = ["Found", "annotated", "find"]

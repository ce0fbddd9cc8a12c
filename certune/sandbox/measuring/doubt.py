"""Whether a gain could come from the way of measuring instead of from the program.

Two things that a program can save inside a "go" are no gain to whoever calls it: what its calls
share (all slots lie before it at once, so it may compute them together), and the harness, which
runs in its own process. Single calls, strewn among the full ones, share nothing; and what the
harness costs is known from a program that does nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from math import sqrt

from certune.sandbox.measuring.outcome import Block, Go

# Single calls have to save at least this part of what full ones save a call, ...
_PART = 0.5
# ... told to within this part of it (one standard error): twice that from what sharing explains.
_TOLD = 0.25
# Of what a program that does nothing costs, most is the kernel's and cannot be saved.
_HARNESS = 0.5
_FEWEST = 5

_CLOCKS: dict[str, Callable[[Go], float]] = {
    "wall": lambda go: go.wall_seconds,
    "CPU": lambda go: go.cpu_seconds,
}


def _undisturbed(values: Sequence[float]) -> tuple[float, float]:
    """The lower decile, as other processes only ever add; and how far it may be off.

    That is the standard error of a median, from the median deviation: on a busy machine more
    than the decile's own, as most of the deviation lies above.
    """
    middle = statistics.median(values)
    deviation = statistics.median(abs(value - middle) for value in values)
    least = sorted(values)[len(values) // 10]
    return least, 1.2533 * 1.4826 * deviation / sqrt(len(values))


def _saved(
    incumbent: Sequence[Block], candidate: Sequence[Block], clock: Callable[[Go], float], lone: bool
) -> tuple[float, float]:
    """Seconds a call that the candidate needs less, and their standard error."""
    sides = []
    for blocks in (incumbent, candidate):
        gos = [go for block in blocks for go in (block.lone if lone else block.gos)]
        sides.append(_undisturbed([clock(go) / go.calls for go in gos]))
    return sides[0][0] - sides[1][0], sqrt(sides[0][1] ** 2 + sides[1][1] ** 2)


def doubt(candidate: Sequence[Block], incumbent: Sequence[Block], floor: Block) -> str:
    """Why a gain of `candidate` over `incumbent` is not believed; empty when it is.

    All blocks of a comparison belong here, of fresh workers too; `floor` is from the same bench.
    Says nothing about whether there is a gain.
    """
    calls = candidate[0].gos[0].calls
    harness = _HARNESS * _undisturbed([go.cpu_seconds for go in floor.gos])[0]
    single = all(not block.lone for block in (*candidate, *incumbent))
    told = single
    for name, clock in _CLOCKS.items():
        full, _ = _saved(incumbent, candidate, clock, lone=False)
        if full * calls <= harness:
            return (
                f"{full * calls * 1e6:.2f} us of {name} time saved in {calls} calls are no more "
                f"than what leaving out the harness may save ({harness * 1e6:.2f} us)"
            )
        if single:
            continue
        if min(sum(len(b.lone) for b in side) for side in (candidate, incumbent)) < _FEWEST:
            return "too few single calls were measured"
        alone, error = _saved(incumbent, candidate, clock, lone=True)
        if error > _TOLD * full:
            continue
        told = True
        if alone < _PART * full:
            return (
                f"{full * 1e6:.2f} us of {name} time saved a call when {calls} are asked for at "
                f"once, {alone * 1e6:.2f} us when one is: the calls share their work"
            )
    return "" if told else "single calls are too short or too noisy to tell whether they gain too"

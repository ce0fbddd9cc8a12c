"""When to write a checkpoint: what a crash can lose never exceeds what was promised."""

from dataclasses import dataclass

from certune.contracts import ensure, modifies, old, require, spec


@dataclass
class Work:
    unsaved: int
    saved: int


@spec
def valid(work: Work, promise: int) -> bool:
    return 0 <= work.unsaved <= promise and work.saved >= 0


@require(lambda work, step, promise: valid(work, promise) and 0 < step <= promise)
@modifies("work")
@ensure(lambda work, promise: valid(work, promise))
@ensure(lambda work, step: work.unsaved + work.saved == old(work).unsaved + old(work).saved + step)
@ensure(lambda work, step, promise, result: result == (old(work).unsaved + step > promise))
def advance(work: Work, step: int, promise: int) -> bool:
    if work.unsaved + step > promise:
        work.saved += work.unsaved
        work.unsaved = step
        return True
    work.unsaved += step
    return False

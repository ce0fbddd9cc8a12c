"""From a payload to what is known of it: elaborate, check, evaluate.

The door (`Session.submit`), `certune verify` and `certune check` all judge through here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from certune.core.candidate import Candidate, Payload
from certune.core.errors import Crashed, InfrastructureError, InvalidInput
from certune.core.family import Context, Task
from certune.core.measurement import Measurement
from certune.core.obligation import Obligation, Verdict, invalid
from certune.core.run import Job, Outcome, Runner
from certune.environment import fingerprint
from certune.sandbox.model import weakest


@dataclass(frozen=True)
class Judged:
    """What judging a payload gave; no candidate when the verdict is `invalid`.

    `isolation` is the weakest under which programs ran for it; None where none did.
    """

    verdict: Verdict
    candidate: Candidate | None = None
    measurement: Measurement | None = None
    isolation: str | None = None


class Noting:
    """A runner that notes under which isolation programs ran."""

    def __init__(self, runner: Runner) -> None:
        """Run by `runner`."""
        self._runner = runner
        self._seen: set[str] = set()

    def run(self, job: Job) -> Outcome:
        """See `core.run.Runner.run`."""
        outcome = self._runner.run(job)
        self._seen.add(outcome.isolation)
        return outcome

    def forget(self) -> None:
        """Begin anew, with the next candidate."""
        self._seen.clear()

    @property
    def isolation(self) -> str | None:
        """The weakest since then; None if no program ran."""
        return weakest(self._seen)


def elaborate(task: Task, payload: Payload, context: Context) -> Candidate | Verdict:
    """The candidate that a hostile payload becomes, or the verdict `invalid`.

    Raises:
        InfrastructureError: trouble of our own, unexpected exceptions in trusted code included.
    """
    limit = task.spec.limits.payload_bytes
    if len(payload.data) > limit:
        return invalid(f"the payload has {len(payload.data)} bytes; the limit is {limit}")
    try:
        return task.elaborate(payload, context)
    except InvalidInput as error:
        return invalid(str(error))
    except InfrastructureError:
        raise
    except Exception as error:
        raise _crashed("elaborating", error) from error


def check(task: Task, candidate: Candidate, context: Context) -> Verdict:
    """Show or refute every obligation, each against the floor that the specification sets.

    Raises:
        InfrastructureError: trouble of our own, unexpected exceptions in trusted code included.
    """
    try:
        obligations = task.check(candidate, context)
    except InfrastructureError:
        raise
    except Exception as error:
        raise _crashed("checking", error) from error
    return Verdict(tuple(_with_floor(task, obligation) for obligation in obligations))


def _with_floor(task: Task, obligation: Obligation) -> Obligation:
    return replace(obligation, floor=task.spec.floor(obligation.name))


def evaluate(task: Task, candidate: Candidate, context: Context) -> Measurement:
    """The metrics of a candidate that met its obligations.

    Raises:
        InfrastructureError: trouble of our own, unexpected exceptions in trusted code included.
    """
    try:
        measurement = task.evaluate(candidate, context)
    except InfrastructureError:
        raise
    except Exception as error:
        raise _crashed("evaluating", error) from error
    if measurement.taken != "measured" or measurement.environment:
        return measurement
    noted = context.runner.isolation if isinstance(context.runner, Noting) else None
    return replace(measurement, environment=fingerprint(isolation=noted, measured=True).digest)


def judge(task: Task, payload: Payload, context: Context) -> Judged:
    """Judge a payload from its bytes alone; nothing that was known before is used."""
    noting = Noting(context.runner) if context.runner is not None else None
    context = replace(context, runner=noting)
    candidate = elaborate(task, payload, context)
    if isinstance(candidate, Verdict):
        return Judged(candidate, isolation=noting.isolation if noting else None)
    verdict = check(task, candidate, context)
    measurement = evaluate(task, candidate, context) if verdict.met else None
    return Judged(verdict, candidate, measurement, noting.isolation if noting else None)


def _crashed(doing: str, error: Exception) -> Crashed:
    """An unexpected exception in trusted code is trouble of our own, never a verdict."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    where = ""
    if frames is not None:
        where = f" in {frames.tb_frame.f_code.co_name}, line {frames.tb_lineno}"
    return Crashed(f"{doing} the candidate failed: {type(error).__name__}: {error}{where}")

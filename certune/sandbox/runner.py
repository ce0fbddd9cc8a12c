"""Runs untrusted programs for families: `core.run.Runner` on a keeper's workers."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager

from certune.core.errors import Crashed, InfrastructureError, InvalidInput, Unavailable
from certune.core.run import Job, Outcome
from certune.sandbox.inside.script import pack
from certune.sandbox.isolation.probe import available
from certune.sandbox.keeper import Keeper
from certune.sandbox.model import Ended, Isolation, Launch, Limits
from certune.sandbox.passing import read_bounded, sealed

_LANGUAGES = ("python",)
_ATTEMPTS = 3
# A program waits for nothing, so that its time is its CPU time on a machine that is not swamped.
_WALL_FACTOR, _WALL_SECONDS = 10.0, 10.0
_CONTROL = b"import sys; sys.stdout.write(inputs['word'].decode() * 2)"


class SandboxRunner(AbstractContextManager["SandboxRunner"]):
    """Runs each job in a worker of its own, from a template that no candidate has touched.

    `level` None is the best that this machine allows, at least 'confined'; `require` is the least
    that will do. What a Python program prints is its output; its inputs are the global `inputs`.

    Raises:
        InvalidInput: a level without walls.
    """

    def __init__(self, level: Isolation | None = None, *, require: Isolation | None = None) -> None:
        if level is not None and level < Isolation.CONFINED:
            raise InvalidInput(
                f"programs are not run at isolation {level.word!r}",
                remedy="'declared' says that something around certune holds them",
            )
        self._level = level
        self._require = require
        self._keeper: Keeper | None = None
        self._lock = threading.Lock()

    def run(self, job: Job) -> Outcome:
        """Run `job` to one of its endings.

        Raises:
            InvalidInput: the job's language is unknown.
            Unavailable: the isolation that is required cannot be had on this machine.
            Crashed: workers die before the program is loaded, or a control program dies too.
        """
        if job.language not in _LANGUAGES:
            raise InvalidInput(
                f"programs in {job.language!r} cannot be run", remedy=f"known: {_LANGUAGES[0]}"
            )
        trouble = ""
        for _ in range(_ATTEMPTS):
            keeper = self._current()
            try:
                ended, output = self._attempt(keeper, job)
                if ended.ending == "finished":
                    return _outcome(ended, output, keeper.level)
                if not ended.loaded:
                    trouble = f"a worker died before the program was loaded: {ended.detail}"
                elif self._control(keeper, job):
                    return _outcome(ended, output, keeper.level)
                else:
                    trouble = f"the program and a harmless one both ended badly: {ended.detail}"
            except (Unavailable, InvalidInput):
                raise
            except InfrastructureError as error:
                trouble = str(error)
            self._discard(keeper)
        raise Crashed(f"no program could be run in {_ATTEMPTS} attempts: {trouble}")

    def close(self) -> None:
        """End the keeper; a later `run` starts another."""
        with self._lock:
            keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _current(self) -> Keeper:
        with self._lock:
            if self._keeper is None:
                if self._require is not None:
                    enough(self._level, self._require)
                self._keeper = Keeper(self._level)
            return self._keeper

    def _discard(self, keeper: Keeper) -> None:
        with self._lock:
            if self._keeper is keeper:
                self._keeper = None
        keeper.close()

    def _control(self, keeper: Keeper, job: Job) -> bool:
        """Whether a harmless program runs under the same limits, here and now."""
        job = Job(
            job.language,
            _CONTROL,
            {"word": b"fine"},
            job.cpu_seconds,
            job.memory_bytes,
            max(64, job.output_bytes),
        )
        ended, output = self._attempt(keeper, job)
        return ended.ending == "finished" and output == b"finefine"

    def _attempt(self, keeper: Keeper, job: Job) -> tuple[Ended, bytes]:
        limits = Limits(
            wall_seconds=_WALL_FACTOR * job.cpu_seconds + _WALL_SECONDS,
            cpu_seconds=job.cpu_seconds,
            memory_bytes=job.memory_bytes,
            output_bytes=job.output_bytes,
        )
        source = sealed(pack(job.program, dict(job.inputs)))
        heard, says = os.pipe2(os.O_CLOEXEC)
        try:
            launch = Launch("script", keeper.level, limits, (source, says), fresh=False)
            try:
                worker = keeper.start(launch)
            finally:
                os.close(says)
                os.close(source)
            with worker:
                return read_bounded(worker, heard, job.output_bytes)
        finally:
            os.close(heard)


def enough(level: Isolation | None, require: Isolation) -> None:
    """See that the level used, or else the best one here, is at least `require`.

    Raises:
        Unavailable: it is not; with the reason and what to do.
    """
    if level is not None and level >= require:
        return
    report = available()
    if level is None and report.best >= require:
        return
    if require is Isolation.DECLARED or level is not None:
        got = (level or report.best).word
        raise Unavailable(f"isolation {require.word!r} is required, and {got!r} is what there is")
    standing = report.standing(require)
    raise Unavailable(
        f"isolation {require.word!r} is required: {standing.reason}; {standing.remedy}"
    )


def _outcome(ended: Ended, output: bytes, level: Isolation) -> Outcome:
    told = ended.diagnostics.decode(errors="replace")
    return Outcome(ended.ending, output, told or ended.detail, ended.cpu_seconds, level.word)

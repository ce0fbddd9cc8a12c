"""Programs of candidates, as the command line has them run: in the sandbox, opened when used."""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certune.core.run import Job, Outcome
    from certune.sandbox.model import Isolation
    from certune.sandbox.runner import SandboxRunner


class Programs:
    """A `core.run.Runner` whose sandbox begins with the first program and ends with certune."""

    def __init__(self, required: Isolation | None = None) -> None:
        """`required` is the least isolation; it is tried at once, so that nothing is begun in vain.

        Raises:
            Unavailable: it cannot be had here; with the reason and what to do.
        """
        self._required = required
        self._lock = threading.Lock()
        self._runner: SandboxRunner | None = None
        if required is not None:
            from certune.sandbox.model import Isolation
            from certune.sandbox.runner import enough

            # What is declared around certune is the user's word, which nothing can try.
            if required is not Isolation.DECLARED:
                enough(None, required)

    def run(self, job: Job) -> Outcome:
        """See `core.run.Runner.run`."""
        return self._opened().run(job)

    def _opened(self) -> SandboxRunner:
        with self._lock:
            if self._runner is None:
                from certune.sandbox.model import Isolation
                from certune.sandbox.runner import SandboxRunner

                declared = self._required is Isolation.DECLARED
                level = Isolation.DECLARED if declared else None
                self._runner = SandboxRunner(level, require=self._required)
                atexit.register(self._runner.close)
            return self._runner

"""The live, read-only view of a session that agents get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from certune.core.candidate import Payload
from certune.core.measurement import Bound
from certune.core.trial import Trial

if TYPE_CHECKING:
    from certune.session.session import Session


class History:
    """What happened so far; see `certune.core.History`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def trials(self) -> Sequence[Trial]:
        """Every recorded attempt, oldest first."""
        return self._session.trials

    @property
    def bounds(self) -> Sequence[Bound]:
        """The bounds known by now."""
        return self._session.bounds

    def payload(self, trial: Trial) -> Payload:
        """What was sent in `trial`."""
        return Payload(trial.payload_format, self._session.ledger.blob(trial.payload))

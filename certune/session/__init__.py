"""Sessions: ask, submit, run within a budget, stop, resume."""

from certune.session.plan import Rival
from certune.session.session import Event, Run, Session, Stopped, Watcher
from certune.session.standing import Reference

__all__ = ["Event", "Reference", "Rival", "Run", "Session", "Stopped", "Watcher"]

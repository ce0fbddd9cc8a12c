"""Sessions: ask, submit, run within a budget, stop, resume."""

from certune.session.loop import Event, Run, Stopped, Watcher
from certune.session.plan import Rival
from certune.session.session import Session
from certune.session.standing import Reference

__all__ = ["Event", "Reference", "Rival", "Run", "Session", "Stopped", "Watcher"]

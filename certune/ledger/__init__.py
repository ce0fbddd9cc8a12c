"""The durable record of a project: every attempt, bound and certificate, chained by hash."""

from certune.ledger.reader import FOLDER
from certune.ledger.records import End, Head, SessionRecord
from certune.ledger.store import Ledger

__all__ = ["FOLDER", "End", "Head", "Ledger", "SessionRecord"]

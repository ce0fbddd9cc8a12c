"""The durable record of a project: every attempt, bound and certificate, chained by hash."""

from certune.ledger.reader import FOLDER
from certune.ledger.records import End, ErrorSpent, Head, SessionRecord
from certune.ledger.spending import DEFAULT_ERROR
from certune.ledger.store import Ledger

__all__ = ["DEFAULT_ERROR", "FOLDER", "End", "ErrorSpent", "Head", "Ledger", "SessionRecord"]

"""Everything that certune raises on purpose.

::

    CertuneError
    ├── InvalidInput                 a file, option or payload is wrong: what, where, what to do
    │   ├── InvalidPayload           what an agent sent; becomes the verdict `invalid`
    │   └── ConfigurationError       an option, environment variable or certune.toml
    ├── InfrastructureError          trouble of our own; never a verdict
    │   ├── Unavailable              a solver, package or device is not here
    │   ├── TimedOut                 one of our own parts took longer than its limit
    │   └── Crashed                  one of our own parts died
    ├── LedgerError                  the durable record cannot be read or written
    │   ├── LedgerCorrupt            a record, the chain or the file is damaged
    │   ├── LedgerFull               no space is left; nothing recorded is lost
    │   ├── LedgerBusy               another process holds the write lock for too long
    │   └── LedgerVersion            written by a newer certune
    ├── BudgetSpent                  a session's budget allows no further attempt
    └── NotRepeatable                evidence that cannot be repeated on this machine

The command line maps them to exit codes: ``InvalidInput`` 2, ``InfrastructureError``,
``LedgerError`` and ``NotRepeatable`` 3. A refused candidate is no exception: it is a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CertuneError(Exception):
    """Base of all errors that certune raises on purpose."""

    exit_code = 3


class InvalidInput(CertuneError):
    """Input that certune cannot accept.

    `message` says what is wrong, `place` where it is (file, line, key path, rank, step) and
    `remedy` what to do about it; either may be empty.
    """

    exit_code = 2

    def __init__(self, message: str, *, place: str = "", remedy: str = "") -> None:
        self.message = message
        self.place = place
        self.remedy = remedy
        super().__init__(message, place, remedy)

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}; {self.remedy}" if self.remedy else text

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross processes with their place and remedy."""
        return _again, (type(self), self.message, self.place, self.remedy)

    def within(self, place: str) -> InvalidInput:
        """The same error, its place prefixed by the file or key that it was found in."""
        inner = f"{place}: {self.place}" if self.place else place
        return type(self)(self.message, place=inner, remedy=self.remedy)


def _again(kind: type[InvalidInput], message: str, place: str, remedy: str) -> InvalidInput:
    return kind(message, place=place, remedy=remedy)


class InvalidPayload(InvalidInput):
    """A payload that does not parse or elaborate; becomes the verdict `invalid`."""


class ConfigurationError(InvalidInput):
    """An option, an environment variable or a configuration file is wrong."""


class InfrastructureError(CertuneError):
    """Trouble of certune's own. It says nothing about a candidate and is never a verdict."""


class Unavailable(InfrastructureError):
    """A part that is needed (solver, package, device) is not on this machine."""


class TimedOut(InfrastructureError):
    """One of certune's own parts took longer than its limit."""


class Crashed(InfrastructureError):
    """One of certune's own parts died."""


class LedgerError(CertuneError):
    """The durable record cannot be read or written; what was recorded before is kept."""


class LedgerCorrupt(LedgerError):
    """A record, the hash chain or the database file is damaged."""


class LedgerFull(LedgerError):
    """No space is left for another record; every earlier record is kept."""


class LedgerBusy(LedgerError):
    """Another process held the write lock for longer than this one was willing to wait."""


class LedgerVersion(LedgerError):
    """The ledger was written by a newer certune than this one."""


class BudgetSpent(CertuneError):
    """A session's budget allows no further attempt."""


class NotRepeatable(CertuneError):
    """Evidence that cannot be repeated on this machine; neither confirmed nor refuted."""


def nearest(unknown: str, known: Iterable[str]) -> str:
    """A remedy that names the known word nearest to `unknown`, else all known words."""
    words = sorted(known)
    close = get_close_matches(unknown, words, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(words[:12]) + (", …" if len(words) > 12 else "")
    return f"known: {shown}" if words else "none is known here"

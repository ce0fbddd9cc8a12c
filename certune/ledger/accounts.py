"""What a session has spent, summed from its records."""

from __future__ import annotations

from fractions import Fraction

from certune.core.budget import Spent
from certune.core.trial import Trial
from certune.ledger.records import End


class Account:
    """The running sum over a session's trials and ends, fed in the order of their records.

    A run that ended says its seconds itself. Trials that no end covers are those of a run that
    still runs or was killed; their own seconds count. Money that is unknown counts as none.
    """

    def __init__(self) -> None:
        self.seen = 0  # number of the last record that was fed
        self._trials: list[tuple[int, int, float]] = []  # record, number, seconds
        self._ends: list[tuple[int, End]] = []
        self._tokens = 0
        self._money = Fraction(0)

    def add_trial(self, seq: int, trial: Trial) -> None:
        """Count a trial; `seq` is the number of its record."""
        self._trials.append((seq, trial.number, trial.seconds))
        self._tokens += trial.usage.tokens_in + trial.usage.tokens_out
        self._money += trial.usage.money or Fraction(0)
        self.seen = max(self.seen, seq)

    def add_end(self, seq: int, end: End) -> None:
        """Count the end of a run; `seq` is the number of its record."""
        self._ends.append((seq, end))
        self.seen = max(self.seen, seq)

    def spent(self) -> Spent:
        """The sum so far."""
        seconds = sum(end.seconds for _, end in self._ends)
        runs = [(end.first, last) for last, end in self._ends if end.first is not None]
        for seq, number, own in self._trials:
            if not any(first <= number and seq < last for first, last in runs):
                seconds += own
        return Spent(len(self._trials), seconds, self._tokens, self._money)

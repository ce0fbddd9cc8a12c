"""What a session has spent, summed from its records."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from certune.core.budget import Spent
from certune.core.trial import Trial
from certune.ledger.records import End


def spent(trials: Sequence[tuple[int, Trial]], ends: Sequence[tuple[int, End]]) -> Spent:
    """The sum over `trials` and `ends`, each with the number of its record.

    A run that ended says its seconds itself. Trials that no end covers are those of a run that
    still runs or was killed; their own seconds count. Money that is unknown counts as none.
    """
    covered = {
        trial.number
        for last, end in ends
        if end.first is not None
        for seq, trial in trials
        if trial.number >= end.first and seq < last
    }
    return Spent(
        attempts=len(trials),
        seconds=sum(end.seconds for _, end in ends)
        + sum(trial.seconds for _, trial in trials if trial.number not in covered),
        tokens=sum(t.usage.tokens_in + t.usage.tokens_out for _, t in trials),
        money=sum((t.usage.money or Fraction(0) for _, t in trials), Fraction(0)),
    )

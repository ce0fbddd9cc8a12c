"""The one comparator: sequential bets over pairs of processes, at a stated error.

Pure statistics; nothing here runs or measures anything. `certune.sandbox.duel` is the source of
real observations, `certune.ledger` keeps the error budget.
"""

from certune.sandbox.comparison.betting import MedianInterval, fewest_rounds, wealth, wins_needed
from certune.sandbox.comparison.model import Fault, Inconclusive, Observation, Rule, Source
from certune.sandbox.comparison.objective import weighted
from certune.sandbox.comparison.sequential import compare, spread

__all__ = [
    "Fault",
    "Inconclusive",
    "MedianInterval",
    "Observation",
    "Rule",
    "Source",
    "compare",
    "fewest_rounds",
    "spread",
    "wealth",
    "weighted",
    "wins_needed",
]

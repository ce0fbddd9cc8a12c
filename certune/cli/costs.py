"""What agents cost: attempts, tokens and money, for each part of a session that proposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from certune.core.canonical import Json
from certune.core.trial import Trial


@dataclass(frozen=True)
class Cost:
    """The sum over one agent's trials; `money` is what is known of it.

    `estimated` counts the trials whose tokens hold an estimate, `unpriced` those of unknown price.
    """

    agent: str
    attempts: int
    accepted: int
    tokens_in: int
    tokens_out: int
    money: Fraction
    estimated: int
    unpriced: int


def costs(trials: Sequence[Trial]) -> list[Cost]:
    """The cost of each agent, in the order in which they first proposed.

    Agents that are made of others say with each trial by whom it is.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        by = trial.provenance.get("by")
        name = by if isinstance(by, str) and by else trial.agent
        groups.setdefault(name, []).append(trial)
    return [
        Cost(
            agent=name,
            attempts=len(group),
            accepted=sum(trial.accepted for trial in group),
            tokens_in=sum(trial.usage.tokens_in for trial in group),
            tokens_out=sum(trial.usage.tokens_out for trial in group),
            money=sum((trial.usage.money or Fraction(0) for trial in group), Fraction(0)),
            estimated=sum(trial.provenance.get("estimated") is True for trial in group),
            unpriced=sum(trial.usage.money is None for trial in group),
        )
        for name, group in groups.items()
    ]


def cost_lines(trials: Sequence[Trial]) -> list[str]:
    """Lines for people; none where nothing was paid for and one agent proposed."""
    found = costs(trials)
    if len(found) < 2 and not any(cost.tokens_in or cost.tokens_out for cost in found):
        return []
    lines = []
    for cost in found:
        told = f"{cost.agent}: {cost.attempts} attempts, {cost.accepted} accepted"
        if cost.tokens_in or cost.tokens_out:
            told += f", {cost.tokens_in} tokens in and {cost.tokens_out} out"
            if cost.estimated:
                told += f" (an estimate in {cost.estimated} of them)"
            if cost.unpriced == cost.attempts:
                told += ", price unknown"
            else:
                told += f", {float(cost.money):.4f} spent"
                told += f", price unknown of {cost.unpriced}" if cost.unpriced else ""
        lines.append(told)
    return lines


def cost_data(trials: Sequence[Trial]) -> Json:
    """The same as data."""
    return [
        {
            "agent": cost.agent,
            "attempts": cost.attempts,
            "accepted": cost.accepted,
            "tokens_in": cost.tokens_in,
            "tokens_out": cost.tokens_out,
            "money": str(cost.money) if not cost.unpriced else None,
            "estimated": cost.estimated,
        }
        for cost in costs(trials)
    ]

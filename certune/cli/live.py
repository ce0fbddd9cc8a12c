"""What a person sees while a session runs: one line a candidate, and a footer of budgets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from certune.acceptance import amount, best_bound, gap
from certune.core.agent import Notice
from certune.core.measurement import Bound
from certune.core.spec import goal_metrics
from certune.core.trial import Trial

if TYPE_CHECKING:
    from certune.session import Event, Session

STYLES = {
    "accepted": "bold green",
    "not-better": "dim",
    "refuted": "red",
    "invalid": "red",
    "below-floor": "yellow",
    "beyond-bound": "bold red",
    "failed": "magenta",
}


def outcome(trial: Trial) -> str:
    """The outcome of a trial in one word."""
    if trial.decision is None:
        return "failed"
    return trial.decision.reason


def costs(session: Session, trial: Trial) -> str:
    """The goal metrics of a trial with their gap to the bound."""
    if trial.measurement is None:
        return ""
    metrics = goal_metrics(session.task.spec.goal)
    shown = []
    for metric in metrics[:2]:
        value = trial.measurement.values.get(metric.name)
        if value is None:
            continue
        distance = gap(metric, value, session.bounds)
        told = "" if distance is None else f" (gap {percent(float(distance))})"
        shown.append(amount(value, metric.unit) + told)
    return ", ".join(shown) + (" …" if len(metrics) > 2 else "")


def percent(value: float) -> str:
    """A ratio as a percentage: 0 %, <0.1 %, 3.2 %, 140 %; 0 % is exactly 0."""
    if value == 0:
        return "0 %"
    if value < 0.0005:
        return "<0.1 %"
    return f"{value * 100:.1f} %" if value < 1 else f"{value * 100:.0f} %"


def why(trial: Trial) -> str:
    """The sentence about a trial."""
    if trial.failure is not None:
        return trial.failure
    known = "known: " if trial.known else ""
    return known + (trial.decision.why if trial.decision else "")


def line(session: Session, trial: Trial) -> str:
    """A trial as one plain line."""
    name = str(trial.provenance.get("solver", "")) or trial.payload[7:15]
    verdict = trial.verdict.status.value if trial.verdict else "-"
    return (
        f"{trial.number:>4}  {trial.agent}/{name:<10} {verdict:<8} {outcome(trial):<12} "
        f"{costs(session, trial):<32} {why(trial)}"
    )


def header() -> str:
    """What the columns of `line` are."""
    return f"   #  {'agent/name':<17} {'verdict':<8} {'outcome':<12} {'cost (gap)':<32} why"


def bound_line(bound: Bound) -> str:
    """A newly proven bound as one plain line."""
    return f"      {bound.kind} bound: {bound.claim}"


class Screen:
    """Prints each event as it happens; on a terminal a footer shows what is spent."""

    def __init__(self, session: Session, console: Console) -> None:
        self._session = session
        self._console = console
        self._began = time.monotonic()
        self._earlier = session.spent.seconds
        self._live: Live | None = None
        self._passing = ""

    def __enter__(self) -> Screen:
        self._console.print(Text(header(), style="dim"), soft_wrap=True)
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._footer,
                console=self._console,
                refresh_per_second=4,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Notice):
            self._passing = event.text if event.passing else ""
            if event.passing:
                return
            text = Text(f"      {event.text}", style="dim")
        elif isinstance(event, Trial):
            self._passing = ""
            text = Text(line(self._session, event))
            text.stylize(STYLES.get(outcome(event), ""))
        else:
            text = Text(bound_line(event), style="cyan")
        if self._console.is_terminal:
            self._console.print(text, no_wrap=True, overflow="ellipsis", crop=True)
        else:
            self._console.print(text, soft_wrap=True)

    def _footer(self) -> RenderableType:
        session = self._session
        budget = session.record.budget
        trials = session.trials
        seconds = self._earlier + time.monotonic() - self._began
        accepted = sum(trial.accepted for trial in trials)
        tokens = sum(t.usage.tokens_in + t.usage.tokens_out for t in trials)
        table = Table.grid(padding=(0, 3))
        table.add_row(
            _progress("attempts", len(trials), budget.attempts),
            _progress("seconds", round(seconds), budget.seconds),
            _progress("tokens", tokens, budget.tokens) if tokens or budget.tokens else "",
            f"accepted {accepted}",
            Text("Ctrl-C stops and keeps the record", style="dim"),
        )
        parts: list[RenderableType] = [table]
        for metric in goal_metrics(session.task.spec.goal)[:1]:
            held = session.incumbent.values.get(metric.name)
            bound = best_bound(metric, session.bounds)
            if held is not None and bound is not None:
                distance = metric.gap(held, bound.value)
                parts.append(
                    Text(
                        f"best {metric.name} {amount(held, metric.unit)}, proven bound "
                        f"{amount(bound.value, metric.unit)}, gap "
                        + ("unknown" if distance is None else percent(float(distance)))
                    )
                )
        if self._passing:
            parts.append(Text(self._passing, style="dim", no_wrap=True, overflow="ellipsis"))
        return Group(*parts)


def _progress(name: str, spent: int, limit: float | None) -> str:
    return f"{name} {spent}" if limit is None else f"{name} {spent}/{limit:g}"

"""The prompt: a brief and a history in words, the same for the same facts, within a budget.

What never changes in a session stands first, so that servers that keep prefixes reuse them.
Wall time is left out: it would make two sessions differ that are alike in everything else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from certune.agents.selection import Chosen, best_first, choose, sentence
from certune.agents.tokens import estimate
from certune.core.agent import Brief, History, PayloadFormat, StartingPoint
from certune.core.measurement import Bound
from certune.core.spec import Metric, goal_metrics
from certune.core.trial import Trial

PROMPT_TOKENS = 16000

_RULES = """\
You propose candidates for an optimization task. Each candidate is judged by a verifier: it is \
parsed strictly, proven correct or refuted with a counterexample, and then its cost is computed. \
Only a candidate that is proven correct and better than the incumbent is accepted; nothing that \
you say about it counts. A refuted candidate is worth the counterexample that it brings: mend \
exactly what the counterexample names."""

_ANSWER = """\
Answer with one complete candidate in the format {name} and nothing else: no comments, no \
ellipses, nothing left out."""

_CLIPPED = 2000
_EXAMPLE = 4000
_BOUNDS = 24


@dataclass(frozen=True)
class Prompt:
    """What a model is told: rules that hold for every task, and the task at hand."""

    system: str
    user: str

    @property
    def tokens(self) -> int:
        """About how many tokens it has."""
        return estimate(self.system) + estimate(self.user)


def clean(text: str) -> str:
    """`text` without control characters, which could hide or forge what a person reads."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def number(value: Fraction, unit: str = "") -> str:
    """A number exactly, with its decimal where it is a fraction."""
    text = str(value)
    if value.denominator != 1:
        short = f"{float(value):.6g}"
        text = f"{text} (about {short})" if len(text) <= 12 else f"about {short}"
    return f"{text} {unit}".rstrip()


def metrics(goal_first: Sequence[Metric], values: Mapping[str, Fraction]) -> str:
    """Metrics in one line, those of the goal first."""
    units = {metric.name: metric.unit for metric in goal_first}
    names = [name for name in units if name in values]
    names += [name for name in values if name not in units]
    return ", ".join(f"{name} = {number(values[name], units.get(name, ''))}" for name in names)


def shown(data: bytes, most: int) -> str | None:
    """A payload as text in a fence, None where it is longer than `most` tokens."""
    text = clean(data[: 8 * most + 8].decode("utf-8", "replace"))
    if len(data) > 8 * most or estimate(text) > most:
        return None
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text.rstrip()}\n{fence}"


def _clipped(data: bytes) -> str:
    text = clean(data[:_CLIPPED].decode("utf-8", "replace"))
    return shown(text.encode(), _CLIPPED) or ""


def _goal(brief: Brief, bounds: Sequence[Bound]) -> list[str]:
    lines = []
    for metric in goal_metrics(brief.spec.goal):
        direction = "less is better" if metric.better == "lower" else "more is better"
        lines.append(f"- {metric.name} in {metric.unit}: {direction}")
    if not lines:
        lines.append("- a proof is all that is asked for: every obligation must hold")
    lines += [
        f"- {bound.kind} bound, {bound.metric.name} {number(bound.value, bound.metric.unit)}: "
        f"{bound.claim}"
        for bound in list(bounds)[-_BOUNDS:]
    ]
    return lines


def _format(chosen: PayloadFormat) -> list[str]:
    lines = [f"Format {chosen.name}: {chosen.description}"]
    if chosen.schema is not None:
        schema = json.dumps(chosen.schema, ensure_ascii=False, separators=(", ", ": "))
        lines += ["", "JSON schema:", "```", schema, "```"]
    return lines


def about(brief: Brief, chosen: PayloadFormat) -> str:
    """Everything about the task that no attempt changes: task, format, example, repairs."""
    parts = ["# Task", brief.task, ""]
    parts += [*brief.hints, ""] if brief.hints else []
    parts += ["# Format", *_format(chosen)]
    if chosen.example:
        example = shown(chosen.example, _EXAMPLE)
        if example:
            parts += ["", "A valid example of the format:", example]
    if brief.repairs:
        parts += ["", "# What mends which failure"]
        parts += [f"- {name}: {advice}" for name, advice in brief.repairs.items()]
    return "\n".join(parts)


def system(brief: Brief, chosen: PayloadFormat) -> str:
    """The rules, and everything about the task that no attempt changes."""
    return "\n".join([_RULES, "", about(brief, chosen), "", _ANSWER.format(name=chosen.name)])


class _Room:
    """Lines within a budget of tokens."""

    def __init__(self, tokens: int) -> None:
        self.left = tokens
        self.lines: list[str] = []

    def add(self, *lines: str) -> bool:
        """Add lines together, or none of them where they do not fit."""
        cost = sum(estimate(line) + 1 for line in lines)
        if cost > self.left:
            return False
        self.left -= cost
        self.lines += lines
        return True


def _heading(trial: Trial, goal_names: Sequence[Metric]) -> str:
    what = trial.decision.reason if trial.decision else "not judged"
    values = trial.measurement.values if trial.measurement else {}
    told = metrics(goal_names, values)
    return f"Trial {trial.number}: {what}. {clean(sentence(trial))[:1000]}" + (
        f" [{told}]" if told else ""
    )


def attempt(room: _Room, trial: Trial, history: History, goal_names: Sequence[Metric]) -> None:
    """Add an attempt: its verdict always, its payload where there is room."""
    lines = ["", _heading(trial, goal_names)]
    note = trial.provenance.get("note")
    if isinstance(note, str) and note:
        lines.append(f"Note: {clean(note)[:300]}.")
    if not room.add(*lines):
        return
    data = history.payload(trial).data
    if trial.artefact is None:
        room.add(_clipped(data))  # it did not parse: the beginning is enough to see why
        return
    whole = shown(data, room.left)
    if whole is None or not room.add(whole):
        room.add(f"(its payload of {len(data)} bytes is too long to show)")


def _start(room: _Room, start: StartingPoint, goal_names: Sequence[Metric], example: bytes) -> None:
    above = " (the example of the format above)" if start.payload.data == example else ""
    if not room.add("", f"{start.name}{above}: {metrics(goal_names, start.values)}") or above:
        return
    whole = shown(start.payload.data, room.left // 2)
    if whole is not None:
        room.add(whole)


def _counts(trials: Sequence[Trial]) -> str:
    counts: dict[str, int] = {}
    for trial in trials:
        reason = trial.decision.reason if trial.decision else "not judged"
        counts[reason] = counts.get(reason, 0) + 1
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    repeated = sum(trial.known for trial in trials)
    again = (
        f" {repeated} of them repeat an earlier one; that is a lost attempt." if repeated else ""
    )
    return f"{len(trials)} attempts so far: {told}.{again}"


def _incumbents(brief: Brief, trials: Sequence[Trial], names: Sequence[Metric]) -> list[str]:
    """What is to be beaten at each goal metric, and whose it is."""
    lines = []
    for metric in names:
        best: tuple[Fraction, str] | None = None
        held = [(start.values, start.name) for start in brief.starts]
        held += [
            (trial.measurement.values, f"trial {trial.number}")
            for trial in trials
            if trial.accepted and trial.measurement is not None
        ]
        for values, name in held:
            value = values.get(metric.name)
            if value is not None and (best is None or metric.improves(value, best[0])):
                best = (value, name)
        if best is not None:
            lines.append(f"- to beat: {metric.name} {number(best[0], metric.unit)}, {best[1]}")
    return lines


def user(
    brief: Brief,
    history: History,
    trials: Sequence[Trial],
    tokens: int,
    chosen: Chosen | None = None,
    wish: str = "",
    example: bytes = b"",
) -> str:
    """What stands now, what was tried, and what is asked for, in at most about `tokens` tokens.

    `chosen` are the attempts to show, by default the most useful of `trials`; `wish` is what is
    asked for in place of a better candidate.
    """
    goal_names = goal_metrics(brief.spec.goal)
    room = _Room(tokens)
    room.add("# Goal", *_goal(brief, history.bounds or brief.bounds))
    room.add(*_incumbents(brief, trials, goal_names))
    picked = chosen if chosen is not None else choose(brief.spec.goal, trials)
    standing = best_first(brief.spec.goal, trials)
    # A start stops to be of use once something better was accepted.
    if brief.starts and not any(trial.accepted for trial in standing):
        room.add("", "# Where to begin: correct candidates")
        for start in reversed(brief.starts[-2:]):
            _start(room, start, goal_names, example)
    if trials:
        room.add("", "# Earlier trials", _counts(trials))
        for trial in picked.trials:
            attempt(room, trial, history, goal_names)
        if picked.sentences:
            room.add("", "Other failures so far:")
            for told in picked.sentences:
                room.add(f"- {clean(told)[:500]}")
    ask = wish or "Propose a candidate that is better than what is to be beaten"
    if not goal_names and not wish:
        ask = "Propose a candidate that meets every obligation"
    if trials and not wish:
        ask += ", other than all before it"
    return "\n".join([*room.lines, "", ask + "."])


def render(
    brief: Brief,
    history: History,
    *,
    trials: Sequence[Trial] | None = None,
    chosen: PayloadFormat | None = None,
    tokens: int = PROMPT_TOKENS,
    attempts: Chosen | None = None,
    wish: str = "",
) -> Prompt:
    """The whole prompt, of about `tokens` tokens; what never changes is never cut.

    `trials` are the attempts that it may speak of (all of the history where not given).
    """
    offered = chosen or brief.formats[0]
    told = system(brief, offered)
    example = offered.example if shown(offered.example, _EXAMPLE) else b""
    listed = history.trials if trials is None else trials
    left = max(tokens - estimate(told), 400)
    return Prompt(told, user(brief, history, listed, left, attempts, wish, example))


def repair(trial: Trial, advice: Mapping[str, str]) -> str:
    """What goes back to the model when its answer did not parse."""
    lines = [f"This was refused before it was checked: {clean(sentence(trial))[:1000]}."]
    note = trial.provenance.get("note")
    if isinstance(note, str) and note:
        told = clean(note)[:300]
        lines.append(f"{told[:1].upper()}{told[1:]}.")
    if "format" in advice:
        lines.append(advice["format"])
    lines.append("Send the whole candidate again, mended, and nothing else.")
    return "\n".join(lines)

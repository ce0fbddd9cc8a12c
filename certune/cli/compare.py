"""`certune compare`: agents side by side at equal budget."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from certune.cli.guard import PROJECT, AsJson, Project, guarded
from certune.cli.options import budget, pairs
from certune.core.canonical import Json

if TYPE_CHECKING:
    from certune.compare import Contender, Interval, Outcome, Table

DEFAULT_RUNS = 6


@guarded
def compare(
    task: Annotated[str, typer.Argument(help="A task, as in collective/allgather.")],
    agents: Annotated[
        str, typer.Option("--agents", "-a", help="Agents, joined by commas: search,best-of-n.")
    ],
    budget_: Annotated[
        list[str],
        typer.Option("--budget", "-b", help="What each run may spend: attempts=50, tokens=100000."),
    ],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="A parameter of the task, as in topology=dgx1."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", "-o", help="An option of one agent: AGENT.key=value, as in random.seed=3."
        ),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="The server of all agents that ask a model.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The model of all agents that ask one.")
    ] = None,
    runs: Annotated[
        int, typer.Option("--runs", help="Runs of each agent whose result may vary.", min=1)
    ] = DEFAULT_RUNS,
    project: Project = PROJECT,
    as_json: AsJson = False,
) -> None:
    """Run several agents at equal budget and say, with confidence intervals, who is better.

    Examples:

      certune compare collective/allgather -p topology=ring -p ranks=4 \\
        -a search,random -b attempts=50

      certune compare collective/allgather -p topology=dgx1 -a search,best-of-n,openai \\
        -b tokens=200000 --base-url http://127.0.0.1:8000/v1 --model qwen3
    """
    from certune import plugins
    from certune.cli.optimize import context
    from certune.compare import compare as run

    opened = plugins.open_task(plugins.spec(task, pairs(parameter or (), "--parameter")))
    shared = {"base_url": base_url, "model": model}
    contenders = _contenders(
        [name.strip() for name in agents.split(",")],
        pairs(option or (), "--option"),
        {name: value for name, value in shared.items() if value},
    )
    limits = budget(budget_)
    folder = project / ".certune" / "compare" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"

    def watch(outcome: Outcome) -> None:
        if not as_json:
            _say(
                f"{outcome.agent:<12} run {outcome.run}: {outcome.improvement:.3f} times the "
                f"baseline, {outcome.accepted} accepted of {outcome.spent.attempts}, "
                f"{outcome.spent.seconds:.1f} s"
            )

    table = run(opened, contenders, limits, folder, runs=runs, context=context(), watch=watch)
    if as_json:
        json.dump(_data(table), sys.stdout, indent=2)
        _say()
        return
    _show(table, runs)
    _say(f"every run is recorded: certune show --project {folder}/AGENT-RUN")


def _contenders(
    names: Sequence[str], given: Mapping[str, str], shared: Mapping[str, str]
) -> list[Contender]:
    """The agents with their options, refused before anything runs when something is wrong."""
    from certune import plugins
    from certune.compare import Contender
    from certune.core.agent import AgentSetup
    from certune.core.errors import ConfigurationError, nearest

    options: dict[str, dict[str, str]] = {name: {} for name in names}
    factories = {name: plugins.agent(name) for name in names}
    for name, factory in factories.items():
        if getattr(factory, "asks_model", False):
            options[name] |= shared
    for key, value in given.items():
        name, dot, option = key.partition(".")
        if not dot or name not in options:
            raise ConfigurationError(
                f"{key[:60]!r} names no agent of --agents",
                place="--option",
                remedy=nearest(name, options) + " Write AGENT.key=value",
            )
        options[name][option] = value
    for name, factory in factories.items():
        factory(AgentSetup(options[name], lambda: iter(())))
    return [Contender(name, factories[name], options[name]) for name in names]


def _say(text: str = "") -> None:
    print(text)  # noqa: T201


def _range(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "unbounded"
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _show(table: Table, runs: int) -> None:
    from rich.console import Console
    from rich.table import Table as Grid

    grid = Grid(box=None, pad_edge=False)
    grid.add_column("agent")
    titles = ("runs", "× baseline", "interval (level)", "gap", "attempts", "tokens", "seconds")
    for title in titles:
        grid.add_column(title, justify="right", no_wrap=True)
    for summary in table.summaries:
        gaps = [outcome.gap for outcome in summary.outcomes if outcome.gap is not None]
        spent = [outcome.spent for outcome in summary.outcomes]
        level = f" ({summary.interval.level:.1%})" if summary.chance else " (no chance)"
        grid.add_row(
            summary.agent,
            str(len(summary.outcomes)),
            f"{summary.median:.3f}",
            _range(summary.interval) + level,
            f"{sorted(gaps)[len(gaps) // 2]:.1%}" if gaps else "unknown",
            f"{sum(s.attempts for s in spent) / len(spent):.0f}",
            f"{sum(s.tokens for s in spent) / len(spent):.0f}",
            f"{sum(s.seconds for s in spent) / len(spent):.1f}",
        )
    out = Console(highlight=False)
    out.width = max(out.width, 100)
    _say()
    out.print(grid)
    _say()
    for pair in table.pairs:
        told = {
            "better": f"{pair.first} is better than {pair.second}",
            "worse": f"{pair.first} is worse than {pair.second}",
            "equal": f"{pair.first} and {pair.second} come to the same",
            "not-shown": f"no difference shown between {pair.first} and {pair.second}",
        }[pair.answer]
        extent = f"{pair.ratio:.3f} times, {_range(pair.interval)}"
        if pair.interval.low is None:
            extent = f"{pair.ratio:.3f} times; {runs} runs are too few for an interval"
        elif pair.interval.level < 1:
            extent += f" at {pair.interval.level:.1%}"
        _say(f"{told} ({extent})")


def _data(table: Table) -> Json:
    from certune.core.codec import encode

    return encode(table)

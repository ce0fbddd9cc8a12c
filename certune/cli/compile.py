"""`certune compile`: better instructions for the DSPy agent, learned from verdicts."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certune.cli.guard import PROJECT, AsJson, Project, fail, guarded
from certune.cli.live import outcome, why
from certune.cli.optimize import context
from certune.cli.options import budget, pairs

if TYPE_CHECKING:
    from certune.agents.dspy_compile import Lesson
    from certune.core.agent import AgentSetup, Notice
    from certune.core.budget import Budget, Remaining, Spent
    from certune.core.family import Task
    from certune.core.spec import TaskSpec
    from certune.core.trial import Proposal, Trial
    from certune.ledger import Ledger
    from certune.session import Session

DEFAULT = "attempts=60,time=1h"


@guarded
def compile_(
    task: Annotated[
        list[str],
        typer.Argument(
            metavar="TASK...",
            help="Tasks to practise on; parameters of one follow a colon, as in "
            "collective/allgather:topology=ring,ranks=4.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="Where the program is written (JSON).")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="A parameter of every task."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="An option of the agent dspy, key=value."),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="The server to ask; the option base_url.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The model to ask; the option model.")
    ] = None,
    budget_: Annotated[
        list[str] | None,
        typer.Option(
            "--budget",
            "-b",
            help="What may be spent on all tasks together.",
            show_default=DEFAULT,
        ),
    ] = None,
    project: Project = PROJECT,
    as_json: AsJson = False,
) -> None:
    """Improve the instructions of the dspy agent on a set of tasks (DSPy's GEPA).

    The verifier's words are the feedback; every attempt is recorded, and what is better is
    accepted as in any session. Examples:

      certune compile collective/allgather:topology=ring,ranks=4 \\
        collective/allgather:topology=dgx1 --output program.json --model NAME

      certune optimize collective/allgather -p topology=dgx1 -a dspy -o program=program.json
    """
    from certune import plugins
    from certune.agents.dspy import DSPy
    from certune.ledger import Ledger

    options = pairs(option or (), "--option")
    options |= {"base_url": base_url} if base_url else {}
    options |= {"model": model} if model else {}
    limits = budget(budget_ or (DEFAULT,))
    shared = pairs(parameter or (), "--parameter")
    tasks = [plugins.open_task(_spec(text, shared)) for text in task]
    _check_output(output)
    with Ledger.open(project) as ledger, contextlib.ExitStack() as stack:
        purse = _Purse(limits, project)
        agent = DSPy(_setup(options, purse))
        for opened in tasks:
            purse.add(stack.enter_context(_session(ledger, opened, options, limits)))
        from certune.agents.dspy_compile import compile_program
        from certune.agents.dspy_program import save

        runs = limits.attempts if limits.attempts is not None else 10**6
        lessons = purse.lessons(_line)
        # DSPy draws progress bars on standard output; what happens is said line by line here.
        with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
            compiled = compile_program(agent, lessons, runs)
        save(compiled.program, output)
        attempts = sum(len(session.trials) for session in purse.sessions)
        data = {
            "output": str(output),
            "before": compiled.before,
            "after": compiled.after,
            "attempts": attempts,
            "tokens": purse.spent().tokens,
            "sessions": [session.identity for session in purse.sessions],
            "ended": compiled.ended,
        }
    if as_json:
        json.dump(data, sys.stdout, indent=2)
        print()  # noqa: T201
        return
    print(f"{compiled.ended}; {attempts} attempts, {data['tokens']} tokens")  # noqa: T201
    print(  # noqa: T201
        f"score on these tasks {compiled.before:.3f} before, {compiled.after:.3f} after; on tasks "
        "that were not practised it may be another"
    )
    print(f"wrote {output}; use it: -a dspy -o program={output}")  # noqa: T201


def _spec(text: str, shared: dict[str, str]) -> TaskSpec:
    from certune import plugins

    name, _, given = text.partition(":")
    own = pairs([part for part in given.split(",") if part], "TASK")
    return plugins.spec(name, shared | own)


def _check_output(output: Path) -> None:
    from certune.core.errors import ConfigurationError

    if output.is_dir() or not output.absolute().parent.is_dir():
        raise ConfigurationError(
            "no file can be written there", place=str(output), remedy="name a file in a folder"
        )


def _line(trial: Trial, session: Session) -> None:
    score = trial.provenance.get("turn", "")
    fail(f"{session.task.spec.task} {trial.number:>3} {score:<8} {outcome(trial)}: {why(trial)}")


class _Purse:
    """The sessions of one compilation, and one budget for all of them."""

    def __init__(self, limits: Budget, project: Path) -> None:
        self._limits = limits
        self._project = project
        self._began = time.monotonic()
        self.sessions: list[Session] = []

    def add(self, session: Session) -> None:
        """Count what this session spends."""
        self.sessions.append(session)

    def spent(self) -> Spent:
        """What all of them have spent; time passes for them together."""
        from certune.core.budget import Spent

        total = Spent(seconds=time.monotonic() - self._began)
        for session in self.sessions:
            one = session.ledger.spent(session.identity)
            total = replace(
                total,
                attempts=total.attempts + one.attempts,
                tokens=total.tokens + one.tokens,
                money=total.money + one.money,
            )
        return total

    def remaining(self) -> Remaining:
        """What is left for all of them."""
        return self._limits.remaining(self.spent())

    def lessons(self, watch: Callable[[Trial, Session], None]) -> list[Lesson]:
        """Each session as something to practise on."""
        from certune.agents.dspy_compile import Lesson

        return [
            Lesson(session.ask(), session.history, self._door(session, watch))
            for session in self.sessions
        ]

    def _door(
        self, session: Session, watch: Callable[[Trial, Session], None]
    ) -> Callable[[Proposal], Trial]:
        from certune.core.errors import BudgetSpent
        from certune.project import publish

        def submit(proposal: Proposal) -> Trial:
            limit = self._limits.exhausted(self.spent())
            if limit is not None:
                raise BudgetSpent(f"the budget of {limit} is spent")
            trial = session.submit(proposal)
            if trial.accepted:
                publish(self._project, session.ledger, trial)
            watch(trial, session)
            return trial

        return submit


def _setup(options: dict[str, str], purse: _Purse) -> AgentSetup:
    from certune.core.agent import AgentSetup

    def tell(notice: Notice) -> None:
        if not notice.passing:
            fail(notice.text)

    def stopped() -> bool:
        left = purse.remaining().seconds
        return left is not None and left <= 0

    return AgentSetup(
        options, lambda: iter(()), remaining=purse.remaining, stopped=stopped, tell=tell
    )


@contextlib.contextmanager
def _session(
    ledger: Ledger, task: Task, options: dict[str, str], limits: Budget
) -> Iterator[Session]:
    """A session that is open while the program practises on it, and whose end is recorded."""
    from certune.session import Session

    began = time.monotonic()
    session = Session.start(
        ledger, task, agent="dspy", options=options, budget=limits, context=context()
    )
    try:
        yield session
    finally:
        ledger.end(session.identity, "compiled", time.monotonic() - began)

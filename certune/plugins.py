"""Families and agents by name, through entry points, loaded when they are used."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

from certune.core.agent import AgentFactory
from certune.core.errors import InvalidInput, Unavailable, nearest
from certune.core.family import Family, Task
from certune.core.spec import TaskSpec

if TYPE_CHECKING:
    from certune.sandbox.executors import Executor

FAMILIES = "certune.families"
AGENTS = "certune.agents"
EXECUTORS = "certune.executors"


def names(group: str) -> tuple[str, ...]:
    """The names registered in an entry point group, sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


def _load(group: str, name: str, noun: str) -> object:
    found: dict[str, EntryPoint] = {entry.name: entry for entry in entry_points(group=group)}
    if name not in found:
        raise InvalidInput(f"there is no {noun} {name!r}", remedy=nearest(name, found))
    try:
        return found[name].load()
    except ImportError as error:
        raise Unavailable(f"the {noun} {name!r} cannot be loaded: {error}") from error


def family(name: str) -> Family:
    """The family of this name.

    Raises:
        InvalidInput: there is none.
        Unavailable: it is there, but something that it needs is not installed.
    """
    return cast("type[Family]", _load(FAMILIES, name, "family"))()


def agent(name: str) -> AgentFactory:
    """What makes the agent of this name.

    Raises:
        InvalidInput: there is none.
        Unavailable: it is there, but something that it needs is not installed.
    """
    return cast(AgentFactory, _load(AGENTS, name, "agent"))


def executor(name: str) -> Callable[..., Executor]:
    """What makes the executor of this name; options are its own.

    Raises:
        InvalidInput: there is none.
        Unavailable: it is there, but something that it needs is not installed.
    """
    return cast("Callable[..., Executor]", _load(EXECUTORS, name, "executor"))


def spec(task: str, parameters: dict[str, str]) -> TaskSpec:
    """The specification of a task ``family/name`` with parameters as a user gives them."""
    family_name, slash, _ = task.partition("/")
    if not slash:
        raise InvalidInput(
            f"{task!r} is no task", remedy="write family/name, as in collective/allgather"
        )
    return family(family_name).spec(task, parameters)


def open_task(task_spec: TaskSpec) -> Task:
    """The task that a specification describes."""
    return family(task_spec.family).open(task_spec)

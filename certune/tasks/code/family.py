"""The family `code`: programs with contracts, annotated and proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from certune.core.codec import decode, encode
from certune.core.errors import ConfigurationError, InvalidInput, NotRepeatable, nearest
from certune.core.family import Parameter, Task, TaskInfo
from certune.core.spec import Limits, Satisfy, TaskSpec
from certune.core.status import Status
from certune.tasks.code.annotations import bare
from certune.tasks.code.suite_files import programs
from certune.tasks.code.task import CodeTask, Parameters

# Of a user's own file; see docs/code.md.
OWN = "file"
_MOST = 200_000
_FLOORS = {"*": Status.PROVED}
_LIMITS = Limits(payload_bytes=_MOST)
_ASKS = ("annotations", "implementation")


class CodeFamily:
    """Functions with contracts in a subset of Python, proven by Z3."""

    name = "code"
    semantics = 1

    def tasks(self) -> Sequence[TaskInfo]:
        """The shipped programs, and a user's own file."""
        asks = Parameter("asks", "what is to be found", "annotations", _ASKS)
        own = TaskInfo(
            f"{self.name}/{OWN}",
            "annotations, or an implementation, for the functions of a file of yours",
            (
                Parameter("path", "the file, with contracts"),
                asks,
                Parameter("prover", "a prover of another language: dafny, frama-c, verus", ""),
            ),
            f"certune optimize {self.name}/{OWN} -p path=ring.py",
        )
        shipped = (
            TaskInfo(
                f"{self.name}/{program.name}",
                program.summary,
                (asks,),
                f"certune optimize {self.name}/{program.name}",
            )
            for program in programs().values()
        )
        return (own, *shipped)

    def spec(self, task: str, parameters: Mapping[str, str]) -> TaskSpec:
        """The specification of ``code/NAME``; see `certune.core.Family.spec`."""
        name = _known(task)
        allowed = ("asks", "path", "prover") if name == OWN else ("asks",)
        for given in parameters:
            if given not in allowed:
                raise ConfigurationError(
                    f"{task} has no parameter {given!r}", remedy=nearest(given, allowed)
                )
        asks = parameters.get("asks", "annotations")
        if asks not in _ASKS:
            raise ConfigurationError(f"asks={asks}", remedy=nearest(asks, _ASKS))
        if parameters.get("prover"):
            from certune.tasks.code.provers import task as provers

            if asks != "annotations":
                raise ConfigurationError(f"asks={asks} with a prover", remedy="leave asks out")
            named = provers.parameters(parameters.get("path", ""), parameters["prover"])
            return TaskSpec(task, self.semantics, named, Satisfy(), _FLOORS, _LIMITS)
        if name == OWN:
            chosen = Parameters(_own(parameters.get("path", ""), asks), asks)  # type: ignore[arg-type]
        else:
            chosen = Parameters(_bare(name), asks, programs()[name].statement)  # type: ignore[arg-type]
        data = encode(chosen)
        assert isinstance(data, Mapping)
        return TaskSpec(task, self.semantics, data, Satisfy(), _FLOORS, _LIMITS)

    def open(self, spec: TaskSpec) -> Task:
        """The task that a specification describes; see `certune.core.Family.open`.

        A specification that goes by the name of a shipped program must hold that program:
        a weaker contract under a known name is refused.
        """
        name = _known(spec.task)
        if spec.semantics != self.semantics:
            raise NotRepeatable(
                f"this certune reads version {self.semantics} of the family {self.name}, the "
                f"specification asks for version {spec.semantics}"
            )
        if not isinstance(spec.goal, Satisfy):
            raise InvalidInput("the goal of code is a proof", place="goal")
        if dict(spec.floors) != _FLOORS:
            raise InvalidInput("everything about a program must be proved", place="floors")
        if spec.limits != _LIMITS:
            raise InvalidInput("the limits are not those of this family", place="limits")
        if name == OWN and "prover" in spec.parameters:
            from certune.tasks.code.provers.task import opened

            return opened(spec)
        parameters = decode(Parameters, spec.parameters, "parameters")
        if name != OWN and parameters.program != _bare(name):
            raise InvalidInput(f"the program is not the shipped {name}", place="parameters.program")
        _readable(parameters.program.encode(), parameters.asks, "parameters.program")
        return CodeTask(spec, parameters)


@cache
def _bare(name: str) -> str:
    return bare(programs()[name].source)


def _own(path: str, asks: str) -> str:
    """A user's file without the annotations in its bodies; it is parsed, never run."""
    if not path:
        raise ConfigurationError("which file?", remedy="-p path=FILE.py")
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", place=path) from None
    _readable(data, asks, path)
    return bare(data.decode())


def _readable(program: bytes, asks: str, place: str) -> None:
    """Refuse a task whose program no annotation could prove, being outside of the language.

    Measures may still be missing; where an implementation is asked for, the bodies say nothing.
    """
    from certune.verifier.contracts.module import parse
    from certune.verifier.contracts.report import Limits as Reading

    parsed = parse(program, "", Reading())
    found = list(parsed.findings)
    if asks == "annotations":
        found += [f for f in parsed.broken.values() if f.reason != "decreases"]
    for finding in found:
        remedy = finding.remedy
        if finding.reason == "import" and not remedy:
            remedy = "a task is one file: put what it imports into it"
        raise InvalidInput(
            finding.message,
            place=f"{place}:{finding.place.line}:{finding.place.column}",
            remedy=remedy,
        )


def _known(task: str) -> str:
    family, _, name = task.partition("/")
    if family == CodeFamily.name and (name == OWN or name in programs()):
        return name
    raise InvalidInput(
        f"there is no task {task[:60]!r}", remedy=nearest(name[:60], [OWN, *programs()])
    )

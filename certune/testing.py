"""Conformance suites for those who write families or executors of their own.

Needs pytest, which the extra ``certune[test]`` brings. Subclass `TaskSuite` in a test module,
name a task and its parameters, and pytest runs every test in it::

    class TestAllgather(TaskSuite):
        family = CollectiveFamily()
        task = "collective/allgather"
        parameters = {"topology": "dgx1"}

        def wrong_payloads(self, baseline):
            yield Payload("certune-schedule", ...)

What it asks is what the door relies on: that a specification alone rebuilds the task, that
hostile bytes end as `invalid` and nothing else, that the artefact is judged as itself, that
bounds hold and repeat, that built-in search is deterministic and correct.

`ExecutorSuite` is the same for executors: see its own documentation.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import ClassVar

import pytest

from certune.acceptance import Incumbent, decide
from certune.core.candidate import Payload
from certune.core.codec import decode, encode
from certune.core.errors import InvalidInput, InvalidPayload, NotRepeatable
from certune.core.family import Context, Family, Task
from certune.core.measurement import Bound
from certune.core.obligation import Verdict
from certune.core.spec import TaskSpec, goal_metrics
from certune.core.status import Status
from certune.judging import elaborate, judge
from certune.sandbox.executors.suite import ExecutorSuite

__all__ = ["ExecutorSuite", "TaskSuite"]

_HOSTILE = (
    b"",
    b"\x00",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b"{}",
    b"[" * 5000,
    b'{"a":' * 5000,
    b"1e999999999",
    b"9" * 100_000,
    b'{"format":NaN}',
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
)


class TaskSuite:
    """What every task of every family must satisfy; see the module's documentation."""

    family: ClassVar[Family]
    task: ClassVar[str]
    parameters: ClassVar[Mapping[str, str]] = {}
    solver_steps: ClassVar[int] = 3

    def context(self) -> Context:
        """What the family may call; override to give it a prover or a runner."""
        return Context()

    def wrong_payloads(self, baseline: Payload) -> Iterable[Payload]:
        """Payloads that parse and must be refuted; made by hand or from the baseline's."""
        return ()

    # -- the tests -------------------------------------------------------------------------

    def test_a_specification_alone_rebuilds_the_task(self) -> None:
        """Encoded, decoded and opened again it has the same baseline and bounds."""
        spec = self._spec()
        again = decode(TaskSpec, encode(spec))
        assert again == spec
        assert again.digest == spec.digest
        one, other = self.family.open(spec), self.family.open(again)
        assert one.baseline() == other.baseline()
        assert encode(tuple(one.bounds(self.context()))) == encode(
            tuple(other.bounds(self.context()))
        )

    def test_parameters_that_are_not_known_are_named(self) -> None:
        """A misspelt parameter is refused with a remedy, never passed over."""
        with pytest.raises(InvalidInput, match="no-such-parameter"):
            self.family.spec(self.task, {**self.parameters, "no-such-parameter": "1"})

    def test_another_semantics_is_not_read(self) -> None:
        """A specification of another version of the family's meaning is not opened as this one."""
        other = replace(self._spec(), semantics=self.family.semantics + 1)
        with pytest.raises(NotRepeatable):
            self.family.open(other)

    def test_the_baseline_is_correct_and_within_every_bound(self) -> None:
        """What everybody starts from meets its obligations and contradicts no bound."""
        task = self._open()
        baseline = task.baseline()
        if baseline is None:
            assert not goal_metrics(task.spec.goal)
            return
        judged = judge(task, baseline.payload, self.context())
        assert judged.verdict.met, judged.verdict.failure
        assert judged.measurement is not None
        for metric in goal_metrics(task.spec.goal):
            assert metric.name in judged.measurement.values
        bounds = task.bounds(self.context())
        decision = decide(task.spec.goal, judged.verdict, judged.measurement, Incumbent(), bounds)
        assert decision.reason != "beyond-bound", decision.why

    def test_an_artefact_elaborates_to_itself(self) -> None:
        """The canonical artefact, sent as a payload, is the same artefact with the same files."""
        task = self._open()
        for payload in self._right_payloads(task):
            first = task.elaborate(payload, self.context())
            data = first.artefact.data
            again = task.elaborate(Payload(task.recognise(data), data), self.context())
            assert again.artefact == first.artefact
            assert again.files == first.files
            names = [first.artefact.name, *(file.name for file in first.files)]
            assert len(set(names)) == len(names)
            assert all("/" not in name and name not in (".", "..") for name in names)

    def test_hostile_bytes_are_invalid_and_nothing_else(self) -> None:
        """Garbage, truncation and flipped bits end in a verdict, never in an exception."""
        task = self._open()
        for payload in self._hostile(task):
            candidate = elaborate(task, payload, self.context())
            if isinstance(candidate, Verdict):
                assert candidate.status is Status.INVALID
                assert candidate.failure is not None
                assert candidate.failure.counterexample is not None
                assert candidate.failure.counterexample.sentence
            else:
                task.check(candidate, self.context())

    def test_an_unknown_format_is_invalid(self) -> None:
        """A payload in a format that the task does not name is refused as such."""
        task = self._open()
        with pytest.raises(InvalidPayload, match="no-such-format"):
            task.elaborate(Payload("no-such-format", b"{}"), self.context())

    def test_wrong_payloads_are_refuted_with_a_counterexample(self) -> None:
        """What parses and is wrong gets a sentence that one can act on."""
        task = self._open()
        baseline = task.baseline()
        if baseline is None:
            return
        for payload in self.wrong_payloads(baseline.payload):
            verdict = judge(task, payload, self.context()).verdict
            assert verdict.status is Status.REFUTED, verdict
            assert verdict.failure is not None
            assert verdict.failure.counterexample is not None
            assert verdict.failure.counterexample.sentence

    def test_bounds_repeat_and_stronger_ones_do_not(self) -> None:
        """Each bound is confirmed from the specification alone; a stronger claim is refuted."""
        task = self._open()
        for bound in task.bounds(self.context()):
            assert self.family.open(task.spec).recheck(bound, self.context()), bound
            assert not self.family.open(task.spec).recheck(_stronger(bound), self.context()), bound

    def test_the_brief_names_formats_whose_examples_are_read(self) -> None:
        """Agents are shown at least one format, and what is shown as an example parses."""
        task = self._open()
        brief = task.brief()
        assert brief.task
        assert brief.spec == task.spec
        assert brief.formats
        for known in brief.formats:
            if known.example:
                task.elaborate(Payload(known.name, known.example), self.context())

    def test_built_in_search_is_deterministic_and_correct(self) -> None:
        """Two runs yield the same; what is yielded meets its obligations, or is a true bound."""
        task = self._open()
        for one, other in zip(task.solvers(), self._open().solvers(), strict=True):
            first = list(islice(one.solve(self.context()), self.solver_steps))
            second = list(islice(other.solve(self.context()), self.solver_steps))
            assert [_key(x) for x in first] == [_key(x) for x in second]
            for found in first:
                if isinstance(found, Bound):
                    assert task.recheck(found, self.context()), found
                else:
                    judged = judge(task, found, self.context())
                    assert judged.verdict.met, judged.verdict.failure

    # -- beneath ---------------------------------------------------------------------------

    def _spec(self) -> TaskSpec:
        return self.family.spec(self.task, self.parameters)

    def _open(self) -> Task:
        return self.family.open(self._spec())

    def _right_payloads(self, task: Task) -> Iterator[Payload]:
        baseline = task.baseline()
        if baseline is not None:
            yield baseline.payload
        for solver in task.solvers():
            for found in islice(solver.solve(self.context()), 1):
                if isinstance(found, Payload):
                    yield found

    def _hostile(self, task: Task) -> Iterator[Payload]:
        chance = random.Random(0)  # noqa: S311
        for known in task.brief().formats:
            for data in _HOSTILE:
                yield Payload(known.name, data)
        for payload in self._right_payloads(task):
            data = payload.data
            for _ in range(20):
                place = chance.randrange(len(data))
                yield Payload(payload.format, data[:place])
                flipped = bytes((data[place] ^ (1 << chance.randrange(8)),))
                yield Payload(payload.format, data[:place] + flipped + data[place + 1 :])


def _key(found: Payload | Bound) -> object:
    return encode(replace(found, evidence={})) if isinstance(found, Bound) else found


def _stronger(bound: Bound) -> Bound:
    step = abs(bound.value) / 1000 or 1
    value = bound.value + step if bound.metric.better == "lower" else bound.value - step
    return replace(bound, value=value)

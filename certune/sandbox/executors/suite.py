"""What every executor must do, as tests; `certune.testing` offers it. Needs pytest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from certune.core.errors import Crashed, InvalidInput, TimedOut, Unavailable
from certune.sandbox.executors import exercises
from certune.sandbox.executors.model import Executor, Work
from certune.sandbox.executors.plan import plan
from certune.sandbox.machine import facts


class ExecutorSuite:
    """Subclass it in a test module, with what makes an executor on this machine.

    ::

        class TestMine(ExecutorSuite):
            make = staticmethod(lambda: MyExecutor(validator=None))

    The executor must not validate the machine, which is the test machine's own affair.
    """

    make: ClassVar[Callable[[], Executor]]
    patience: ClassVar[float] = 60.0

    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        """An executor that is closed after the test."""
        with type(self).make() as made:
            yield made

    def ask(self, executor: Executor, work: Work[Any]) -> Any:
        """The result of a work."""
        return executor.submit(work).result(self.patience).value

    def test_results_belong_to_their_works(self, executor: Executor) -> None:
        """Whatever order works end in, each future has its own result."""
        futures = [executor.submit(Work(exercises.add, (i, 1))) for i in range(20)]
        assert [future.result(self.patience).value for future in futures] == list(range(1, 21))
        measured = executor.submit(Work(exercises.add, (1, 2), "measure")).result(self.patience)
        assert measured.value == 3
        assert measured.lost == ()
        assert measured.node in {node.name for node in executor.nodes()}
        assert executor.losses() == ()

    def test_errors_arrive_as_they_were_raised(self, executor: Executor) -> None:
        """An error of certune's keeps its place and remedy; others keep their words."""
        with pytest.raises(InvalidInput) as caught:
            self.ask(executor, Work(exercises.refuse, ("wrong", "line 3", "mend it")))
        assert (caught.value.message, caught.value.place) == ("wrong", "line 3")
        assert caught.value.remedy == "mend it"
        with pytest.raises(Crashed, match="words that must arrive"):
            self.ask(executor, Work(exercises.refuse_unsendable))
        with pytest.raises(Crashed):
            self.ask(executor, Work(exercises.unsendable))
        assert self.ask(executor, Work(exercises.add, (1, 1))) == 2

    def test_a_killed_worker_is_retried_and_reported(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        """The work is done anew, and the loss is told."""
        for kind in ("check", "measure"):
            work = Work(exercises.die, (tmp_path / kind,), kind)
            placed = executor.submit(work).result(self.patience)
            assert placed.value == "survived"
            assert len(placed.lost) == 1
            assert placed.lost[0].attempt == 1
        assert [loss.work for loss in executor.losses()] == [work.name] * 2

    def test_a_work_that_always_dies_is_given_up(self, executor: Executor) -> None:
        """Retries are bounded; the end is an exception, never a result."""
        with pytest.raises(Crashed, match="2 times"):
            self.ask(executor, Work(exercises.die, attempts=2))
        assert len(executor.losses()) == 2
        assert self.ask(executor, Work(exercises.add, (2, 2))) == 4

    def test_a_work_that_takes_too_long_is_ended(self, executor: Executor) -> None:
        """The limit holds, and the seat serves again."""
        began = time.monotonic()
        with pytest.raises(TimedOut):
            self.ask(executor, Work(exercises.sleep, (600.0,), seconds=0.5))
        assert time.monotonic() - began < self.patience
        assert self.ask(executor, Work(exercises.add, (2, 2))) == 4

    def test_measurements_never_overlap_on_cores_that_disturb_each_other(
        self, executor: Executor
    ) -> None:
        """Nor does a check run on the core of a measurement, or on its sibling, meanwhile."""
        found = facts()
        cores = {cpu: core for core in found.cores for cpu in core.cpus}
        measured = [executor.submit(Work(exercises.during, (0.1,), "measure")) for _ in range(4)]
        checked = [executor.submit(Work(exercises.during, (0.05,))) for _ in range(8)]
        spans = [future.result(self.patience).value for future in measured]
        others = [future.result(self.patience).value for future in checked]
        for index, (began, ended, cpus) in enumerate(spans):
            domain = cores[cpus[0]].domain
            for begins, ends, used in spans[:index]:
                if cores[used[0]].domain == domain:
                    assert ends <= began or ended <= begins
            mine = {cpu for used in cpus for cpu in cores[used].cpus}
            for begins, ends, used in others:
                if mine & set(used):
                    assert ends <= began or ended <= begins
        seats = plan(found)
        assert {cpus for _, _, cpus in spans} <= {seat.cpus for seat in seats if seat.measures}

    def test_what_no_node_offers_is_refused_at_once(self, executor: Executor) -> None:
        """A label that nobody has is said with the nearest that somebody has."""
        with pytest.raises(Unavailable, match="no-such-label"):
            executor.submit(Work(exercises.add, (1, 1), labels={"no-such-label": 1}))
        with pytest.raises(Unavailable, match="all of"):
            executor.submit(Work(exercises.add, (1, 1), labels={"CPU": 1e9}))
        assert self.ask(executor, Work(exercises.add, (1, 1), labels={"CPU": 1})) == 2

    def test_workers_are_other_processes_and_write_no_ledger(self, executor: Executor) -> None:
        """The driver alone records."""
        assert self.ask(executor, Work(exercises.process)) != os.getpid()
        assert self.ask(executor, Work(exercises.process, (), "measure")) != os.getpid()
        assert not self.ask(executor, Work(exercises.loaded, ("certune.ledger",)))
        assert self.ask(executor, Work(exercises.environment, ("OPENBLAS_NUM_THREADS",))) == "1"

    def test_closing_ends_what_runs_and_what_waits(self) -> None:
        """No future is left without an end, and nothing more is taken."""
        executor = type(self).make()
        with executor:
            pid = self.ask(executor, Work(exercises.process, (), "measure"))
            running = executor.submit(Work(exercises.sleep, (600.0,), "measure"))
            waiting = executor.submit(Work(exercises.sleep, (600.0,), "measure"))
            time.sleep(0.2)
        for future in (running, waiting):
            with pytest.raises(Unavailable, match="closed"):
                future.result(self.patience)
        with pytest.raises(Unavailable, match="closed"):
            executor.submit(Work(exercises.add, (1, 1)))
        executor.close()
        end = time.monotonic() + self.patience
        while _alive(pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

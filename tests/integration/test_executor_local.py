"""The executor of one machine, as every executor must be, and what is its own."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from machine_samples import CALM, FACTS, probed

from certune import plugins
from certune.core.errors import Crashed, InvalidInput, Unavailable
from certune.sandbox.executors import LocalExecutor, Work, exercises
from certune.sandbox.executors.local import validate_cpu
from certune.sandbox.executors.perform import Order, perform
from certune.sandbox.machine import Finding, MachineReport, facts
from certune.sandbox.machine.record import machine_key
from certune.testing import ExecutorSuite


class TestLocalExecutor(ExecutorSuite):
    make = staticmethod(lambda: LocalExecutor(validator=None))


def fit(cpu: int) -> MachineReport:
    return MachineReport(FACTS, CALM, probed(), ())


def unfit(cpu: int) -> MachineReport:
    return MachineReport(FACTS, CALM, probed(), (Finding("noisy", f"cpu {cpu} is loud", "wait"),))


def test_a_machine_that_is_not_fit_is_not_measured_on(tmp_path):
    with LocalExecutor(validator=unfit, folder=tmp_path) as executor:
        future = executor.submit(Work(exercises.add, (1, 1), "measure"))
        with pytest.raises(Unavailable, match=r"noisy: cpu \d+ is loud"):
            future.result(30)
        assert executor.submit(Work(exercises.add, (1, 1))).result(30).value == 2
        (node,) = executor.nodes()
        assert node.report.state == "noisy"


def test_a_fit_machine_is_validated_once_for_a_while(tmp_path):
    with LocalExecutor(validator=fit, folder=tmp_path) as executor:
        for _ in range(3):
            executor.submit(Work(exercises.add, (1, 1), "measure")).result(30)
        first = executor.nodes()[0].report
        executor.submit(Work(exercises.add, (1, 1), "measure")).result(30)
        assert executor.nodes()[0].report is first


def test_validation_looks_at_all_cpus_and_measures_on_its_own(tmp_path):
    with LocalExecutor(folder=tmp_path) as executor:
        measuring = next(seat for seat in executor.seats if seat.measures)
        report = executor.submit(Work(validate_cpu, measuring.cpus)).result(60).value
        assert set(report.facts.cpus) == os.sched_getaffinity(0)
        with suppress(Unavailable):  # the test machine may be busy
            executor.submit(Work(exercises.add, (1, 1), "measure")).result(60)
        found = executor.nodes()[0].report
        assert set(found.facts.cpus) == os.sched_getaffinity(0)
        assert machine_key(found.facts) == machine_key(facts())


def test_checks_run_beside_each_other_and_beside_a_measurement(tmp_path):
    with LocalExecutor(validator=None) as executor:
        if len(executor.seats) < 3:
            pytest.skip("one core: one work at a time")
        for kinds in (("check", "check"), ("measure", "check")):
            folder = tmp_path / kinds[0]
            folder.mkdir()
            names = ("one", "other")
            futures = [
                executor.submit(Work(exercises.meet, (folder, name, other), kind))
                for kind, name, other in zip(kinds, names, reversed(names), strict=True)
            ]
            assert all(future.result(60).value for future in futures)


def test_work_that_was_cancelled_is_not_done(tmp_path):
    with LocalExecutor(validator=None, checks=1) as executor:
        executor.submit(Work(exercises.sleep, (0.3,)))
        later = executor.submit(Work(exercises.die, (tmp_path / "mark",)))
        assert later.cancel()
        executor.submit(Work(exercises.add, (1, 1))).result(30)
    assert not (tmp_path / "mark").exists()


def test_a_closure_is_refused_with_what_to_do():
    with LocalExecutor(validator=None) as executor:
        with pytest.raises(Crashed, match="use a function of a module"):
            executor.submit(Work(lambda: 1)).result(30)
        assert executor.submit(Work(exercises.add, (1, 1))).result(30).value == 2


SESSION = """
import sys
from certune.sandbox.executors import LocalExecutor, Work, exercises
with LocalExecutor(validator=None) as executor:
    for kind in ("check", "measure"):
        print(executor.submit(Work(exercises.process, (), kind)).result(30).value, flush=True)
        executor.submit(Work(exercises.sleep, (600.0,), kind))
    sys.stdin.read()
"""


def test_nothing_is_left_when_the_driver_is_killed():
    driver = subprocess.Popen(
        [sys.executable, "-c", SESSION],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    pids = [int(driver.stdout.readline()) for _ in range(2)]
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    end = time.monotonic() + 20
    while time.monotonic() < end and any(_runs(pid) for pid in pids):
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_measurements_of_two_sessions_wait_for_each_other(tmp_path):
    order = Order(exercises.during, (0.2,), (min(os.sched_getaffinity(0)),), 0, tmp_path)
    spans = []

    def measure():
        spans.append(perform(order).value)

    threads = [threading.Thread(target=measure) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans.sort()
    assert all(ended <= began for (_, ended, _), (began, _, _) in pairwise(spans))
    other = replace(order, domain=None)
    assert perform(other).error is None


def test_executors_are_found_by_name():
    assert plugins.names(plugins.EXECUTORS) == ("local", "ray")
    with plugins.executor("local")(validator=None) as executor:
        assert executor.name == "local"
    with pytest.raises(InvalidInput, match="no executor 'locl'; did you mean 'local'"):
        plugins.executor("locl")


def test_errors_of_the_order_are_answers():
    answer = perform(Order(exercises.refuse, ("a", "b", "c"), ()))
    assert str(answer.error) == "b: a; c"

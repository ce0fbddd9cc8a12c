"""The self-test as other users and in other surroundings: an ordinary user, Docker's default."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_levels import SAMPLE
from sandbox_places import command, possible

REPOSITORY = Path(__file__).resolve().parents[2]
PLACES = ("plain", "docker", "docker-plain")
CODE = """import json, sys
from certune.sandbox import selftest
from certune.sandbox.model import Isolation
level, names, ways = json.loads(sys.argv[1])
report = selftest.run(Isolation(level), attacks=selftest.chosen(names), ways=ways)
json.dump({"passed": report.passed, "unavailable": report.unavailable,
           "found": [[one.attack, one.held.value, one.reasons] for one in report.findings]},
          sys.stdout)
"""


def run_in(place, level, names=(), ways=("warm",)):
    if why := possible(place):
        pytest.skip(why)
    order = json.dumps([level, names, ways])
    done = subprocess.run(
        command(place, sys.executable, "-c", CODE, order),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def escaped(report):
    return [one for one in report["found"] if one[1] == "escaped"]


@pytest.mark.parametrize("place", PLACES)
def test_a_sample_is_held_elsewhere(place):
    report = run_in(place, 2, SAMPLE)
    assert report["passed"], report
    assert len(report["found"]) == len(SAMPLE)


def test_a_sample_escapes_an_ordinary_user_where_nothing_holds_it():
    report = run_in("plain", 0, SAMPLE)
    assert len(escaped(report)) == len(SAMPLE), report


def test_contained_is_refused_in_a_container_that_refuses_namespaces():
    report = run_in("docker", 3, SAMPLE[:1])
    assert "namespaces are refused" in report["unavailable"]
    assert not report["passed"]


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 2, 3])
@pytest.mark.parametrize("place", PLACES)
def test_the_whole_self_test_elsewhere(place, level):
    report = run_in(place, level, (), ("fresh", "warm"))
    if report["unavailable"]:
        assert level == 3
        assert place.startswith("docker")
        pytest.skip(report["unavailable"])
    assert report["passed"], escaped(report)

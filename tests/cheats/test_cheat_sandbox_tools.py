"""Attacks by way of compilers and other tools, at every level that this machine has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from sandbox_levels import HOLDING, need

from certune.core.errors import Crashed, InvalidInput
from certune.sandbox import selftest, toolchain
from certune.sandbox.attacks import tools
from certune.sandbox.attacks.bait import Bait
from certune.sandbox.attacks.tools import TOOL_LIMITS, Tried
from certune.sandbox.keeper import Keeper
from certune.sandbox.model import Isolation
from certune.sandbox.selftest import Held

NAMES = [attack.name for attack in tools.attacks()]


@cache
def made(level: Isolation) -> dict[str, Tried]:
    with Bait(TOOL_LIMITS) as bait, Keeper(level, profile="toolchain") as keeper:
        return {tried.attack.name: tried for tried in tools.run(keeper, bait)}


@pytest.mark.parametrize("level", HOLDING, ids=lambda level: level.word)
@pytest.mark.parametrize("name", NAMES)
def test_held(level, name):
    need(level)
    tried = made(level)[name]
    assert not tried.broken
    assert tried.attempts
    assert tried.reasons == ()


@pytest.mark.parametrize(
    "name",
    [
        *("compiler", "environment", "files_read", "files_written"),
        *("left_behind", "network", "others_disturbed", "result_forged"),
    ],
)
def test_escapes_where_nothing_holds_it(name):
    if name not in NAMES:
        pytest.skip("a program that it needs is not installed")
    assert made(Isolation.NONE)[name].reasons


def attack(body, header="# A test.\n# Tries: it.\n# Escape: it.\n"):
    return tools.parse("made_up", header + body)


@pytest.mark.parametrize(
    ("body", "attempts", "reasons"),
    [
        ("true\n", 0, ()),
        ("trying it\n", 1, ()),
        ("trying it\ndid 'something'\n", 1, ("says: something",)),
        ("echo certune-trying certune-0 it >&2\n", 0, ()),
        ("trying it\nexit 3\n", 1, ()),
    ],
)
def test_a_script_is_judged_by_its_marks_and_what_is_seen(body, attempts, reasons):
    need(Isolation.CONFINED)
    with Bait(TOOL_LIMITS) as bait, Keeper(Isolation.CONFINED, profile="toolchain") as keeper:
        tried = tools.one(keeper, bait, attack(body))
    assert (tried.attempts, tried.reasons) == (attempts, reasons)


def test_a_header_that_says_too_little_is_refused():
    with pytest.raises(InvalidInput):
        attack("true", header="# A test.\n# Tries: it.\n")


def test_tools_that_do_not_start_have_held_nothing(monkeypatch):
    def broken(*_, **__):
        raise Crashed("no tool today")

    need(Isolation.CONFINED)
    monkeypatch.setattr("certune.sandbox.toolchain.run", broken)
    report = selftest.run(Isolation.CONFINED, toolchain=True, ways=())
    assert report.count(Held.NOT_TRIED) == len(NAMES)
    assert not report.passed


HOSTILE = b"""i=0
while [ $i -lt 300 ]; do
    sh -c 'sleep 1 & sleep 1 & sleep 1 & exit'
    i=$((i + 1))
done
"""
HONEST = b"sh -c 'sleep 1.5; echo fine >&2'\n"


@pytest.mark.parametrize("level", HOLDING, ids=lambda level: level.word)
def test_an_honest_tool_is_not_blamed_for_a_neighbours_processes(level):
    need(level)
    with Keeper(level, profile="toolchain") as keeper, ThreadPoolExecutor() as pool:

        def outcome(script):
            command, inputs = [tools.SHELL, "a.sh"], {"a.sh": script}
            return toolchain.run(command, inputs, [], TOOL_LIMITS, keeper=keeper)

        honest = pool.submit(outcome, HONEST)
        hostile = pool.submit(outcome, HOSTILE)
        assert (honest.result().ending, honest.result().diagnostics) == ("finished", "fine\n")
        assert hostile.result().ending == "too-many-processes"

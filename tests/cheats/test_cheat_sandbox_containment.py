"""Every attack on containment, at every level that this machine has."""

from __future__ import annotations

import os

import pytest
from sandbox_levels import HOLDING, SAMPLE, WAITING, named, need, quick, said

from certune.sandbox import selftest
from certune.sandbox.attacks.catalogue import containment
from certune.sandbox.model import Isolation, Layer
from certune.sandbox.selftest import Held

QUICK = [attack.name for attack in containment() if attack.name not in WAITING]

# One attack that each layer alone holds back, at each level. Below level 3 an ordinary user has
# no privilege that could be taken: see the test of its own.
NOTICED = {
    Isolation.CONFINED: {
        Layer.ENVIRONMENT: "environment_variables",
        Layer.DESCRIPTORS: "descriptors_inherited",
        Layer.LIMITS: "memory_bomb",
        Layer.SESSION: "session_kept",
        Layer.LANDLOCK: "files_read",
        Layer.SECCOMP: "socket_udp",
    },
    Isolation.CONTAINED: {
        Layer.ENVIRONMENT: "environment_variables",
        Layer.DESCRIPTORS: "descriptors_inherited",
        Layer.LIMITS: "memory_bomb",
        Layer.SESSION: "session_kept",
        Layer.LANDLOCK: "files_of_the_machine",
        Layer.SECCOMP: "keyring",
        Layer.NAMESPACES: "files_metadata",
        Layer.PRIVILEGES: "identity_changed",
    },
}


@pytest.mark.parametrize("level", HOLDING, ids=lambda level: level.word)
@pytest.mark.parametrize("name", QUICK)
def test_held(level, name):
    need(level)
    finding = quick(level, "warm").get(name)
    if finding is None:
        pytest.skip("an attack for another machine")
    promised = next(one for one in containment() if one.name == name).promised_from
    expected = {Held.HELD} if level >= promised else {Held.HELD, Held.NOT_PROMISED}
    assert finding.held in expected, said([finding])
    assert finding.attempts


def test_a_sample_gets_through_where_nothing_holds_it():
    report = selftest.run(Isolation.NONE, attacks=named(*SAMPLE), ways=("warm",))
    assert report.count(Held.ESCAPED) == len(SAMPLE), said(report.findings)


@pytest.mark.slow
def test_most_attacks_get_through_where_nothing_holds_them():
    found = quick(Isolation.NONE, "warm").values()
    escaped = [one for one in found if one.held is Held.ESCAPED]
    assert not [one for one in found if one.held is Held.NOT_TRIED], said(found)
    assert len(escaped) >= 0.7 * len(found), said(found)


@pytest.mark.parametrize(
    ("level", "layer"),
    [(level, layer) for level, layers in NOTICED.items() for layer in layers],
    ids=lambda one: one.word if isinstance(one, Isolation) else one.value,
)
def test_a_layer_that_is_switched_off_is_noticed(level, layer):
    need(level)
    attack = named(NOTICED[level][layer])
    whole = selftest.run(level, attacks=attack)
    assert whole.passed, said(whole.findings)
    open_ = selftest.run(level, attacks=attack, without=[layer])
    # A worker that is exec'd loses some of what a forked one keeps.
    assert open_.count(Held.ESCAPED) >= 1, said(open_.findings)
    assert not open_.passed


def test_privileges_switched_off_at_confined_are_noticed_where_there_are_any():
    need(Isolation.CONFINED)
    attack = named("identity_changed")
    open_ = selftest.run(Isolation.CONFINED, attacks=attack, without=[Layer.PRIVILEGES])
    # Whoever has no capability has none to lose, and the other layers set no_new_privs anyway.
    assert open_.passed is (os.geteuid() != 0), said(open_.findings)


@pytest.mark.slow
@pytest.mark.parametrize("level", selftest.LEVELS, ids=lambda level: level.word)
def test_the_whole_self_test(level):
    need(level)
    report = selftest.run(level)
    assert report.passed, said(report.findings)
    assert report.tried == len(report.findings) >= 2 * 70


@pytest.mark.slow
@pytest.mark.parametrize("way", selftest.WAYS)
@pytest.mark.parametrize(
    ("level", "layer"),
    [(level, layer) for level, layers in NOTICED.items() for layer in layers],
    ids=lambda one: one.word if isinstance(one, Isolation) else one.value,
)
def test_without_a_layer_the_self_test_fails(level, layer, way):
    need(level)
    attacks = [attack for attack in containment() if attack.name not in WAITING]
    report = selftest.run(level, without=[layer], attacks=attacks, ways=(way,))
    assert not report.passed
    assert report.count(Held.ESCAPED), said(report.findings)

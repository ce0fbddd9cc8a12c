"""Programs that want to be measured as faster than they are, at every level of isolation."""

from __future__ import annotations

import pytest
from measuring_tools import keeper_at

from certune.sandbox.attacks.measured import Attempt, Ring, attacks, measurement_attacks
from certune.sandbox.model import Isolation

ALL = attacks()
LEVELS = [Isolation.NONE, Isolation.PROCESS, Isolation.CONTAINED]


@pytest.fixture(scope="module")
def ring():
    with keeper_at(Isolation.CONFINED) as keeper:
        yield Ring(keeper)


def _said(attempt: Attempt) -> str:
    tried = "" if attempt.tried else ", not tried"
    return f"{attempt.attack.name}: {attempt.outcome}{tried} ({attempt.detail})\n{attempt.said}"


def test_there_are_enough_of_them_and_each_says_what_it_tries():
    tricky = [attack for attack in ALL if not attack.name.startswith("honest_")]
    assert len(tricky) >= 25
    assert len(ALL) - len(tricky) >= 4
    assert all(attack.tries.endswith(".") for attack in ALL)
    known = {"powerless", "wrong", "died", "replied-early", "forged-reply", "spoke-out-of-turn"}
    known |= {"hidden-work", "waited", "hung-up"}
    assert {stop for attack in ALL for stop in attack.stops} == known


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: attack.name)
def test_an_attack_is_tried_and_held(ring, attack):
    attempt = ring.run(attack)
    assert attempt.held, _said(attempt)
    if attack.name.startswith("honest_"):
        assert attempt.outcome == "powerless"


def test_nothing_of_the_judge_is_in_the_worker(ring):
    (attack,) = (attack for attack in ALL if attack.name == "frames_walked")
    attempt = ring.run(attack)
    assert "found: []" in attempt.said, _said(attempt)


def test_nothing_of_another_worker_is_seen(ring):
    (attack,) = (attack for attack in ALL if attack.name == "inputs_of_others")
    attempt = ring.run(attack)
    assert attempt.tried
    assert "found" not in attempt.said, _said(attempt)


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.word)
def test_attacks_are_held_at_every_level(level):
    # Without seccomp a helper process works uncharged, so what it gains there is no surprise.
    with keeper_at(level) as keeper:
        attempts = list(measurement_attacks(keeper))
    escaped = [one for one in attempts if not one.held]
    if level < Isolation.CONFINED:
        escaped = [one for one in escaped if one.attack.name != "helper_process"]
    assert not escaped, "\n".join(map(_said, escaped))
    assert len(attempts) == len(ALL)

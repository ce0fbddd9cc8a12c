"""Each defence of measuring is taken away on purpose: what it stopped then gets through.

This is what shows that the attacks are real ones and that no defence is there for show.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from measuring_tools import Sum, keeper_at, python

from certune.sandbox.attacks import measured
from certune.sandbox.attacks.measured import Ring, attacks
from certune.sandbox.keeper import Worker
from certune.sandbox.measuring import (
    Bench,
    Block,
    Bout,
    Buffer,
    Cheated,
    WrongResult,
    bench,
    mismatch,
)
from certune.sandbox.measuring.bout import Bout as AnyBout
from certune.sandbox.measuring.channel import Channel
from certune.sandbox.measuring.charge import Timing
from certune.sandbox.measuring.stage import Stage
from certune.sandbox.model import Isolation

NAMED = {attack.name: attack for attack in attacks()}


@pytest.fixture(scope="module")
def keeper():
    with keeper_at(Isolation.CONFINED) as started:
        yield started


@pytest.fixture
def attempt(keeper):
    def run(name):
        made = Ring(keeper).run(NAMED[name])
        assert made.tried, made
        return made.outcome

    return run


@pytest.fixture
def comes_out(attempt):
    def tried(name, outcome):
        # On a machine that is far too busy it may come otherwise: then once more.
        return any(attempt(name) == outcome for _ in range(5))

    return tried


@pytest.fixture
def gets_through(comes_out):
    return lambda name: comes_out(name, "faster")


def _nothing(*_, **__):
    return None


def test_without_fresh_inputs_kept_answers_are_fast(attempt, gets_through, monkeypatch):
    assert attempt("memoised_by_digest") == "powerless"
    real = bench.generator

    def stuck(secret, *names):
        return real(bytes(32), b"always")

    monkeypatch.setattr(bench, "generator", stuck)
    assert gets_through("memoised_by_digest")


def test_without_checks_of_every_go_only_the_first_are_right(attempt, gets_through, monkeypatch):
    assert attempt("early_checks_only") == "wrong"
    real, seen = Stage.examine, []

    def at_first(stage, first, count):
        seen.append(count)
        return real(stage, first, count) if len(seen) < 4 else None

    monkeypatch.setattr(Stage, "examine", at_first)
    assert gets_through("early_checks_only")


def test_without_checks_of_every_slot_only_the_first_is_right(attempt, gets_through, monkeypatch):
    assert attempt("first_slot_only") == "wrong"
    real = Stage._written

    def first_slot(stage, slot):
        return real(stage, slot) if slot == 0 else None

    monkeypatch.setattr(Stage, "_written", first_slot)
    assert gets_through("first_slot_only")


def test_without_looking_at_every_element_spots_are_enough(attempt, gets_through, monkeypatch):
    assert attempt("spot_checks_only") == "wrong"

    def spots(name, expected, got, **_):
        return "" if np.allclose(expected[:8], got[:8]) else "wrong"

    monkeypatch.setattr(measured, "mismatch", spots)
    assert gets_through("spot_checks_only")


def test_a_careless_comparison_takes_nan_for_right(attempt, gets_through, monkeypatch):
    assert attempt("not_a_number") == "wrong"

    def careless(name, expected, got, **_):
        return "wrong" if np.any(np.abs(expected - got) > 1e-9) else ""

    monkeypatch.setattr(measured, "mismatch", careless)
    assert gets_through("not_a_number")


class Sevens(Sum):
    """The right answer is always the same, so that an old one is right."""

    def check(self, inputs, outputs):
        return mismatch("out", np.full(self.size, 7.0), outputs["out"])


STALE = (
    "done = set()\ndef run(a, b, out):\n    if out.ctypes.data not in done:\n        out[:] = 7\n"
)
STALE += "    done.add(out.ctypes.data)\n"


def test_without_poison_old_outputs_are_taken_for_new(keeper, monkeypatch):
    result = Bench(keeper, Sevens()).open(python(STALE))
    assert isinstance(result, WrongResult)
    assert "never written" in result.detail

    def inputs_only(stage, inputs, outputs):
        np.copyto(inputs.bytes, stage._inputs)

    monkeypatch.setattr(Stage, "expose", inputs_only)
    monkeypatch.setattr(Stage, "_untouched", _nothing)
    result = Bench(keeper, Sevens()).open(python(STALE))
    assert isinstance(result, Bout)
    result.close()


def test_without_guards_nobody_sees_what_is_written_beside(attempt, monkeypatch):
    assert attempt("written_beyond") == "wrong"
    monkeypatch.setattr(Stage, "_untouched", _nothing)
    assert attempt("written_beyond") == "powerless"
    assert attempt("neighbours_written") in ("powerless", "wrong")


def test_a_worker_that_works_after_its_reply_is_caught_three_times_over(
    attempt, comes_out, monkeypatch
):
    assert attempt("reply_then_work") in ("wrong", "hidden-work", "powerless")
    # It may run on, and the judge waits until all is written: charged as hidden.
    monkeypatch.setattr(Worker, "stop", _nothing)
    real = Stage.take

    def late(stage, outputs):
        time.sleep(0.01)
        real(stage, outputs)

    monkeypatch.setattr(Stage, "take", late)
    assert comes_out("reply_then_work", "hidden-work")
    # Nobody refuses it for that: its CPU time is not less than anybody's.
    monkeypatch.setattr(bench, "hidden_work", _nothing)
    monkeypatch.setattr(bench, "waited", _nothing)
    assert comes_out("reply_then_work", "powerless")
    # Nor is it charged for what it hid: only now it is fast.
    real_settle = AnyBout.settle

    def forgiving(bout, window):
        timing = real_settle(bout, window)
        hidden = timing.hidden(bout.threads)
        return Timing(timing.calls, timing.wall, 0, timing.charged - hidden)

    monkeypatch.setattr(AnyBout, "settle", forgiving)
    assert comes_out("reply_then_work", "faster")


def test_a_worker_that_is_not_stopped_is_charged_for_spinning(comes_out, monkeypatch):
    monkeypatch.setattr(Worker, "stop", _nothing)
    assert comes_out("spins_before_reading", "hidden-work")


REPLAYS = """
import os, sys
last = None
def run(a, b, out):
    global last
    out[:] = a + b
    message = sys._getframe(1).f_locals["message"]
    if last is not None:
        os.write(4, last)
    last = message
"""


def test_with_tags_that_repeat_an_old_reply_is_as_good_as_a_new_one(keeper, monkeypatch):
    fault = Bench(keeper, Sum(), slots=1).open(python(REPLAYS))
    assert isinstance(fault, Cheated)
    assert fault.trick == "forged-reply"
    monkeypatch.setattr("os.urandom", bytes)
    monkeypatch.setattr(Channel, "unasked", _nothing)
    fault = Bench(keeper, Sum(), slots=1).open(python(REPLAYS))
    assert not (isinstance(fault, Cheated) and fault.trick == "forged-reply")


def test_without_a_look_before_the_go_an_early_reply_is_no_early_one(attempt, monkeypatch):
    monkeypatch.setattr(Channel, "unasked", _nothing)
    assert attempt("reply_before_go") == "forged-reply"


def test_without_counting_waits_a_sleeper_is_not_seen(attempt, monkeypatch):
    assert attempt("sleeps") == "waited"
    monkeypatch.setattr(bench, "waited", _nothing)
    assert attempt("sleeps") == "powerless"


class Flag(Sum):
    """The answer is a single byte, which is right by chance rather often."""

    @property
    def buffers(self):
        return (
            Buffer("a", "float64", (self.size,), "in"),
            Buffer("b", "float64", (self.size,), "in"),
            Buffer("out", "uint8", (1,), "out"),
        )

    def check(self, inputs, outputs):
        more = inputs["a"].sum() > inputs["b"].sum()
        return mismatch("out", np.array([more], dtype="uint8"), outputs["out"])


def test_small_outputs_are_not_called_unwritten_by_chance(keeper):
    honest = "def run(a, b, out): out[0] = a.sum() > b.sum()\n"
    measured_bench = Bench(keeper, Flag(4), slots=16, gos=60, warm_up=0)
    bout = measured_bench.open(python(honest))
    assert isinstance(bout, Bout)
    with bout:
        assert isinstance(measured_bench.block(bout, 0), Block)

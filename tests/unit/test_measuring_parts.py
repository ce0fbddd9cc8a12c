"""The parts of measuring that need no worker: layout, memory, the wire, what is charged."""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
from time import perf_counter_ns, sleep, time_ns

import numpy as np
import pytest
from measuring_tools import Sum

from certune.core.errors import InvalidInput
from certune.sandbox.measuring import Block, Buffer, Go, Program, doubt, mismatch
from certune.sandbox.measuring import channel as wire
from certune.sandbox.measuring.buffers import layout
from certune.sandbox.measuring.channel import Channel
from certune.sandbox.measuring.charge import Timing, allowed, hidden_work, waited
from certune.sandbox.measuring.memory import for_inputs, for_outputs, holding
from certune.sandbox.measuring.stage import Stage, generator

SECRET = bytes(range(32))


@pytest.mark.parametrize(
    ("dtype", "shape", "said"),
    [
        ("object", (1,), "cannot be shared"),
        ("longdouble", (1,), "cannot be shared"),
        (">f8", (1,), "cannot be shared"),
        ("nonsense", (1,), "no type of numpy"),
        ("float32", (4, 0), "extent below 1"),
        ("float64", (2**30,), "bytes"),
    ],
)
def test_buffers_that_cannot_be_shared_are_refused(dtype, shape, said):
    with pytest.raises(InvalidInput, match=said):
        Buffer("a", dtype, shape, "in")


@pytest.mark.parametrize(
    ("buffers", "slots", "said"),
    [
        ([Buffer("a", "int8", (1,), "in")], 1, "without an output"),
        ([Buffer("a", "int8", (1,), "in"), Buffer("a", "int8", (1,), "out")], 1, "same name"),
        ([Buffer("a", "int8", (1,), "out")], 0, "0 slots"),
        ([Buffer("a", "int8", (2**20,), "out")], 2, "use fewer slots"),
    ],
)
def test_layouts_that_make_no_sense_are_refused(buffers, slots, said):
    with pytest.raises(InvalidInput, match=said):
        layout(buffers, slots, 2**20)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cobol", b""), "language"),
        (("python", b"", "os.system"), "is no name"),
        (("python", b"", "run", {"a b": 1}), "is no name"),
        (("native", b"", "run", {"a": "text"}), "numbers only"),
        (("python", b"", "run", {"a": 2**60}), "beyond"),
    ],
)
def test_programs_that_cannot_be_called_are_refused(arguments, said):
    with pytest.raises(InvalidInput, match=said):
        Program(*arguments)


def test_mismatch_says_where_and_forgives_no_nan():
    expected = np.arange(6.0).reshape(2, 3)
    got = expected.copy()
    assert mismatch("out", expected, got) == ""
    got[1, 1] = 4.001
    assert "out[1, 1] is 4.001, expected 4.0 (1 of 6" in mismatch("out", expected, got)
    assert mismatch("out", expected, got, relative=1e-3) == ""
    for bad in (np.nan, np.inf, -np.inf):
        got[1, 1] = bad
        assert "out[1, 1]" in mismatch("out", expected, got, relative=1e9, absolute=1e300)
    assert "float32" in mismatch("out", expected, expected.astype("float32"))
    assert "[3, 2]" in mismatch("out", expected, expected.reshape(3, 2))
    both = np.array([np.nan, np.inf])
    assert mismatch("out", both, both.copy(), relative=0.1) == ""
    assert mismatch("out", both, both[::-1].copy(), relative=0.1) != ""
    assert mismatch("out", np.float64(1).reshape(()), np.float64(2).reshape(())) != ""


def test_the_inputs_can_be_written_by_the_judge_alone():
    shared = for_inputs(8192)
    shared.bytes[:4] = 7
    with pytest.raises(PermissionError):
        mmap.mmap(shared.fd, 8192)
    with pytest.raises(PermissionError):
        os.pwrite(shared.fd, b"x", 0)
    seen = mmap.mmap(shared.fd, 8192, prot=mmap.PROT_READ)
    shared.bytes[4:8] = 8  # the mapping from before the seal stays writable
    assert seen[:8] == bytes([7] * 4 + [8] * 4)
    # A private copy may be written; it is nobody else's.
    private = mmap.mmap(shared.fd, 8192, access=mmap.ACCESS_COPY)
    private[:1] = b"x"
    assert shared.bytes[0] == 7
    os.close(shared.fd)


@pytest.mark.parametrize("make", [for_inputs, for_outputs])
def test_neither_memory_can_be_resized_or_sealed_further(make):
    shared = make(8192)
    for size in (0, 4096, 2**20):
        with pytest.raises(PermissionError):
            os.ftruncate(shared.fd, size)
    with pytest.raises(PermissionError):  # a seal against writing would lock the judge out
        fcntl.fcntl(shared.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    assert shared.bytes.size == 8192
    os.close(shared.fd)


def test_what_a_worker_is_told_cannot_be_changed():
    fd = holding("plan", b"text" * 1000)
    assert os.pread(fd, 8192, 0) == b"text" * 1000
    for change in (lambda: os.pwrite(fd, b"x", 0), lambda: os.ftruncate(fd, 0)):
        with pytest.raises(PermissionError):
            change()
    os.close(fd)


def test_a_reply_is_stamped_when_it_is_sent():
    channel = Channel()
    message = channel.go(0, 16)
    start = perf_counter_ns()
    channel.ask(message)
    os.write(channel.theirs.fileno(), os.read(channel.theirs.fileno(), 16))
    sent = perf_counter_ns()
    sleep(0.05)  # a judge that is woken late
    reply = channel.answer(start, 1)
    assert reply.message == message
    assert start <= reply.stamp <= sent + 1_000_000
    channel.close()


def test_a_clock_that_was_set_is_not_believed(monkeypatch):
    for jump in (-(10**12), 10**12):
        channel = Channel()
        start = perf_counter_ns()
        os.write(channel.theirs.fileno(), bytes(16))
        sleep(0.01)
        with monkeypatch.context() as patch:
            patch.setattr(wire, "time_ns", lambda jump=jump: time_ns() + jump)
            reply = channel.answer(start, 1)
        # Not the stamp, which would be long ago or yet to come, but the judge's own time.
        assert 10_000_000 <= reply.stamp - start < 10**9
        channel.close()


def test_the_channel_sees_silence_chatter_and_the_end():
    channel = Channel()
    assert channel.unasked() is None
    assert channel.answer(perf_counter_ns(), 0.01).message is None
    os.write(channel.theirs.fileno(), b"early")
    assert channel.unasked() == b"early"
    os.write(channel.theirs.fileno(), bytes(5000))
    assert len(channel.answer(perf_counter_ns(), 1).message) == 64
    channel.theirs.close()
    assert channel.unasked() == b""
    assert channel.answer(perf_counter_ns(), 1).message == b""
    channel.close()


def test_tags_do_not_repeat():
    channel = Channel()
    seen = set()
    for _ in range(100):
        seen.add(channel.go(0, 1))
    assert len(seen) == 100
    channel.close()


def test_descriptors_that_come_along_are_dropped():
    channel = Channel()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        socket.send_fds(channel.theirs, [bytes(16)], [0, 1, 2])
        assert channel.answer(perf_counter_ns(), 1).message == bytes(16)
    socket.send_fds(channel.theirs, [bytes(16)], [0, 1, 2])
    assert channel.unasked() == bytes(16)
    assert len(os.listdir("/proc/self/fd")) == before
    channel.close()


def test_work_outside_of_the_window_is_hidden_whichever_way():
    assert Timing(16, wall=1000, leaked=0, charged=900).hidden(1) == 0
    assert Timing(16, wall=1000, leaked=0, charged=1500).hidden(1) == 500
    assert Timing(16, wall=1000, leaked=0, charged=1500).hidden(2) == 0
    # In a long window there is room for it, but it was used before the window.
    assert Timing(16, wall=9000, leaked=700, charged=900).hidden(1) == 700
    go = Timing(16, wall=1000, leaked=0, charged=1500).go(1)
    assert go == Go(16, 1.5e-6, 1.5e-6, 5e-7)
    assert Timing(16, wall=1000, leaked=0, charged=3000).go(2) == Go(16, 1.5e-6, 3e-6, 1e-6)
    assert Timing(16, wall=1000, leaked=0, charged=1500).go(2) == Go(16, 1e-6, 1.5e-6, 0.0)


def test_hidden_work_is_let_pass_now_and_then():
    assert allowed(0) == pytest.approx(100e-6)
    assert allowed(1.0) == pytest.approx(200e-6)
    quiet, loud = Go(1, 1e-4, 1e-4, 3e-6), Go(1, 1e-4, 3e-4, 2e-4)
    assert hidden_work([quiet] * 20) is None
    assert hidden_work([quiet] * 4 + [loud] * 2) is None
    assert hidden_work([loud] * 2) is None
    assert hidden_work([quiet] * 10 + [loud] * 10) is None
    caught = hidden_work([quiet] * 9 + [loud] * 10)
    assert caught is not None
    assert caught.trick == "hidden-work"
    assert caught.evidence["hidden_seconds"] == pytest.approx(2.027e-3)
    assert hidden_work([loud] * 3) is not None
    # A clock that is brought up to date now and then shows all at once what was hidden in many.
    late = Go(1, 1e-4, 4e-3, 4e-3)
    assert hidden_work([quiet] * 18 + [late]) is None
    assert hidden_work([quiet] * 19 + [late]) is not None
    assert hidden_work([quiet] * 60 + [late]) is None


def test_waiting_counts_for_one_thread_only():
    assert waited(100, 112, gos=6, threads=1) is None
    assert waited(100, 160, gos=6, threads=1).evidence["waits"] == 60
    assert waited(100, 160, gos=6, threads=2) is None
    assert waited(None, 160, gos=6, threads=1) is None


def _stage(slots=3, problem=None):
    problem = problem or Sum(8)
    made = layout(problem.buffers, slots, 2**20)
    return (
        Stage(problem, made, SECRET),
        made,
        for_inputs(made.inputs.size),
        for_outputs(made.outputs.size),
    )


def _play(stage, inputs, outputs, seed, first=0, count=3):
    rng = generator(SECRET, seed)
    stage.poison(rng)
    stage.fill(rng, first, count)
    stage.expose(inputs, outputs)


def _answer(made, inputs, outputs, slots):
    for slot in slots:
        given, asked = (
            made.inputs.views(inputs.bytes, slot),
            made.outputs.views(outputs.bytes, slot),
        )
        asked["out"][:] = given["a"] + given["b"]


def test_right_outputs_pass_and_every_byte_of_them_is_looked_at():
    stage, made, inputs, outputs = _stage()
    _play(stage, inputs, outputs, b"one")
    _answer(made, inputs, outputs, range(3))
    stage.take(outputs)
    assert stage.examine(0, 3) is None
    for place in range(made.outputs.size):
        if place >= made.outputs.stride * made.slots:
            break
        kept = int(outputs.bytes[place])
        outputs.bytes[place] = kept ^ 0x10
        stage.take(outputs)
        found = stage.examine(0, 3)
        assert found is not None, place
        assert found.slot == place // made.outputs.stride
        outputs.bytes[place] = kept


def test_outputs_are_poisoned_anew_each_time():
    stage, made, inputs, outputs = _stage()
    _play(stage, inputs, outputs, b"one")
    before = outputs.bytes.copy()
    _answer(made, inputs, outputs, range(3))
    _play(stage, inputs, outputs, b"two")
    stage.take(outputs)
    found = stage.examine(0, 3)
    assert found is not None
    assert "never written" in found.detail
    assert np.count_nonzero(outputs.bytes == before) < outputs.bytes.size / 50


def test_what_is_checked_is_a_private_copy():
    stage, made, inputs, outputs = _stage()
    _play(stage, inputs, outputs, b"one")
    stage.take(outputs)
    _answer(made, inputs, outputs, range(3))  # too late
    assert stage.examine(0, 3) is not None
    stage.take(outputs)
    outputs.bytes[:] = 0  # too late as well
    assert stage.examine(0, 3) is None


def test_a_slot_that_was_not_asked_for_must_stay_as_it_was():
    stage, made, inputs, outputs = _stage()
    _play(stage, inputs, outputs, b"one", 1, 1)
    _answer(made, inputs, outputs, [1])
    stage.take(outputs)
    assert stage.examine(1, 1) is None
    made.outputs.views(outputs.bytes, 2)["out"][0] = 1
    stage.take(outputs)
    found = stage.examine(1, 1)
    assert found is not None
    assert (found.slot, "not asked for" in found.detail) == (2, True)


def test_slots_that_are_not_asked_for_hold_no_inputs():
    stage, made, inputs, outputs = _stage()
    _play(stage, inputs, outputs, b"one")
    assert all(made.inputs.views(inputs.bytes, slot)["a"].any() for slot in range(3))
    _play(stage, inputs, outputs, b"two", 1, 1)
    seen = [made.inputs.views(inputs.bytes, slot) for slot in range(3)]
    assert [bool(arrays["a"].any() or arrays["b"].any()) for arrays in seen] == [0, 1, 0]


def test_booleans_that_are_none_are_refused():
    class Flags(Sum):
        @property
        def buffers(self):
            return (Buffer("a", "bool", (16,), "in"), Buffer("out", "bool", (16,), "out"))

        def fill(self, rng, inputs):
            inputs["a"][:] = rng.integers(0, 2, 16)

        def check(self, inputs, outputs):
            return mismatch("out", inputs["a"], outputs["out"])

    stage, made, inputs, outputs = _stage(1, Flags())
    _play(stage, inputs, outputs, b"one", 0, 1)
    out = made.outputs.views(outputs.bytes, 0)["out"]
    out[:] = made.inputs.views(inputs.bytes, 0)["a"]
    stage.take(outputs)
    assert stage.examine(0, 1) is None
    out.view("uint8")[int(np.argmax(out))] = 2  # true to numpy, and yet it is not 1
    stage.take(outputs)
    found = stage.examine(0, 1)
    assert found is not None
    assert "neither true nor false" in found.detail


def test_the_random_numbers_depend_on_secret_and_names():
    drawn = {
        generator(secret, *names).bytes(8)
        for secret in (SECRET, SECRET[::-1])
        for names in ((b"a",), (b"b",), (b"a", b"b"), (b"ab",), (b"", b"ab"))
    }
    assert len(drawn) == 10
    assert generator(SECRET, b"a").bytes(8) == generator(SECRET, b"a").bytes(8)


def _blocks(call, single, calls=16, count=20):
    """Blocks of a program that needs `call` seconds among others and `single` alone."""
    blocks = []
    for number in range(count):
        wiggle = 1 + 0.002 * (number % 5 - 2)
        full = (call * calls + 1e-5) * wiggle
        alone = (single + 1e-5) * wiggle
        blocks.append(
            Block((Go(calls, full, full, 0.0),) * 5, (Go(1, alone, alone, 0.0),) if single else ())
        )
    return blocks


FLOOR = Block((Go(16, 1e-5, 1e-5, 0.0),))


@pytest.mark.parametrize(
    ("candidate", "incumbent", "said"),
    [
        (_blocks(8e-5, 8e-5), _blocks(1e-4, 1e-4), ""),
        (_blocks(8e-5, 9.5e-5), _blocks(1e-4, 1.2e-4), ""),  # single calls are colder
        (_blocks(5e-5, 1e-4), _blocks(1e-4, 1e-4), "share their work"),
        (_blocks(9.99e-5, 9.99e-5), _blocks(1e-4, 1e-4), "leaving out the harness"),
        (_blocks(9.9e-5, 9.9e-5), _blocks(1e-4, 1e-4), ""),
        (_blocks(1e-6, 1e-6), _blocks(1.01e-6, 1.01e-6), "leaving out the harness"),
        (_blocks(8e-5, 8e-5, count=3), _blocks(1e-4, 1e-4, count=3), "too few"),
        (_blocks(8e-5, 0, 1), _blocks(1e-4, 0, 1), ""),
        (_blocks(1e-4, 1e-4), _blocks(8e-5, 8e-5), "leaving out the harness"),
    ],
)
def test_gains_that_sharing_or_the_harness_explains_are_doubted(candidate, incumbent, said):
    told = doubt(candidate, incumbent, FLOOR)
    assert (said in told) if said else told == ""

"""Layouts never overlap, and comparisons agree with a plain reading of what they promise."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from certune.sandbox.measuring import Buffer, mismatch
from certune.sandbox.measuring.buffers import ALIGNMENT, GUARD, region

TYPES = st.sampled_from(["bool", "int8", "uint16", "int32", "float32", "float64", "complex128"])
SHAPES = st.lists(st.integers(1, 7), max_size=3).map(tuple)


@st.composite
def buffers(draw):
    count = draw(st.integers(1, 5))
    return [Buffer(f"b{n}", draw(TYPES), draw(SHAPES), "out") for n in range(count)]


@settings(deadline=None, max_examples=60)
@given(buffers(), st.integers(1, 5))
def test_buffers_are_aligned_apart_and_within(given, slots):
    made = region(given, slots)
    owner = np.zeros(made.size, dtype=int)
    memory = np.zeros(made.size, dtype=np.uint8)
    base = memory.ctypes.data
    number = 0
    for slot in range(slots):
        for buffer, array in zip(given, made.views(memory, slot).values(), strict=True):
            number += 1
            start = array.ctypes.data - base
            assert start % ALIGNMENT == 0
            assert array.shape == buffer.shape
            assert array.dtype == np.dtype(buffer.dtype)
            assert not owner[start - GUARD : start].any()
            assert not owner[start : start + buffer.size].any()
            owner[start : start + buffer.size] = number
            assert start + buffer.size + GUARD <= made.size
        guards = made.guards() + slot * made.stride
        assert not owner[guards].any()
        used = owner[slot * made.stride : (slot + 1) * made.stride]
        assert np.count_nonzero(used) + guards.size == made.stride
        for offset in map(int, made.guards()[:: max(1, guards.size // 7)]):
            assert "b" in made.near(offset)


NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64)


def _right(expected, got, relative, absolute):
    if math.isnan(expected) or math.isnan(got):
        return math.isnan(expected) and math.isnan(got)
    if math.isinf(expected) or math.isinf(got):
        return expected == got
    difference = float(np.abs(np.float64(got) - np.float64(expected)))
    return expected == got or difference <= absolute + relative * abs(expected)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6),
    st.sampled_from([0.0, 1e-12, 0.5]),
    st.sampled_from([0.0, 1e-300, 1.0]),
)
def test_mismatch_is_what_it_says(pairs, relative, absolute):
    with np.errstate(all="ignore"):
        expected = np.array([pair[0] for pair in pairs])
        got = np.array([pair[1] for pair in pairs])
        right = [_right(float(e), float(g), relative, absolute) for e, g in pairs]
    told = mismatch("out", expected, got, relative=relative, absolute=absolute)
    assert (told == "") == all(right)
    if told:
        assert told.startswith(f"out[{right.index(False)}] ")
        assert f"({right.count(False)} of {len(pairs)}" in told


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=6), st.data())
def test_integers_are_compared_exactly(values, data):
    expected = np.array(values, dtype=np.int32)
    got = expected.copy()
    assert mismatch("out", expected, got, relative=1.0, absolute=100.0) == ""
    place = data.draw(st.integers(0, len(values) - 1))
    got[place] ^= 1 << data.draw(st.integers(0, 30))
    assert f"out[{place}]" in mismatch("out", expected, got, relative=1.0, absolute=100.0)

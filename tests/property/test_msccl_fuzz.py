"""Whatever bytes are given: a program or InvalidInput, in bounded time."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msccl_files import exchange, real

from certune.core import InvalidInput
from certune.tasks.collective.msccl.lints import lint
from certune.tasks.collective.msccl.program import TARGETS
from certune.tasks.collective.msccl.read import read
from certune.tasks.collective.msccl.report import verify_file

SEEDS = [exchange(), real("ncv4__ag_hier_4_LL"), real("alltoall-8n-0-9kb")]
WORDS = [
    b"<", b">", b"/", b'"', b"'", b"&", b"&amp;", b"&#0;", b"<!--", b"-->", b"<![CDATA[", b"]]>",
    b"<?xml version='1.0' encoding='utf-16'?>", b"<!DOCTYPE a>", b"\x00", b"\xff", b"-1",
    b"-", b"1e9",
    b"99999999999999999999", b"1000000000", b"0", b"71", b"72", b"i", b"o", b"s", b"rrcs", b"nop",
    b"</tb>", b"<tb>", b"<step/>", b"</gpu>", b"<gpu id=\"0\">", b"\t", b"\n", b" ",
    b'depid="0" deps="0"', b'hasdep="1"',
]  # fmt: skip


WAYS = {"refused", "refuted", "proved", "unknown"}


def judge(data: bytes) -> str:
    """Anything that escapes but InvalidInput fails the test."""
    try:
        program = read(data, limit=2**20)
    except InvalidInput as error:
        return "refused" if 0 < len(str(error)) < 1000 else f"a message of {len(str(error))}"
    for target in TARGETS:
        lint(program, target, data=data)
    try:
        return verify_file(data).status.value
    except InvalidInput:
        return "refused"


def damaged(rng: random.Random) -> bytes:
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                data[at : at + rng.randrange(1, 40)] = b""
            case 1:
                data[at:at] = rng.choice(WORDS)
            case 2:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 3:
                start = rng.randrange(len(data))
                data[at:at] = data[start : start + rng.randrange(200)]
            case 4:
                del data[at:]
            case _:
                digits = [k for k, c in enumerate(data) if 48 <= c <= 57]
                if digits:
                    k = rng.choice(digits)
                    data[k : k + 1] = rng.choice((b"0", b"3", b"7", b"15", b"-1", b"100000"))
        if not data:
            break
    return bytes(data)


def test_damaged_files():
    found = {judge(damaged(random.Random(seed))) for seed in range(400)}
    assert {"refused", "refuted"} <= found <= WAYS


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_a_hundred_thousand_damaged_files(part):
    for seed in range(10_000 * part, 10_000 * (part + 1)):
        assert judge(damaged(random.Random(1_000_000 + seed))) in WAYS


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(data):
    assert judge(data) == "refused"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_any_words(words):
    assert judge(b"".join(words)) == "refused"

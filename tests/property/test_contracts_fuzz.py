"""Random programs over known values: what CPython computes is never contradicted by a proof."""

from __future__ import annotations

from typing import Any

import pytest
from contract_fuzz import Programs, claims
from contract_tools import pool

from certune.core.status import Status
from certune.verifier.contracts import Limits, verify_source

LIMITS = Limits(resources=100_000, attempts=2, examples=2)


def computed(body: str) -> int | None:
    """What CPython makes of it; None for an exception."""
    names: dict[str, Any] = {}
    exec("from certune.contracts import i8, permutation, u8\ndef f():\n" + body, names)
    try:
        value = names["f"]()
    except (IndexError, KeyError, OverflowError, TypeError, ValueError, ZeroDivisionError):
        return None
    assert isinstance(value, int)
    return value


def try_programs(seed: int, count: int) -> int:
    """How many right claims were proved."""
    programs, proved = Programs(seed), 0
    for _ in range(count):
        body = programs.program()
        value = computed(body)
        if value is not None and abs(value) > 10**30:
            continue
        text = claims(body, value)
        report = verify_source(text.encode(), "f.py", limits=LIMITS, pool=pool())
        if report.status is Status.INVALID:
            continue
        right, wrong = report.function("right"), report.function("wrong")
        assert wrong.status is not Status.PROVED, text
        if value is None:
            assert right.status is not Status.PROVED, text
        elif right.failure is not None:
            assert right.failure.kind != "postcondition", text
        proved += right.status is Status.PROVED
    return proved


def test_some_programs() -> None:
    assert try_programs(11, 40) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_many_programs(seed: int) -> None:
    assert try_programs(seed, 800) >= 200

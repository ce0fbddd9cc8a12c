"""Contracts at run time: nothing unless asked for, everything if so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from contract_tools import DATA

from certune.contracts import (
    ContractError,
    checked,
    decreases,
    ensure,
    ghost,
    i8,
    implies,
    invariant,
    lemma,
    modifies,
    old,
    partial,
    permutation,
    require,
    spec,
    u8,
    u32,
)


def plain(xs: list[int], n: int) -> int:
    xs.append(n)
    return n


def test_unchecked_functions_are_the_functions_themselves() -> None:
    for decorate in (
        require(lambda n: n > 0),
        ensure(lambda result: result > 0),
        modifies("xs"),
        spec,
        lemma,
        partial,
    ):
        assert decorate(plain) is plain
    del plain.__certune_contract__  # type: ignore[attr-defined]
    assert plain([], -1) == -1


@require(lambda n: n > 0)
@ensure(lambda xs, n, result: xs == old(xs) + [n] and result == n)  # noqa: RUF005
@modifies("xs")
def good(xs: list[int], n: int) -> int:
    xs.append(n)
    return n


@require(lambda n: n > 0)
@require(lambda n: 10 // n > 1)
@ensure(lambda xs, result: len(xs) == len(old(xs)))
def bad(xs: list[int], n: int) -> int:
    if n > 1:
        xs.append(n)
    return n


def test_a_checked_function_checks_its_contract() -> None:
    assert checked(good)([1], 2) == 2
    with pytest.raises(ContractError, match="precondition"):
        checked(good)([1], 0)
    with pytest.raises(ContractError, match="precondition"):
        checked(bad)([1], 0)  # the first condition guards the division of the second
    with pytest.raises(ContractError, match="precondition"):
        checked(bad)([1], 9)
    with pytest.raises(ContractError, match="modifies"):
        checked(bad)([1], 2)
    assert bad([1], 2) == 2


@ensure(lambda xs, result: result == sum(old(xs)))
@modifies("xs")
def drain(xs: list[int], wrong: bool) -> int:
    total = 0
    while len(xs) > 0:
        invariant(lambda: total + sum(xs) == sum(old(xs)))  # noqa: B023
        decreases(len(xs))
        last = xs.pop()
        total += last + wrong
    g = ghost(total)
    assert g == total
    return total


def test_invariants_and_old_values_in_a_body() -> None:
    assert checked(drain)([1, 2, 3], False) == 6
    with pytest.raises(ContractError, match="invariant"):
        checked(drain)([1, 2, 3], True)
    assert drain([1, 2, 3], True) == 9


def test_words_convert_and_wrap() -> None:
    assert u8(255) == 255
    assert type(u8(3)) is int
    for word, value in ((u8, 256), (u8, -1), (i8, 128), (u32, 2**32)):
        with pytest.raises(OverflowError, match=word.__name__):
            word(value)
    assert u8.wrapping_add(250, 10) == 4
    assert u8.wrapping_sub(1, 2) == 255
    assert i8.wrapping_mul(100, 2) == -56
    assert i8.wrapping_neg(-128) == -128
    assert u8.wrapping_shl(0x81, 1) == 2
    with pytest.raises(OverflowError):
        u8.wrapping_shl(1, 8)
    assert (i8.MIN, i8.MAX, i8.BITS) == (-128, 127, 8)
    assert permutation([1, 2, 2], [2, 1, 2])
    assert not permutation([1, 2], [1, 1])
    assert implies(False, False)
    assert not implies(True, False)


@pytest.mark.parametrize(("value", "code"), [("", 0), ("1", 1)])
def test_checking_is_asked_for_by_an_environment_variable(value: str, code: int) -> None:
    script = (
        "import runpy, sys\n"
        "names = runpy.run_path(sys.argv[1])\n"
        "assert names['insertion_sort']([3, 1, 2]) is None\n"
        "assert names['binary_search']([3, 1, 2], 1) in (-1, 1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(DATA / "examples.py")],
        env={**os.environ, "CERTUNE_CHECK": value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert ("ContractError" in done.stderr) is bool(value)

"""What is to be computed, and by which program."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from certune.core.canonical import Json
from certune.core.errors import InvalidInput
from certune.sandbox.measuring.buffers import Array, Buffer

_LARGEST_PROGRAM = 64 * 2**20


class Problem(Protocol):
    """Trusted code that makes inputs and knows the right outputs. It runs in the judge."""

    @property
    def buffers(self) -> Sequence[Buffer]:
        """The arguments of the program, in order; at least one output."""
        ...

    def fill(self, rng: np.random.Generator, inputs: Mapping[str, Array]) -> None:
        """Write the whole of every "in" and "inout" array, at random from `rng` alone.

        Inputs have to differ from call to call: with few possible ones a program could keep
        the answers.
        """
        ...

    def check(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> str:
        """What is wrong with `outputs` and where; empty when all is right.

        `inputs` is what `fill` wrote ("inout" arrays as they were before the call), `outputs`
        a private copy of what the program left in every "out" and "inout" array: any bits at
        all, NaN included. Every element must be looked at.
        """
        ...


@dataclass(frozen=True)
class Program:
    """An untrusted program.

    python: `source` is the text of a module that defines the function `entry`, called as
    ``entry(*arrays, **parameters)`` with numpy views in the order of the buffers; its result is
    ignored. native: `source` is a shared object that exports `entry`, called in C with a pointer
    for each buffer and then the parameters in the order of their names: integers and booleans
    as ``int64_t``, other numbers as ``double``.

    Raises:
        InvalidInput: an entry that is no name, parameters that cannot be passed, too large.
    """

    language: Literal["python", "native"]
    source: bytes = field(repr=False)
    entry: str = "run"
    parameters: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no worker could call."""
        if self.language not in ("python", "native"):
            raise InvalidInput(f"language {self.language!r}", remedy="python or native")
        if not (self.entry.isidentifier() and self.entry.isascii()):
            raise InvalidInput(f"entry {self.entry[:60]!r} is no name", remedy="use an identifier")
        if len(self.source) > _LARGEST_PROGRAM:
            raise InvalidInput(
                f"a program of {len(self.source)} bytes", remedy=f"at most {_LARGEST_PROGRAM}"
            )
        for name, value in self.parameters.items():
            place = f"parameter {name[:60]!r}"
            if not name.isidentifier():
                raise InvalidInput("is no name", place=place, remedy="use an identifier")
            if self.language == "native" and not isinstance(value, int | float):
                raise InvalidInput("native code takes numbers only", place=place)
            if isinstance(value, int) and not -(2**53) < value < 2**53:
                raise InvalidInput("is beyond 2**53", place=place)


def mismatch(
    name: str, expected: Array, got: Array, *, relative: float = 0.0, absolute: float = 0.0
) -> str:
    """Where `got` differs from `expected` by more than allowed, in words; empty if nowhere.

    Allowed is ``absolute + relative * |expected|`` an element. A NaN is right only where one is
    expected, an infinity only where the same one is; shapes and types must be equal.
    """
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return (
            f"{name}: {got.dtype} {list(got.shape)}, "
            f"expected {expected.dtype} {list(expected.shape)}"
        )
    with np.errstate(all="ignore"):
        right = got == expected
        if (relative or absolute) and expected.dtype.kind in "fc":
            allowed = absolute + relative * np.abs(expected)
            right |= np.isfinite(expected) & (np.abs(got - expected) <= allowed)
        if expected.dtype.kind in "fc":
            right |= np.isnan(expected) & np.isnan(got)
    if right.all():
        return ""
    first: Any = np.unravel_index(int(np.argmin(right)), right.shape) if right.shape else ()
    place = ", ".join(str(int(index)) for index in first)
    wrong = right.size - int(np.count_nonzero(right))
    return (
        f"{name}[{place}] is {got[first]!s}, expected {expected[first]!s} "
        f"({wrong} of {math.prod(right.shape)} elements are wrong)"
    )

"""Problems to measure on, and the keeper of the tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from certune.core.errors import Unavailable
from certune.sandbox.keeper import Keeper
from certune.sandbox.measuring import Bench, Bout, Buffer, Program, mismatch
from certune.sandbox.model import Isolation

HONEST = b"import numpy as np\ndef run(a, b, out):\n    np.add(a, b, out=out)\n"


def python(source: str | bytes, entry: str = "run", **parameters: Any) -> Program:
    """A program from its text."""
    text = source if isinstance(source, bytes) else source.encode()
    return Program("python", text, entry, parameters)


def keeper_at(level: Isolation) -> Keeper:
    """A keeper of `level`; the test is skipped where it cannot be had."""
    try:
        return Keeper(level)
    except Unavailable as error:
        pytest.skip(f"no isolation at level {level.word}: {error}")


@contextmanager
def opened(bench: Bench, program: Program) -> Iterator[Bout]:
    """A worker with a program that is expected to load and to be right."""
    bout = bench.open(program)
    assert isinstance(bout, Bout), bout
    with bout:
        yield bout


@dataclass(frozen=True)
class Sum:
    """out = a + b, exactly."""

    size: int = 64
    dtype: str = "float64"

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        shape = (self.size,)
        return (
            Buffer("a", self.dtype, shape, "in"),
            Buffer("b", self.dtype, shape, "in"),
            Buffer("out", self.dtype, shape, "out"),
        )

    def fill(self, rng: np.random.Generator, inputs: Mapping[str, Any]) -> None:
        for array in inputs.values():
            array[...] = rng.integers(0, 1000, array.shape)

    def check(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
        return mismatch("out", inputs["a"] + inputs["b"], outputs["out"])

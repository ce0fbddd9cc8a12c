"""Figures of measuring: what the protocol costs, what hides, what an observation takes.

``python benchmarks/measuring.py [--load N]`` measures, with N busy loops beside it: the floor (a
program that does nothing, in Python and in C) per call with 1, 4 and 16 slots a "go"; the judge's
own time a "go"; starting a fresh worker; and how much CPU time an honest worker seems to hide.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from certune.sandbox.keeper import Keeper
from certune.sandbox.measuring import Bench, Block, Bout, Buffer, Program, mismatch
from certune.sandbox.measuring.charge import hides

HONEST = b"import numpy as np\ndef run(a, b, out):\n    np.add(a, b, out=out)\n"
BLOCKS = 40


@dataclass(frozen=True)
class Sum:
    """out = a + b."""

    size: int

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """Two inputs and an output of doubles."""
        shape = (self.size,)
        return (
            Buffer("a", "float64", shape, "in"),
            Buffer("b", "float64", shape, "in"),
            Buffer("out", "float64", shape, "out"),
        )

    def fill(self, rng: np.random.Generator, inputs: Mapping[str, Any]) -> None:
        """Numbers between 0 and 1."""
        for array in inputs.values():
            rng.random(out=array)

    def check(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
        """Every bit."""
        return mismatch("out", inputs["a"] + inputs["b"], outputs["out"])


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """`loops` processes that do nothing but use a core each."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def middle(block: Block, clock: str) -> float:
    """Median microseconds a call."""
    return 1e6 * statistics.median(getattr(go, clock) / go.calls for go in block.gos)


def floors(keeper: Keeper) -> None:
    """The protocol, by language and slots."""
    row = "{:10}{:>8}{:>14}{:>14}{:>16}"
    print(row.format("floor", "slots", "wall us/call", "CPU us/call", "judge us/go"))
    for language in ("python", "native"):
        for slots in (1, 4, 16):
            bench = Bench(keeper, Sum(64), slots=slots, gos=20, lone=0)
            start = perf_counter()
            floor = bench.floor(Program(language, b""), BLOCKS)
            spent = perf_counter() - start
            gos = len(floor.gos)
            print(
                row.format(
                    language,
                    slots,
                    f"{middle(floor, 'wall_seconds'):.2f}",
                    f"{middle(floor, 'cpu_seconds'):.2f}",
                    f"{1e6 * spent / gos:.0f}",
                )
            )


def honest(keeper: Keeper) -> None:
    """Work of several sizes: how much of it is hidden, and how often more than is let pass."""
    row = "{:>10}{:>14}{:>14}{:>16}{:>12}{:>12}"
    print(row.format("doubles", "wall us/call", "CPU us/call", "hidden us/go", "gos", "hiding"))
    for size in (64, 4096, 65536):
        bench = Bench(keeper, Sum(size), slots=16, gos=5, lone=1)
        gos = []
        bout = bench.open(Program("python", HONEST))
        assert isinstance(bout, Bout), bout
        with bout:
            for number in range(BLOCKS):
                block = bench.block(bout, number)
                assert isinstance(block, Block), block
                gos += block.gos
        print(
            row.format(
                size,
                f"{middle(Block(tuple(gos)), 'wall_seconds'):.2f}",
                f"{middle(Block(tuple(gos)), 'cpu_seconds'):.2f}",
                f"{1e6 * statistics.mean(go.hidden_seconds for go in gos):.2f}",
                len(gos),
                sum(map(hides, gos)),
            )
        )


def starts(keeper: Keeper) -> None:
    """A fresh worker, loaded and warmed up."""
    bench = Bench(keeper, Sum(64))
    taken = []
    for _ in range(15):
        start = perf_counter()
        bout = bench.open(Program("python", HONEST))
        taken.append(perf_counter() - start)
        assert isinstance(bout, Bout), bout
        bout.close()
    print(f"fresh worker with numpy, warmed up: {1e3 * statistics.median(taken):.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--load", type=int, default=0, help="busy loops beside it")
    loops = parser.parse_args().load
    with busy(loops), Keeper() as keeper:
        print(f"level {keeper.level.word}, {loops} busy loops")
        floors(keeper)
        honest(keeper)
        starts(keeper)


if __name__ == "__main__":
    main()

"""Measuring so that it cannot be faked: who is called faster has answered sooner, rightly.

::

    bench = Bench(keeper, problem)
    with bench.open(program) as bout:           # or what the program did instead
        block = bench.block(bout, inputs_seed)  # or what the program did instead
"""

from certune.sandbox.measuring.bench import Bench
from certune.sandbox.measuring.bout import Bout
from certune.sandbox.measuring.buffers import Buffer
from certune.sandbox.measuring.doubt import doubt
from certune.sandbox.measuring.outcome import Block, Cheated, Died, Fault, Go, WrongResult
from certune.sandbox.measuring.problem import Problem, Program, mismatch

__all__ = [
    "Bench",
    "Block",
    "Bout",
    "Buffer",
    "Cheated",
    "Died",
    "Fault",
    "Go",
    "Problem",
    "Program",
    "WrongResult",
    "doubt",
    "mismatch",
]

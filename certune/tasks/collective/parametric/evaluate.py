"""Expressions evaluated on integers and numpy arrays, exactly or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from certune.core import InvalidInput
from certune.tasks.collective.parametric.expression import Term

Value: TypeAlias = "int | npt.NDArray[np.int64]"
Result: TypeAlias = Any  # int64 or bool array (or scalar) of the broadcast shape

_LARGEST = 2**62  # what int64 holds with room for one more addition
_MAX_EXPONENT = 40


def evaluate(term: Term, values: Mapping[str, Value]) -> Result:
    """`term` where names have `values`: integers or int64 arrays, broadcast against each other.

    The magnitude of every intermediate result is bounded before it is computed, so that nothing
    wraps around: what numpy computes is what the integers give.

    Raises:
        InvalidInput: a divisor or an exponent that is not allowed, or a number too large.
    """
    return _Evaluation(values).of(term)[0]


def number(term: Term, values: Mapping[str, int]) -> int:
    """`term` as one integer; raises as `evaluate` does."""
    return int(evaluate(term, values))


class _Evaluation:
    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = values
        self.done: dict[Term, tuple[Result, int]] = {}

    def of(self, term: Term) -> tuple[Result, int]:
        """The value and a bound on its magnitude."""
        if term not in self.done:
            result, bound = self.compute(term)
            if bound > _LARGEST:
                raise InvalidInput("a number beyond 2**62", remedy="use smaller constants")
            self.done[term] = result, bound
        return self.done[term]

    def compute(self, term: Term) -> tuple[Result, int]:
        op = term.op
        if op == "integer":
            return int(term.value), abs(int(term.value))
        if op == "name":
            value = self.values[str(term.value)]
            if isinstance(value, int):
                return value, abs(value)
            return value, int(np.abs(value).max(initial=0))
        if op in ("true", "false"):
            return op == "true", 1
        if op in ("+", "-", "*", "//", "%", "pow2"):
            return self.arithmetic(op, term.args)
        arrays = [self.of(arg)[0] for arg in term.args]
        if op == "if":
            bound = max(self.of(term.args[1])[1], self.of(term.args[2])[1])
            return np.where(*arrays), bound
        if op == "not":
            return np.logical_not(arrays[0]), 1
        if op in ("and", "or"):
            join = np.logical_and if op == "and" else np.logical_or
            result = arrays[0]
            for array in arrays[1:]:
                result = join(result, array)
            return result, 1
        return _COMPARE[op](arrays[0], arrays[1]), 1

    def arithmetic(self, op: str, args: tuple[Term, ...]) -> tuple[Result, int]:
        left, left_bound = self.of(args[0])
        if op == "pow2":
            if np.any(np.less(left, 0)) or left_bound > _MAX_EXPONENT:
                raise InvalidInput("an exponent out of range", remedy=f"0 to {_MAX_EXPONENT}")
            return np.left_shift(np.int64(1), left), 1 << left_bound
        right, right_bound = self.of(args[1])
        if op == "+":
            return self.checked(left_bound + right_bound, np.add, left, right)
        if op == "-":
            return self.checked(left_bound + right_bound, np.subtract, left, right)
        if op == "*":
            return self.checked(left_bound * right_bound, np.multiply, left, right)
        if np.any(np.less_equal(right, 0)):
            raise InvalidInput("a divisor that is not positive")
        if op == "//":
            return np.floor_divide(left, right), left_bound + 1
        return np.mod(left, right), right_bound

    def checked(self, bound: int, function: Any, left: Any, right: Any) -> tuple[Result, int]:
        if bound > _LARGEST:
            raise InvalidInput("a number beyond 2**62", remedy="use smaller constants")
        return function(left, right, dtype=np.int64), bound


_COMPARE: dict[str, Any] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}

"""Hypothesis strategies for JSON and for any dataclass that the codec can write."""

import dataclasses
import types
from collections.abc import Mapping
from enum import Enum
from fractions import Fraction
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st

from certune.core.budget import Budget
from certune.core.canonical import MAX_SAFE_INTEGER
from certune.core.codec import members
from certune.core.spec import Limits

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
integers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | integers | floats | text
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)

_BASIC = {str: text, bool: st.booleans(), int: integers, float: floats, Any: json_values}
_BASIC[Fraction] = st.fractions(max_denominator=10**30)


def of(hint: Any) -> st.SearchStrategy:
    """Values of a type as the codec understands it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is type(None):
        return st.none()
    if hint in _BASIC:
        return _BASIC[hint]
    if origin in (Union, types.UnionType):
        return st.one_of([of(argument) for argument in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        if arguments[1:] == (Ellipsis,):
            return st.lists(of(arguments[0]), max_size=3).map(tuple)
        return st.tuples(*map(of, arguments))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(text, of(arguments[1]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if hint is Budget:
        whole = st.none() | st.integers(1, 10**6)
        money = st.none() | st.fractions(min_value=Fraction(1, 100), max_value=1000)
        return st.builds(Budget, whole, st.none() | positive, whole, money)
    if hint is Limits:
        return st.builds(Limits, st.integers(1, 2**40))
    assert dataclasses.is_dataclass(hint), hint
    return st.builds(hint, **{name: of(member) for name, member, _ in members(hint)})

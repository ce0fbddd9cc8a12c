"""Every noun of the core survives writing and reading; hostile data is refused, never a crash."""

import copy

import pytest
from core_strategies import json_values, of, text
from hypothesis import given, settings
from hypothesis import strategies as st

from certune.core.budget import Budget, Spent
from certune.core.canonical import DEEPEST, dumps, loads
from certune.core.codec import decode, encode
from certune.core.errors import InvalidInput
from certune.core.measurement import Bound, Comparison, Measurement
from certune.core.obligation import Verdict
from certune.core.spec import TaskSpec
from certune.core.trial import Decision, Trial, Usage

CLASSES = [
    TaskSpec, Trial, Bound, Budget, Spent, Measurement, Comparison, Verdict, Decision, Usage,
]  # fmt: skip


@pytest.mark.parametrize("cls", CLASSES)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_round_trip_of_core_nouns(cls, data):
    value = data.draw(of(cls))
    written = dumps(encode(value))
    read = decode(cls, loads(written, depth=DEEPEST))
    assert read == value
    assert dumps(encode(read)) == written


@settings(deadline=None, max_examples=15)
@given(of(TaskSpec))
def test_a_spec_read_back_has_the_same_digest(spec):
    assert decode(TaskSpec, loads(dumps(encode(spec)), depth=DEEPEST)).digest == spec.digest


@pytest.mark.parametrize("cls", [TaskSpec, Trial, Bound, Budget])
@settings(deadline=None, max_examples=50)
@given(data=json_values)
def test_arbitrary_data_is_refused_or_read(cls, data):
    try:
        value = decode(cls, data)
    except InvalidInput:
        return
    assert isinstance(value, cls)


def places(value, path=()):
    """Every place inside JSON data, as a path of keys and indexes."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, item in items:
        found += places(item, (*path, key))
    return found


@pytest.mark.parametrize("cls", [TaskSpec, Trial])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_one_change_to_valid_data_is_refused_or_read(cls, data):
    changed = copy.deepcopy(encode(data.draw(of(cls))))
    *path, last = data.draw(st.sampled_from(places(changed)))
    target = changed
    for key in path:
        target = target[key]
    if data.draw(st.booleans()):
        target[last] = data.draw(json_values)
    elif isinstance(target, dict):
        target[data.draw(text)] = target.pop(last)
    else:
        del target[last]
    try:
        value = decode(cls, changed)
    except InvalidInput:
        return
    assert decode(cls, encode(value)) == value

"""Schemas as servers enforce them, and answers back in the family's form."""

import json

import jsonschema
import pytest

from certune.agents.schemas import restore, strict
from certune.tasks.collective.schema import SCHEMA


def objects(schema):
    """Every object schema within `schema`."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for item in schema.values():
            yield from objects(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from objects(item)


def test_the_collective_schema_becomes_one_that_strict_servers_take():
    made = strict(SCHEMA)
    jsonschema.Draft202012Validator.check_schema(made)
    found = list(objects(made))
    assert len(found) == 2
    for schema in found:
        assert schema["additionalProperties"] is False
        assert sorted(schema["required"]) == sorted(schema["properties"])
    text = json.dumps(made)
    for word in ("minimum", "maximum", "const", "$schema", "minProperties", "pattern", "title"):
        assert f'"{word}"' not in text
    assert made["properties"]["format"]["enum"] == [SCHEMA["properties"]["format"]["const"]]


def test_an_answer_to_the_strict_schema_is_brought_back():
    answer = {
        "format": "f",
        "collective": "allgather",
        "ranks": 2,
        "pieces": 2,
        "root": None,
        "steps": [{"copy": [[0, 1, 0]], "reduce": None}],
    }
    plain = json.loads(restore(json.dumps(answer), SCHEMA))
    assert plain == {
        "format": "f",
        "collective": "allgather",
        "ranks": 2,
        "pieces": 2,
        "steps": [{"copy": [[0, 1, 0]]}],
    }


def test_nulls_that_are_not_optional_stay_for_the_verdict():
    assert json.loads(restore('{"ranks": null, "x": null}', SCHEMA)) == {"ranks": None, "x": None}


@pytest.mark.parametrize(
    "text", ["{", "null", "[null]", '{"a": null, "a": null}', '"\\ud800 null"']
)
def test_what_is_no_object_stays_as_it_is(text):
    assert restore(text, SCHEMA) == text


def test_small_ranges_become_enumerations_and_large_ones_lose_their_bounds():
    made = strict(
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["a", "b"],
            "properties": {
                "a": {"type": "integer", "minimum": 2, "maximum": 4},
                "b": {"type": "integer", "minimum": 0, "maximum": 10**6},
            },
        }
    )
    assert made["properties"]["a"] == {"type": "integer", "enum": [2, 3, 4]}
    assert made["properties"]["b"] == {"type": "integer"}


@pytest.mark.parametrize(
    "open_part",
    [
        {"type": "object"},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {"a": {"type": "object"}}, "additionalProperties": False},
        {"type": "array", "items": {"type": "integer"}},
        {"type": ["string", "null"]},
        {},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["a"],
            "properties": {"a": True},
        },
    ],
)
def test_what_strict_servers_cannot_express_is_left_to_looser_rungs(open_part):
    assert strict(open_part) is None

"""From a model's words to the payload in them."""

import json
import time

import pytest

from certune.agents.extract import (
    balanced_objects,
    fenced_blocks,
    json_object,
    source,
    without_thoughts,
)

OBJECT = '{"xs": [1, 2]}'


@pytest.mark.parametrize(
    "text",
    [
        OBJECT,
        f"  {OBJECT}\n",
        f"Here it is: {OBJECT}. I hope it helps {{}}.",
        f"```json\n{OBJECT}\n```",
        f"Sure!\n\n```\n{OBJECT}\n```\nThat is it.",
        f"~~~json\n{OBJECT}\n~~~",
        f"```json\n{OBJECT}",  # the closing fence was cut off
        f'<think>{{"xs": []}} no, wait</think>{OBJECT}',
        f"<thinking>hm</thinking>\n```json\n{OBJECT}\n```",
        f"with braces in a string: {{ not json }} {OBJECT}",
        f'first "a {{quote" then {OBJECT}',
    ],
)
def test_the_object_is_found(text):
    assert json.loads(json_object(text, ["xs"])) == {"xs": [1, 2]}


def test_braces_and_quotes_within_strings_do_not_end_an_object():
    text = '{"xs": [1], "note": "a } and \\" and { here"}'
    assert json_object(f"see {text} there") == text


def test_an_object_with_all_members_is_taken_before_an_earlier_one_without():
    assert json_object(f'I change {{"copy": 1}} and get {OBJECT}', ["xs"]) == OBJECT


def test_the_first_object_is_taken_where_none_has_all_members():
    assert json_object('{"a": 1} {"b": 2}', ["xs"]) == '{"a": 1}'


@pytest.mark.parametrize("text", ["", "no", "{", '{"xs": [1, 2', "[1, 2]", "{'xs': [1]}", "}{"])
def test_nothing_is_found_where_nothing_is(text):
    assert json_object(text, ["xs"]) is None


def test_a_thought_without_end_hides_everything_after_it():
    assert without_thoughts(f"<think>let me see {OBJECT}") == ""


def test_source_is_the_first_fenced_block_or_everything():
    assert source("text\n```python\nx = 1\n```\n```\ny\n```") == "x = 1\n"
    assert source("x = 1") == "x = 1\n"
    assert source(" \n") == ""


def test_a_longer_fence_may_hold_a_shorter_one():
    assert fenced_blocks("````\n```\ninner\n```\n````\n") == ["```\ninner\n```\n"]


@pytest.mark.parametrize(
    "hostile",
    [
        "{" * 400_000,
        '{"' * 200_000,
        '{"a":' * 100_000,
        "```\n" * 100_000,
        '"\\' * 200_000 + "{",
        "{}" * 200_000,
        "<think>" * 50_000,
        '{"a": "' + "\\" * 400_000,
    ],
)
def test_hostile_text_costs_bounded_time(hostile):
    began = time.perf_counter()
    json_object(hostile, ["xs"])
    source(hostile)
    assert time.perf_counter() - began < 3


def test_only_so_many_objects_are_looked_at():
    assert len(list(balanced_objects("{}" * 1000))) == 32

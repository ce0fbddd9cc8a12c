"""From a model's words to the payload in them: the first balanced JSON object or fenced block.

Models wrap what they send in prose, fences and thoughts, whatever they were told. The work is
bounded: linear in the text, with a fixed number of starts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(.*?)(?:^[ \t]*\1`*[ \t]*$|\Z)", re.M | re.S)
_THOUGHT = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.S)
_TOKEN = re.compile(r'[{}"]')
_STRING = re.compile(r'(?:[^"\\]|\\.)*+"', re.S)
_STARTS = 32
_PASSES = 3


def without_thoughts(text: str) -> str:
    """The text after a leading ``<think>`` block; empty where the thought has no end."""
    if not re.match(r"\s*<think(?:ing)?>", text):
        return text
    found = _THOUGHT.match(text)
    return text[found.end() :] if found else ""


def fenced_blocks(text: str) -> list[str]:
    """The contents of fenced blocks, in their order; the last may lack its closing fence."""
    return [match[2] for match in _FENCE.finditer(text)]


def _balanced(text: str, start: int) -> int | None:
    """The end of the object that begins at `start`; None where it does not close."""
    depth, position = 0, start
    while found := _TOKEN.search(text, position):
        position = found.end()
        if found[0] == "{":
            depth += 1
        elif found[0] == "}":
            depth -= 1
            if depth == 0:
                return position
        else:
            string = _STRING.match(text, position)
            if string is None:
                return None
            position = string.end()
    return None


def balanced_objects(text: str) -> Iterator[str]:
    """The outermost balanced ``{…}`` in `text`, in their order."""
    position = 0
    allowed = _PASSES * len(text)  # characters that starts without an end may cost
    for _ in range(_STARTS):
        start = text.find("{", position)
        if start < 0 or allowed < 0:
            return
        end = _balanced(text, start)
        if end is None:
            allowed -= len(text) - start
            position = start + 1
        else:
            yield text[start:end]
            position = end


def _members(text: str) -> Collection[str] | None:
    """The names of the members of a JSON object; None where it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value.keys() if isinstance(value, dict) else None


def json_object(text: str, required: Collection[str] = ()) -> str | None:
    """The JSON object in a model's words; None where there is none.

    The first that has all `required` members; else the first at all, so that the verdict can
    say what it lacks.
    """
    text = without_thoughts(text)
    first: str | None = None
    whole = text.strip()
    if whole.startswith("{") and _members(whole) is not None:
        return whole
    for part in (*fenced_blocks(text), text):
        for found in balanced_objects(part):
            members = _members(found)
            if members is None:
                continue
            if all(name in members for name in required):
                return found
            first = first if first is not None else found
    return first


def source(text: str) -> str:
    """The source in a model's words: the first fenced block, else all of them."""
    text = without_thoughts(text)
    blocks = fenced_blocks(text)
    return blocks[0] if blocks else text.strip() + "\n" if text.strip() else ""

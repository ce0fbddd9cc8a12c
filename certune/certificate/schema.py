"""The JSON schema of the predicate, made from the dataclasses that define it.

``python -m certune.certificate.schema`` writes what ``certune/schemas/acceptance-v1.json``
holds; a test compares the two.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
import types
from collections.abc import Mapping
from enum import Enum
from fractions import Fraction
from typing import Any, Literal, Union, get_args, get_origin

from certune.certificate.statement import PREDICATE_TYPE, Acceptance
from certune.core.codec import members

_BASIC: dict[Any, dict[str, Any]] = {
    Any: {},
    type(None): {"type": "null"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Fraction: {"type": "string", "pattern": "^-?[0-9]+(/[0-9]+)?$", "maxLength": 4200},
}


def _schema(hint: Any, found: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type; those of dataclasses are put into `found` and referred to."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _BASIC:
        return dict(_BASIC[hint])
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(argument, found) for argument in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return {"type": "array", "items": _schema(arguments[0], found)}
    if origin is tuple:
        items = [_schema(argument, found) for argument in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], found)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [item.value for item in hint]}
    if not dataclasses.is_dataclass(hint) or not isinstance(hint, type):
        raise TypeError(f"{hint!r} has no schema")
    if hint.__name__ not in found:
        found[hint.__name__] = {}  # taken, should the class refer to itself
        found[hint.__name__] = _object(hint, found)
    return {"$ref": f"#/$defs/{hint.__name__}"}


def _object(cls: type, found: dict[str, Any]) -> dict[str, Any]:
    fields = members(cls)
    properties = {name: _schema(hint, found) for name, hint, _ in fields}
    return {
        "type": "object",
        "description": (inspect.getdoc(cls) or "").replace("\n", " ").replace("  ", " "),
        "properties": properties,
        # What has a default came later, or may be left out; the reader fills it in.
        "required": sorted(name for name, _, required in fields if required),
        "additionalProperties": False,
    }


def predicate_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the predicate as certune writes it."""
    found: dict[str, Any] = {}
    body = _object(Acceptance, found)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": PREDICATE_TYPE,
        "title": "Acceptance of a candidate by certune",
        **body,
        "$defs": found,
    }


def written() -> str:
    """The schema as text, as the file holds it."""
    return json.dumps(predicate_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(written())

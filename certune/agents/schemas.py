"""JSON schemas as servers enforce them, and answers back in the form that the family reads.

Servers differ in what they understand, so a payload's schema is reduced to what all of them do:
every member required (optional ones may be null), no open dictionaries, enumerations in place
of bounds. What is lost is validated by the family itself, always.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from certune.core.canonical import Json, dumps, loads
from certune.core.errors import InvalidInput

_KEPT = ("description", "minItems", "maxItems")
_MOST_ENUMERATED = 64


class _Open(Exception):
    """A part of the schema that strict servers cannot express."""


def _optional(schema: Mapping[str, Any]) -> set[str]:
    return set(schema.get("properties", {})) - set(schema.get("required", ()))


def _integers(schema: Mapping[str, Any]) -> dict[str, Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if type(low) is int and type(high) is int and 0 <= high - low < _MOST_ENUMERATED:
        return {"type": "integer", "enum": list(range(low, high + 1))}
    return {"type": "integer"}


def _strict(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        raise _Open
    out: dict[str, Any] = {name: schema[name] for name in _KEPT if name in schema}
    if "const" in schema or "enum" in schema:
        values = list(schema["enum"]) if "enum" in schema else [schema["const"]]
        if all(isinstance(value, str) for value in values):
            out["type"] = "string"
        elif all(type(value) is int for value in values):
            out["type"] = "integer"
        return out | {"enum": values}
    if "anyOf" in schema or "oneOf" in schema:
        choices = schema.get("anyOf", schema.get("oneOf"))
        return out | {"anyOf": [_strict(choice) for choice in choices]}
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) or schema.get("additionalProperties") is not False:
            raise _Open
        optional = _optional(schema)
        members = {
            name: {"anyOf": [_strict(inner), {"type": "null"}]}
            if name in optional
            else _strict(inner)
            for name, inner in properties.items()
        }
        out |= {"type": "object", "properties": members, "required": list(properties)}
        return out | {"additionalProperties": False}
    if kind == "array":
        return out | {"type": "array", "items": _strict(schema.get("items"))}
    if kind == "integer":
        return out | _integers(schema)
    if kind in ("string", "number", "boolean", "null"):
        return out | {"type": kind}
    raise _Open


def strict(schema: Mapping[str, Json]) -> dict[str, Any] | None:
    """The schema for ``response_format``; None where strict mode cannot express it."""
    try:
        out = _strict(schema)
    except _Open:
        return None
    return out if out.get("type") == "object" else None


def _without_nulls(value: Any, schema: Any) -> Any:
    """`value` without members that are null and optional in `schema`."""
    if not isinstance(schema, Mapping):
        return value
    if isinstance(value, dict):
        properties = schema.get("properties")
        if not isinstance(properties, Mapping):
            return value
        optional = _optional(schema)
        return {
            name: _without_nulls(item, properties.get(name))
            for name, item in value.items()
            if not (item is None and name in optional)
        }
    if isinstance(value, list):
        return [_without_nulls(item, schema.get("items")) for item in value]
    return value


def restore(text: str, schema: Mapping[str, Json]) -> str:
    """An answer to the strict schema in the family's own form: optional nulls are left out.

    What is not JSON, or needs no change, stays as it is.
    """
    if "null" not in text:
        return text
    try:
        value: Any = loads(text.encode("utf-8", "surrogatepass"))
        plain = _without_nulls(value, schema)
        return text if plain == value else dumps(plain).decode()
    except (InvalidInput, ValueError, RecursionError):
        return text

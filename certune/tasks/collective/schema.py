"""What agents are told about the native format of schedules: a JSON schema and an example."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from certune.core import Json
from certune.tasks.collective.collective import KINDS, Collective
from certune.tasks.collective.schedule import FORMAT, Schedule, from_sends

_SEND: Json = {
    "type": "array",
    "description": "[source rank, destination rank, chunk]",
    "items": {"type": "integer", "minimum": 0},
    "minItems": 3,
    "maxItems": 3,
}

SCHEMA: Mapping[str, Json] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "certune schedule",
    "type": "object",
    "additionalProperties": False,
    "required": ["format", "collective", "ranks", "pieces", "steps"],
    "properties": {
        "format": {"const": FORMAT},
        "collective": {"enum": list(KINDS)},
        "ranks": {"type": "integer", "minimum": 2, "description": "number of ranks"},
        "pieces": {
            "type": "integer",
            "minimum": 1,
            "description": "equal pieces that the whole buffer is cut into",
        },
        "root": {"type": "integer", "minimum": 0, "description": "for rooted collectives only"},
        "steps": {
            "type": "array",
            "minItems": 1,
            "description": "synchronous steps; each send reads the state before its step",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "minProperties": 1,
                "properties": {
                    "copy": {
                        "type": "array",
                        "description": "replaces what the destination holds of the chunk",
                        "items": _SEND,
                    },
                    "reduce": {
                        "type": "array",
                        "description": "adds to what the destination holds of the chunk",
                        "items": _SEND,
                    },
                },
            },
        },
    },
}


def example_schedule(collective: Collective) -> Schedule:
    """A small correct schedule where every rank has a link to every other: all sends direct.

    Allreduce adds everything up at rank 0 and copies the sums from there; the others need one
    step.
    """
    holder = np.zeros(collective.chunks, dtype=np.int64)
    if collective.reducing:
        ranks, chunks = collective.before()
        if collective.kind == "reduce-scatter":
            holder = collective.owner(np.arange(collective.chunks, dtype=np.int64))
        else:
            holder[:] = collective.root
        step = [
            (0, int(r), int(holder[c]), int(c), True) for r, c in zip(ranks, chunks, strict=True)
        ]
    else:
        ranks, chunks = collective.before()
        holder[chunks] = ranks
        step = []
    if collective.kind == "allreduce" or not collective.reducing:
        number = int(collective.reducing)
        pairs = zip(*collective.after(), strict=True)
        step += [(number, int(holder[c]), int(r), int(c), False) for r, c in pairs]
    return from_sends(collective, (send for send in step if send[1] != send[2]))

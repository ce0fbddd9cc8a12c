"""What a family of schedules is described by: a generator and an invariant, as pure data.

The one description makes the concrete schedules (`instances`) and the proof (`claims`). It may
come from an agent: every text in it is parsed by `expression`, and `model` refuses what has no
meaning. docs/parametric.md explains the model with an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from certune.core import InvalidInput, InvalidPayload
from certune.core.canonical import digest, loads
from certune.core.codec import decode, encode
from certune.tasks.collective.collective import Kind

STEP = "s"
"""The name of the step within its phase, counted from 0."""

MAX_BYTES = 2**18


@dataclass(frozen=True)
class Range:
    """A coordinate or index `name` that runs from 0 to `count` - 1."""

    name: str
    count: str


@dataclass(frozen=True)
class Parameter:
    """An integer that tells the members of the family apart; at least `least`, which is ≥ 1."""

    name: str
    least: int = 1


@dataclass(frozen=True)
class Definition:
    """An abbreviation: `name` stands for `value` in the expressions of its phase."""

    name: str
    value: str


@dataclass(frozen=True)
class Sends:
    """What every rank sends in a step of a phase.

    For all values of the indices in `each` for which `when` holds, the rank with the family's
    rank coordinates sends `chunk` to the rank `to` (both coordinate by coordinate).

    `sender` and `index` are hints for the proof, and prove nothing by themselves: from whom the
    rank at hand gets the chunk at hand in this step, and by which values of the indices.
    """

    to: tuple[str, ...]
    chunk: tuple[str, ...]
    op: Literal["copy", "reduce"]
    sender: tuple[str, ...]
    each: tuple[Range, ...] = ()
    index: tuple[str, ...] = ()
    when: str = "true"


@dataclass(frozen=True)
class Phase:
    """Steps of one kind, with the invariant that they keep.

    After `s` steps of this phase, a rank for which `holds` is true of a chunk holds it, and for
    a collective that reduces, its value is the sum of exactly the contributions of those ranks
    for which `contributes` is true. Where `holds` is false nothing is said.
    """

    name: str
    steps: str
    sends: tuple[Sends, ...]
    holds: str
    contributes: str = ""
    define: tuple[Definition, ...] = ()


@dataclass(frozen=True)
class ParametricSchedule:
    """A family of schedules: one for each value of its parameters.

    `ranks` are the coordinates of a rank, the last one running fastest; `chunks` those of a
    chunk. Where pieces have owners there is one piece for each rank, and a chunk has a rank's
    coordinates (for alltoall, those of its source and then of its destination). `origin` names
    the coordinates of a contributing rank. A root is rank 0.

    Nothing is checked here; `model.model_of` reads the texts and refuses what has no meaning.
    """

    name: str
    collective: Kind
    parameters: tuple[Parameter, ...]
    ranks: tuple[Range, ...]
    chunks: tuple[Range, ...]
    phases: tuple[Phase, ...]
    origin: tuple[str, ...] = ()
    about: str = ""

    @cached_property
    def digest(self) -> str:
        """Digest of the canonical form."""
        return digest(encode(self))


def parse_family(data: bytes) -> ParametricSchedule:
    """Read a description sent as JSON; its members are those of `ParametricSchedule`.

    Raises:
        InvalidPayload: what is wrong, and in which member.
    """
    try:
        return decode(ParametricSchedule, loads(data, limit=MAX_BYTES))
    except InvalidInput as error:
        raise InvalidPayload(error.message, place=error.place, remedy=error.remedy) from None

"""Schedules: which rank sends which chunk to whom in which step; their native file format.

Steps are synchronous: every send of a step reads what its sender held before the step, and all
writes of a step take effect together at its end.

What an agent sends is hostile. Reading a file takes time and memory in proportion to its bytes
and ends in a `Schedule` or in `InvalidPayload` with the place. Writing gives the canonical JSON
of RFC 8785 with the sends of a step in order, so that one schedule has one file and one digest.
docs/formats/schedule.md describes the format.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from certune.core import InvalidInput, InvalidPayload
from certune.core.canonical import loads
from certune.core.errors import nearest
from certune.tasks.collective.collective import KINDS, ROOTED, Collective

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

FORMAT = "certune-schedule/1"
MAX_STEPS = 65_536
MAX_SENDS = 8_000_000
MAX_BYTES = 256 * 2**20

_MEMBERS = ("collective", "format", "pieces", "ranks", "root", "steps")
_OPERATIONS = ("copy", "reduce")
_REMEDY = "write [source, destination, chunk] with integers"


@dataclass(frozen=True, eq=False)
class Schedule:
    """Sends in columns, ordered by step; all columns have the same length.

    step:        0 … steps - 1, not decreasing
    source:      sending rank
    destination: receiving rank
    chunk:       index as `Collective` defines it
    reduce:      True adds what is sent to what the destination holds, False replaces it

    Raises:
        InvalidInput: columns of different lengths, a value out of range, steps out of order,
            a rank that sends to itself.
    """

    collective: Collective
    steps: int
    step: Int
    source: Int
    destination: Int
    chunk: Int
    reduce: Bool

    def __post_init__(self) -> None:
        for name in ("step", "source", "destination", "chunk", "reduce"):
            kind = np.bool_ if name == "reduce" else np.int64
            column: npt.NDArray[Any] = np.ascontiguousarray(getattr(self, name), dtype=kind).view()
            if column.shape != (len(self.step),):
                raise InvalidInput(f"column {name!r} has shape {column.shape}", place="schedule")
            column.setflags(write=False)
            object.__setattr__(self, name, column)
        if not 1 <= self.steps <= MAX_STEPS:
            raise InvalidInput(
                f"{self.steps} steps", place="steps", remedy=f"give 1 to {MAX_STEPS}"
            )
        if np.any(np.diff(self.step) < 0):
            raise InvalidInput("sends are not ordered by step", place="schedule")
        ranks = self.collective.ranks
        limits = {"step": self.steps, "source": ranks, "destination": ranks}
        limits["chunk"] = self.collective.chunks
        for name, limit in limits.items():
            column = getattr(self, name)
            wrong = np.flatnonzero((column < 0) | (column >= limit))
            if wrong.size:
                first = int(wrong[0])
                raise InvalidInput(
                    f"{name} {int(column[first])} is out of range",
                    place=f"step {int(self.step[first])}",
                    remedy=f"give 0 to {limit - 1}",
                )
        same = np.flatnonzero(self.source == self.destination)
        if same.size:
            first = int(same[0])
            raise InvalidInput(
                f"rank {int(self.source[first])} sends to itself",
                place=f"step {int(self.step[first])}",
                remedy="remove this send",
            )

    @property
    def sends(self) -> int:
        """How many sends there are."""
        return len(self.step)

    def normalised(self) -> Schedule:
        """The same schedule in its one canonical order, without empty steps.

        Within a step: copies before reductions, each by source, destination and chunk.
        """
        order = np.lexsort((self.chunk, self.destination, self.source, self.reduce, self.step))
        used, step = np.unique(self.step[order], return_inverse=True)
        return replace(
            self,
            steps=max(len(used), 1),
            step=step.astype(np.int64),
            source=self.source[order],
            destination=self.destination[order],
            chunk=self.chunk[order],
            reduce=self.reduce[order],
        )


def from_sends(
    collective: Collective, sends: Iterable[tuple[int, int, int, int, bool]]
) -> Schedule:
    """The normalised schedule of (step, source, destination, chunk, reduce) tuples, in any order.

    Steps without sends are left out.

    Raises:
        InvalidInput: as `Schedule` raises.
    """
    rows = np.array(list(sends), dtype=np.int64).reshape(-1, 5)
    if not len(rows):
        raise InvalidInput("there are no sends", place="schedule")
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    used, step = np.unique(rows[:, 0], return_inverse=True)
    return Schedule(
        collective,
        len(used),
        step.astype(np.int64),
        rows[:, 1],
        rows[:, 2],
        rows[:, 3],
        rows[:, 4].astype(np.bool_),
    ).normalised()


def _refuse(message: str, place: str, remedy: str = "") -> InvalidPayload:
    return InvalidPayload(message, place=place, remedy=remedy)


def _found(value: object) -> str:
    names = {type(None): "null", bool: "a boolean", int: "an integer", float: "a decimal"}
    names |= {str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def _quoted(value: object) -> str:
    return repr(value[:60]) if isinstance(value, str) else _found(value)


def _known(members: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    for key in members:
        if key not in known:
            raise _refuse(f"unknown member {key[:60]!r}", place, nearest(key[:60], known))


def _integer(members: Mapping[str, Any], name: str) -> int:
    if name not in members:
        raise _refuse(f"member {name!r} is missing", name)
    value = members[name]
    if type(value) is not int:
        raise _refuse(f"expected an integer, found {_found(value)}", name)
    return value


def _collective(members: Mapping[str, Any]) -> Collective:
    if "format" not in members:
        raise _refuse("member 'format' is missing", "format", f"write {FORMAT!r}")
    if members["format"] != FORMAT:
        raise _refuse(f"{_quoted(members['format'])} is not known", "format", f"write {FORMAT!r}")
    kind = members.get("collective")
    if not isinstance(kind, str) or kind not in KINDS:
        raise _refuse(
            f"unknown collective {_quoted(kind)}", "collective", nearest(_quoted(kind), KINDS)
        )
    if "root" in members and kind not in ROOTED:
        raise _refuse(f"{kind} has no root", "root", "leave the root out")
    root = _integer(members, "root") if "root" in members else 0
    try:
        return Collective(kind, _integer(members, "ranks"), _integer(members, "pieces"), root)
    except InvalidInput as error:
        raise _refuse(error.message, error.place, error.remedy) from None


def _explain(rows: list[Any], place: str) -> InvalidPayload:
    """Why `rows` is no array of integer triples: the slow way, taken only when it is none."""
    for index, row in enumerate(rows):
        here = f"{place}[{index}]"
        if type(row) is not list:
            return _refuse(f"expected an array, found {_found(row)}", here, _REMEDY)
        if len(row) != 3:
            return _refuse(f"expected 3 items, found {len(row)}", here, _REMEDY)
        for item, name in zip(row, ("source", "destination", "chunk"), strict=True):
            if type(item) is not int:
                return _refuse(f"the {name} is {_found(item)}", here, _REMEDY)
    raise AssertionError("every row is an integer triple")


def _triples(rows: object, place: str) -> Int:
    if type(rows) is not list:
        raise _refuse(f"expected an array, found {_found(rows)}", place, _REMEDY)
    if not rows:
        return np.empty((0, 3), dtype=np.int64)
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {3}:
        raise _explain(rows, place)
    # bool is a subclass of int, so the exact types are looked at.
    if set(map(type, chain.from_iterable(rows))) != {int}:
        raise _explain(rows, place)
    # The JSON that `loads` accepts has no integers beyond 2**53 - 1.
    flat = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=3 * len(rows))
    return flat.reshape(-1, 3)


def _ranges(triples: Int, collective: Collective, place: str) -> None:
    limits = np.array([collective.ranks, collective.ranks, collective.chunks], dtype=np.int64)
    wrong = np.argwhere((triples < 0) | (triples >= limits))
    if wrong.size:
        row, column = (int(x) for x in wrong[0])
        name = ("source", "destination", "chunk")[column]
        raise _refuse(
            f"{name} {int(triples[row, column])} is out of range",
            f"{place}[{row}]",
            f"give 0 to {int(limits[column]) - 1}",
        )
    same = np.flatnonzero(triples[:, 0] == triples[:, 1])
    if same.size:
        row = int(same[0])
        raise _refuse(
            f"rank {int(triples[row, 0])} sends to itself", f"{place}[{row}]", "remove this send"
        )


def parse_schedule(
    data: bytes, *, max_sends: int = MAX_SENDS, max_bytes: int = MAX_BYTES
) -> Schedule:
    """Read a schedule in the native format; the result is normalised.

    Raises:
        InvalidPayload: what is wrong and at which member, such as ``steps[2].copy[5]``.
    """
    try:
        # What is nested too deeply is no schedule, so that depth needs no check of its own.
        members = loads(data, limit=max_bytes, depth=max_bytes)
    except InvalidInput as error:
        deep = error.message == "nested too deeply"
        raise _refuse(error.message, error.place, "" if deep else error.remedy) from None
    if not isinstance(members, dict):
        raise _refuse(f"expected an object, found {_found(members)}", "file")
    _known(members, _MEMBERS, "file")
    collective = _collective(members)
    steps = members.get("steps")
    if type(steps) is not list or not steps:
        raise _refuse("expected an array of at least one step", "steps")
    if len(steps) > MAX_STEPS:
        raise _refuse(f"{len(steps)} steps", "steps", f"the limit is {MAX_STEPS}")
    parts: list[Int] = []
    numbers: list[int] = []
    reduces: list[bool] = []
    total = 0
    for number, step in enumerate(steps):
        place = f"steps[{number}]"
        if not isinstance(step, dict):
            raise _refuse(f"expected an object, found {_found(step)}", place)
        _known(step, _OPERATIONS, place)
        before = total
        for name in _OPERATIONS:
            if name not in step:
                continue
            triples = _triples(step[name], f"{place}.{name}")
            _ranges(triples, collective, f"{place}.{name}")
            parts.append(triples)
            numbers.append(number)
            reduces.append(name == "reduce")
            total += len(triples)
        if total == before:
            raise _refuse("the step sends nothing", place, "remove this step")
        if total > max_sends:
            raise _refuse(f"more than {max_sends} sends", place, "send fewer, larger chunks")
        steps[number] = None  # lets go of the parsed lists while the columns grow
    lengths = [len(part) for part in parts]
    rows = np.concatenate(parts)
    return Schedule(
        collective,
        len(steps),
        np.repeat(np.array(numbers, dtype=np.int64), lengths),
        rows[:, 0],
        rows[:, 1],
        rows[:, 2],
        np.repeat(np.array(reduces, dtype=np.bool_), lengths),
    ).normalised()


def dump_schedule(schedule: Schedule) -> bytes:
    """The canonical bytes of a schedule; the same for every order of sends within a step.

    Raises:
        InvalidInput: there are no sends.
    """
    if not schedule.sends:
        raise InvalidInput("there are no sends", place="schedule")
    schedule = schedule.normalised()
    rows = np.stack((schedule.source, schedule.destination, schedule.chunk), axis=1)
    steps: list[str] = []
    cuts = np.searchsorted(schedule.step, np.arange(schedule.steps + 1))
    for first, last in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        middle = last - int(np.count_nonzero(schedule.reduce[first:last]))
        members = []
        for name, start, stop in (("copy", first, middle), ("reduce", middle, last)):
            if start < stop:
                listed = json.dumps(rows[start:stop].tolist(), separators=(",", ":"))
                members.append(f'"{name}":{listed}')
        steps.append("{" + ",".join(members) + "}")
    collective = schedule.collective
    root = f'"root":{collective.root},' if collective.rooted else ""
    head = (
        f'{{"collective":"{collective.kind}","format":"{FORMAT}",'
        f'"pieces":{collective.pieces},"ranks":{collective.ranks},{root}"steps":['
    )
    return (head + ",".join(steps) + "]}").encode()

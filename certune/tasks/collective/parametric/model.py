"""A description read: its expressions parsed and checked, its collective's conditions as terms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from certune.core import InvalidInput
from certune.core.errors import nearest
from certune.tasks.collective.collective import KINDS, REDUCING, Kind
from certune.tasks.collective.parametric.description import (
    STEP,
    Parameter,
    ParametricSchedule,
    Phase,
    Range,
)
from certune.tasks.collective.parametric.expression import (
    TRUE,
    Sort,
    Term,
    all_of,
    equal,
    integer,
    is_name,
    name,
    parse,
    show,
    substitute,
)

MAX_PARAMETERS = 3
MAX_SENDS = 6  # in a phase
MAX_ITEMS = 12  # coordinates, indices, definitions or phases


@dataclass(frozen=True)
class Axis:
    """A parsed `Range`."""

    name: str
    count: Term


@dataclass(frozen=True)
class Rule:
    """Parsed `Sends`; definitions are put in."""

    to: tuple[Term, ...]
    chunk: tuple[Term, ...]
    reduce: bool
    each: tuple[Axis, ...]
    when: Term
    sender: tuple[Term, ...]
    index: tuple[Term, ...]


@dataclass(frozen=True)
class Stage:
    """A parsed `Phase`."""

    name: str
    steps: Term
    rules: tuple[Rule, ...]
    holds: Term
    contributes: Term


@dataclass(frozen=True)
class Model:
    """A parsed family with the pre- and postcondition of its collective as terms.

    `before` and `before_of` say who holds a chunk at the start and whose contributions it then
    has; `after` and `after_of` say what is asked for at the end.
    """

    parameters: tuple[Parameter, ...]
    ranks: tuple[Axis, ...]
    chunks: tuple[Axis, ...]
    origin: tuple[Axis, ...]
    stages: tuple[Stage, ...]
    before: Term
    before_of: Term
    after: Term
    after_of: Term


def same(left: Iterable[Term], right: Iterable[Term]) -> Term:
    """That two tuples of coordinates are equal."""
    return all_of(*(equal(a, b) for a, b in zip(left, right, strict=True)))


def model_of(family: ParametricSchedule) -> Model:
    """The parsed description.

    Raises:
        InvalidInput: what is wrong, and in which member.
    """
    return _Reader(family).model()


class _Reader:
    def __init__(self, family: ParametricSchedule) -> None:
        self.family = family
        self.constants = {parameter.name for parameter in family.parameters}

    def model(self) -> Model:
        family = self.family
        if family.collective not in KINDS:
            raise InvalidInput(
                f"unknown collective {family.collective!r}",
                place="collective",
                remedy=nearest(str(family.collective), KINDS),
            )
        self.check_names()
        ranks = self.axes(family.ranks, self.constants, "ranks")
        chunks = self.axes(family.chunks, self.constants, "chunks")
        self.check_chunks(ranks, chunks)
        names = family.origin or tuple(f"from_{axis.name}" for axis in ranks)
        origin = tuple(Axis(n, axis.count) for n, axis in zip(names, ranks, strict=True))
        conditions = _conditions(family.collective, ranks, chunks, origin)
        stages = tuple(
            self.stage(phase, ranks, chunks, origin, f"phases[{number}]")
            for number, phase in enumerate(family.phases)
        )
        return Model(family.parameters, ranks, chunks, origin, stages, *conditions)

    def check_names(self) -> None:
        family = self.family
        for place in ("parameters", "ranks", "chunks", "phases"):
            if not 1 <= len(getattr(family, place)) <= MAX_ITEMS:
                raise InvalidInput("none or too many", place=place, remedy=f"1 to {MAX_ITEMS}")
        if len(family.parameters) > MAX_PARAMETERS:
            raise InvalidInput(f"more than {MAX_PARAMETERS}", place="parameters")
        labels = [family.name, *(phase.name for phase in family.phases)]
        for label in labels:
            # Labels are written into queries and reports.
            if re.fullmatch(r"[a-z][a-z0-9-]{0,39}", label) is None:
                raise InvalidInput(
                    f"{label[:40]!r} is no name",
                    place="name",
                    remedy="use small letters, digits and hyphens",
                )
        if len(set(labels[1:])) < len(family.phases):
            raise InvalidInput("two phases have the same name", place="phases")
        for parameter in family.parameters:
            if not 1 <= parameter.least <= 1024:
                raise InvalidInput(
                    f"{parameter.name} is at least {parameter.least}",
                    place="parameters",
                    remedy="the least value is 1 to 1024",
                )
        if family.origin and len(family.origin) != len(family.ranks):
            raise InvalidInput("one name for each coordinate of a rank", place="origin")
        names = [parameter.name for parameter in family.parameters]
        names += [axis.name for axis in (*family.ranks, *family.chunks)]
        _distinct([*names, *(family.origin or (f"from_{r.name}" for r in family.ranks))])

    def check_chunks(self, ranks: tuple[Axis, ...], chunks: tuple[Axis, ...]) -> None:
        kind = self.family.collective
        owned = {"alltoall": 2, "allreduce": 0, "reduce": 0, "broadcast": 0}.get(kind, 1)
        wanted = [axis.count for axis in ranks] * owned
        if owned and [axis.count for axis in chunks] != wanted:
            raise InvalidInput(
                f"the chunks of {kind} do not have the ranges of {'two ranks' * (owned - 1)}"
                f"{'a rank' * (2 - owned)}",
                place="chunks",
                remedy="give them the counts of the rank coordinates",
            )

    def axes(self, ranges: tuple[Range, ...], scope: set[str], place: str) -> tuple[Axis, ...]:
        if len(ranges) > MAX_ITEMS:
            raise InvalidInput("too many", place=place, remedy=f"at most {MAX_ITEMS}")
        return tuple(
            Axis(item.name, self.term(item.count, scope, "integer", f"{place}[{number}].count"))
            for number, item in enumerate(ranges)
        )

    def term(
        self,
        text: str,
        scope: set[str],
        sort: Sort,
        place: str,
        definitions: dict[str, Term] | None = None,
    ) -> Term:
        try:
            term = substitute(parse(text), definitions or {})
        except InvalidInput as error:
            raise error.within(place) from None
        if term.sort != sort:
            raise InvalidInput(f"{text[:60]!r} is no {sort}", place=place)
        for unknown in sorted(term.names() - scope):
            raise InvalidInput(
                f"{unknown!r} has no value here", place=place, remedy=nearest(unknown, scope)
            )
        self.check_exponents(term, place)
        return term

    def check_exponents(self, term: Term, place: str) -> None:
        """Exponents are linear in the parameters and the step, as `linear` needs them."""
        for power in (inner for inner in term.walk() if inner.op == "pow2"):
            inside = power.args[0]
            plain = all(t.op in ("integer", "name", "+", "-", "*") for t in inside.walk())
            if not plain or not inside.names() <= {*self.constants, STEP}:
                raise InvalidInput(
                    f"the exponent in {show(power)[:60]}",
                    place=place,
                    remedy="write it with numbers, parameters, s, + - and *",
                )

    def stage(
        self,
        phase: Phase,
        ranks: tuple[Axis, ...],
        chunks: tuple[Axis, ...],
        origin: tuple[Axis, ...],
        place: str,
    ) -> Stage:
        if not 1 <= len(phase.sends) <= MAX_SENDS or len(phase.define) > MAX_ITEMS:
            raise InvalidInput("too many or no sends or definitions", place=place)
        taken = [*self.constants, *(axis.name for axis in (*ranks, *chunks, *origin))]
        _distinct([*taken, *(item.name for item in phase.define)], place)
        definitions: dict[str, Term] = {}
        for item in phase.define:
            try:
                definitions[item.name] = substitute(parse(item.value), definitions)
            except InvalidInput as error:
                raise error.within(f"{place}.define.{item.name}") from None

        def read(text: str, scope: set[str], sort: Sort, where: str) -> Term:
            return self.term(text, scope, sort, f"{place}.{where}", definitions)

        rank_scope = {*self.constants, STEP, *(axis.name for axis in ranks)}
        chunk_scope = rank_scope | {axis.name for axis in chunks}
        rules = []
        for number, sends in enumerate(phase.sends):
            here = f"sends[{number}]"
            if len(sends.each) > MAX_ITEMS:
                raise InvalidInput("too many indices", place=f"{place}.{here}.each")
            _distinct([*taken, *definitions, *(i.name for i in sends.each)], place)
            each = tuple(
                Axis(i.name, read(i.count, {*self.constants, STEP}, "integer", f"{here}.each"))
                for i in sends.each
            )
            scope = rank_scope | {axis.name for axis in each}
            for member, wanted in (
                ("to", ranks),
                ("chunk", chunks),
                ("sender", ranks),
                ("index", each),
            ):
                if len(getattr(sends, member)) != len(wanted):
                    raise InvalidInput(
                        f"{len(getattr(sends, member))} coordinates",
                        place=f"{place}.{here}.{member}",
                        remedy=f"give {len(wanted)}",
                    )
            if sends.op not in ("copy", "reduce"):
                raise InvalidInput(f"unknown op {sends.op!r}", place=f"{place}.{here}.op")
            rules.append(
                Rule(
                    tuple(read(x, scope, "integer", f"{here}.to") for x in sends.to),
                    tuple(read(x, scope, "integer", f"{here}.chunk") for x in sends.chunk),
                    sends.op == "reduce",
                    each,
                    read(sends.when, scope, "condition", f"{here}.when"),
                    tuple(read(x, chunk_scope, "integer", f"{here}.sender") for x in sends.sender),
                    tuple(read(x, chunk_scope, "integer", f"{here}.index") for x in sends.index),
                )
            )
        holds = read(phase.holds, chunk_scope, "condition", "holds")
        if self.family.collective in REDUCING:
            full = chunk_scope | {axis.name for axis in origin}
            contributes = read(phase.contributes, full, "condition", "contributes")
        elif phase.contributes:
            raise InvalidInput(
                f"{self.family.collective} reduces nothing",
                place=f"{place}.contributes",
                remedy="leave it out",
            )
        else:
            contributes = _conditions(self.family.collective, ranks, chunks, origin)[1]
        steps = self.term(phase.steps, self.constants, "integer", f"{place}.steps")
        return Stage(phase.name, steps, tuple(rules), holds, contributes)


def _distinct(names: list[str], place: str = "names") -> None:
    seen = {STEP}
    for text in names:
        if not is_name(text):
            raise InvalidInput(f"{text[:40]!r} is no name", place=place, remedy="use letters")
        if text in seen:
            raise InvalidInput(f"{text!r} names two things", place=place, remedy="rename one")
        seen.add(text)


def _conditions(
    kind: Kind, ranks: tuple[Axis, ...], chunks: tuple[Axis, ...], origin: tuple[Axis, ...]
) -> tuple[Term, Term, Term, Term]:
    """What `Collective` says in its table: before, whose contributions, after, whose.

    A chunk of a collective that does not reduce counts as the one contribution of the rank
    that holds it at the start.
    """
    rank = [name(axis.name) for axis in ranks]
    chunk = [name(axis.name) for axis in chunks]
    whose = [name(axis.name) for axis in origin]
    root = [integer(0) for _ in ranks]
    if kind in REDUCING:
        after = {"reduce-scatter": lambda: same(rank, chunk), "reduce": lambda: same(rank, root)}
        return TRUE, same(whose, rank), after.get(kind, lambda: TRUE)(), TRUE
    width = len(ranks)
    holder = root if kind in ("broadcast", "scatter") else chunk[:width]
    goal: dict[str, Term] = {"allgather": TRUE, "broadcast": TRUE, "gather": same(rank, root)}
    owner = chunk[width:] if kind == "alltoall" else chunk
    after_term = goal[kind] if kind in goal else same(rank, owner)
    return same(rank, holder), same(whose, holder), after_term, same(whose, holder)

"""Inputs from solver models: of a claim that was not proved, and of a precondition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from certune.core.canonical import Json
from certune.core.proof import Query
from certune.verifier.contracts import terms as t
from certune.verifier.contracts import values as v
from certune.verifier.contracts.data import Record, to_json
from certune.verifier.contracts.discharge import Task
from certune.verifier.contracts.pool import Pool, Request
from certune.verifier.contracts.prepare import assertions
from certune.verifier.contracts.report import Limits, Place
from certune.verifier.contracts.smtlib import TooLong, Writer
from certune.verifier.contracts.state import Claim, State
from certune.verifier.contracts.terms import Term
from certune.verifier.contracts.types import (
    BoolT,
    DictT,
    ListT,
    OptionT,
    RecordT,
    SetT,
    TupleT,
)
from certune.verifier.contracts.values import Value

_SHORT = 4
_LONG = 16


class _Wanted:
    """Scalars whose values are asked of a model."""

    def __init__(self, writer: Writer, longest: int) -> None:
        self.writer = writer
        self.longest = longest
        self.names: list[str] = []

    def ask(self, term: Term) -> str:
        name = f"is!{len(self.names)}"
        self.names.append(name)
        text = self.writer.text(term)
        self.writer.emit(f"(declare-const {name} {self.writer.sort(term.sort)})")
        self.writer.emit(f"(assert (= {name} {text}))")
        return name


Shape = Any


def _shape(value: Value, wanted: _Wanted) -> Shape:
    """The names of the scalars that a value is made of, as a tree."""
    kind = value.type
    if isinstance(kind, ListT):
        items = [_shape(v.element(value, t.num(k)), wanted) for k in range(wanted.longest)]
        return (wanted.ask(value.leaves[0]), items)
    if isinstance(kind, OptionT):
        return (wanted.ask(value.leaves[0]), _shape(Value(kind.item, value.leaves[1:]), wanted))
    if isinstance(kind, TupleT | RecordT):
        return [_shape(v.part(value, k), wanted) for k in range(len(v.parts(kind)))]
    if isinstance(kind, DictT | SetT):
        found = []
        for k in range(-1, wanted.longest + 4):
            held = _shape(v.entry(value, t.num(k)), wanted) if isinstance(kind, DictT) else None
            found.append((k, wanted.ask(t.select(value.leaves[0], t.num(k))), held))
        return found
    return wanted.ask(value.term)


def _read(shape: Shape, kind: Any, got: dict[str, Any]) -> Any:
    """The value that a model gives; what it leaves open is 0, False or empty."""
    if isinstance(kind, ListT):
        length = min(max(int(got.get(shape[0], 0)), 0), len(shape[1]))
        return [_read(s, kind.item, got) for s in shape[1][:length]]
    if isinstance(kind, OptionT):
        return _read(shape[1], kind.item, got) if got.get(shape[0]) is True else None
    if isinstance(kind, TupleT | RecordT):
        items = [_read(s, p, got) for s, p in zip(shape, v.parts(kind), strict=True)]
        if isinstance(kind, TupleT):
            return tuple(items)
        return Record(kind.name, {n: i for (n, _), i in zip(kind.fields, items, strict=True)})
    if isinstance(kind, DictT | SetT):
        held = [(k, s) for k, name, s in shape if got.get(name) is True]
        if isinstance(kind, SetT):
            return {k for k, _ in held}
        return {k: _read(s, kind.value, got) for k, s in held}
    if isinstance(kind, BoolT):
        return got.get(shape) is True
    number = int(got.get(shape, 0))
    if hasattr(kind, "bits") and kind.signed and number > kind.high:
        number -= 1 << kind.bits
    return number


def inputs(
    tasks: Sequence[Task], entry: dict[str, Value], pool: Pool, limits: Limits
) -> list[dict[str, Any]]:
    """Arguments from the models of unproved claims, short lists preferred; none is confirmed."""
    found = _read_models([(task, entry) for task in tasks], pool, limits)
    return [f for f in found if f is not None]


def states(tasks: Sequence[Task], pool: Pool, limits: Limits) -> list[dict[str, Json] | None]:
    """For each unproved claim, values of the variables there in which the solver thinks it fails.

    They need not be reached by any run: what a loop changed is known by its invariants alone.
    """
    shown = [(task, {n: x for n, x in task.claim.env.items() if "'" not in n}) for task in tasks]
    return [
        None if f is None else {name: to_json(value) for name, value in f.items()}
        for f in _read_models(shown, pool, limits)
    ]


def _read_models(
    tasks: Sequence[tuple[Task, Mapping[str, Value]]], pool: Pool, limits: Limits
) -> list[dict[str, Any] | None]:
    requests: list[Request] = []
    shapes: dict[int, dict[str, Shape]] = {}
    for number, (task, env) in enumerate(tasks):
        try:
            made, shapes[number] = _question(task, env, limits)
        except TooLong:
            continue
        requests.append(made)
    done: list[dict[str, Any] | None] = [None] * len(tasks)
    for (number, shape), reply in zip(shapes.items(), pool.ask(requests), strict=True):
        if reply.values:
            got = dict(reply.values)
            env = tasks[number][1]
            done[number] = {n: _read(s, env[n].type, got) for n, s in shape.items()}
    return done


def _question(
    task: Task, entry: Mapping[str, Value], limits: Limits
) -> tuple[Request, dict[str, Shape]]:
    facts = assertions(task.claim)
    longest = _longest(facts)
    short = [t.le(x, t.num(longest)) for x in _lengths(entry)]
    spread = []
    for fact in facts:
        if fact.op == "forall" and len(fact.data) <= 2 and all(x.sort == "Int" for x in fact.data):
            places = [t.num(k) for k in range(longest)]
            for a in places:
                for b in places if len(fact.data) == 2 else places[:1]:
                    chosen = dict(zip(fact.data, (a, b), strict=False))
                    spread.append(t.substitute(fact.args[0], chosen))
    facts = [*facts, *short, *spread]
    writer = Writer(task.mode, limits.query_bytes)
    writer.count(facts)
    for fact in facts:
        writer.claim(fact)
    wanted = _Wanted(writer, longest)
    shape = {name: _shape(value, wanted) for name, value in entry.items()}
    return (
        Request(
            Query("smtlib2", writer.script()),
            True,
            limits.resources,
            {"auto_config": False, "mbqi": False},
            tuple(wanted.names),
        ),
        shape,
    )


def _named_lengths(facts: Sequence[Term]) -> list[int]:
    """The numbers to which lengths are compared."""
    found = []
    for fact in t.subterms(facts):
        if fact.op in ("=", "<=", "<") and fact.args[0].sort == "Int":
            numbers = [a.data for a in fact.args if a.op == "int"]
            if numbers and any(_is_length(a) for a in fact.args):
                found.append(numbers[0])
    return found


def _is_length(term: Term) -> bool:
    while term.op == "select":
        term = term.args[0]
    return term.op == "const" and "len!" in term.data


def _longest(facts: Sequence[Term]) -> int:
    """How long lists may get: as long as a length that the facts name, if that is not long."""
    return max([_SHORT, *(n for n in _named_lengths(facts) if n <= _LONG)])


def _sizes(claim: Claim) -> list[int]:
    named = [n for n in _named_lengths(claim.facts) if _SHORT < n <= _LONG]
    return [*range(_SHORT + 1), *sorted(set(named))]


def _lengths(entry: Mapping[str, Value]) -> list[Term]:
    return [
        leaf
        for value in entry.values()
        for leaf, name in zip(value.leaves, v.leaf_names(value.type), strict=True)
        if name.endswith((".len", ".size")) and leaf.sort == "Int"
    ]


def satisfying(start: State, pool: Pool, limits: Limits) -> list[dict[str, Any]]:
    """Arguments from models of the precondition: several sizes of lists; none is confirmed."""
    claim = Claim("", "precondition", Place(1, 1), (), "", tuple(start.known()), t.FALSE)
    lengths = _lengths(start.entry)
    tasks = []
    for mode in ("int", "bv"):
        for size in _sizes(claim) if lengths else (0,):
            fixed = (t.eq(lengths[0], t.num(size)),) if lengths else ()
            facts = (*claim.facts, *fixed)
            made = replace(claim, facts=facts)
            tasks.append(Task(made, {}, "int" if mode == "int" else "bv"))
    return inputs(tasks, start.entry, pool, limits)

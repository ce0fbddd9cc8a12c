"""Helpers of the parametric tests: a prover in this process, wrong members, mutations of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bruteforce import judge

from certune.core import InvalidInput
from certune.tasks.collective.parametric import ParametricSchedule, members
from certune.tasks.collective.parametric.claims import claims
from certune.tasks.collective.parametric.instances import member
from certune.tasks.collective.parametric.model import model_of
from certune.tasks.collective.parametric.smtlib import translate
from certune.tasks.collective.schedule import dump_schedule


def decides(text: str) -> str:
    """Z3's answer in this process: quick, for tests that ask thousands of small queries."""
    import z3

    solver = z3.SimpleSolver(ctx=z3.Context())
    solver.set(auto_config=False, mbqi=False, rlimit=2_000_000)
    solver.from_string(text)
    return str(solver.check())


def proved(family: ParametricSchedule) -> bool:
    """Whether every claim is proved; ends at the first that is not."""
    model = model_of(family)
    return all(
        decides(translate(claim, model.parameters).query.text.decode()) == "unsat"
        for claim in claims(model)
    )


def wrong_member(family: ParametricSchedule, most: int) -> str | None:
    """The first member with at most `most` ranks that the brute-force interpreter refuses."""
    model = model_of(family)
    for parameters, _ in members(family, most):
        try:
            schedule = member(model, family, parameters)
        except InvalidInput as error:
            return f"{parameters}: {error}"
        found = judge(dump_schedule(schedule))
        if found is not None:
            return f"{parameters}: {found}"
    return None


def texts(family: ParametricSchedule) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every expression of the phases, with the path to it."""
    for p, phase in enumerate(family.phases):
        yield (p, "steps"), phase.steps
        yield (p, "holds"), phase.holds
        if phase.contributes:
            yield (p, "contributes"), phase.contributes
        for d, item in enumerate(phase.define):
            yield (p, "define", d), item.value
        for i, sends in enumerate(phase.sends):
            for part in ("to", "chunk", "sender", "index"):
                for at, text in enumerate(getattr(sends, part)):
                    yield (p, "sends", i, part, at), text
            for at, each in enumerate(sends.each):
                yield (p, "sends", i, "each", at), each.count
            yield (p, "sends", i, "when"), sends.when
            yield (p, "sends", i, "op"), sends.op


def with_text(family: ParametricSchedule, path: tuple[Any, ...], text: str) -> ParametricSchedule:
    """`family` with one expression replaced."""
    number, part, *rest = path
    phase = family.phases[number]
    if part == "define":
        phase = replace(phase, define=_put(phase.define, rest[0], "value", text))
    elif part == "sends":
        index, name, *at = rest
        new: Any = text
        if name == "each":
            new = _put(phase.sends[index].each, at[0], "count", text)
        elif at:
            values = list(getattr(phase.sends[index], name))
            values[at[0]] = text
            new = tuple(values)
        phase = replace(phase, sends=_put(phase.sends, index, name, new))
    else:
        phase = replace(phase, **{part: text})
    return replace(family, phases=(*family.phases[:number], phase, *family.phases[number + 1 :]))


def _put(items: tuple[Any, ...], at: int, part: str, value: Any) -> tuple[Any, ...]:
    return (*items[:at], replace(items[at], **{part: value}), *items[at + 1 :])


_OTHER = {
    "+": ["-", "*"],
    "-": ["+"],
    "*": ["+"],
    "<=": ["<", ">=", "=="],
    "==": ["!=", "<="],
    "%": ["//"],
    "//": ["%"],
    "and": ["or"],
    "or": ["and"],
    "true": ["false"],
    "copy": ["reduce"],
    "reduce": ["copy"],
}


def mutations(text: str, names: list[str]) -> list[str]:
    """`text` with one token changed, or one added to the whole."""
    found = [f"{text} + 1", f"{text} - 1", f"0 - ({text})"] if text not in _OTHER else []
    for match in re.finditer(r"\d+|\w+|//|[<>=!]=|[-+*%<>]", text):
        token = match.group()
        others = list(_OTHER.get(token, []))
        if token.isdigit():
            others += [str(int(token) + 1), str(max(int(token) - 1, 0))]
        elif token in names:
            others += [other for other in names if other != token]
            others += [f"({token} + 1)", f"({token} - 1)"]
        found += [text[: match.start()] + other + text[match.end() :] for other in others]
    return found

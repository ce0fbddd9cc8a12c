"""Ways to have a wrong family of schedules proved. None may work."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from parametric_tools import decides, proved, with_text, wrong_member

from certune.core import Answer, Crashed, InvalidInput, Query, Status
from certune.core.canonical import dumps
from certune.core.codec import encode
from certune.tasks.collective.parametric import (
    FAMILIES,
    ParametricSchedule,
    parse_family,
    prove,
    prove_family,
)
from certune.tasks.collective.parametric.claims import claims
from certune.tasks.collective.parametric.description import (
    Definition,
    Parameter,
    Phase,
    Range,
    Sends,
)
from certune.tasks.collective.parametric.expression import FALSE
from certune.tasks.collective.parametric.model import model_of
from certune.tasks.collective.parametric.search import counterexample
from certune.tasks.collective.parametric.smtlib import translate
from certune.verifier.smt import SmtProver

Edit = tuple[tuple[Any, ...], str]

TO, CHUNK = (0, "sends", 0, "to", 0), (0, "sends", 0, "chunk", 0)
SENDER, INDEX = (0, "sends", 0, "sender", 0), (0, "sends", 0, "index", 0)
OP, WHEN = (0, "sends", 0, "op"), (0, "sends", 0, "when")
STEPS, HOLDS, CONTRIBUTES = (0, "steps"), (0, "holds"), (0, "contributes")

# Families that are wrong: each has a wrong member among the small ones.
WRONG: dict[str, tuple[str, list[Edit]]] = {
    "chunk one too far": ("ring-allgather", [(CHUNK, "(r - s + 1) % n")]),
    "chunk one too near": ("ring-reduce-scatter", [(CHUNK, "(r - s) % n")]),
    "chunk not wrapped": ("ring-allgather", [(CHUNK, "r - s")]),
    "rank not wrapped": ("ring-allgather", [(TO, "r + 1")]),
    "the other way round": ("ring-allgather", [(TO, "(r - 1) % n"), (SENDER, "(r + 1) % n")]),
    "to itself": ("ring-allgather", [(TO, "r"), (SENDER, "r")]),
    "a step short": ("ring-allgather", [(STEPS, "n - 2")]),
    "a step short, reducing": ("ring-reduce-scatter", [(STEPS, "n - 2")]),
    "a step too many": ("ring-reduce-scatter", [(STEPS, "n")]),
    "a phase short": ("ring-allreduce", [((1, "steps"), "n - 2")]),
    "copy for reduce": ("ring-reduce-scatter", [(OP, "copy")]),
    "reduce for copy": ("ring-allgather", [(OP, "reduce")]),
    "reduce for copy in allreduce": ("ring-allreduce", [((1, "sends", 0, "op"), "reduce")]),
    "phases that do not fit": (
        "ring-allreduce",
        [((1, "sends", 0, "chunk", 0), "(r - s + 1) % n"), ((1, "holds"), "(r - c + 1) % n <= s")],
    ),
    "nobody sends": ("ring-allgather", [(WHEN, "false")]),
    "rank 0 does not send": ("ring-allgather", [(WHEN, "r > 0")]),
    "the last rank does not send": ("ring-reduce-scatter", [(WHEN, "r < n - 1")]),
    "invariant and generator agree on nothing": (
        "ring-allgather",
        [(WHEN, "false"), (HOLDS, "false")],
    ),
    "own half sent": ("halving-reduce-scatter", [(CHUNK, "r // h * h + j")]),
    "distances upwards, halving": (
        "halving-reduce-scatter",
        [((0, "define", 0), "pow2(s)")],
    ),
    "half of the block": ("doubling-allgather", [((0, "sends", 0, "each", 0), "(h + 1) // 2")]),
    "a negative exponent": ("halving-reduce-scatter", [(STEPS, "k + 1")]),
    "halving a step short": ("halving-reduce-scatter", [(STEPS, "k - 1")]),
    "doubling with fixed distance": ("doubling-allreduce", [((0, "define", 0), "1")]),
    "never down": ("doubling-allgather", [((0, "define", 1), "(r + h) % pow2(k)")]),
    "overwritten sums": ("doubling-allreduce", [(OP, "copy")]),
    "nodes and GPUs confused": (
        "two-level-alltoall",
        [((1, "sends", 0, "chunk", 0), "e"), ((1, "sends", 0, "chunk", 1), "a")],
    ),
    "one node left out": ("two-level-alltoall", [((0, "sends", 0, "each", 0), "nodes - 1")]),
    "one level left out": ("two-level-alltoall", [((1, "steps"), "0")]),
    "twice around": ("two-level-allreduce", [((0, "steps"), "gpus")]),
}

# What the invariant or a hint pretends; the schedules themselves may be right.
PRETENDED: dict[str, tuple[str, list[Edit]]] = {
    "all is held from the start": ("ring-allgather", [(HOLDS, "true")]),
    "nothing is ever held": ("ring-allgather", [(HOLDS, "false")]),
    "held a step early": ("ring-allgather", [(HOLDS, "(r - c) % n <= s + 1")]),
    "held a step late": ("ring-allgather", [(HOLDS, "(r - c) % n < s")]),
    "all have contributed": ("ring-reduce-scatter", [(CONTRIBUTES, "true")]),
    "nobody has contributed": ("ring-reduce-scatter", [(CONTRIBUTES, "false")]),
    "held only by those who need it": ("ring-reduce-scatter", [(HOLDS, "r == c")]),
    "the sender is itself": ("ring-allgather", [(SENDER, "r")]),
    "the sender does not exist": ("ring-allgather", [(SENDER, "0 - 1")]),
    "the sender is beyond the ring": ("ring-allgather", [(SENDER, "r - 1")]),
    "another index": ("doubling-allgather", [(INDEX, "0")]),
    "an index beyond its range": ("doubling-allgather", [(INDEX, "c")]),
}


def edited(cheat: tuple[str, list[Edit]]) -> ParametricSchedule:
    family = FAMILIES[cheat[0]]
    for path, text in cheat[1]:
        family = with_text(family, path, text)
    return family


@pytest.mark.parametrize("cheat", WRONG)
def test_a_wrong_family_is_never_proved(cheat: str) -> None:
    family = edited(WRONG[cheat])
    assert wrong_member(family, 17) is not None
    assert not proved(family)


@pytest.mark.parametrize("cheat", PRETENDED)
def test_a_wrong_invariant_or_hint_proves_nothing(cheat: str) -> None:
    assert not proved(edited(PRETENDED[cheat]))


@pytest.mark.parametrize("cheat", ["chunk one too far", "copy for reduce"])
def test_a_wrong_family_is_refuted_with_the_smallest_case(cheat: str) -> None:
    proof = prove_family(edited(WRONG[cheat]), SmtProver())
    assert proof.verdict.status is Status.REFUTED
    told = proof.instances.counterexample
    assert told is not None
    assert told.data["n"] in (2, 3)
    failed = [o for o in proof.obligations if o.status is Status.REFUTED and o.method == "smt"]
    assert any(o.counterexample and "s = " in o.counterexample.sentence for o in failed)


def test_a_wrong_invariant_of_a_right_family_is_unknown_and_says_where() -> None:
    proof = prove_family(edited(PRETENDED["held a step early"]), SmtProver())
    assert proof.verdict.status is Status.UNKNOWN
    assert proof.instances.status is Status.TESTED
    failure = proof.verdict.failure
    assert failure is not None
    assert failure.counterexample is not None
    assert failure.counterexample.data["n"] == 2


@pytest.mark.parametrize("size", [14, 100, 5000])
def test_right_up_to_some_size_is_not_right(size: int) -> None:
    """Every member that anybody would test is right; the proof is about all of them."""
    text = f"(r - s) % n if n < {size} else r"
    family = with_text(FAMILIES["ring-allgather"], CHUNK, text)
    assert wrong_member(family, 13) is None
    proof = prove_family(family, SmtProver())
    assert proof.verdict.status is Status.UNKNOWN
    assert [o.name for o in proof.obligations if not o.met] == ["gather/kept"]


def test_right_at_some_step_only() -> None:
    text = "(r - s) % n if s < 1000000 else (r - s - 1) % n"
    assert not proved(with_text(FAMILIES["ring-allgather"], CHUNK, text))


def test_the_same_sends_twice() -> None:
    family = FAMILIES["ring-allgather"]
    phase = family.phases[0]
    doubled = replace(family, phases=(replace(phase, sends=phase.sends * 2),))
    assert wrong_member(doubled, 4) is not None
    assert not proved(doubled)


def test_two_halves_of_a_family_in_two_rules_are_still_proved() -> None:
    """The counterpart: splitting the senders does not break a proof."""
    family = FAMILIES["ring-allgather"]
    phase = family.phases[0]
    even = replace(phase.sends[0], when="r % 2 == 0")
    odd = replace(phase.sends[0], when="r % 2 == 1")
    assert proved(replace(family, phases=(replace(phase, sends=(even, odd)),)))
    assert not proved(replace(family, phases=(replace(phase, sends=(even, even)),)))


def unproved(family: ParametricSchedule) -> list[str]:
    model = model_of(family)
    texts = {c.name: translate(c, model.parameters).query.text.decode() for c in claims(model)}
    return [label for label, text in texts.items() if decides(text) != "unsat"]


def test_sending_what_nobody_gave() -> None:
    """Everybody sends everything in one step; afterwards everybody seems to have it."""
    family = FAMILIES["ring-allgather"]
    sends = Sends(("(r + 1) % n",), ("j",), "copy", ("(r - 1) % n",), (Range("j", "n"),), ("c",))
    phase = Phase("gather", "1", (sends,), "s == 1 or r == c")
    made_up = replace(family, phases=(phase,))
    assert wrong_member(made_up, 2) is not None
    assert unproved(made_up) == ["gather/sender-holds"]


def test_a_phase_that_begins_with_more_than_the_last_one_left() -> None:
    family = FAMILIES["ring-allgather"]
    short = replace(family.phases[0], steps="1")
    rest = replace(short, name="rest", holds="true")
    leaping = replace(family, phases=(short, rest))
    assert wrong_member(leaping, 5) is not None
    assert unproved(leaping) == ["rest/start"]


@pytest.mark.parametrize(
    ("extra", "broken"),
    [
        (Sends(("r",), ("r",), "copy", ("r",)), "gather/in-range-1"),
        (Sends(("r",), ("r",), "copy", ("r",), (Range("j", "0 - 1"),), ("0",)), "gather/defined"),
        (Sends(("r",), ("r",), "copy", ("r",), when="pow2(s - 1) < 0"), "gather/defined"),
    ],
    ids=["to itself", "a negative count", "a negative exponent"],
)
def test_sends_beside_a_right_family(extra: Sends, broken: str) -> None:
    """What the ring does is right and stays so; what is sent beside it breaks a rule."""
    family = FAMILIES["ring-allgather"]
    phase = family.phases[0]
    beside = replace(family, phases=(replace(phase, sends=(*phase.sends, extra)),))
    assert wrong_member(beside, 4) is not None
    assert broken in unproved(beside)
    assert set(unproved(beside)) <= {broken, "gather/in-range-1"}


def test_adding_what_is_in_the_sum_already() -> None:
    """As sets, the sums are complete before and after."""
    family = FAMILIES["doubling-allreduce"]
    once = family.phases[0]
    again = replace(once, name="again", steps="1", contributes="true")
    twice = replace(family, phases=(once, again))
    assert wrong_member(twice, 4) is not None
    assert unproved(twice) == ["again/once"]


def test_adding_to_what_the_invariant_forgot() -> None:
    """Rank 0 adds to rank 1 twice; between, the invariant says nothing of rank 1."""
    family = FAMILIES["binomial-reduce"]
    first = Sends(("1",), ("0",), "reduce", ("0",), when="r == 0")
    back = Sends(("0",), ("0",), "copy", ("1",), when="r == 1")
    phases = (
        Phase("a", "1", (first,), "s == 0 or r == 0", "o == r"),
        Phase("b", "1", (first,), "r == 0 or s == 1", "o == r or s == 1 and r == 1"),
        Phase("c", "1", (back,), "r == 1 or s == 1", "true"),
    )
    forgot = replace(family, ranks=(Range("r", "2"),), phases=phases)
    assert wrong_member(forgot, 2) is not None
    assert unproved(forgot) == ["b/once"]


def test_no_ranks_for_some_parameter() -> None:
    family = FAMILIES["ring-allgather"]
    fewer = replace(family, ranks=(Range("r", "n - 2"),), chunks=(Range("c", "n - 2"),))
    assert not proved(fewer)


def test_negative_counts() -> None:
    path = (0, "sends", 0, "each", 0)
    assert not proved(with_text(FAMILIES["doubling-allgather"], path, "h - 2"))


def test_a_phase_left_out() -> None:
    family = FAMILIES["ring-allreduce"]
    assert not proved(replace(family, phases=family.phases[:1]))
    assert not proved(replace(family, phases=family.phases[1:]))
    assert not proved(replace(family, phases=family.phases[::-1]))


def test_another_collective_than_claimed() -> None:
    assert not proved(replace(FAMILIES["binomial-reduce"], collective="allreduce"))
    assert not proved(replace(FAMILIES["ring-reduce-scatter"], collective="allreduce"))
    assert proved(replace(FAMILIES["halving-doubling-allreduce"], collective="reduce-scatter"))


@pytest.mark.parametrize(
    "text",
    ["x\n(assert false)", "x\r(assert false)", "x (y", "x\u2028(assert false)", "", "X", "a|b"],
)
def test_nothing_can_be_smuggled_into_a_query_by_a_label(text: str) -> None:
    family = FAMILIES["ring-allgather"]
    phase = replace(family.phases[0], name=text)
    with pytest.raises(InvalidInput):
        prove(replace(family, phases=(phase,)), SmtProver())
    with pytest.raises(InvalidInput):
        prove(replace(family, name=text), SmtProver())


@pytest.mark.parametrize(
    "text", ["n~", "$n", "|n|", "n!0", "n.0", "_n", "s", "", "n n", "pow2", "ñ"]
)
def test_nothing_can_be_smuggled_into_a_query_by_a_name(text: str) -> None:
    family = replace(FAMILIES["ring-allgather"], parameters=(Parameter(text, 2),))
    with pytest.raises(InvalidInput):
        model_of(family)


@pytest.mark.parametrize("word", ["let", "forall", "Int", "div", "assert", "ite", "distinct", "r_"])
def test_names_that_are_words_of_the_solver_mean_what_they_name(word: str) -> None:
    family = FAMILIES["ring-allgather"]
    data = dumps(encode(family)).decode()
    renamed = parse_family(
        data.replace('"c"', f'"{word}"').replace("(r - c) % n", f"(r - {word}) % n").encode()
    )
    assert renamed != family
    assert proved(renamed)


def test_every_hypothesis_can_be_met() -> None:
    """A proof from a contradiction would prove anything: facts must not contradict a true case.

    A claim may be about nothing (in recursive halving each chunk that is kept is received), but
    then no small case meets its hypotheses either.
    """
    about_nothing = set()
    for family in FAMILIES.values():
        model = model_of(family)
        for claim in claims(model):
            false = replace(claim, goal=FALSE)
            query = translate(false, model.parameters).query
            exists = counterexample(false, model.parameters) is not None
            assert (decides(query.text.decode()) == "sat") == exists, (family.name, claim.name)
            if not exists:
                about_nothing.add((family.name, claim.name))
    assert about_nothing == {
        ("halving-reduce-scatter", "halve/kept"),
        ("halving-doubling-allreduce", "halve/kept"),
        ("doubling-allreduce", "double/kept"),
        ("binomial-reduce", "collect/kept"),
    }


class Says:
    """A prover that says the same of everything."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def decide(self, query: Query, *, seconds: float) -> Answer:
        if isinstance(self.result, Exception):
            raise self.result
        return Answer(self.result, "liar", "1", 0, 0.0)


@pytest.mark.parametrize("result", ["sat", "unknown"])
def test_only_unsat_proves(result: str) -> None:
    proof = prove_family(FAMILIES["ring-allgather"], Says(result))
    assert {o.status for o in proof.obligations} == {Status.UNKNOWN}


def test_trouble_of_the_solver_is_no_verdict() -> None:
    with pytest.raises(Crashed):
        prove(FAMILIES["ring-allgather"], Says(Crashed("gone")))


def test_a_solver_that_proves_everything_is_caught_by_a_wrong_member() -> None:
    proof = prove_family(edited(WRONG["chunk one too far"]), Says("unsat"))
    assert proof.verdict.status is Status.REFUTED


def many_phases(family: ParametricSchedule) -> ParametricSchedule:
    """As much as fits: each phase with all its sends and some twenty divisions."""
    phase = family.phases[0]
    text = " + ".join(f"(r + {i} * c) % n" for i in range(20))
    sends = tuple(replace(phase.sends[0], chunk=(f"({text}) % n",)) for _ in range(6))
    phases = (replace(phase, name=f"p{i}", sends=sends) for i in range(12))
    return replace(family, phases=tuple(phases))


def hostile() -> list[tuple[str, ParametricSchedule]]:
    family = FAMILIES["ring-allgather"]
    phase = family.phases[0]
    doubling = tuple(
        Definition(f"d{i}", f"d{i - 1} + d{i - 1}" if i else "s + s") for i in range(12)
    )
    wide = tuple(
        Definition(f"d{i}", " + ".join([f"d{i - 1}" if i else "s"] * 100)) for i in range(12)
    )
    divisions = " + ".join(f"(r + {i} * c) % n" for i in range(100))
    nested = "r"
    for i in range(20):
        nested = f"({nested} + {i}) % n"
    choices = " + ".join(f"({i} if r < {i} else c)" for i in range(60))

    def held(text: str, define: tuple[Definition, ...] = ()) -> ParametricSchedule:
        return replace(family, phases=(replace(phase, holds=text, define=define),))

    return [
        ("doubling definitions", held("d11 >= 0", doubling)),
        ("wide definitions", held("d11 >= 0", wide)),
        ("many divisions", held(f"{divisions} >= 0")),
        ("nested divisions", held(f"{nested} >= 0")),
        ("many choices", held(f"{choices} >= 0")),
        ("huge steps", with_text(family, STEPS, "n * 2147483648")),
        ("huge counts", replace(family, ranks=(Range("r", "n * 2147483648"),))),
        ("huge power", with_text(FAMILIES["doubling-allgather"], STEPS, "pow2(k * 1000000)")),
        ("many sends", replace(family, phases=(replace(phase, sends=phase.sends * 6),))),
        ("too many sends", replace(family, phases=(replace(phase, sends=phase.sends * 7),))),
        ("many phases", many_phases(family)),
    ]


@pytest.mark.parametrize(
    ("label", "family"), hostile(), ids=lambda x: x if isinstance(x, str) else ""
)
def test_hostile_descriptions_end_soon_and_are_not_proved(
    label: str, family: ParametricSchedule
) -> None:
    start = time.process_time()
    try:
        shown = prove_family(family, Says("unknown")).verdict.status is Status.PROVED
    except InvalidInput:
        shown = False
    assert not shown
    assert time.process_time() - start < 10

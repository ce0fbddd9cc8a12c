"""The code family: specifications, payloads, verdicts."""

from __future__ import annotations

import json

import pytest

from certune.core.candidate import Payload
from certune.core.codec import decode, encode
from certune.core.errors import ConfigurationError, InvalidInput, InvalidPayload
from certune.core.family import Context
from certune.core.spec import TaskSpec
from certune.core.status import Status
from certune.judging import judge
from certune.tasks.code.annotations import Annotations, Placed, bare, place
from certune.tasks.code.family import CodeFamily
from certune.tasks.code.suite_files import GROUPS, programs

FAMILY = CodeFamily()


def task(name: str, **parameters: str):
    return FAMILY.open(FAMILY.spec(f"code/{name}", parameters))


def judged(name: str, data: bytes, format: str = "python"):
    return judge(task(name), Payload(format, data), Context()).verdict


def test_the_suite_has_at_least_sixty_programs_in_four_groups_with_two_wrong_variants_each():
    assert len(programs()) >= 60
    assert {program.group for program in programs().values()} == set(GROUPS)
    for program in programs().values():
        assert len(program.wrong) >= 2, program.name
        assert program.statement
        for variant in program.wrong:
            assert variant.apply(program.source) != program.source


def test_bare_takes_the_annotations_and_leaves_the_contract():
    text = bare(programs()["insertion_sort"].source)
    assert "invariant" not in text
    assert "decreases" not in text
    assert text.count("@ensure") == 2
    assert "permutation" in text


def test_bare_leaves_specification_functions_and_lemmas_alone():
    text = bare(programs()["popcount"].source)
    assert "decreases(x)" in text
    assert "decreases(rest)" not in text
    assert "def passed_on" in bare(programs()["ring_chunk"].source)


def test_annotations_go_where_they_are_said_to():
    program = bare(programs()["linear_search"].source)
    text = place(
        program,
        Annotations(
            (
                Placed(
                    "linear_search", ("invariant(all(xs[j] != key for j in range(i)))",), loop=1
                ),
                Placed("linear_search", ("assert True",)),
            )
        ),
    )
    lines = [line.strip() for line in text.split("\n")]
    loop = lines.index("for i in range(len(xs)):")
    assert lines[loop + 1].startswith("invariant(")
    assert lines[loop - 1] == "assert True"
    assert "from certune.contracts import ensure, invariant" in lines


@pytest.mark.parametrize(
    ("placed", "told"),
    [
        ({"function": "nobody", "lines": []}, "no function"),
        ({"function": "linear_search", "lines": [], "loop": 2}, "no loop 2"),
        ({"function": "linear_search", "lines": [], "before": 999}, "line 999"),
        ({"function": "linear_search", "lines": ["return 3"]}, "no annotation"),
        ({"function": "linear_search", "lines": ["assert (\nTrue)"]}, "not one line"),
        ({"function": "linear_search", "lines": ["assert ("]}, "not Python"),
        ({"function": "linear_search", "lines": [], "loop": 1, "before": 3}, "both a loop"),
        ({"function": "linear_search", "lines": [], "lop": 1}, "lop"),
    ],
)
def test_bad_annotations_are_refused_with_the_reason(placed, told):
    data = json.dumps({"format": "certune-annotations", "annotations": [placed]}).encode()
    with pytest.raises(InvalidPayload, match=told):
        task("linear_search").elaborate(Payload("certune-annotations", data), Context())


def test_annotations_prove_a_program_and_the_plain_file_is_the_program():
    data = json.dumps(
        {
            "format": "certune-annotations",
            "annotations": [
                {
                    "function": "linear_search",
                    "loop": 1,
                    "lines": ["invariant(all(xs[j] != key for j in range(i)))"],
                }
            ],
        }
    ).encode()
    found = judge(task("linear_search"), Payload("certune-annotations", data), Context())
    assert found.verdict.status is Status.PROVED
    assert found.candidate is not None
    plain = next(f for f in found.candidate.files if f.name == "plain.py").data.decode()
    assert "invariant" not in plain
    assert "certune" not in plain
    assert "def linear_search(xs: list[int], key: int) -> int:" in plain


def test_without_annotations_it_is_not_proved_and_the_open_condition_is_told():
    program = task("linear_search").parameters.program.encode()
    verdict = judged("linear_search", program)
    assert verdict.status is Status.UNKNOWN
    assert "postcondition" in verdict.failure.counterexample.sentence


@pytest.mark.parametrize("name", ["binary_search", "ring_buffer", "backoff"])
def test_a_wrong_variant_is_another_program(name):
    program = programs()[name]
    for variant in program.wrong:
        verdict = judged(name, variant.apply(program.source).encode())
        assert verdict.status is Status.REFUTED
        assert verdict.failure.name == "program"


def test_an_implementation_may_be_another_program_and_is_refuted_with_an_input():
    program = programs()["maximum"]
    asked = task("maximum", asks="implementation")
    good = judge(asked, Payload("python", program.source.encode()), Context())
    assert good.verdict.status is Status.PROVED
    wrong = program.wrong[0].apply(program.source).encode()
    bad = judge(asked, Payload("python", wrong), Context())
    assert bad.verdict.status is Status.REFUTED
    assert "xs" in bad.verdict.failure.counterexample.data["inputs"]


def test_a_weaker_contract_is_refused_in_a_payload_and_in_a_specification():
    source = programs()["maximum"].source
    weaker = source.replace("@ensure(lambda xs, result: all(x <= result for x in xs))\n", "")
    assert weaker != source
    verdict = judged("maximum", weaker.encode())
    assert verdict.failure.name == "program"
    assert "contract" in verdict.failure.counterexample.sentence
    spec = FAMILY.spec("code/maximum", {})
    claimed = decode(TaskSpec, encode(spec))
    claimed = TaskSpec(
        claimed.task,
        claimed.semantics,
        {**claimed.parameters, "program": bare(weaker)},
        claimed.goal,
        claimed.floors,
        claimed.limits,
    )
    with pytest.raises(InvalidInput, match="not the shipped"):
        FAMILY.open(claimed)


def test_floors_cannot_be_lowered():
    spec = FAMILY.spec("code/maximum", {})
    lowered = TaskSpec(
        spec.task, spec.semantics, spec.parameters, spec.goal, {"*": Status.UNKNOWN}, spec.limits
    )
    with pytest.raises(InvalidInput, match="proved"):
        FAMILY.open(lowered)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [({"asks": "miracles"}, "asks=miracles"), ({"size": "3"}, "no parameter 'size'")],
)
def test_bad_parameters(parameters, told):
    with pytest.raises(ConfigurationError, match=told):
        FAMILY.spec("code/maximum", parameters)


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(programs()["clamp"].source)
    found = judge(
        FAMILY.open(FAMILY.spec("code/file", {"path": str(path)})),
        Payload("python", path.read_bytes()),
        Context(),
    )
    assert found.verdict.status is Status.PROVED
    with pytest.raises(InvalidInput, match="cannot be read"):
        FAMILY.spec("code/file", {"path": str(tmp_path / "none.py")})
    with pytest.raises(ConfigurationError, match="which file"):
        FAMILY.spec("code/file", {})
    path.write_bytes(b"def f(:\n")
    with pytest.raises(InvalidInput, match="not Python"):
        FAMILY.spec("code/file", {"path": str(path)})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('def f() -> int:\n    s = "text"\n    return 1\n', r"mine.py:2:9: a str literal"),
        ("from lib import g\n", r"mine.py:1:1: module 'lib'.*put what it imports into it"),
        ("import os\n", r"mine.py:1:1: module 'os'"),
    ],
)
def test_a_program_outside_of_the_language_is_no_task(tmp_path, text, told):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=told):
        FAMILY.spec("code/file", {"path": str(path)})


def test_an_implementation_may_be_asked_for_where_there_is_none_yet(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from certune.contracts import ensure\n\n\n"
        "@ensure(lambda n, result: result == n + 1)\n"
        "def bump(n: int) -> int:\n    pass\n"
    )
    asked = FAMILY.open(FAMILY.spec("code/file", {"path": str(path), "asks": "implementation"}))
    done = path.read_bytes().replace(b"pass", b"return n + 1")
    assert judge(asked, Payload("python", done), Context()).verdict.status is Status.PROVED


def test_the_queries_are_kept_as_evidence():
    kept: list[bytes] = []
    program = programs()["midpoint"]
    judge(task("midpoint"), Payload("python", program.source.encode()), Context(keep=kept.append))
    assert kept
    assert all(b"(assert" in text for text in kept)


def test_the_brief_names_the_loops_and_shows_an_example_that_parses():
    brief = task("binary_search").brief()
    assert any("loop 1" in hint for hint in brief.hints)
    example = next(f.example for f in brief.formats if f.name == "certune-annotations")
    task("binary_search").elaborate(Payload("certune-annotations", example), Context())

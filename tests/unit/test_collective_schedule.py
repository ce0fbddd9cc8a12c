import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from certune.core import InvalidInput, InvalidPayload
from certune.core.canonical import dumps
from certune.tasks.collective import schedule as module
from certune.tasks.collective.collective import KINDS, Collective
from certune.tasks.collective.dataflow import verify
from certune.tasks.collective.schedule import (
    Schedule,
    dump_schedule,
    from_sends,
    parse_schedule,
)
from certune.tasks.collective.schema import SCHEMA, example_schedule

VALID = {
    "format": "certune-schedule/1",
    "collective": "allreduce",
    "ranks": 3,
    "pieces": 2,
    "steps": [
        {"reduce": [[2, 0, 1], [1, 0, 0], [2, 0, 0], [1, 0, 1]]},
        {"copy": [[0, 1, 0], [0, 1, 1]], "reduce": []},
        {"copy": [[1, 2, 0], [1, 2, 1]]},
    ],
}


def changed(**members):
    return json.dumps(VALID | members).encode()


def step(number=1, **members):
    steps = list(VALID["steps"])
    steps[number] = members
    return changed(steps=steps)


def test_a_file_is_read_and_written_canonically():
    schedule = parse_schedule(changed())
    assert schedule.collective == Collective("allreduce", 3, 2)
    assert (schedule.steps, schedule.sends) == (3, 8)
    assert schedule.step.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert schedule.source.tolist() == [1, 1, 2, 2, 0, 0, 1, 1]
    assert schedule.chunk.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert schedule.reduce.tolist() == [True] * 4 + [False] * 4
    data = dump_schedule(schedule)
    steps = [{"reduce": [[1, 0, 0], [1, 0, 1], [2, 0, 0], [2, 0, 1]]}]
    steps += [{"copy": [[0, 1, 0], [0, 1, 1]]}, {"copy": [[1, 2, 0], [1, 2, 1]]}]
    assert data == dumps(VALID | {"steps": steps})
    assert dump_schedule(parse_schedule(data)) == data


def test_rooted_ones_have_their_root_written():
    schedule = example_schedule(Collective("reduce", 3, 1, 0))
    data = json.loads(dump_schedule(schedule))
    assert data["root"] == 0
    del data["root"]
    assert dump_schedule(parse_schedule(dumps(data))) == dump_schedule(schedule)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not JSON"),
        (b"null", "file: expected an object, found null"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"steps":[],"steps":[]}', "given twice"),
        (changed(format=None), "format"),
        (changed(format=1), "write 'certune-schedule/1'"),
        (changed(step=[]), "unknown member 'step'; did you mean 'steps'?"),
        (changed(collective="all-reduce"), "did you mean 'allreduce'?"),
        (changed(collective=["allreduce"]), "collective: unknown collective"),
        (changed(ranks=True), "ranks: expected an integer, found a boolean"),
        (changed(ranks=3.0), "ranks: expected an integer, found a decimal"),
        (changed(ranks=1), "ranks: 1 ranks; give 2 to 4096"),
        (changed(ranks=10**15), "give 2 to 4096"),
        (changed(pieces=0), "pieces: 0 pieces"),
        (changed(pieces=10**15), "pieces: 1000000000000000 pieces"),
        (changed(collective="allgather"), "a multiple of 3"),
        (changed(root=0), "root: allreduce has no root"),
        (changed(collective="reduce", root=3), "root: root 3 is no rank"),
        (changed(collective="reduce", root=False), "root: expected an integer, found a boolean"),
        (changed(steps=[]), "steps: expected an array of at least one step"),
        (changed(steps={}), "steps: expected an array"),
        (changed(steps=[{"copy": [[0, 1, 0]]}] * 65_537), "the limit is 65536"),
        (step(), "steps[1]: the step sends nothing; remove this step"),
        (step(copy=[]), "steps[1]: the step sends nothing"),
        (step(copy=None), "steps[1].copy: expected an array, found null"),
        (step(copies=[[0, 1, 0]]), "steps[1]: unknown member 'copies'; did you mean 'copy'?"),
        (step(copy=[[0, 1, 0], [0, 1]]), "steps[1].copy[1]: expected 3 items, found 2"),
        (step(copy=[[0, 1, 0], {}]), "steps[1].copy[1]: expected an array, found an object"),
        (step(copy=[[0, True, 0]]), "steps[1].copy[0]: the destination is a boolean"),
        (step(copy=[[0, 1, 0.0]]), "steps[1].copy[0]: the chunk is a decimal"),
        (step(copy=[["0", 1, 0]]), "steps[1].copy[0]: the source is a string"),
        (step(copy=[[0, 1, 10**15]]), "steps[1].copy[0]: chunk 1000000000000000 is out of"),
        (step(copy=[[0, 1, 10**19]]), "steps[1].copy[0]: the chunk is a decimal"),
        (step(copy=[[0, 1, 2]]), "steps[1].copy[0]: chunk 2 is out of range; give 0 to 1"),
        (step(copy=[[3, 1, 0]]), "steps[1].copy[0]: source 3 is out of range; give 0 to 2"),
        (step(reduce=[[0, 1, 0], [0, -1, 0]]), "steps[1].reduce[1]: destination -1 is out of"),
        (step(reduce=[[0, 1, 0], [2, 2, 0]]), "steps[1].reduce[1]: rank 2 sends to itself"),
        (changed(steps=[VALID["steps"][0], 7]), "steps[1]: expected an object, found an integer"),
    ],
)
def test_what_a_file_may_not_say(data, text):
    with pytest.raises(InvalidPayload) as caught:
        parse_schedule(data)
    assert text in str(caught.value)


@pytest.mark.parametrize("missing", ["format", "collective", "ranks", "pieces", "steps"])
def test_missing_members_are_named(missing):
    members = {key: value for key, value in VALID.items() if key != missing}
    with pytest.raises(InvalidPayload, match=missing):
        parse_schedule(json.dumps(members).encode())


def test_limits_on_sends_and_bytes():
    with pytest.raises(InvalidPayload, match="more than 7 sends"):
        parse_schedule(changed(), max_sends=7)
    assert parse_schedule(changed(), max_sends=8).sends == 8
    with pytest.raises(InvalidPayload, match="the limit is 10 bytes"):
        parse_schedule(changed(), max_bytes=10)


def test_sends_in_any_order_make_one_schedule():
    collective = Collective("broadcast", 3, 1)
    first = from_sends(collective, [(0, 0, 1, 0, False), (5, 1, 2, 0, False)])
    second = from_sends(collective, [(7, 1, 2, 0, False), (2, 0, 1, 0, False)])
    assert first.steps == 2
    assert dump_schedule(first) == dump_schedule(second)


@pytest.mark.parametrize(
    ("send", "message"),
    [
        ((0, 0, 3, 0, False), "destination 3"),
        ((0, -1, 1, 0, False), "source -1"),
        ((0, 1, 1, 0, False), "sends to itself"),
        ((0, 0, 1, 1, False), "chunk 1"),
    ],
)
def test_what_is_no_send_is_refused(send, message):
    with pytest.raises(InvalidInput, match=message):
        from_sends(Collective("broadcast", 3, 1), [send])


def test_what_is_no_schedule_is_refused():
    collective = Collective("broadcast", 3, 1)
    with pytest.raises(InvalidInput, match="no sends"):
        from_sends(collective, [])
    one = np.array([1])
    zero = np.array([0])
    with pytest.raises(InvalidInput, match="not ordered"):
        Schedule(
            collective, 2, np.array([1, 0]), *[np.array([0, 1]), np.array([1, 2])], *[[0, 0]] * 2
        )
    with pytest.raises(InvalidInput, match="step 1 is out of range"):
        Schedule(collective, 1, one, zero, one, zero, zero)
    with pytest.raises(InvalidInput, match="column 'chunk' has shape"):
        Schedule(collective, 1, zero, zero, one, np.array([0, 0]), zero)
    with pytest.raises(InvalidInput, match="steps"):
        Schedule(collective, module.MAX_STEPS + 1, zero, zero, one, zero, zero)


def test_columns_cannot_be_changed():
    schedule = example_schedule(Collective("allgather", 3, 3))
    with pytest.raises(ValueError, match="read-only"):
        schedule.source[0] = 2


@pytest.mark.parametrize("kind", KINDS)
def test_examples_are_right_and_of_the_schema(kind):
    for ranks in (2, 5):
        schedule = example_schedule(Collective(kind, ranks, 2 * ranks))
        assert verify(schedule) is None
        Draft202012Validator(SCHEMA).validate(json.loads(dump_schedule(schedule)))


def test_the_schema_refuses_what_the_parser_refuses():
    validator = Draft202012Validator(SCHEMA)
    assert validator.is_valid(VALID)
    for data in (changed(steps=[]), changed(step=1), step(copy=[[0, 1]]), step(copy=[["0", 1, 0]])):
        assert not validator.is_valid(json.loads(data))

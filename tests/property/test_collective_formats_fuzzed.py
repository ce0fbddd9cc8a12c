"""Whatever bytes come in: a schedule or topology, or one clear refusal."""

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from certune.core import InvalidInput, InvalidPayload
from certune.tasks.collective.collective import Collective
from certune.tasks.collective.dataflow import verify
from certune.tasks.collective.library import build
from certune.tasks.collective.schedule import dump_schedule, parse_schedule
from certune.tasks.collective.schema import example_schedule
from certune.tasks.collective.topology import dump_topology, parse_topology

SCHEDULE = json.loads(dump_schedule(example_schedule(Collective("allreduce", 3, 3))))
TOPOLOGY = json.loads(dump_topology(build("nvswitch-nodes", {"gpus": "2", "nics": "1"})))

numbers = st.integers() | st.floats() | st.sampled_from([10**400, 2**63, -1, 1e308])
leaves = st.none() | st.booleans() | numbers | st.text(max_size=8)
words = st.sampled_from(["copy", "reduce", "from", "to", "between", "via", "steps", "ranks"])
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6) | words, inner, max_size=4)
    ),
    max_leaves=12,
)


def paths(value, here=()):
    yield here
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*here, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*here, index))


@st.composite
def damaged(draw, document):
    """A right document with one or two places replaced, renamed, removed or doubled."""
    document = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 2))):
        places = [path for path in paths(document) if path]
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        holder = document
        for key in way:
            holder = holder[key]
        action = draw(st.sampled_from(["replace", "remove", "double", "rename"]))
        if action == "replace":
            holder[last] = draw(anything)
        elif action == "remove":
            del holder[last]
        elif isinstance(holder, list):
            holder.insert(last, holder[last])
        else:
            holder[draw(st.text(max_size=6) | words)] = holder.pop(last)
    return json.dumps(document).encode()


def texts(document):
    whole = json.dumps(document).encode()
    cut = st.tuples(st.integers(0, len(whole)), st.binary(max_size=6), st.integers(0, 6))
    spliced = cut.map(lambda c: whole[: c[0]] + c[1] + whole[c[0] + c[2] :])
    nested = st.tuples(st.sampled_from([b"[", b'{"steps":', b'{"a":[']), st.integers(1, 3000))
    return (
        st.binary(max_size=60)
        | damaged(document)
        | spliced
        | nested.map(lambda pair: pair[0] * pair[1])
        | anything.map(lambda value: json.dumps(value).encode())
    )


def acts_on(error, place=""):
    assert error.message
    assert error.place.startswith(place)
    assert len(str(error)) < 600
    assert str(error).isprintable()


@given(texts(SCHEDULE))
@settings(max_examples=500, deadline=None)
@example(b'{"format":' + b"[" * 900 + b"]" * 900 + b"}")
def test_schedules(data):
    try:
        schedule = parse_schedule(data, max_sends=1000)
    except InvalidPayload as error:
        acts_on(error)
        return
    written = dump_schedule(schedule)
    assert dump_schedule(parse_schedule(written)) == written
    verify(schedule)


@given(texts(TOPOLOGY))
@settings(max_examples=500, deadline=None)
def test_topologies(data):
    try:
        topology = parse_topology(data, "file.json")
    except InvalidInput as error:
        acts_on(error, "file.json")
        return
    written = dump_topology(topology)
    assert dump_topology(parse_topology(written)) == written

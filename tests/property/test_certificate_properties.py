"""Certificates over arbitrary content and arbitrary bytes."""

import copy
import json

from core_strategies import json_values, of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from certune.certificate import Acceptance, build, open_certificate, seal
from certune.core.candidate import File
from certune.core.canonical import dumps, sha256
from certune.core.codec import decode, encode
from certune.core.errors import InvalidInput
from certune.core.measurement import Bound, Comparison, Measurement
from certune.core.obligation import Obligation
from certune.core.spec import TaskSpec
from certune.core.status import Status
from certune.core.trial import Decision
from certune.dsse import unwrap, wrap
from certune.environment import Environment

PAYLOAD_TYPE = "application/vnd.in-toto+json"
NAMES = st.text(st.sampled_from("abcé.-_ "), min_size=3, max_size=12)


@st.composite
def statements(draw):
    files = [
        File(name, draw(st.binary(max_size=20)))
        for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    ]
    assume("..." not in [file.name for file in files])
    spec = draw(of(TaskSpec))
    shown = draw(st.lists(of(Obligation), min_size=1, max_size=3))
    obligations = tuple(decode(Obligation, {**encode(o), "status": "proved"}) for o in shown)
    measurement = draw(of(Measurement))
    bounds = [
        b for b in draw(st.lists(of(Bound), max_size=2)) if not b.beaten_by(measurement.values)
    ]
    acceptance = Acceptance(
        spec=spec,
        spec_digest=spec.digest,
        status=Status.PROVED,
        obligations=obligations,
        decision=Decision("accepted", draw(st.text("xyz é")), "better-in-model"),
        measurement=measurement,
        comparison=draw(st.none() | of(Comparison)),
        baseline_name="ring",
        baseline=draw(st.none() | of(Measurement)),
        incumbent={},
        bounds=tuple(bounds),
        gaps=draw(of(Measurement)).values,
        payload=sha256(b""),
        payload_format="f",
        artefact=files[0].name,
        artefact_format="f",
        environment=draw(of(Environment)),
        versions={},
        session="s",
        agent="a",
        trial=1,
        created="2026-01-31T12:00:00Z",
        provenance=draw(st.dictionaries(st.just("p"), json_values)),
    )
    return build(acceptance, files)


@settings(deadline=None, max_examples=40)
@given(statements())
def test_round_trip(statement):
    data = seal(statement, None)
    opened = open_certificate(data)
    assert opened.statement == statement
    assert seal(opened.statement, None) == data


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=60) | json_values.map(dumps) | json_values.map(lambda v: dumps(v) + b"\n")
)
def test_arbitrary_bytes_are_refused(data):
    refused = 0
    for content in (data, wrap(data, PAYLOAD_TYPE, None)):
        try:
            open_certificate(content)
        except InvalidInput:
            refused += 1
    assert refused == 2


def places(value, path=()):
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, item in items:
        found += places(item, (*path, key))
    return found


@settings(deadline=None, max_examples=60)
@given(statement=statements(), data=st.data())
def test_one_changed_claim_is_refused_or_seen(statement, data):
    """In the statement of an unsigned certificate: no change goes unseen, none crashes."""
    changed = copy.deepcopy(json.loads(statement.data()))
    *path, last = data.draw(st.sampled_from(places(changed)))
    target = changed
    for key in path:
        target = target[key]
    before = target[last]
    target[last] = data.draw(json_values)
    assume(dumps(target[last]) != dumps(before))
    certificate = wrap(dumps(changed) + b"\n", PAYLOAD_TYPE, None)
    try:
        opened = open_certificate(certificate)
    except InvalidInput:
        return
    assert unwrap(certificate, PAYLOAD_TYPE).payload != statement.data()
    assert opened.acceptance.spec_digest == opened.acceptance.spec.digest
    assert opened.acceptance.decision.accepted

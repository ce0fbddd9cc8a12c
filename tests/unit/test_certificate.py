"""Certificates: one accepted form, every byte of it meant."""

import base64
import json
import os
import random
from dataclasses import replace
from fractions import Fraction

import jsonschema
import pytest
from certificate_samples import FILES, MACHINE, acceptance
from record_samples import BOUND, OTHER, REFUSED, ROUNDS, verdict

from certune.certificate import build, match_files, open_certificate, seal
from certune.certificate.schema import predicate_schema
from certune.core.candidate import File
from certune.core.canonical import dumps, sha256
from certune.core.codec import encode
from certune.core.errors import InvalidInput
from certune.core.measurement import Measurement
from certune.core.obligation import Verdict
from certune.core.spec import Satisfy, TaskSpec
from certune.core.status import Status
from certune.core.trial import Decision
from certune.dsse import unwrap, wrap
from certune.signing import PublicKey, generate_key, load_signer

STATEMENT = build(acceptance(), FILES)
PAYLOAD_TYPE = "application/vnd.in-toto+json"


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "key"
    generate_key(path)
    return load_signer(path)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    path = tmp_path_factory.mktemp("others") / "key"
    generate_key(path)
    return load_signer(path)


def refused(data, told="."):
    with pytest.raises(InvalidInput, match=told):
        open_certificate(data)


def resealed(change, signer=None):
    """A certificate whose statement was changed before it was put in its envelope."""
    statement = json.loads(STATEMENT.data())
    change(statement)
    return wrap(dumps(statement) + b"\n", PAYLOAD_TYPE, signer)


def test_round_trip(signer):
    for by in (None, signer):
        data = seal(STATEMENT, by)
        opened = open_certificate(data)
        assert opened.statement == STATEMENT
        assert opened.acceptance == acceptance()
        assert opened.digest == sha256(data)
        assert opened.signed is (by is not None)
        assert opened.key == (by.public if by else None)
        assert seal(opened.statement, by) == data  # ed25519 is deterministic


def test_the_form_is_in_toto_in_dsse(signer):
    envelope = json.loads(seal(STATEMENT, signer))
    assert set(envelope) == {"payload", "payloadType", "signatures"}
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert envelope["signatures"][0]["keyid"].startswith("ssh-ed25519 AAAA")
    payload = base64.b64decode(envelope["payload"])
    statement = json.loads(payload)
    assert set(statement) == {"_type", "subject", "predicateType", "predicate"}
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://certune.dev/acceptance/v1"
    assert statement["subject"][1] == {
        "name": "schedule.xml",
        "digest": {"sha256": FILES[1].digest.removeprefix("sha256:")},
    }
    # DSSE's own example of what is signed: type and content with their lengths.
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload
    assert signer.public.verifies(base64.b64decode(envelope["signatures"][0]["sig"]), signed)


def test_the_example_of_the_dsse_protocol():
    """PAE of github.com/secure-systems-lab/dsse, protocol.md."""
    from certune.dsse import _to_sign

    assert _to_sign(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def flips(data, count, seed):
    generator = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        changed[generator.randrange(len(data))] ^= generator.randrange(1, 256)
        yield bytes(changed)


def test_no_flipped_byte_of_a_signed_certificate_is_accepted(signer):
    data = seal(STATEMENT, signer)
    for changed in flips(data, 1000, seed=7):
        refused(changed)


def test_no_single_bit_of_the_signed_envelope_is_free(signer):
    """Every bit outside the content: names, base64 padding bits, key and signature."""
    data = seal(STATEMENT, signer)
    inside = range(data.index(b'"payload":"') + 11, data.index(b'","payloadType"'))
    for position in set(range(len(data))) - set(inside):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            refused(bytes(changed))


def test_a_flipped_byte_of_an_unsigned_certificate_changes_a_claim_or_is_refused():
    """What remains acceptable differs in what it says: nothing can be changed unseen."""
    data = seal(STATEMENT, None)
    accepted = 0
    for changed in flips(data, 1000, seed=8):
        try:
            opened = open_certificate(changed)
        except InvalidInput:
            continue
        accepted += 1
        assert opened.statement != STATEMENT
        assert opened.digest != sha256(data)
        # The spec is bound by its digest within, the files by theirs.
        assert opened.acceptance.spec_digest == opened.acceptance.spec.digest
    assert accepted < 100


def test_appended_prepended_and_reformatted_bytes_are_refused(signer):
    data = seal(STATEMENT, signer)
    for changed in (data + b"\n", b" " + data, data[:-1], data + b"{}", data.replace(b",", b", ")):
        refused(changed)
    refused(json.dumps(json.loads(data), sort_keys=True, indent=1).encode(), "canonical form")


def test_other_keys_and_signatures(signer, other):
    envelope = json.loads(seal(STATEMENT, signer))
    stranger = json.loads(seal(STATEMENT, other))["signatures"][0]
    (own,) = envelope["signatures"]

    def with_signatures(*signatures):
        return dumps({**envelope, "signatures": signatures}) + b"\n"

    refused(with_signatures(own, own), "2 signatures; one is allowed")
    refused(with_signatures(own, stranger), "2 signatures")
    refused(with_signatures({**own, "keyid": stranger["keyid"]}), "does not hold")
    refused(with_signatures({**own, "sig": stranger["sig"]}), "does not hold")
    refused(with_signatures({**own, "sig": own["sig"].rstrip("=")}), "not base64")
    refused(with_signatures({**own, "sig": ""}), "does not hold")
    refused(with_signatures({**own, "keyid": own["keyid"] + " comment"}), "keyid")
    refused(with_signatures({**own, "keyid": ""}), "not of ed25519")
    refused(with_signatures({**own, "cert": "x"}), "unknown member 'cert'")
    # Signed anew by another: valid by itself, which is why who checks pins the key.
    opened = open_certificate(with_signatures(stranger))
    opened.require_key(other.public)
    with pytest.raises(InvalidInput, match=r"signed by ssh-ed25519 .*; expected ssh-ed25519"):
        opened.require_key(signer.public)
    with pytest.raises(InvalidInput, match="not signed; expected ssh-ed25519"):
        open_certificate(with_signatures()).require_key(signer.public)


def test_a_signature_with_a_large_scalar_is_refused(signer):
    """s and s + L verify alike where the check of RFC 8032, 5.1.7 is left out."""
    envelope = json.loads(seal(STATEMENT, signer))
    raw = base64.b64decode(envelope["signatures"][0]["sig"])
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(raw[32:], "little") + order
    envelope["signatures"][0]["sig"] = base64.b64encode(
        raw[:32] + scalar.to_bytes(32, "little")
    ).decode()
    refused(dumps(envelope) + b"\n", "does not hold")


def test_another_payload_type_does_not_pass(signer):
    data = wrap(STATEMENT.data(), "application/json", signer)
    refused(data, "content of type 'application/json'; expected application/vnd")
    # nor with the type exchanged after signing
    envelope = {**json.loads(data), "payloadType": PAYLOAD_TYPE}
    refused(dumps(envelope) + b"\n", "does not hold")


def test_unknown_members_are_named(signer):
    refused(resealed(lambda s: s.update(subjects=[]), signer), "did you mean 'subject'")
    refused(
        resealed(lambda s: s["predicate"].update(statuss=1)),
        "payload.predicate: unknown member 'statuss'; did you mean 'status'",
    )
    refused(resealed(lambda s: s["predicate"].pop("spec")), "member 'spec' is missing")
    refused(dumps({"payload": ""}) + b"\n", "member 'payloadType' is missing")


def test_statements_of_others_are_told_apart():
    refused(
        resealed(lambda s: s.update(predicateType="https://slsa.dev/provenance/v1")),
        "a statement that is not certune's; expected https://certune.dev/acceptance/v1",
    )
    refused(resealed(lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")), "_type")
    refused(wrap(b"[]\n", PAYLOAD_TYPE, None), "expected an object, found an array")


def test_a_signed_statement_in_another_form_is_refused(signer):
    pretty = json.dumps(json.loads(STATEMENT.data()), indent=1).encode()
    refused(wrap(pretty, PAYLOAD_TYPE, signer), "the statement is not in canonical form")


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"spec_digest": OTHER.digest}, "spec_digest: not the digest of the spec"),
        ({"spec": OTHER}, "spec_digest"),
        ({"obligations": ()}, "not every obligation reaches its floor"),
        ({"obligations": verdict(Status.UNKNOWN).obligations}, "reaches its floor"),
        ({"status": Status.TESTED}, "status: tested, but the obligations show proved"),
        ({"decision": REFUSED}, "of an acceptance"),
        ({"decision": Decision("accepted", "so")}, "with a ground"),
        ({"measurement": Measurement("modelled", {ROUNDS.name: Fraction(1)})}, "beyond the proven"),
        ({"payload": "abc"}, "payload: not a digest"),
        ({"created": "yesterday"}, "created: 'yesterday' is no time"),
        ({"created": "2026-02-30T00:00:00Z"}, "is no time"),
        ({"created": "2026-01-31T12:00:00+01:00"}, "is no time"),
    ],
)
def test_what_contradicts_itself_is_neither_made_nor_read(members, told):
    with pytest.raises(InvalidInput, match=told):
        acceptance(**members)
    changed = {name: encode(value) for name, value in members.items()}
    refused(resealed(lambda s: s["predicate"].update(changed)), told)


def test_an_estimated_bound_does_not_refuse():
    below = Measurement("modelled", {ROUNDS.name: Fraction(1)})
    kept = acceptance(measurement=below, bounds=(replace(BOUND, kind="estimated"),))
    assert open_certificate(seal(build(kept, FILES), None)).acceptance == kept


def test_a_proof_needs_no_numbers():
    spec = TaskSpec("code/sort", 1, {}, Satisfy())
    proof = acceptance(
        spec=spec,
        spec_digest=spec.digest,
        decision=Decision("accepted", "proved", "proven"),
        measurement=None,
        comparison=None,
        baseline=None,
        baseline_name="",
        incumbent={},
        bounds=(),
        gaps={},
    )
    assert open_certificate(seal(build(proof, FILES), None)).acceptance == proof


def test_the_least_obligation_is_the_status():
    tested = replace(verdict(Status.TESTED).obligations[0], floor=Status.TESTED, name="numerics")
    both = (*verdict().obligations, tested)
    assert Verdict(both).met
    assert acceptance(obligations=both, status=Status.TESTED).status is Status.TESTED
    with pytest.raises(InvalidInput, match="proved, but the obligations show tested"):
        acceptance(obligations=both)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "..\\x", "a\0b", "a\nb"])
def test_subjects_have_plain_names(name):
    with pytest.raises(InvalidInput, match="is no file name"):
        build(acceptance(), [*FILES, File(name, b"")])


def test_subjects_are_distinct_and_hold_the_artefact():
    with pytest.raises(InvalidInput, match="two subjects have one name"):
        build(acceptance(), [FILES[0], FILES[0]])
    with pytest.raises(InvalidInput, match=r"artefact 'schedule\.json' is no subject"):
        build(acceptance(), [FILES[1]])
    refused(resealed(lambda s: s["subject"][0]["digest"].update(sha256="0" * 63)), "hexadecimal")
    refused(resealed(lambda s: s["subject"][0]["digest"].update(sha512="0")), "sha512")
    assert STATEMENT.artefact.sha256 == FILES[0].digest


def put(folder, files=FILES):
    for file in files:
        (folder / file.name).write_bytes(file.data)


def test_files_are_matched_in_a_folder_or_a_mapping(tmp_path):
    put(tmp_path)
    (tmp_path / "unrelated").write_bytes(b"x")
    assert match_files(STATEMENT, tmp_path) == FILES
    assert match_files(STATEMENT, {file.name: file.data for file in FILES}) == FILES


def test_every_byte_of_the_files_counts(tmp_path):
    put(tmp_path)
    for file in FILES:
        for changed in flips(file.data, 100, seed=9):
            (tmp_path / file.name).write_bytes(changed)
            with pytest.raises(InvalidInput, match=f"{file.name}: not the file"):
                match_files(STATEMENT, tmp_path)
        put(tmp_path)


def test_missing_and_odd_files_are_named(tmp_path):
    put(tmp_path, FILES[:1])
    with pytest.raises(InvalidInput, match=r"schedule\.xml: the certificate is about this file"):
        match_files(STATEMENT, tmp_path)
    with pytest.raises(InvalidInput, match=r"^schedule\.json: .* missing"):
        match_files(STATEMENT, {})
    os.mkfifo(tmp_path / "schedule.xml")
    with pytest.raises(InvalidInput, match="not a regular file"):
        match_files(STATEMENT, tmp_path)
    (tmp_path / "schedule.xml").unlink()
    (tmp_path / "schedule.xml").mkdir()
    with pytest.raises(InvalidInput, match="not a regular file"):
        match_files(STATEMENT, tmp_path)
    with pytest.raises(InvalidInput, match="more than 4 bytes"):
        match_files(STATEMENT, tmp_path, limit=4)


def test_the_expected_spec_is_pinned():
    opened = open_certificate(seal(STATEMENT, None))
    opened.require_spec(acceptance().spec_digest)
    with pytest.raises(InvalidInput, match=f"about the spec .*; expected {OTHER.digest}"):
        opened.require_spec(OTHER.digest)


def without_descriptions(schema):
    if isinstance(schema, dict):
        kept = {k: v for k, v in schema.items() if not (k == "description" and type(v) is str)}
        return {key: without_descriptions(value) for key, value in kept.items()}
    return schema


def published():
    from importlib.resources import files

    return json.loads((files("certune") / "schemas" / "acceptance-v1.json").read_text())


def test_the_published_schema_is_that_of_the_dataclasses():
    """If this fails, the predicate changed: is it still v1? Then write the schema anew with
    python -m certune.certificate.schema > certune/schemas/acceptance-v1.json
    """
    assert without_descriptions(published()) == without_descriptions(predicate_schema())


def test_real_certificates_satisfy_the_schema(signer):
    schema = published()
    jsonschema.Draft202012Validator.check_schema(schema)
    predicate = json.loads(unwrap(seal(STATEMENT, signer), PAYLOAD_TYPE).payload)["predicate"]
    jsonschema.validate(predicate, schema)
    for member in predicate:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({k: v for k, v in predicate.items() if k != member}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**predicate, "more": 1}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**predicate, "gaps": {"rounds": "a lot"}}, schema)


def test_nothing_of_the_machine_that_names_someone_is_told():
    assert set(encode(MACHINE)) == {
        *("certune", "python", "packages", "machine", "cpu", "cpus", "system", "kernel"),
        *("distribution", "governor", "load", "isolation", "measuring"),
    }
    assert isinstance(open_certificate(seal(STATEMENT, None)).key, PublicKey | None)

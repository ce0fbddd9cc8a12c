"""The DSSE envelope around a statement: sealing, and opening strictly.

DSSE v1.0 (github.com/secure-systems-lab/dsse). Of all envelopes that mean the same, exactly one
is accepted: canonical JSON with a line's end, canonical base64, no signature or one, the key
named by its whole public text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from certune.certificate.statement import PREDICATE_TYPE, STATEMENT_TYPE, Acceptance, Statement
from certune.core.canonical import DEEPEST, Json, dumps, loads, sha256
from certune.core.codec import decode, encode
from certune.core.errors import InvalidInput
from certune.signing import PublicKey, Signer, parse_keyid

PAYLOAD_TYPE: Literal["application/vnd.in-toto+json"] = "application/vnd.in-toto+json"
MAX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class _Signature:
    keyid: str
    sig: str


@dataclass(frozen=True)
class _Envelope:
    payload: str
    payloadType: Literal["application/vnd.in-toto+json"]  # noqa: N815
    signatures: tuple[_Signature, ...]


@dataclass(frozen=True)
class Opened:
    """A certificate whose form and signature are right. Its claims are not yet repeated.

    `key` is the key whose signature was verified, None for an unsigned certificate; `digest`
    names the certificate's own bytes.
    """

    statement: Statement
    key: PublicKey | None
    digest: str

    @property
    def acceptance(self) -> Acceptance:
        """What the certificate claims."""
        return self.statement.predicate

    @property
    def signed(self) -> bool:
        """Whether a signature was there and verified."""
        return self.key is not None

    def require_key(self, key: PublicKey) -> None:
        """Refuse a certificate that is unsigned or signed by another key.

        Raises:
            InvalidInput: with the key that signed it.
        """
        if self.key is None:
            raise InvalidInput("not signed", place="signature", remedy=f"expected {key.text}")
        if self.key != key:
            raise InvalidInput(
                f"signed by {self.key.text}", place="signature", remedy=f"expected {key.text}"
            )

    def require_spec(self, digest: str) -> None:
        """Refuse a certificate about another specification than the one with this digest.

        Raises:
            InvalidInput: with the digest that it is about.
        """
        if self.acceptance.spec_digest != digest:
            raise InvalidInput(
                f"about the spec {self.acceptance.spec_digest}",
                place="spec",
                remedy=f"expected {digest[:80]}",
            )


def _to_sign(statement: bytes) -> bytes:
    """DSSE's pre-authentication encoding of the payload type and the payload."""
    return b"DSSEv1 %d %s %d %s" % (
        len(PAYLOAD_TYPE),
        PAYLOAD_TYPE.encode(),
        len(statement),
        statement,
    )


def seal(statement: Statement, signer: Signer | None) -> bytes:
    """The bytes of a certificate: the statement in its envelope, signed if a signer is given."""
    data = statement.data()
    signatures: tuple[_Signature, ...] = ()
    if signer is not None:
        signature = signer.sign(_to_sign(data))
        signatures = (_Signature(signer.public.text, base64.b64encode(signature).decode()),)
    envelope = _Envelope(base64.b64encode(data).decode(), PAYLOAD_TYPE, signatures)
    return dumps(encode(envelope)) + b"\n"


def _canonical(data: bytes, what: str) -> Json:
    value = loads(data, limit=MAX_BYTES, depth=DEEPEST)
    if dumps(value) + b"\n" != data:
        raise InvalidInput(
            f"the {what} is not in canonical form, so it was changed",
            remedy="get the certificate anew, byte for byte",
        )
    return value


def _base64(text: str, place: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("not base64", place=place) from None
    if base64.b64encode(data).decode() != text:
        raise InvalidInput("not canonical base64", place=place)
    return data


def _verified(envelope: _Envelope, data: bytes) -> PublicKey | None:
    if not envelope.signatures:
        return None
    if len(envelope.signatures) > 1:
        raise InvalidInput(
            f"{len(envelope.signatures)} signatures", place="signatures", remedy="one is allowed"
        )
    try:
        key = parse_keyid(envelope.signatures[0].keyid)
    except InvalidInput as error:
        raise error.within("signatures[0].keyid") from None
    signature = _base64(envelope.signatures[0].sig, "signatures[0].sig")
    if not key.verifies(signature, _to_sign(data)):
        raise InvalidInput(
            "the signature does not hold: the certificate or its key was changed",
            place="signatures[0]",
            remedy="get the certificate anew from whoever signed it",
        )
    return key


def open_certificate(data: bytes) -> Opened:
    """Read a certificate strictly: form, members, signature.

    That its claims contradict neither each other nor the form is checked; that they are true
    takes a repetition of the evidence.

    Raises:
        InvalidInput: any deviation from the one accepted form, a signature that does not hold,
            an unknown member, a statement of another type.
    """
    envelope = decode(_Envelope, _canonical(data, "envelope"))
    content = _base64(envelope.payload, "payload")
    key = _verified(envelope, content)
    statement = _canonical(content, "statement")
    if isinstance(statement, Mapping):  # said before the members are looked at, for clarity
        for member, expected in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
            if statement.get(member) != expected:
                raise InvalidInput(
                    "a statement that is not certune's",
                    place=f"payload.{member}",
                    remedy=f"expected {expected}",
                )
    return Opened(decode(Statement, statement, "payload"), key, sha256(data))

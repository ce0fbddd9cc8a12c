"""DSSE envelopes: signed content whose every byte counts.

DSSE v1.0 (github.com/secure-systems-lab/dsse). Of all envelopes that mean the same, exactly one
is accepted: canonical JSON with a line's end, canonical base64, no signature or one, the key
named by its whole public text.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from certune.core.canonical import DEEPEST, Json, dumps, loads
from certune.core.codec import decode, encode
from certune.core.errors import InvalidInput
from certune.signing import PublicKey, Signer, parse_keyid

MAX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class _Signature:
    keyid: str
    sig: str


@dataclass(frozen=True)
class _Envelope:
    payload: str
    payloadType: str  # noqa: N815
    signatures: tuple[_Signature, ...]


@dataclass(frozen=True)
class Unwrapped:
    """The content of an envelope; `key` is whose signature was verified, None if unsigned."""

    payload: bytes
    key: PublicKey | None


def _to_sign(payload: bytes, payload_type: str) -> bytes:
    """DSSE's pre-authentication encoding: what is signed is type and content together."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def wrap(payload: bytes, payload_type: str, signer: Signer | None) -> bytes:
    """The envelope around `payload`, signed if a signer is given."""
    signatures: tuple[_Signature, ...] = ()
    if signer is not None:
        signature = signer.sign(_to_sign(payload, payload_type))
        signatures = (_Signature(signer.public.text, base64.b64encode(signature).decode()),)
    envelope = _Envelope(base64.b64encode(payload).decode(), payload_type, signatures)
    return dumps(encode(envelope)) + b"\n"


def unwrap(data: bytes, payload_type: str) -> Unwrapped:
    """The content of an envelope of this type, its signature verified if there is one.

    Raises:
        InvalidInput: any deviation from the one accepted form, another type, a signature that
            does not hold.
    """
    envelope = decode(_Envelope, canonical(data, "envelope"))
    if envelope.payloadType != payload_type:
        raise InvalidInput(
            f"content of type {envelope.payloadType[:80]!r}",
            place="payloadType",
            remedy=f"expected {payload_type}",
        )
    payload = _base64(envelope.payload, "payload")
    return Unwrapped(payload, _verified(envelope, payload))


def canonical(data: bytes, what: str) -> Json:
    """The JSON in `data`, which must be in canonical form and end with one line's end.

    Raises:
        InvalidInput: it is not JSON, or in another form; `what` names it.
    """
    value = loads(data, limit=MAX_BYTES, depth=DEEPEST)
    if dumps(value) + b"\n" != data:
        raise InvalidInput(
            f"the {what} is not in canonical form, so it was changed",
            remedy="get it anew, byte for byte",
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


def _verified(envelope: _Envelope, payload: bytes) -> PublicKey | None:
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
    if not key.verifies(signature, _to_sign(payload, envelope.payloadType)):
        raise InvalidInput(
            "the signature does not hold: the content or the key was changed",
            place="signatures[0]",
            remedy="get it anew from whoever signed it",
        )
    return key

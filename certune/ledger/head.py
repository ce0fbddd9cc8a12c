"""The head of a ledger as a signed file: kept elsewhere, it pins every record up to it."""

from __future__ import annotations

import re

from certune.core.canonical import dumps
from certune.core.codec import decode, encode
from certune.core.errors import InvalidInput
from certune.dsse import canonical, unwrap, wrap
from certune.ledger.records import Head
from certune.signing import PublicKey, Signer

PAYLOAD_TYPE = "application/vnd.certune.ledger-head+json"
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def seal_head(head: Head, signer: Signer) -> bytes:
    """The bytes of a file that says, signed: the ledger's chain had this head."""
    return wrap(dumps(encode(head)) + b"\n", PAYLOAD_TYPE, signer)


def open_head(data: bytes) -> tuple[Head, PublicKey]:
    """The head in such a file, and whose signature on it was verified.

    Raises:
        InvalidInput: not such a file, unsigned, or changed since it was signed.
    """
    unwrapped = unwrap(data, PAYLOAD_TYPE)
    if unwrapped.key is None:
        raise InvalidInput("not signed", place="signatures")
    head = decode(Head, canonical(unwrapped.payload, "head"), "payload")
    if head.seq < 0 or not _HASH.fullmatch(head.hash):
        raise InvalidInput("not the head of a ledger", place="payload")
    return head, unwrapped.key

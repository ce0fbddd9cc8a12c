"""Certificates as files: sealing a statement, and opening one strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from certune.certificate.statement import PREDICATE_TYPE, STATEMENT_TYPE, Acceptance, Statement
from certune.core.canonical import sha256
from certune.core.codec import decode
from certune.core.errors import InvalidInput
from certune.dsse import canonical, unwrap, wrap
from certune.signing import PublicKey, Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"


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


def seal(statement: Statement, signer: Signer | None) -> bytes:
    """The bytes of a certificate: the statement in its envelope, signed if a signer is given."""
    return wrap(statement.data(), PAYLOAD_TYPE, signer)


def open_certificate(data: bytes) -> Opened:
    """Read a certificate strictly: form, members, signature.

    That its claims contradict neither each other nor the form is checked; that they are true
    takes a repetition of the evidence.

    Raises:
        InvalidInput: any deviation from the one accepted form, a signature that does not hold,
            an unknown member, a statement of another type.
    """
    unwrapped = unwrap(data, PAYLOAD_TYPE)
    statement = canonical(unwrapped.payload, "statement")
    if isinstance(statement, Mapping):  # said before the members are looked at, for clarity
        for member, expected in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
            if statement.get(member) != expected:
                raise InvalidInput(
                    "a statement that is not certune's",
                    place=f"payload.{member}",
                    remedy=f"expected {expected}",
                )
    return Opened(decode(Statement, statement, "payload"), unwrapped.key, sha256(data))

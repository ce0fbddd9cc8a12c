"""Ed25519 keys: making, reading, signing, verifying.

A public key goes by its OpenSSH text, ``ssh-ed25519 AAAA…``, without a comment. Private keys
are read in OpenSSH's format (as made by ``ssh-keygen -t ed25519``) and in PEM (PKCS #8).
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from certune.core.errors import InvalidInput

# cryptography is imported where it is used: it takes longer than all the rest at start-up.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MAX_KEY_BYTES = 64 * 1024
_PREFIX = "ssh-ed25519"
_BLOB_HEAD = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"  # then the 32 bytes of the key
SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class PublicKey:
    """An ed25519 public key: its 32 bytes."""

    raw: bytes

    @property
    def text(self) -> str:
        """The OpenSSH text by which the key is named, without a comment."""
        return f"{_PREFIX} {base64.b64encode(_BLOB_HEAD + self.raw).decode()}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is this key's on `message`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """A private key, ready to sign. Never shown or written in certificates."""

    _key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self._key.sign(message)


def parse_keyid(text: str) -> PublicKey:
    """The key that an OpenSSH text names, exactly as `PublicKey.text` writes it.

    Raises:
        InvalidInput: another kind of key, a comment, or not canonical base64.
    """
    kind, _, encoded = text.partition(" ")
    if kind != _PREFIX:
        raise InvalidInput(f"key {text[:40]!r} is not of ed25519", remedy=f"begin with {_PREFIX}")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    if not blob.startswith(_BLOB_HEAD) or len(blob) != len(_BLOB_HEAD) + 32:
        raise InvalidInput("not an OpenSSH ed25519 public key", remedy="copy it whole")
    key = PublicKey(blob[len(_BLOB_HEAD) :])
    if key.text != text:
        raise InvalidInput("an ed25519 public key that is not written canonically")
    return key


def parse_public_key(data: bytes, place: str = "key") -> PublicKey:
    """A public key as people have it: an OpenSSH line, with or without comment, or PEM.

    Raises:
        InvalidInput: none of these, or not ed25519.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = data.strip()
    if b"PRIVATE KEY" in data:
        raise InvalidInput(
            "this is a private key", place=place, remedy="give the public one, and keep this secret"
        )
    if not data.startswith(b"-----BEGIN"):
        parts = data.decode(errors="replace").splitlines()[:1]
        words = parts[0].split() if parts else []
        try:
            return parse_keyid(" ".join(words[:2]))
        except InvalidInput as error:
            raise error.within(place) from None
    try:
        key = load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(
            f"not a public key: {str(error)[:120]}", place=place, remedy="give ed25519 in PEM"
        ) from None
    if not isinstance(key, Ed25519PublicKey):
        raise _kind(key, place)
    return PublicKey(key.public_bytes_raw())


def _kind(key: object, place: str) -> InvalidInput:
    return InvalidInput(
        f"{type(key).__name__.strip('_')} is not an ed25519 key",
        place=place,
        remedy="make one with: ssh-keygen -t ed25519",
    )


def _read(path: Path) -> bytes:
    try:
        # Not to wait for a pipe's other end, should it be one.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InvalidInput("not a regular file", place=str(path))
            data = file.read(_MAX_KEY_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", place=str(path)) from None
    if len(data) > _MAX_KEY_BYTES:
        raise InvalidInput("too large for a key", place=str(path))
    return data


def public_key(given: str) -> PublicKey:
    """The public key that a user names: the text of one, or the path of a file with one."""
    if given.startswith((f"{_PREFIX} ", "-----BEGIN")):
        return parse_public_key(given.encode(), "key")
    return parse_public_key(_read(Path(given)), given)


def load_signer(path: Path) -> Signer:
    """The private key in a file, in OpenSSH's format or in PEM, without a passphrase.

    Raises:
        InvalidInput: unreadable, encrypted, or not ed25519.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
        load_ssh_private_key,
    )

    data = _read(path)
    load = load_ssh_private_key if b"BEGIN OPENSSH PRIVATE KEY" in data else load_pem_private_key
    try:
        key = load(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        remedy = "give an unencrypted ed25519 key, as of: ssh-keygen -t ed25519 -N ''"
        raise InvalidInput(
            f"not a private key that can be used: {str(error)[:120]}",
            place=str(path),
            remedy=remedy,
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _kind(key, str(path))
    return Signer(key)


def generate_key(path: Path) -> PublicKey:
    """Make a key pair: the private one at `path` (mode 0600), the public one at `path`.pub.

    Both in OpenSSH's format. An existing file is never overwritten.

    Raises:
        InvalidInput: a file is there, or none can be made there.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = Signer(key).public
    shown = path.with_name(path.name + ".pub")
    _write_new(path, secret, 0o600)
    try:
        _write_new(shown, f"{public.text} certune\n".encode(), 0o644)
    except InvalidInput:
        path.unlink()
        raise
    return public


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise InvalidInput(
            "there is a file already", place=str(path), remedy="name another one"
        ) from None
    except OSError as error:
        raise InvalidInput(f"cannot be made: {error.strerror}", place=str(path)) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)

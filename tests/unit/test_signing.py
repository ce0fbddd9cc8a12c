"""Keys as people have them, and keys that are none."""

import shutil
import stat
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from certune.core.errors import InvalidInput
from certune.signing import (
    generate_key,
    load_signer,
    parse_keyid,
    parse_public_key,
    public_key,
)

KEYGEN = shutil.which("ssh-keygen")
needs_keygen = pytest.mark.skipif(KEYGEN is None, reason="ssh-keygen is not here")


def written(path, key, form, encryption=None):
    data = key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())
    path.write_bytes(data)
    return path


def test_a_made_key_signs_and_is_kept_private(tmp_path):
    path = tmp_path / "key"
    public = generate_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    signer = load_signer(path)
    assert signer.public == public == public_key(str(tmp_path / "key.pub"))
    signature = signer.sign(b"message")
    assert public.verifies(signature, b"message")
    assert not public.verifies(signature, b"massage")
    assert not public.verifies(signature[:-1], b"message")
    assert not public.verifies(signature + b"\0", b"message")
    assert "PRIVATE" not in repr(signer)


def test_no_file_is_overwritten(tmp_path):
    path = tmp_path / "key"
    generate_key(path)
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match="there is a file already"):
        generate_key(path)
    assert path.read_bytes() == before
    (tmp_path / "other.pub").write_text("mine")
    with pytest.raises(InvalidInput, match=r"other\.pub: there is a file already"):
        generate_key(tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(InvalidInput, match="cannot be made"):
        generate_key(tmp_path / "nowhere" / "key")


@needs_keygen
def test_keys_of_ssh_keygen(tmp_path):
    path = tmp_path / "id"
    subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-C", "a b", "-f", path], check=True)
    public = public_key(str(path) + ".pub")
    assert load_signer(path).public == public
    line = (tmp_path / "id.pub").read_text()
    assert line.startswith(public.text + " ")  # written as ssh-keygen writes it
    assert public_key(line.strip()) == public
    # and ssh-keygen reads ours
    generate_key(tmp_path / "ours")
    shown = subprocess.run(
        [KEYGEN, "-y", "-f", tmp_path / "ours"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[:2] == load_signer(tmp_path / "ours").public.text.split()


@needs_keygen
def test_keys_with_a_passphrase_are_refused(tmp_path):
    path = tmp_path / "id"
    subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "secret", "-f", path], check=True)
    with pytest.raises(InvalidInput, match=r"not a private key .* give an unencrypted"):
        load_signer(path)


def test_pem_keys(tmp_path):
    key = ed25519.Ed25519PrivateKey.generate()
    path = written(tmp_path / "k.pem", key, PrivateFormat.PKCS8)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert load_signer(path).public == parse_public_key(pem)
    locked = written(tmp_path / "l.pem", key, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw"))
    with pytest.raises(InvalidInput, match="not a private key that can be used"):
        load_signer(locked)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.OpenSSH])
def test_keys_of_another_kind(tmp_path, form):
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(InvalidInput, match=r"is not an ed25519 key; make one with: ssh-keygen"):
        load_signer(written(tmp_path / "k", key, form))
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(InvalidInput, match="is not an ed25519 key"):
        parse_public_key(pem)
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    with pytest.raises(InvalidInput, match="is not of ed25519"):
        parse_public_key(line)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"x" * 10**6,
        b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    ],
)
def test_files_that_are_no_keys(tmp_path, data):
    path = tmp_path / "k"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match=str(path)):
        load_signer(path)
    with pytest.raises(InvalidInput, match=str(path)):
        public_key(str(path))


def test_missing_files(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        load_signer(tmp_path / "none")
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        public_key(str(tmp_path))


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path):
    generate_key(tmp_path / "k")
    with pytest.raises(InvalidInput, match="this is a private key; give the public one"):
        public_key(str(tmp_path / "k"))


def test_a_key_has_one_name(tmp_path):
    text = generate_key(tmp_path / "k").text
    assert parse_keyid(text).text == text
    kind, _, blob = text.partition(" ")
    for odd in (
        text + " comment",
        text + "\n",
        " " + text,
        f"{kind}  {blob}",
        f"ssh-rsa {blob}",
        f"{kind} {blob[:-4]}",
        f"{kind} {blob}AAAA",
        f"{kind} {blob[:10]}\n{blob[10:]}",
        kind,
        "",
    ):
        with pytest.raises(InvalidInput, match="key"):
            parse_keyid(odd)

"""A signed certificate with any byte changed, in itself or in its files, is never confirmed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from accepted import accepted, context

from certune.certificate import match_files, open_certificate
from certune.core import CertuneError
from certune.recheck import recheck
from certune.signing import generate_key, load_signer, public_key


@pytest.mark.slow
def test_a_thousand_changed_bytes_are_never_confirmed(tmp_path: Path) -> None:
    key = generate_key(tmp_path / "key")
    made = accepted(
        tmp_path, "collective/allgather", {"topology": "dgx1"}, load_signer(tmp_path / "key")
    )

    def answer(certificate: bytes, files: dict[str, bytes]) -> str:
        opened = open_certificate(certificate)
        opened.require_key(public_key(key.text))
        opened.require_spec(made.acceptance.spec_digest)
        matched = {file.name: file.data for file in match_files(opened.statement, files)}
        return recheck(opened.acceptance, matched, context()).answer

    assert answer(made.certificate, made.files) == "confirmed"
    chance = random.Random(3)
    names = ["certificate", *made.files]
    for number in range(1000):
        name = names[number % 2 * chance.randrange(len(names))]
        certificate, files = made.certificate, dict(made.files)
        data = bytearray(certificate if name == "certificate" else files[name])
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if name == "certificate":
            certificate = bytes(data)
        else:
            files[name] = bytes(data)
        with pytest.raises(CertuneError):
            answer(certificate, files)

"""A signed head, kept elsewhere, pins the records up to it."""

import random
import sqlite3
from contextlib import closing

import pytest
from record_samples import SPEC, payload, trial

from certune.core.budget import Budget
from certune.core.canonical import dumps, sha256
from certune.core.errors import InvalidInput, LedgerCorrupt
from certune.dsse import wrap
from certune.ledger import Head, Ledger
from certune.ledger.head import PAYLOAD_TYPE, open_head, seal_head
from certune.signing import generate_key, load_signer


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "key"
    generate_key(path)
    return load_signer(path)


def test_a_ledger_that_was_made_anew_or_cut_does_not_hold_the_head(tmp_path, signer):
    with Ledger.open(tmp_path / "one") as ledger:
        ledger.start("s1", SPEC, "search", {}, Budget())
        ledger.record_trial(trial(1), blobs=[payload(1)])
        kept = seal_head(ledger.head(), signer)
        ledger.record_trial(trial(2), blobs=[payload(2)])
        head, key = open_head(kept)
        assert key == signer.public
        assert ledger.verify(expect=head).seq == 3
        with closing(sqlite3.connect(ledger.path)) as raw, raw:
            raw.execute("DELETE FROM records WHERE seq > 1")
        assert ledger.verify().seq == 1
        with pytest.raises(LedgerCorrupt, match="it ends at record 1, 2 were expected"):
            ledger.verify(expect=head)
    with Ledger.open(tmp_path / "two") as other:  # the same history, written anew
        other.start("s1", SPEC, "search", {}, Budget())
        other.record_trial(trial(1), blobs=[payload(1)])
        with pytest.raises(LedgerCorrupt, match="record 2 has another hash than expected"):
            other.verify(expect=head)


def test_no_flipped_byte_is_accepted(signer):
    data = seal_head(Head(7, sha256(b"")), signer)
    assert open_head(data) == (Head(7, sha256(b"")), signer.public)
    generator = random.Random(4)
    for _ in range(300):
        changed = bytearray(data)
        changed[generator.randrange(len(data))] ^= generator.randrange(1, 256)
        with pytest.raises(InvalidInput):
            open_head(bytes(changed))


@pytest.mark.parametrize(
    "head",
    [{"seq": -1, "hash": sha256(b"")}, {"seq": 1, "hash": "x"}, {"seq": 1}, [], {"seq": "1"}],
)
def test_what_is_no_head(signer, head):
    with pytest.raises(InvalidInput):
        open_head(wrap(dumps(head) + b"\n", PAYLOAD_TYPE, signer))


def test_an_unsigned_head_or_a_certificate_is_none(signer):
    content = dumps({"seq": 1, "hash": sha256(b"")}) + b"\n"
    with pytest.raises(InvalidInput, match="not signed"):
        open_head(wrap(content, PAYLOAD_TYPE, None))
    with pytest.raises(InvalidInput, match=r"expected application/vnd\.certune\.ledger-head"):
        open_head(wrap(content, "application/vnd.in-toto+json", signer))

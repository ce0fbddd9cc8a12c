"""Stored conditions are asked again; weak contracts are found."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from contract_tools import DATA, pool, source

from certune.core.errors import Unavailable
from certune.core.proof import Query
from certune.core.status import Status
from certune.verifier.contracts import verify_source
from certune.verifier.contracts.confirm import confirm, manifest, proved, resolve, texts
from certune.verifier.contracts.filecache import FileCache
from certune.verifier.contracts.pool import Pool
from certune.verifier.contracts.weak import weaknesses


def test_every_stored_condition_is_decided_again() -> None:
    report = verify_source((DATA / "examples.py").read_bytes(), "e.py", pool=pool(), only=["push"])
    kept, store = manifest(report), texts(report)
    again = resolve(kept, store, pool())
    assert again.asked == again.agreed == len(store) > 5
    assert not again.differ


def test_a_changed_or_missing_text_differs() -> None:
    report = verify_source((DATA / "examples.py").read_bytes(), "e.py", pool=pool(), only=["push"])
    kept, store = manifest(report), texts(report)
    first, second = kept[0].digest, kept[1].digest
    store[first] += b"; changed\n"
    del store[second]
    again = resolve(kept, store, pool())
    assert set(again.differ) == {first, second}
    assert again.agreed == again.asked - 2
    weaker = [replace(kept[2], setting="no such setting")]
    assert resolve(weaker, store, pool()).differ == (kept[2].digest,)


def test_a_text_that_is_satisfiable_differs() -> None:
    report = verify_source((DATA / "examples.py").read_bytes(), "e.py", pool=pool(), only=["push"])
    kept = manifest(report)[0]
    text = b"(set-logic ALL)\n(declare-const x Int)\n(assert (< x 3))\n(check-sat)\n"
    digest = Query("smtlib2", text).digest
    assert resolve([replace(kept, digest=digest)], {digest: text}, pool()).differ == (digest,)


def test_cvc5_confirms_where_it_is_installed() -> None:
    report = verify_source((DATA / "examples.py").read_bytes(), "e.py", pool=pool())
    with Pool(1, 2048, 60.0, "cvc5") as second:
        try:
            said = confirm(proved(report), second)
        except Unavailable:
            pytest.skip("cvc5 is not installed")
    assert said.solver == "cvc5"
    assert said.agreed >= 0.99 * said.asked


def test_weak_contracts_are_found() -> None:
    text = source("""
        @ensure(lambda xs, result: result >= 0)
        def weak(xs: list[int]) -> int:
            n = 0
            for x in xs:
                n = n + 1 if x > 0 else n
            return n

        @require(lambda n: n > 3 and n < 4)
        @ensure(lambda n, result: result == n + 1)
        def never(n: int) -> int:
            return n + 1

        @ensure(lambda a, b, result: result == max(a, b))
        def strong(a: int, b: int) -> int:
            if a < b:
                return b
            return a

        def silent(a: int) -> int:
            return a
    """)
    weak = weaknesses(text, "t.py", "weak", pool())
    assert "return 0" in weak.warnings[0]
    assert weak.score is not None
    assert weak.score < 0.5
    assert weak.unnoticed
    assert (
        "nothing satisfies the precondition" in weaknesses(text, "t.py", "never", pool()).warnings
    )
    strong = weaknesses(text, "t.py", "strong", pool())
    assert not strong.warnings
    assert strong.score == 1.0
    assert "no postcondition" in weaknesses(text, "t.py", "silent", pool()).warnings[0]


def test_answers_are_kept_in_files(tmp_path: Path) -> None:
    cache = FileCache(tmp_path)
    text = (DATA / "examples.py").read_bytes()
    first = verify_source(text, "e.py", pool=pool(), only=["sat_add"], cache=cache)
    kept = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert len(kept) == len({c.digest for c in first.functions[0].conditions})

    class Nobody:
        def ask(self, requests: list[object]) -> list[object]:
            assert not requests
            return []

    again = verify_source(text, "e.py", pool=Nobody(), only=["sat_add"], cache=cache)  # type: ignore[arg-type]
    assert again.function("sat_add").status is Status.PROVED
    kept[0].write_bytes(b'{"result": "maybe"}')
    assert verify_source(text, "e.py", pool=pool(), only=["sat_add"], cache=cache).functions


def test_texts_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "import sys; from certune.verifier.contracts.verify import Verification\n"
        "from certune.verifier.contracts.report import Limits\n"
        "from certune.verifier.contracts.prepare import query\n"
        "from certune.core.canonical import sha256\n"
        "run = Verification(open(sys.argv[1], 'rb').read(), 'e.py', Limits(), None)\n"
        "made = [t for f in run.module.functions.values() for t in run.claims(f).tasks]\n"
        "texts = [query(t.claim, t.definitions, mode=m, limit=400000, instances=i, extra=i).text\n"
        "    for t in made for m in ('int', 'bv') for i in (False, True)]\n"
        "print(sha256(b''.join(texts)))\n"
    )
    said = set()
    for seed in ("0", "77"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(DATA / "examples.py")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(done.stdout)
    assert len(said) == 1

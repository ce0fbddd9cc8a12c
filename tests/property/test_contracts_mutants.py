"""No changed program that is proved breaks its contract in a run."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from contract_tools import DATA, pool

from certune.core.status import Status
from certune.verifier.contracts import Limits, verify_source
from certune.verifier.contracts.discharge import Memory
from certune.verifier.contracts.mutate import mutants
from certune.verifier.contracts.refute import attempt, drawn
from certune.verifier.contracts.verify import Verification

LIMITS = Limits(attempts=1, resources=40_000, examples=200)


QUICK = ("crc_step", "divmod_", "is_pow2", "bump", "find", "midpoint", "sat_add", "low3")


def survivors(count: int, seed: int, names: tuple[str, ...] = ()) -> tuple[int, list[str]]:
    """How many mutants were proved, and those of them that a run contradicts."""
    texts = [(DATA / f"{name}.py").read_text() for name in ("examples", "more")]
    pairs = [
        m for text in texts for notes in (False, True) for m in mutants(text, annotations=notes)
    ]
    Random(seed).shuffle(pairs)
    cache, accepted, broken = Memory(), 0, []
    for label, text in [p for p in pairs if not names or p[0].partition(":")[0] in names][:count]:
        name = label.partition(":")[0]
        report = verify_source(
            text.encode(),
            "m.py",
            limits=LIMITS,
            pool=pool(),
            cache=cache,
            refute=False,
            only=[name],
        )
        if report.function(name).status is not Status.PROVED:
            continue
        accepted += 1
        run = Verification(text.encode(), "m.py", LIMITS, None)
        function = run.module.functions[name]
        for notes in (False, True):
            inputs = drawn(run.module, function, LIMITS.examples)
            tried = attempt(
                run.module,
                function,
                inputs,
                replace(LIMITS, steps=5_000),
                run.text,
                annotations=notes,
            )
            if tried.failure is not None:
                broken.append(f"{label}: {tried.failure.sentence}")
    return accepted, broken


def test_a_few_mutants() -> None:
    accepted, broken = survivors(16, 5, QUICK)
    assert not broken
    assert accepted > 0


@pytest.mark.slow
def test_many_mutants() -> None:
    accepted, broken = survivors(300, 7)
    assert not broken
    assert accepted > 20

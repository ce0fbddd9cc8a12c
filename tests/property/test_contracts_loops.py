"""Random functions with loops, calls and records: no claim that is proved is wrong in a run."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest
from contract_loops import CLAIMS, Functions, module
from contract_tools import pool

from certune.core.status import Status
from certune.verifier.contracts import Limits, verify_source

LIMITS = Limits(resources=60_000, attempts=2)


def arguments(random: Random, names: dict[str, Any]) -> dict[str, Any]:
    def some(most: int) -> list[int]:
        return [random.randint(-3, 6) for _ in range(random.randint(0, most))]

    box = names["Box"](random.randint(-2, 4), random.randint(0, 255), some(3))
    return {"a": random.randint(-3, 5), "n": random.randint(0, 6), "xs": some(5), "box": box}


def holds(names: dict[str, Any], claim: str, given: dict[str, Any]) -> bool:
    """Whether a claim is so of CPython's run."""
    before, after = copy.deepcopy(given), copy.deepcopy(given)
    result = names["f"](**after)
    text = claim.replace("old(xs)", "old_xs").replace("old(box)", "old_box")
    known = {**after, "result": result, "old_xs": before["xs"], "old_box": before["box"]}
    known |= {"a": given["a"], "n": given["n"]}
    return bool(eval(text, known))


def try_functions(seed: int, count: int) -> int:
    """How many claims were proved; each was held against 150 runs."""
    random, functions, proved = Random(seed), Functions(seed), 0
    for _ in range(count):
        body = functions.body()
        names: dict[str, Any] = {"__name__": __name__}
        exec(compile(module(body, []), "m", "exec"), names)
        few = [arguments(random, names) for _ in range(12)]
        likely = [c for c in CLAIMS if all(holds(names, c, x) for x in few)]
        for claim in likely:
            text = module(body, [claim])
            report = verify_source(text.encode(), "m.py", limits=LIMITS, pool=pool(), refute=False)
            assert report.status is not Status.INVALID, (report.diagnostics(), text)
            if report.function("f").status is Status.PROVED:
                proved += 1
                for given in (arguments(random, names) for _ in range(150)):
                    assert holds(names, claim, given), (claim, given, text)
    return proved


def test_some_functions() -> None:
    assert try_functions(5, 2) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_many_functions(seed: int) -> None:
    assert try_functions(seed, 100) > 50

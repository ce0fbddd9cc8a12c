"""Every schedule that is accepted is right by an independent interpreter, and every change of one
send of it, in the native file and in the XML, is judged the same by certune and by that."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator

import bruteforce
import pytest
from accepted import Accepted, accepted
from msccl_mutations import compare, mutate

from certune.tasks.collective.dataflow import verify
from certune.tasks.collective.schedule import parse_schedule

JOBS = {
    "allgather on a DGX-1": ("collective/allgather", {"topology": "dgx1", "targets": "azure"}),
    "allreduce on a ring": (
        "collective/allreduce",
        {"topology": "ring", "ranks": "4", "baseline": "tree", "targets": "azure"},
    ),
    "alltoall on a DGX-1": ("collective/alltoall", {"topology": "dgx1", "targets": "azure"}),
    "reduce-scatter on a cube": (
        "collective/reduce-scatter",
        {"topology": "hypercube", "dimensions": "3", "targets": "rccl"},
    ),
}


@pytest.fixture(scope="module", params=JOBS)
def made(request, tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    return accepted(tmp_path_factory.mktemp("job"), *JOBS[request.param])


def same(data: bytes) -> bool:
    """Both judge the file, and agree; whether it is right."""
    right = verify(parse_schedule(data)) is None
    assert right == (bruteforce.judge(data) is None), data[:2000]
    return right


def changed(file: dict) -> Iterator[tuple[str, dict]]:
    """Every change of one send: dropped, doubled, redirected, moved, its operation changed."""
    ranks = file["ranks"]
    for number, step in enumerate(file["steps"]):
        for operation, sends in step.items():
            for index, (source, destination, chunk) in enumerate(sends):

                def edit(number=number, operation=operation, index=index):
                    data = copy.deepcopy(file)
                    return data, data["steps"][number][operation].pop(index)

                data, _ = edit()
                yield "dropped", data
                data, send = edit()
                data["steps"][number][operation] += [send, send]
                yield "doubled", data
                data, _ = edit()
                other = next(
                    r for r in range(destination + 1, destination + ranks) if r % ranks != source
                )
                data["steps"][number][operation].append([source, other % ranks, chunk])
                yield "redirected", data
                data, send = edit()
                data["steps"][number - 1].setdefault(operation, []).append(send)
                yield "moved", data
                data, send = edit()
                flipped = "reduce" if operation == "copy" else "copy"
                data["steps"][number].setdefault(flipped, []).append(send)
                yield "operation", data


def tidy(data: dict) -> bytes:
    steps = [{k: v for k, v in step.items() if v} for step in data["steps"]]
    return json.dumps({**data, "steps": [step for step in steps if step]}).encode()


def test_an_accepted_schedule_and_each_change_of_it(made: Accepted) -> None:
    data = made.files["schedule.json"]
    assert same(data)
    survived = {"dropped": 0, "operation": 0}
    for kind, mutant in changed(json.loads(data)):
        right = same(tidy(mutant))
        if right and kind in survived:
            survived[kind] += 1
    assert survived == {"dropped": 0, "operation": 0}  # no send is idle, none of the other kind


def test_the_files_of_an_accepted_schedule_and_changes_of_them(made: Accepted) -> None:
    for name, data in made.files.items():
        if not name.endswith(".xml"):
            continue
        chance = random.Random(name)
        assert compare(data.decode(), chance, most=2) == "proved"
        outcomes = {compare(mutate(data.decode(), chance), chance, most=1) for _ in range(25)}
        assert outcomes - {"proved"}

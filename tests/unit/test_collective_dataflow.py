"""Counterexamples as people and models read them. Agreement with an independent interpreter is
tested in tests/property."""

import numpy as np
import pytest

from certune.core import InvalidInput
from certune.tasks.collective.collective import Collective
from certune.tasks.collective.dataflow import links_exist, verify
from certune.tasks.collective.library import build
from certune.tasks.collective.schedule import Schedule, from_sends


def check(kind, ranks, pieces, *sends, root=0):
    return verify(from_sends(Collective(kind, ranks, pieces, root), sends))


COPY, REDUCE = False, True

CASES = [
    (
        check("allgather", 3, 3, (0, 1, 2, 0, COPY)),
        "rank 2 never receives chunk 0: step 0 sends it from rank 1, which does not hold it "
        "(rank 0 could send it)",
        {"kind": "not-held", "step": 0, "source": 1, "destination": 2, "chunk": 0},
    ),
    (
        check("broadcast", 3, 1, (0, 0, 1, 0, COPY), (0, 1, 2, 0, COPY)),
        "rank 2 never receives chunk 0: step 0 sends it from rank 1, which does not hold it "
        "before that step (it arrives there in step 0)",
        {"kind": "not-held", "arrives": 0, "holders": [0]},
    ),
    (
        check("broadcast", 3, 1, (0, 1, 2, 0, COPY), (1, 0, 2, 0, COPY)),
        "step 0 sends chunk 0 to rank 2 from rank 1, which does not hold it (rank 0 could send it)",
        {"kind": "not-held"},
    ),
    (
        check("broadcast", 3, 1, (0, 0, 1, 0, COPY)),
        "at the end rank 2 lacks chunk 0: no send delivers it (ranks 0 and 1 could)",
        {"kind": "lacking", "destination": 2, "chunk": 0, "holders": [0, 1]},
    ),
    (
        check("broadcast", 2, 1, (0, 0, 1, 0, REDUCE)),
        "step 0 adds chunk 0 from rank 0 to rank 1, which holds nothing of it to add to: copy it "
        "instead",
        {"kind": "nothing-to-add-to", "operation": "reduce"},
    ),
    (
        check("broadcast", 2, 1, (0, 0, 1, 0, COPY), (1, 0, 1, 0, REDUCE)),
        "step 1 adds chunk 0 from rank 0 to rank 1, which holds it already: broadcast adds nothing "
        "up, copy or leave it out",
        {"kind": "added-twice"},
    ),
    (
        check("allreduce", 3, 1, (0, 1, 0, 0, COPY), (0, 2, 0, 0, REDUCE)),
        "step 0 adds chunk 0 from rank 2 to rank 0, where it is copied from rank 1 in the same "
        "step: which one stays is not determined; send one of them in another step",
        {"kind": "written-twice", "source": 2, "other": 1},
    ),
    (
        check("reduce", 3, 1, (0, 0, 1, 0, REDUCE), (1, 1, 2, 0, REDUCE), (2, 0, 2, 0, REDUCE)),
        "rank 2 adds rank 0's contribution to chunk 0 twice: step 2 adds what rank 0 holds, but "
        "rank 2's sum holds it already",
        {"kind": "added-twice", "step": 2, "twice": [0]},
    ),
    (
        check("reduce", 4, 1, (0, 1, 2, 0, REDUCE), (1, 1, 0, 0, REDUCE), (1, 2, 0, 0, REDUCE)),
        "rank 0 adds rank 1's contribution to chunk 0 twice: step 1 adds what rank 2 holds, but so "
        "does another send of this step, from rank 1",
        {"kind": "added-twice", "step": 1, "source": 2, "other": 1, "twice": [1]},
    ),
    (
        check("reduce", 3, 1, (0, 1, 0, 0, REDUCE)),
        "at the end rank 0's sum of chunk 0 lacks the contribution of rank 2",
        {"kind": "incomplete", "destination": 0, "chunk": 0, "lacking": [2]},
    ),
    (
        check("allreduce", 20, 1, (0, 1, 0, 0, REDUCE)),
        "at the end rank 0's sum of chunk 0 lacks the contributions of ranks 2, 3, 4, 5, 6, 7, 8, "
        "9 and 10 more",
        {"kind": "incomplete", "lacking": list(range(2, 20))},
    ),
]


@pytest.mark.parametrize(("found", "sentence", "data"), CASES)
def test_counterexamples_say_what_is_wrong(found, sentence, data):
    assert found.sentence == sentence
    assert found.data.items() >= data.items()


def test_a_copy_that_replaces_a_sum_loses_it():
    found = check("reduce", 3, 1, (0, 2, 0, 0, REDUCE), (1, 1, 0, 0, COPY))
    assert found.data["lacking"] == [0, 2]


def test_swaps_within_a_step_read_what_was_before():
    """Recursive doubling: both ranks of a pair add the other's sum in one step."""
    sends = [(0, 0, 1, 0, REDUCE), (0, 1, 0, 0, REDUCE), (0, 2, 3, 0, REDUCE)]
    sends += [(0, 3, 2, 0, REDUCE), (1, 0, 2, 0, REDUCE), (1, 2, 0, 0, REDUCE)]
    sends += [(1, 1, 3, 0, REDUCE), (1, 3, 1, 0, REDUCE)]
    assert check("allreduce", 4, 1, *sends) is None


def test_what_is_held_elsewhere_does_not_matter():
    assert check("gather", 3, 3, (0, 1, 2, 1, COPY), (1, 2, 0, 1, COPY), (1, 2, 0, 2, COPY)) is None
    sends = [(0, 2, 1, 0, REDUCE), (1, 1, 0, 0, REDUCE), (2, 0, 2, 0, COPY)]
    assert check("reduce", 3, 1, *sends) is None


def test_the_first_violation_of_all_chunks_is_reported():
    """Chunk 0 goes wrong in step 2, chunk 2 in step 1."""
    sends = [(0, 0, 1, 0, COPY), (2, 2, 1, 0, COPY), (1, 1, 0, 2, COPY), (0, 1, 2, 1, COPY)]
    assert check("allgather", 3, 3, *sends).data["step"] == 1


def test_ranks_beyond_one_word_are_kept_apart():
    """Contributions of ranks 0 and 64 must not be taken for each other."""
    ranks = 130
    sends = [(rank, rank, 0, 0, REDUCE) for rank in range(1, ranks)]
    assert check("reduce", ranks, 1, *sends) is None
    for rank in (1, 63, 64, 65, 127, 128, 129):
        rest = [send for send in sends if send[1] != rank]
        assert check("reduce", ranks, 1, *rest).data["lacking"] == [rank]
        twice = [*sends, (200, rank, 0, 0, REDUCE)]
        assert check("reduce", ranks, 1, *twice).data["twice"] == [rank]


def test_memory_stays_bounded_when_millions_of_sends_collide():
    """As many writers of one location as a file may hold; each would need 512 bytes."""
    count = 2_000_000
    zeros = np.zeros(count, dtype=np.int64)
    ones = np.ones(count, dtype=np.int64)
    collective = Collective("allreduce", 4096, 4096)
    found = verify(Schedule(collective, 1, zeros, zeros, ones, zeros, ones.astype(bool)))
    assert found.data["kind"] == "added-twice"


def test_links_must_exist():
    topology = build("ring", {"ranks": "4"})
    collective = Collective("broadcast", 4, 1)
    good = from_sends(collective, [(0, 0, 1, 0, COPY), (0, 0, 3, 0, COPY), (1, 1, 2, 0, COPY)])
    assert links_exist(good, topology) is None
    bad = from_sends(collective, [(0, 0, 1, 0, COPY), (0, 0, 2, 0, COPY), (1, 2, 3, 0, COPY)])
    found = links_exist(bad, topology)
    assert found.sentence == (
        "step 0 sends chunk 0 from rank 0 to rank 2, but ring-4 has no such link: rank 0 is linked "
        "to ranks 1 and 3"
    )
    assert found.data["kind"] == "no-link"
    with pytest.raises(InvalidInput, match="4 ranks"):
        links_exist(good, build("ring", {"ranks": "5"}))

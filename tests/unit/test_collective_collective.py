import numpy as np
import pytest

from certune.core import InvalidInput
from certune.tasks.collective.collective import KINDS, Collective, reversed_kind

PAIRS = {
    ("allgather", 4, 0): ([(0, 0), (0, 1), (1, 2), (1, 3)], "everywhere"),
    ("reduce-scatter", 4, 0): ("everywhere", [(0, 0), (0, 1), (1, 2), (1, 3)]),
    ("allreduce", 1, 0): ("everywhere", "everywhere"),
    ("broadcast", 2, 1): ([(1, 0), (1, 1)], "everywhere"),
    ("reduce", 2, 1): ("everywhere", [(1, 0), (1, 1)]),
    ("gather", 4, 1): ([(0, 0), (0, 1), (1, 2), (1, 3)], [(1, 0), (1, 1), (1, 2), (1, 3)]),
    ("scatter", 4, 1): ([(1, 0), (1, 1), (1, 2), (1, 3)], [(0, 0), (0, 1), (1, 2), (1, 3)]),
    # Rank r's piece k is chunk 2r + k and must come to rank k.
    ("alltoall", 2, 0): ([(0, 0), (0, 1), (1, 2), (1, 3)], [(0, 0), (1, 1), (0, 2), (1, 3)]),
}


@pytest.mark.parametrize(("case", "expected"), PAIRS.items())
def test_who_holds_what_before_and_after(case, expected):
    kind, pieces, root = case
    collective = Collective(kind, 2, pieces, root)
    for found, wanted in zip((collective.before(), collective.after()), expected, strict=True):
        everywhere = [(rank, chunk) for chunk in range(pieces) for rank in range(2)]
        ranks, chunks = found
        assert ranks.dtype == chunks.dtype == np.int64
        assert list(zip(ranks.tolist(), chunks.tolist(), strict=True)) == (
            everywhere if wanted == "everywhere" else wanted
        )


def test_every_kind_is_in_the_table_above():
    assert {kind for kind, *_ in PAIRS} == set(KINDS)


def test_reversing_twice_is_nothing():
    assert all(reversed_kind(reversed_kind(kind)) == kind for kind in KINDS)
    assert reversed_kind("allgather") == "reduce-scatter"
    assert reversed_kind("broadcast") == "reduce"
    assert reversed_kind("gather") == "scatter"


def test_owner_of_a_piece():
    collective = Collective("alltoall", 3, 6)
    assert [collective.owner(chunk) for chunk in range(8)] == [0, 0, 1, 1, 2, 2, 0, 0]
    assert collective.chunks == 18
    with pytest.raises(InvalidInput, match="no owner"):
        Collective("broadcast", 3, 6).owner(0)


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (("allgatherr", 2, 2), "collective"),
        (("allgather", 1, 1), "ranks"),
        (("allgather", 4097, 4097), "ranks"),
        (("allgather", 4, 6), "pieces"),
        (("alltoall", 4, 0), "pieces"),
        (("broadcast", 4096, 4097), "pieces"),
        (("broadcast", 4, 1, 4), "root"),
        (("broadcast", 4, 1, -1), "root"),
        (("allreduce", 4, 1, 1), "root"),
    ],
)
def test_what_is_no_collective_is_refused(arguments, place):
    with pytest.raises(InvalidInput) as caught:
        Collective(*arguments)
    assert caught.value.place == place
    assert caught.value.remedy

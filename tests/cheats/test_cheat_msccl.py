"""Programs that look right and are not."""

import pytest
from msccl_files import exchange, program, real, step

from certune.core import InvalidInput, Status
from certune.tasks.collective.msccl.read import read
from certune.tasks.collective.msccl.report import verify_file


def refuted(data, **options):
    return {o.name for o in verify_file(data, **options).obligations if o.status is Status.REFUTED}


def ring(order=(0, 1, 2, 3)):
    """A reduction around the ring whose ranks keep what passes."""
    gpus = []
    for rank in order:
        gpus.append([((rank + 1) % 4, (rank - 1) % 4, 0, [step("s", "i0")] + [
            step("rrc", "i0", "o0")] * 1)])  # fmt: skip
    return gpus


def test_the_right_number_of_contributions_but_not_the_right_ones():
    # Rank 0 ends with its own chunk added twice and nothing of rank 2: three summands, as asked.
    gpus = [
        [(1, 2, 0, [step("s", "i0"), step("rrc", "i0", "o0"), step("s", "o0"),
                    step("rrc", "i0", "o0")])],
        [(2, 0, 0, [step("s", "i0"), step("rrc", "i0", "o0"), step("s", "o0"),
                    step("rrc", "i0", "o0")])],
        [(0, 1, 0, [step("s", "i0"), step("rrc", "i0", "o0"), step("s", "o0"),
                    step("rrc", "i0", "o0")])],
    ]  # fmt: skip
    right = program("allreduce", gpus, pieces=1)
    assert refuted(right) == set()
    gpus[0][0][3][3] = step("rrc", "o0", "o0")
    assert refuted(program("allreduce", gpus, pieces=1)) == {"postcondition"}


def test_a_race_that_every_usual_run_wins():
    # The copy takes one step, the other thread block only writes after a long way round.
    gpus = [
        [
            (-1, -1, 0, [step("cpy", "i0", "o0")]),
            (1, 1, 0, [step("s", "i0"), step("r", "i0", "s0"), step("s", "s0"),
                       step("r", "i0", "s0"), step("cpy", "s0", "o0")]),
        ],
        [(0, 0, 0, [step("r", "i0", "s0"), step("s", "s0")] * 2 + [step("cpy", "s0", "o0")])],
    ]  # fmt: skip
    assert refuted(program("broadcast", gpus, pieces=1)) == {"races"}


def test_a_hang_that_only_large_buffers_have():
    data = real("allreduce-allpairs-8n-simple")
    assert refuted(data) == set()
    assert refuted(data, max_bytes=256 * 2**20) == set()
    assert refuted(data, max_bytes=256 * 2**20 + 1) == {"deadlock"}
    assert refuted(data, max_bytes=0) == {"deadlock"}


def test_a_file_that_hides_its_hang_behind_a_small_window():
    data = real("allreduce-allpairs-8n-simple").replace(b'maxBytes="11534336"', b'maxBytes="1"')
    assert refuted(data) == set()
    assert refuted(data, max_bytes=2**30) == {"deadlock"}


def test_signals_that_the_runtime_does_not_send():
    # hasdep stands on a nop, which never signals: the wait is never over.
    gpus = [
        [
            (-1, -1, 0, [step("cpy", "i0", "s0"), step("nop", signals=1)]),
            (-1, -1, 0, [step("cpy", "s0", "o0", after=(0, 1))]),
        ]
    ]
    assert refuted(program("allreduce", gpus, pieces=1)) == {"deadlock"}


def test_step_numbers_that_claim_another_order():
    # Numbers say copy after receive; the runtime runs the order of the file.
    steps = [step("cpy", "s0", "o0", number=1), step("r", "i0", "s0", number=0)]
    gpus = [[(-1, 1, 0, steps)], [(0, -1, 0, [step("s", "i0"), step("cpy", "i0", "o0")])]]
    assert "initialised" in refuted(program("broadcast", gpus, pieces=1), root=1)


def test_flag_drift_makes_waits_mean_other_steps():
    # An empty nop shifts the runtime's numbers: the wait for step 1 ends one operation late, and
    # what looks like a wait for the last step is one for a step that does not exist.
    first = [step("nop"), step("cpy", "i0", "s0", signals=1)]
    gpus = [[(-1, -1, 0, first), (-1, -1, 0, [step("cpy", "s0", "o0", after=(0, 1))])]]
    assert refuted(program("allreduce", gpus, pieces=1)) == {"deadlock"}


def test_fused_reductions_take_the_last_count():
    # The first adds two chunks on paper; the runtime runs the fused pair on one.
    steps = [
        step("cpy", "i0", "o0", count=2),
        step("re", "s0", "o0", count=2),
        step("re", "s2", "o0", count=1),
    ]
    gather = [step("r", "i0", "s0", count=2), step("r", "i0", "s2", count=2), *steps]
    gpus = [
        [(-1, 1, 0, gather)],
        [(0, -1, 0, [step("s", "i0", count=2), step("s", "i0", count=2)])],
    ]
    found = verify_file(program("reduce", gpus, pieces=2, chunks=(2, 2, 4)), target="azure", root=0)
    assert "uneven-fusion" in {item.name for item in found.lints}
    assert found.status is Status.REFUTED


def test_steps_hidden_in_elements_that_runtimes_skip():
    data = exchange().replace(b"<tb ", b"<extra><tb ", 1).replace(b"</tb>", b"</tb></extra>", 1)
    assert "connections" in refuted(data)


def test_comments_hide_nothing():
    text = exchange().decode().splitlines()
    text[5] = f"<!-- {text[5].strip()} -->"
    assert "connections" in refuted("\n".join(text).encode())


def test_in_place_claims_need_their_own_proof():
    # Right out of place; in place the copy of the sum overwrites the input before it is sent.
    gpus = [
        [(1 - r, 1 - r, 0, [step("cpy", "i1", "o0"), step("s", "i0"), step("rrc", "i0", "o0"),
                            step("s", "i1"), step("rrc", "i1", "o1")])]
        for r in (0, 1)
    ]  # fmt: skip
    assert refuted(program("allreduce", gpus, pieces=2)) == set()
    both = refuted(program("allreduce", gpus, pieces=2, inplace=1))
    assert both == {"postcondition-in-place"}


def test_the_own_chunk_must_be_copied_out_of_place():
    data = real("ndv4__ag-16m").replace(
        b'inplace="1" outofplace="0"', b'inplace="1" outofplace="1"'
    )
    assert "postcondition-out-of-place" in refuted(data) | {
        o.name for o in verify_file(data).obligations if o.status is not Status.PROVED
    }


def test_ranks_that_skip_their_part():
    gpus = ring()
    gpus[3] = []
    assert "connections" in refuted(program("allreduce", gpus, pieces=1))


@pytest.mark.parametrize("ranks", ["4294967296", "1000000000", "99999999999999999999999", "-1"])
def test_absurd_numbers_of_ranks_cost_nothing(ranks):
    with pytest.raises(InvalidInput, match="ngpus"):
        read(exchange().replace(b'ngpus="2"', f'ngpus="{ranks}"'.encode()))


def test_absurd_numbers_of_chunks_cost_nothing():
    data = exchange().replace(b'nchunksperloop="2"', b'nchunksperloop="1048576"')
    assert refuted(data) == {"postcondition"}
    many = "".join(
        f'<gpu id="{r}" i_chunks="1" o_chunks="1" s_chunks="1048576"/>' for r in range(999)
    )
    head = '<algo proto="LL" nchannels="1" nchunksperloop="1" ngpus="999" coll="allreduce">'
    with pytest.raises(InvalidInput, match="chunks on all ranks"):
        read(f"{head}{many}</algo>".encode())

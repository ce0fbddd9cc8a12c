"""Native schedules written for three runtimes, programs lifted and converted."""

import numpy as np
import pytest
from msccl_files import NAMES, exchange, program, real, step

from certune.core import InvalidInput, Status
from certune.tasks.collective.collective import Collective
from certune.tasks.collective.msccl import lower as lowering
from certune.tasks.collective.msccl.lints import lint
from certune.tasks.collective.msccl.lower import lower
from certune.tasks.collective.msccl.program import KINDS, TARGETS
from certune.tasks.collective.msccl.read import read
from certune.tasks.collective.msccl.report import convert, to_schedule, verify_file
from certune.tasks.collective.msccl.verify import verify
from certune.tasks.collective.msccl.write import write
from certune.tasks.collective.schedule import Schedule


def schedule(kind, ranks, pieces, sends, root=0):
    """Sends as (step, source, destination, chunk, adds)."""
    table = np.array(sorted(sends), dtype=np.int64).reshape(-1, 5)
    steps = int(table[:, 0].max(initial=0)) + 1
    return Schedule(
        Collective(kind, ranks, pieces, root),
        steps,
        *(table[:, k] for k in range(4)),
        table[:, 4].astype(np.bool_),
    )


def ring_allreduce(ranks):
    sends = [
        (t, r, (r + 1) % ranks, (r - t) % ranks, t < ranks - 1)
        for t in range(2 * ranks - 2)
        for r in range(ranks)
    ]
    return schedule("allreduce", ranks, ranks, sends)


def proved(data, target):
    found = verify_file(data, target=target)
    assert found.clean, found.lines()
    return found


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("protocol", ["Simple", "LL", "LL128"])
def test_a_ring_for_every_target(target, in_place, protocol):
    built = lower(ring_allreduce(4), target, in_place=in_place, protocol=protocol)
    found = proved(write(built, target), target)
    kinds = {KINDS[k] for k in found.program.kind}
    assert kinds == ({"s", "r", "re"} if target == "rccl" else {"s", "r", "rcs", "rrs", "rrcs"})
    assert found.program.header.in_place is in_place
    assert found.summary()["sizes"] == "terminates at every size"


def test_a_fused_ring_is_one_thread_block_a_rank():
    built = lower(ring_allreduce(8), "azure", in_place=True)
    assert built.blocks == 8
    assert built.steps == 8 * 15
    assert (built.depends < 0).all()


def test_what_is_written_reads_back_the_same():
    for target in TARGETS:
        built = lower(ring_allreduce(3), target, min_bytes=7, max_bytes=1000, name="my ring & <x>")
        data = write(built, target)
        again = read(data)
        assert write(again, target) == data
        assert again.header.name == "my_ring_x_"
        assert (again.header.min_bytes, again.header.max_bytes) == (7, 1000)
        for column in ("kind", "count", "depends", "depends_step", "signals", "first", "channel"):
            assert np.array_equal(getattr(again, column), getattr(built, column))


@pytest.mark.parametrize("name", NAMES)
def test_real_files_are_rewritten_unchanged(name):
    found = read(real(name))
    again = read(write(found, "azure"))
    for column in (
        "rank", "block", "send", "receive", "channel", "first", "s", "kind", "source", "target",
        "source_offset", "target_offset", "count", "depends", "depends_step", "signals",
    ):  # fmt: skip
        assert np.array_equal(getattr(again, column), getattr(found, column)), column
    assert np.array_equal(again.chunks, found.chunks)


def test_without_a_limit_microsoft_gets_a_number():
    assert b'maxBytes="0"' in write(lower(ring_allreduce(2), "azure"), "azure")
    data = write(lower(ring_allreduce(2), "microsoft"), "microsoft")
    assert read(data).header.max_bytes == 2**40


def test_reduce_scatter_has_two_names():
    sends = [(0, r, 1 - r, 1 - r, True) for r in (0, 1)]
    one = schedule("reduce-scatter", 2, 2, sends)
    assert b'coll="reduce_scatter"' in write(lower(one, "microsoft"), "microsoft")
    assert b'coll="reducescatter"' in write(lower(one, "rccl"), "rccl")
    proved(write(lower(one, "rccl", in_place=True), "rccl"), "rccl")


def test_an_exchange_of_whole_buffers_keeps_reads_before_writes():
    sends = [(t, r, r ^ (1 << t), k, True) for t in range(2) for r in range(4) for k in range(4)]
    for target in TARGETS:
        for in_place in (False, True):
            data = write(
                lower(schedule("allreduce", 4, 4, sends), target, in_place=in_place), target
            )
            proved(data, target)


def test_in_place_alltoall_goes_through_scratch():
    sends = [(0, r, q, r * 3 + q, False) for r in range(3) for q in range(3) if q != r]
    built = lower(schedule("alltoall", 3, 3, sends), "azure", in_place=True)
    assert built.chunks[:, 2].tolist() == [2, 2, 2]
    assert "cpy" in {KINDS[k] for k in built.kind}
    proved(write(built, "azure"), "azure")


def test_collectives_that_a_target_does_not_have():
    sends = [(0, r, 0, r, False) for r in (1, 2)]
    with pytest.raises(InvalidInput, match="has no gather"):
        lower(schedule("gather", 3, 3, sends), "microsoft")
    found = proved(write(lower(schedule("gather", 3, 3, sends), "azure"), "azure"), "azure")
    assert found.program.header.pieces == 1


def test_more_channels_are_taken_where_a_limit_asks_for_them():
    built = lower(ring_allreduce(40), "azure")
    assert built.header.channels == 2
    assert not [item for item in lint(built, "azure") if item.severity == "error"]


def test_limits_are_named():
    sends = [(k, 0, 1, k, False) for k in range(300)]
    long = schedule("broadcast", 2, 300, sends)
    with pytest.raises(InvalidInput, match="steps in one thread block"):
        lower(long, "azure", channels=1)
    with pytest.raises(InvalidInput, match="33 channels"):
        lower(long, "azure", channels=33)
    proved(write(lower(long, "azure"), "azure"), "azure")


def test_a_schedule_that_sends_what_is_not_there():
    with pytest.raises(InvalidInput, match="does not hold"):
        lower(schedule("broadcast", 3, 1, [(0, 1, 2, 0, False)]), "azure")
    with pytest.raises(InvalidInput, match="without a chunk"):
        lower(schedule("broadcast", 3, 1, [(0, 0, 2, 0, False)]), "azure")


def test_no_program_that_hangs_is_given_out(monkeypatch):
    sends = [(0, r, 1 - r, k, False) for r in (0, 1) for k in range(9 * r, 9 * r + 9)]
    crowded = schedule("allgather", 2, 18, sends)
    only = (lowering.Way(fuse=False, share=True, sends_first=True),)
    proved(write(lower(crowded, "azure", channels=1), "azure"), "azure")
    monkeypatch.setattr(lowering, "_WAYS", only)
    built = lower(crowded, "azure", channels=1)
    assert verify(built).termination.safe_bytes is None


@pytest.mark.parametrize(
    "name", ["ncv4__ag_hier_4_LL", "ncv4__ar_hier_12_Simple", "ndv4__ap2ll", "alltoall-8n-0-9kb"]
)
def test_real_files_have_native_schedules_and_convert(name):
    found = to_schedule(read(real(name)))
    assert found.sends > 0
    for target in TARGETS:
        proved(convert(read(real(name)), target), target)


def test_lifting_a_ring_gives_the_ring_back():
    ring = ring_allreduce(4).normalised()
    for target in TARGETS:
        again = to_schedule(lower(ring, target)).normalised()
        assert np.array_equal(again.step, ring.step)
        assert np.array_equal(again.chunk, ring.chunk)
        assert np.array_equal(again.reduce, ring.reduce)


def test_wrong_programs_are_neither_lifted_nor_converted():
    wrong = exchange().replace(b'type="rrc"', b'type="r"', 1)
    with pytest.raises(InvalidInput, match="not right"):
        to_schedule(read(wrong))
    with pytest.raises(InvalidInput, match="not right"):
        convert(read(wrong), "rccl")


def test_an_exchange_through_scratch_is_a_reduction():
    pairs = [
        [(1 - r, 1 - r, 0, [step("s", "i0"), step("r", "i0", "s0"), step("re", "i0", "s0"),
                            step("cpy", "s0", "o0")])]
        for r in (0, 1)
    ]  # fmt: skip
    found = to_schedule(read(program("allreduce", pairs, pieces=1)))
    assert found.sends == 2
    assert found.reduce.all()


def test_several_values_of_a_chunk_have_no_schedule():
    # Rank 0 keeps what ranks 1 and 2 contribute apart, and passes each on to the other.
    total = [step("cpy", "i0", "o0"), step("re", "s0", "o0"), step("re", "s1", "o0")]
    leaf = [step("s", "i0"), step("r", "i0", "s0"), step("r", "i0", "s1"), *total]
    waits = [step("nop", after=(0, 1)), step("cpy", "i0", "o0", after=(1, 1)), *total[1:]]
    hub = [
        (1, 1, 0, [step("s", "i0"), step("r", "i0", "s0", signals=1),
                   step("s", "s1", after=(1, 1))]),
        (2, 2, 0, [step("s", "i0"), step("r", "i0", "s1", signals=1),
                   step("s", "s0", after=(0, 1))]),
        (-1, -1, 0, waits),
    ]  # fmt: skip
    data = program("allreduce", [hub, [(0, 0, 0, leaf)], [(0, 0, 0, leaf)]], pieces=1,
                   chunks=(1, 1, 2))  # fmt: skip
    assert verify_file(data).status is Status.PROVED
    with pytest.raises(InvalidInput, match="no native schedule"):
        to_schedule(read(data))

"""Small plans by hand, one rule of the executor each; the interpreter must agree on all."""

import json
from typing import Any

import pytest
from mscclpp_agreement import compare

from certune.core import Status
from certune.tasks.collective.mscclpp.semantics.moves import piece
from certune.tasks.collective.mscclpp.verify import verify_plan

NOP = {"name": "nop"}


def local(buffer: str, index: int, size: int = 1) -> dict[str, Any]:
    return {"type": buffer, "index": index, "size": size}


def far(number: int, index: int, size: int = 1) -> dict[str, Any]:
    return {"buffer_id": number, "index": index, "size": size}


def op(name: str, src: Any, dst: Any, kind: str | None = None, **more: Any) -> dict[str, Any]:
    def some(x: Any) -> list[Any]:
        return x if isinstance(x, list) else [x]

    entry = {"name": name, "src_buff": some(src), "dst_buff": some(dst), **more}
    return entry | ({"channel_type": kind} if kind else {})


def sync(name: str, *channels: int, kind: str = "memory") -> dict[str, Any]:
    return {"name": name, "channel_type": kind, "channel_ids": list(channels)}


def sem(name: str, *numbers: int) -> dict[str, Any]:
    return {"name": name, "semaphore_ids": list(numbers)}


def gpu(
    rank: int,
    blocks: list[list[Any]],
    *,
    chunks: tuple[int, int, int],
    buffers: str = "",
    memory: int = 1,
    port: int = 0,
    switch: str = "",
    semaphores: tuple[int, ...] = (),
) -> dict[str, Any]:
    """A rank of two; every block has all channels and all remote buffers of the peer."""
    peer = 1 - rank
    kind = "port" if port else "memory"
    channels: list[Any] = [{"channel_type": "memory", "connected_to": [peer] * memory}]
    if port:
        channels.append({"channel_type": "port", "connected_to": [peer] * port})
    for letter in switch:
        group = {"size": 2, "ranks": [0, 1]}
        channels.append({"channel_type": "switch", "buffer_type": letter, "rank_groups": [group]})
    tables = [{"channel_type": "memory", "channel_ids": list(range(memory))}]
    tables.append({"channel_type": "port", "channel_ids": list(range(port))})
    tables.append({"channel_type": "switch", "channel_ids": list(range(len(switch)))})
    refs = [{"access_channel_type": kind, "remote_buffer_ids": list(range(len(buffers)))}]
    return {
        "id": rank,
        "input_chunks": chunks[0],
        "output_chunks": chunks[1],
        "scratch_chunks": chunks[2],
        "threadblocks": [
            {"id": k, "ops": ops, "channels": tables, "remote_buffer_refs": refs}
            for k, ops in enumerate(blocks)
        ],
        "channels": channels,
        "remote_buffers": [
            {"rank": peer, "type": letter, "access_channel_types": [kind]} for letter in buffers
        ],
        "semaphores": [{"init_value": value} for value in semaphores],
    }


def plan(collective: str, gpus: list[Any], **more: Any) -> bytes:
    top = {"name": "small", "collective": collective, "protocol": "Simple", "inplace": True}
    return json.dumps(top | {"gpus": gpus} | more).encode()


def statuses(data: bytes) -> dict[str, Status]:
    """The status of every obligation, after the interpreter has agreed."""
    outcome = compare(data, thorough=True)
    assert not outcome.invalid
    assert not outcome.differ
    return {o.name: o.status for o in verify_plan(data).obligations}


def wrong(data: bytes) -> dict[str, str]:
    return {name: s.value for name, s in statuses(data).items() if s is not Status.PROVED}


DONE = sync("signal", 0)
ENTRY = [sync("rlxsignal", 0), NOP, sync("rlxwait", 0), NOP]
MEET = [NOP, sync("signal", 0), sync("wait", 0), NOP]


def exchange(middle: Any, buffers: str = "o", **more: Any) -> bytes:
    """An allgather of two ranks: `middle(rank)` between entry and exit."""
    return plan(
        "allgather",
        [gpu(r, [ENTRY + middle(r) + MEET], chunks=(1, 2, 0), buffers=buffers) for r in (0, 1)],
        **more,
    )


def test_a_put_between_entry_and_exit() -> None:
    assert not wrong(exchange(lambda r: [op("put", local("o", r), far(0, r), "memory")]))


def test_a_remote_part_of_a_buffer_lies_at_the_acting_ranks_offset() -> None:
    # In place, the peer's `i` is addressed with one's own offset, and so lands in one's own
    # chunk of the peer's output: a right allgather that does not look like one.
    assert not wrong(exchange(lambda r: [op("put", local("i", 0), far(0, 0), "memory")], "i"))


def test_a_local_part_of_a_buffer_lies_at_the_owners_offset() -> None:
    assert not wrong(exchange(lambda r: [op("put", local("i", 0), far(0, r), "memory")]))


def test_get_reads_the_peer() -> None:
    got = exchange(lambda r: [op("get", far(0, 1 - r), local("o", 1 - r), "memory")])
    assert not wrong(got)


def test_get_with_two_offsets_exchanges_them() -> None:
    # Written: the peer's own chunk to the place 1 - r; carried out: place r of the peer to 1 - r.
    got = exchange(lambda r: [op("get", far(0, 1 - r), local("o", r), "memory")])
    found = wrong(got)
    assert found["as-written"] == "refuted"
    assert "postcondition" in found


def test_out_of_place_the_input_stays() -> None:
    def middle(r: int) -> list[Any]:
        return [
            op("put", local("i", 0), far(0, r), "memory"),
            op("copy", local("i", 0), local("o", r)),
        ]

    assert not wrong(exchange(middle, inplace=False))


@pytest.mark.parametrize("waits", [1, 2])
def test_one_wait_sees_neither_of_two_blocks_for_sure(waits: int) -> None:
    """Two blocks of rank 0 signal on channel 0; only both waits together see both.

    Channels 1 and 2 are the entries of both ranks, channel 3 carries rank 1's data.
    """
    zero = [
        [sync("rlxwait", 1), NOP, op("put", local("o", 0), far(0, 0), "memory"), NOP, DONE],
        [sync("signal", 0)],
        [sync("rlxsignal", 2), sync("wait", 3)],
    ]
    take = [sync("rlxsignal", 1), *[sync("wait", 0), NOP] * waits]
    take += [op("copy", local("s", 0), local("o", 0)), NOP, *[sync("wait", 0)] * (2 - waits)]
    give = [sync("rlxwait", 2), NOP, op("put", local("o", 1), far(0, 1), "memory"), NOP]
    gpus = [
        gpu(0, zero, chunks=(1, 2, 1), buffers="s", memory=4),
        gpu(1, [take, [*give, sync("signal", 3)]], chunks=(1, 2, 1), buffers="o", memory=4),
    ]
    found = wrong(plan("allgather", gpus))
    if waits == 1:
        assert found["no-race"] == "refuted"
    else:
        assert not found


def test_two_threads_on_one_counter_are_unknown() -> None:
    def middle(r: int) -> list[Any]:
        return [sync("signal", 1, 0), sync("signal", 0), sync("wait", 0, 1), sync("wait", 0)]

    gpus = [gpu(r, [middle(r)], chunks=(1, 2, 0), memory=2) for r in (0, 1)]
    report = verify_plan(plan("allgather", gpus))
    found = next(o for o in report.obligations if o.name == "no-race")
    assert found.status is Status.UNKNOWN
    assert found.counterexample is not None
    assert "two threads use the same memory channel" in found.counterexample.sentence


@pytest.mark.parametrize("meet", [True, False])
def test_threads_of_a_block_meet_only_at_nop(meet: bool) -> None:
    # The second copy reads what other threads wrote: it begins elsewhere.
    ops = [op("copy", local("i", 0), local("s", 1)), op("copy", local("i", 1), local("s", 2))]
    ops += [NOP] if meet else []
    ops += [op("re", [local("i", 0, 2), local("s", 1, 2)], local("i", 0, 2))]
    gpus = [gpu(r, [ops], chunks=(2, 2, 3)) for r in (0, 1)]
    assert ("no-race" in wrong(plan("allreduce", gpus))) != meet


def test_one_thread_handles_the_same_element_of_equal_operands() -> None:
    ops = [
        op("copy", local("i", 0, 2), local("s", 0, 2)),
        op("copy", local("s", 0, 2), local("i", 0, 2)),
    ]
    gpus = [gpu(r, [ops], chunks=(2, 2, 2)) for r in (0, 1)]
    found = wrong(plan("allreduce", gpus))
    assert found == {"postcondition": "refuted"}


@pytest.mark.parametrize("how", ["barrier", "semaphore", "nothing"])
def test_blocks_of_a_rank(how: str) -> None:
    first: list[Any] = [op("copy", local("i", 0), local("s", 0))]
    second: list[Any] = [op("copy", local("s", 0), local("i", 0))]
    if how == "barrier":
        barrier = {"name": "barrier", "barrier_id": 3, "num_threadblocks": 2}
        first, second = [*first, barrier], [barrier, *second]
    elif how == "semaphore":
        first, second = [*first, NOP, sem("sem_release", 0)], [sem("sem_acquire", 0), NOP, *second]
    gpus = [gpu(r, [first, second], chunks=(1, 1, 1), semaphores=(0,)) for r in (0, 1)]
    assert ("no-race" in wrong(plan("allreduce", gpus))) == (how == "nothing")


def test_a_barrier_that_nobody_else_comes_to() -> None:
    barrier = {"name": "barrier", "barrier_id": 0, "num_threadblocks": 2}
    gpus = [gpu(r, [[barrier], [NOP]], chunks=(1, 1, 0)) for r in (0, 1)]
    report = verify_plan(plan("allreduce", gpus))
    found = next(o for o in report.obligations if o.name == "no-deadlock")
    assert found.counterexample is not None
    assert "barrier 0, where 1 of 2 thread blocks are" in found.counterexample.sentence


@pytest.mark.parametrize("answered", [True, False])
def test_a_port_transfer_is_over_when_its_receiver_says_so(answered: bool) -> None:
    def ops(r: int) -> list[Any]:
        listed = [sync("signal", 0, kind="port"), sync("wait", 0, kind="port"), NOP]
        listed += [op("pws", local("o", r), far(0, r), "port", channel_ids=[0])]
        listed += [sync("wait", 0, kind="port"), NOP]
        if answered:
            listed += [sync("signal", 0, kind="port"), sync("wait", 0, kind="port"), NOP]
        return listed

    gpus = [gpu(r, [ops(r)], chunks=(1, 2, 0), buffers="o", port=1) for r in (0, 1)]
    assert wrong(plan("allgather", gpus)) == ({} if answered else {"exit-safe": "refuted"})


def test_what_a_kernel_saw_is_there_for_all_after_its_end() -> None:
    """The proxy's store in scratch is followed by the next launch's, ordered by relaxed signals.

    The receiver has seen the first one and ended; from then on passing of time is enough.
    """

    def ops(r: int, entry: list[Any]) -> list[Any]:
        listed = [*entry, op("copy", local("o", r), local("s", 1)), NOP]
        listed += [op("pws", local("s", 1), far(0, 0), "port", channel_ids=[0])]
        return [
            *listed,
            sync("wait", 0, kind="port"),
            NOP,
            op("copy", local("s", 0), local("o", 1 - r)),
        ]

    entered = [gpu(r, [ops(r, ENTRY)], chunks=(1, 2, 2), buffers="s", port=1) for r in (0, 1)]
    assert not wrong(plan("allgather", entered))
    at_once = [gpu(r, [ops(r, [])], chunks=(1, 2, 2), buffers="s", port=1) for r in (0, 1)]
    assert wrong(plan("allgather", at_once)) == {"scratch-reuse": "refuted"}


def test_a_port_channel_takes_the_start_of_the_allocation() -> None:
    # In place, `i` of rank 1 is o[1]; the port's local side has no offset and sends o[0].
    def ops(r: int) -> list[Any]:
        listed = [sync("signal", 0, kind="port"), sync("wait", 0, kind="port"), NOP]
        listed += [op("pws", local("i", 0), far(0, r), "port", channel_ids=[0])]
        return listed + [sync(x, 0, kind="port") for x in ("wait", "signal", "wait")]

    gpus = [gpu(r, [ops(r)], chunks=(1, 2, 0), buffers="o", port=1) for r in (0, 1)]
    assert "postcondition" in wrong(plan("allgather", gpus)) or "initialised" in wrong(
        plan("allgather", gpus)
    )


def test_a_switch_stores_to_all_and_must_be_waited_for() -> None:
    target = {"switch_channel_id": 0, "size": 1}

    def ops(r: int, last: list[Any]) -> list[Any]:
        return [*ENTRY, op("gstore", local("i", 0), {**target, "index": r}, "switch"), *last]

    right = [gpu(r, [ops(r, MEET)], chunks=(1, 2, 0), switch="o") for r in (0, 1)]
    assert not wrong(plan("allgather", right, inplace=False))
    relaxed = [NOP, sync("rlxsignal", 0), NOP, sync("rlxwait", 0), NOP]
    loose = [gpu(r, [ops(r, relaxed)], chunks=(1, 2, 0), switch="o") for r in (0, 1)]
    assert wrong(plan("allgather", loose, inplace=False)) == {"exit-safe": "refuted"}


@pytest.mark.parametrize("double", [True, False])
def test_packets_kept_and_passed_on(double: bool) -> None:
    def ops(r: int) -> list[Any]:
        # Each rank adds its half and keeps it as a packet, which it then passes on.
        mine, other = r, 1 - r
        return [
            op("ppkt", local("i", other), far(0, 0), "memory"),
            op(
                "recpkt",
                [local("i", mine), local("s", 0)],
                [local("i", mine), local("s", 1)],
                reduce_op="sum",
            ),
            NOP,
            op("rppkt", local("s", 1), far(0, 2), "memory"),
            op("upkt", local("s", 2), local("i", other)),
        ]

    gpus = [gpu(r, [ops(r)], chunks=(2, 2, 3), buffers="s") for r in (0, 1)]
    # Both wait for each other twice, so that even one half of scratch is enough.
    data = plan("allreduce", gpus, protocol="LL", use_double_scratch_buffer=double)
    assert not wrong(data)


def test_packets_are_no_plain_data() -> None:
    ops = [op("cpkt", local("i", 0), local("s", 0)), NOP, op("copy", local("s", 0), local("i", 0))]
    gpus = [gpu(r, [ops], chunks=(1, 1, 1)) for r in (0, 1)]
    found = wrong(plan("allreduce", gpus, protocol="LL", use_double_scratch_buffer=True))
    assert found["initialised"] == "refuted"


def test_a_pipeline_hands_its_units_on() -> None:
    def blocks(r: int) -> list[list[Any]]:
        context = {"unit_size": 4096, "num_chunks": 1}
        put = [sem("sem_acquire", 0), NOP, op("put", local("s", 0), far(0, r), "memory")]
        fill = [op("copy", local("i", 0), local("s", 0)), NOP, sem("sem_release", 0)]
        return [
            [{"name": "pipeline", "iter_context": context, "ops": fill}],
            [*ENTRY, {"name": "pipeline", "iter_context": context, "ops": put}, *MEET],
            [op("copy", local("i", 0), local("o", r))],
        ]

    gpus = [gpu(r, blocks(r), chunks=(1, 2, 1), buffers="o", semaphores=(0,)) for r in (0, 1)]
    found = wrong(plan("allgather", gpus, inplace=False))
    assert set(found.values()) == {"tested"}


def test_groups_split_as_the_executor_does() -> None:
    assert [piece(1, 5, (k, 2)) for k in (0, 1)] == [(0, 3), (3, 2)]
    assert [piece(2, 3, (k, 4)) for k in range(4)] == [(0, 2), (2, 2), (4, 1), (5, 1)]
    assert piece(3, 7, (0, 1)) == (0, 21)
    # Fewer units than members: the second of two gets nothing, too.
    assert [piece(1, 1, (k, 2)) for k in (0, 1)] == [(0, 0), (0, 0)]


def test_groups_of_different_sizes_meet_at_some_lengths_only() -> None:
    def blocks(r: int) -> list[list[Any]]:
        out = []
        for k in range(4):
            first = op("copy", local("i", 0), local("s", 0), tbg_info={"tb_id": k, "tbg_size": 4})
            ops = [first, NOP]
            if k % 2 == 0:  # halves are the quarters k and k + 1 where the length is even
                ops = [first, {"name": "barrier", "barrier_id": k, "num_threadblocks": 2}]
                ops.append(
                    op(
                        "copy",
                        local("s", 0),
                        local("i", 0),
                        tbg_info={"tb_id": k // 2, "tbg_size": 2},
                    )
                )
            else:
                ops = [first, {"name": "barrier", "barrier_id": k - 1, "num_threadblocks": 2}]
            out.append(ops)
        return out

    gpus = [gpu(r, blocks(r), chunks=(1, 1, 1)) for r in (0, 1)]
    report = verify_plan(plan("allreduce", gpus))
    assert not report.scope.exact
    found = next(o for o in report.obligations if o.name == "no-race")
    # With 6 units, quarters are 2, 2, 1, 1 and halves 3, 3.
    assert found.status is Status.REFUTED
    statuses(plan("allreduce", gpus))

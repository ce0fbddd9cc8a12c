"""Each obligation refuted on a small program, with the place that is wrong."""

import pytest
from msccl_files import exchange, program, real, step

from certune.core import InvalidInput, Status
from certune.tasks.collective.msccl.read import read
from certune.tasks.collective.msccl.report import draw, explain, verify_file
from certune.tasks.collective.msccl.verify import verify

MIB = 2**20


def judged(data, **options):
    return verify(read(data), **options)


def by_name(report):
    return {obligation.name: obligation for obligation in report.obligations}


def failure(data, name, **options):
    found = by_name(judged(data, **options))
    assert found[name].status is Status.REFUTED
    assert found[name].counterexample is not None
    return found[name].counterexample


def changed(old, new, data=None, times=1):
    text = (data or exchange()).decode()
    assert old in text
    return text.replace(old, new, times).encode()


def test_a_right_program_is_proved():
    report = judged(exchange())
    assert report.status is Status.PROVED
    assert list(by_name(report)) == [
        "accepted", "connections", "deadlock", "bounds",
        "races", "initialised", "constant-input", "postcondition",
    ]  # fmt: skip
    assert report.termination.safe_bytes is None
    assert report.agreement.difference is None


def test_a_contribution_that_is_missing():
    # Rank 0 keeps what it receives instead of adding its own.
    found = failure(changed('type="rrc"', 'type="r"'), "postcondition")
    assert found.sentence.startswith("rank 0 ends with o[0] holding chunk 0 of rank 1")
    assert "rank 0, thread block 0, step 2 (line 6)" in found.sentence
    assert [item["rank"] for item in found.data["way"]] == [0, 1]


def test_a_contribution_that_is_added_twice():
    gpus = [
        [(1, 1, 0, [step("s", "i0"), step("s", "i0"), step("rrc", "i0", "o0"),
                    step("rrc", "o0", "o0")])],
        [(0, 0, 0, [step("s", "i0"), step("s", "i0"), step("rrc", "i0", "o0"),
                    step("r", "i0", "s0")])],
    ]  # fmt: skip
    found = failure(program("allreduce", gpus, pieces=1), "postcondition")
    assert "adds a contribution that is already in the sum" in found.sentence
    assert found.data["step"]["step"] == 3


def test_chunks_of_different_results_are_added():
    found = failure(changed('srcoff="0" dstbuf="o" dstoff="0"', 'srcoff="1" dstbuf="o" dstoff="0"'),
                    "postcondition")  # fmt: skip
    assert "adds chunks that belong to different results" in found.sentence


def test_what_is_lacking_is_named():
    ring = [
        [((r + 1) % 3, (r - 1) % 3, 0, [step("s", "i0"), step("rrc", "i0", "o0")])]
        for r in range(3)
    ]
    found = failure(program("allreduce", ring, pieces=1), "postcondition")
    assert "lacking what rank 1 contributes" in found.sentence


def test_a_chunk_that_never_arrives():
    data = exchange().replace(
        b'type="rrc" srcbuf="i" srcoff="1"', b'type="rrc" srcbuf="i" srcoff="0"'
    )
    found = failure(data.replace(b'dstoff="1" cnt="1"', b'dstoff="0" cnt="1"'), "postcondition")
    assert "o[1] never written" in found.sentence or "adds chunks" in found.sentence


def test_an_uninitialised_read():
    found = failure(
        changed('srcbuf="i" srcoff="1" dst', 'srcbuf="s" srcoff="1" dst'), "initialised"
    )
    assert "nothing was written to s[1] of rank 0" in found.sentence
    assert found.data["line"] == 5


def test_a_sum_onto_what_was_never_written():
    gpus = [[(-1, -1, 0, [step("re", "i0", "o0")])]]
    found = failure(program("allreduce", gpus, pieces=1), "initialised")
    assert "nothing was written to o[0] of rank 0" in found.sentence


def test_out_of_place_the_input_is_constant():
    data = changed('dstbuf="o" dstoff="1"', 'dstbuf="i" dstoff="1"')
    assert "writes i[1]" in failure(data, "constant-input").sentence


def test_operands_outside_of_their_buffers():
    gpus = [[(-1, -1, 0, [step("cpy", "i2", "o2", count=3)])]]
    data = program("allreduce", gpus, pieces=4)
    assert "reads i[2..4], but i has 4 chunks" in failure(data, "bounds").sentence
    assert by_name(judged(data))["races"].status is Status.UNKNOWN
    assert "beyond" in failure(changed('srcoff="1"', 'srcoff="7"'), "accepted").sentence
    assert failure(changed('srcoff="1"', 'srcoff="-1"'), "bounds")


def test_scratch_is_as_large_as_declared():
    gpus = [[(-1, -1, 0, [step("cpy", "i0", "s1"), step("cpy", "i0", "o0")])]]
    data = program("allreduce", gpus, pieces=1, chunks=(1, 1, 1))
    assert "s has 1 chunks" in failure(data, "bounds").sentence


def racing(after=None, signals=0):
    gpus = [
        [
            (-1, -1, 0, [step("cpy", "i0", "s0", signals=signals)]),
            (-1, -1, 0, [step("cpy", "s0", "o0", after=after)]),
        ]
    ]
    return program("allreduce", gpus, pieces=1)


def test_a_race_and_its_cure():
    found = failure(racing(), "races")
    assert "writes s[0] and" in found.sentence
    assert "thread block 1" in found.sentence
    assert by_name(judged(racing()))["postcondition"].status is not Status.PROVED
    assert judged(racing(after=(0, 0), signals=1)).status is Status.PROVED


@pytest.mark.parametrize("ended", [0, 1, 2])
def test_a_wait_orders_what_came_up_to_its_signal(ended):
    writer = [step("cpy", "i0", f"s{k}", signals=1) for k in range(3)]
    reader = [step("cpy", "s1", "o0", after=(0, ended))]
    gpus = [[(-1, -1, 0, writer), (-1, -1, 0, reader)]]
    report = judged(program("allreduce", gpus, pieces=1, chunks=(1, 1, 3)))
    assert (by_name(report)["races"].status is Status.PROVED) == (ended >= 1)


def test_a_wait_of_an_earlier_step_counts():
    writer = [step("cpy", "i0", "s0", signals=1)]
    reader = [step("cpy", "i0", "s1", after=(0, 0)), step("cpy", "s0", "o0")]
    gpus = [[(-1, -1, 0, writer), (-1, -1, 0, reader)]]
    assert judged(program("allreduce", gpus, pieces=1, chunks=(1, 1, 2))).status is Status.PROVED
    gpus[0][1] = (-1, -1, 0, [reader[1], reader[0]])
    assert (
        "s[0]" in failure(program("allreduce", gpus, pieces=1, chunks=(1, 1, 2)), "races").sentence
    )


def test_waits_through_a_third_thread_block():
    first, last = [step("cpy", "i0", "s0", signals=1)], [step("cpy", "s0", "o0", after=(1, 0))]
    between = [step("cpy", "i0", "s1", after=(0, 0), signals=1)]
    chain = [[(-1, -1, 0, first), (-1, -1, 0, between), (-1, -1, 0, last)]]
    assert judged(program("allreduce", chain, pieces=1, chunks=(1, 1, 2))).status is Status.PROVED
    between[0]["depid"] = between[0]["deps"] = -1
    assert (
        "s[0]" in failure(program("allreduce", chain, pieces=1, chunks=(1, 1, 2)), "races").sentence
    )


def test_a_message_orders_what_is_around_it():
    def around(order):
        first = [step("cpy", "i0", "s0"), step("s", "i0")]
        last = [step("r", "i0", "s1"), step("cpy", "s0", "o0")]
        back = [step("r", "i0", "s0"), step("s", "s0"), step("cpy", "s0", "o0")]
        if not order:
            first.reverse()
        return program(
            "broadcast",
            [[(1, -1, 0, first), (-1, 1, 0, last)], [(0, 0, 0, back)]],
            pieces=1,
            chunks=(1, 1, 2),
        )

    assert judged(around(True)).status is Status.PROVED
    assert "s[0]" in failure(around(False), "races").sentence


def sliced(first, second, count=2):
    """Rank 0 sends i[0…], rank 1 passes it on, another thread block of rank 0 writes it."""
    gpus = [
        [
            (1, -1, 0, [step("s", f"s{first}", count=count)]),
            (-1, 1, 0, [step("r", "i0", f"s{second}", count=count)]),
        ],
        [(0, 0, 0, [step("rcs", "i0", "s0", count=count)])],
    ]
    return program("broadcast", gpus, pieces=8)


def test_messages_order_slices_only():
    # The second chunk sent is the first that comes back: it may come back before it is sent.
    found = failure(sliced(0, 1), "races")
    assert found.data["chunks_a_message"] == 1
    assert "when messages carry only 1 of their chunks" in found.sentence
    # The first chunk sent is the second that comes back: never before.
    assert by_name(judged(sliced(1, 0)))["races"].status is Status.PROVED
    assert by_name(judged(sliced(0, 0)))["races"].status is Status.PROVED


def test_the_largest_message_that_races():
    assert failure(sliced(0, 2, count=5), "races").data["chunks_a_message"] == 4


def test_overlapping_source_and_target():
    gpus = [[(-1, -1, 0, [step("cpy", "s0", "s1", count=2)])]]
    assert "overlap" in failure(program("allreduce", gpus, pieces=4), "races").sentence


def test_a_circle_of_dependences_hangs_at_every_size():
    gpus = [
        [
            (-1, -1, 0, [step("cpy", "i0", "o0", after=(1, 0), signals=1)]),
            (-1, -1, 0, [step("cpy", "i1", "o1", after=(0, 0), signals=1)]),
        ]
    ]
    data = program("allreduce", gpus, pieces=2)
    found = failure(data, "deadlock")
    assert found.sentence.startswith("hangs at every size")
    assert {item["tb"] for item in found.data["circle"]} == {0, 1}
    assert by_name(judged(data))["postcondition"].status is Status.UNKNOWN


def test_a_signal_that_never_comes():
    gpus = [
        [
            (-1, -1, 0, [step("cpy", "i0", "o0")]),
            (-1, -1, 0, [step("cpy", "i1", "o1", after=(0, 0))]),
        ]
    ]
    found = failure(program("allreduce", gpus, pieces=2), "deadlock")
    assert "waits for step 0 of thread block 0, which never comes" in found.sentence
    assert found.data["endless"]


def burst(count, protocol="Simple"):
    """Two ranks that send `count` chunks to each other before they receive any."""
    gpus = [
        [(1 - r, 1 - r, 0, [step("s", "i0", count=count),
                            step("r", "o0", f"o{count * (1 - r)}", count=count),
                            step("cpy", "i0", f"o{count * r}", count=count)])]
        for r in (0, 1)
    ]  # fmt: skip
    return program(
        "allgather", gpus, pieces=2 * count, proto=protocol, chunks=(count, 2 * count, 0)
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 16, 71])
def test_the_size_beyond_which_a_burst_hangs(count):
    # n messages of m chunks fit the two slots of Simple exactly if ceil(count / m) <= 2.
    report = judged(burst(count), max_bytes=0)
    hanging = [m for m in range(1, 72) if -(-count // m) > 2]
    ended = report.termination
    if not hanging:
        assert ended.safe_bytes is None
        assert report.status is Status.PROVED
        return
    assert ended.hangs_at == max(hanging)
    # m = E // b with E = 2 MiB: safe while b <= E // (M + 1).
    assert ended.safe_bytes == 2 * count * (2 * MIB // (max(hanging) + 1))
    assert not ended.hangs(ended.safe_bytes, 2 * count)
    assert ended.hangs(ended.safe_bytes + 1, 2 * count)
    found = by_name(report)["deadlock"].counterexample
    assert "waits for room in the connection" in found.sentence
    assert {item["rank"] for item in found.data["circle"]} == {0, 1}
    assert by_name(report)["postcondition"].status is Status.PROVED


def test_more_slots_are_safe_for_longer():
    assert judged(burst(8, "LL"), max_bytes=0).status is Status.PROVED
    assert judged(burst(9, "LL"), max_bytes=0).termination.hangs_at == 1


def test_only_sizes_that_the_file_is_selected_for_count():
    safe = judged(burst(5), max_bytes=0).termination.safe_bytes
    text = burst(5).decode()
    within = text.replace('maxBytes="0"', f'maxBytes="{safe}"').encode()
    beyond = text.replace('maxBytes="0"', f'maxBytes="{safe + 1}"').encode()
    assert judged(within).status is Status.PROVED
    assert failure(beyond, "deadlock")
    assert failure(within, "deadlock", max_bytes=0)


def test_in_place_and_out_of_place_are_both_shown():
    gpus = [[(1 - r, 1 - r, 0, [step("s", "i0"), step("rrc", "i0", "o0")])] for r in (0, 1)]
    both = by_name(judged(program("allreduce", gpus, pieces=1, inplace=1)))
    assert both["postcondition-in-place"].status is Status.PROVED
    assert both["postcondition-out-of-place"].status is Status.PROVED
    gpus[0][0][3].append(step("s", "i0"))
    gpus[1][0][3].append(step("r", "i0", "s0"))
    gpus[1][0][3].append(step("cpy", "s0", "s0"))
    again = by_name(judged(program("allreduce", gpus, pieces=1, inplace=1)))
    assert again["postcondition-in-place"].status is Status.PROVED


def test_in_place_aliases_are_seen():
    # Sending i[1] after o[0] (the same memory for rank 0 in an in-place allgather: i[0] = o[0]).
    gpus = [
        [(1, 1, 0, [step("r", "o1", "o1"), step("s", "i0")])],
        [(0, 0, 0, [step("s", "i0"), step("r", "o0", "o0")])],
    ]
    found = by_name(judged(program("allgather", gpus, pieces=2, chunks=(1, 2, 0), inplace=1,
                                   outofplace=0)))  # fmt: skip
    assert found["postcondition"].status is Status.PROVED
    # Out of place nobody copies the own chunk.
    assert (
        "never written"
        in failure(program("allgather", gpus, pieces=2, chunks=(1, 2, 0)), "postcondition").sentence
    )


def test_ranks_that_add_in_different_orders():
    report = judged(real("ndv4__ap-1pass"), require_agreement=True)
    found = by_name(report)["agreement"]
    assert found.status is Status.REFUTED
    assert found.counterexample.data["chunks"] == 32
    assert "(0 + 1)" in found.counterexample.sentence
    assert judged(real("ndv4__ap-1pass")).status is Status.PROVED
    assert by_name(judged(real("ndv4__r48ll"), require_agreement=True))["agreement"].met


def test_the_root_is_found_or_given():
    gpus = [
        [(-1, 1, 0, [step("r", "o0", "o0")])],
        [(0, -1, 0, [step("s", "i0"), step("cpy", "i0", "o0")])],
    ]
    data = program("broadcast", gpus, pieces=1)
    assert judged(data).root == 1
    assert judged(data).status is Status.PROVED
    assert by_name(judged(data, root=0))["bounds"].status is Status.REFUTED
    with pytest.raises(InvalidInput, match="root"):
        judged(data, root=2)


def test_pieces_must_divide():
    gpus = [[(-1, -1, 0, [])], [(-1, -1, 0, [])]]
    with pytest.raises(InvalidInput, match="multiple of the 2 ranks"):
        judged(program("allgather", gpus, pieces=3))


def test_the_report_tells_sizes_and_draws_the_circle():
    found = verify_file(real("allreduce-allpairs-8n-simple"), target="rccl")
    assert found.clean
    assert found.summary()["safe bytes"] == 256 * MIB
    assert any("safe up to 256 MiB" in line and "11 MiB" in line for line in found.lines())
    beyond = verify_file(real("allreduce-allpairs-8n-simple"), target="rccl", max_bytes=0)
    (obligation,) = [o for o in beyond.obligations if not o.met]
    lines = draw(beyond.report, obligation)
    assert lines[0] == "safe up to 256 MiB, hangs above:"
    assert any("needs room in the connection" in line for line in lines)
    assert lines[-1].endswith("the first of these")


def test_explain_tells_every_operation_once():
    text = explain(read(exchange()))
    assert text.count("sends i[") == 4
    assert text.count("keeps the sum") == 4
    assert "moment 0" in text

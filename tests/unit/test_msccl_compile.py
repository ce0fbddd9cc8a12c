"""What the runtimes' parser makes of steps: waits, numbers, fusion, refusals."""

from msccl_files import exchange, program, step

from certune.tasks.collective.msccl.compile import NEVER, compile_program
from certune.tasks.collective.msccl.program import KINDS
from certune.tasks.collective.msccl.read import read

SILENT = (-1, -1, 0)


def compiled(*blocks, pieces=32):
    gpus = [[(*SILENT, list(steps)) for steps in blocks]]
    return compile_program(read(program("allreduce", gpus, pieces=pieces)))


def test_nops_hand_their_dependences_on_and_count():
    signalling = [step("cpy", f"i{k}", f"o{k}", signals=1) for k in range(3)]
    code = compiled(
        signalling,
        [
            step("nop", after=(0, 0)),
            step("nop", after=(0, 1)),
            step("cpy", "i5", "o5", after=(0, 2), signals=1),
            step("cpy", "i6", "o6", signals=1),
        ],
    )
    assert [KINDS[k] for k in code.kind] == ["cpy"] * 5
    assert code.wait_from.tolist() == [0, 0, 0, 0, 3, 3]
    assert code.wait_on.tolist() == [0, 1, 2]
    assert code.flag.tolist() == [0, 1, 2, 2, 3]  # two waits more than one count two


def test_a_nop_without_dependence_is_not_counted():
    code = compiled([step("nop"), step("cpy", signals=1), step("cpy", "i1", "o1")])
    assert code.flag.tolist() == [0, 1]


def test_a_wait_ends_with_the_first_later_signal():
    code = compiled(
        [step("cpy"), step("cpy", "i1", "o1"), step("cpy", "i2", "o2", signals=1)],
        [step("cpy", "i3", "o3", after=(0, 1)), step("cpy", "i4", "o4", after=(0, 3))],
    )
    assert code.wait_on.tolist() == [2, NEVER]


def test_the_signal_of_a_nop_is_ignored():
    code = compiled(
        [step("cpy"), step("nop", after=(1, 0), signals=1), step("cpy", "i1", "o1", after=(1, 0))],
        [step("cpy", "i2", "o2", signals=1, after=None), step("cpy", "i3", "o3", after=(0, 1))],
    )
    assert code.wait_on[code.wait_from[code.first[1] + 1]] == NEVER


def test_a_chain_must_end_in_the_operation():
    code = compiled([step("cpy", signals=1)], [step("nop", after=(0, 0)), step("cpy", "i1", "o1")])
    assert code.program.place(int(code.refused[0])).startswith("rank 0, thread block 1, step 1")
    assert code.wait_on.tolist() == [0]


def test_dependences_after_the_last_operation_are_dropped():
    code = compiled([step("cpy", signals=1)], [step("cpy", "i1", "o1"), step("nop", after=(0, 0))])
    assert code.dropped.tolist() == [2]
    assert len(code.wait_on) == 0


def test_reductions_are_fused_and_take_the_last_count_and_signal():
    code = compiled(
        [
            step("cpy", "i0", "o0", count=4),
            step("re", "i4", "o0", count=1),
            step("re", "i8", "o0", count=2, signals=1),
            step("re", "i12", "o0", count=3),
        ]
    )
    assert code.fused.tolist() == [False, False, True, False]
    assert code.count.tolist() == [4, 2, 2, 3]
    assert code.signals.tolist() == [False, False, True, False]
    assert code.flag.tolist() == [0, 1, 2, 3]


def test_what_breaks_a_fusion():
    base = [step("cpy", "i0", "o0", signals=1)]

    def fused(*steps):
        return compiled(base, steps).fused[1:].tolist()

    assert fused(step("re", "i1", "o0"), step("re", "i2", "o0")) == [False, True]
    assert fused(step("re", "i1", "o0", signals=1), step("re", "i2", "o0")) == [False, False]
    assert fused(step("re", "i1", "o0"), step("re", "i2", "o1")) == [False, False]
    assert fused(step("re", "i1", "o0"), step("re", "s2", "o0")) == [False, False]
    assert fused(step("re", "i1", "o0"), step("re", "i2", "o0", after=(0, 0))) == [False, False]
    assert fused(step("re", "i1", "o0"), step("cpy", "i2", "o0"), step("re", "i3", "o0")) == [
        False,
        False,
        False,
    ]


def test_a_nop_between_fused_reductions_keeps_its_dependence_for_later():
    code = compiled(
        [step("cpy", "i0", "o0", signals=1)],
        [
            step("re", "i1", "o1"),
            step("nop", after=(0, 0)),
            step("re", "i2", "o1"),
            step("cpy", "i3", "o3"),
        ],
    )
    assert code.fused.tolist() == [False, False, True, False]
    assert code.wait_from.tolist() == [0, 0, 0, 0, 1]
    assert code.refused.tolist() == [4]  # the copy inherits it and carries none itself


def test_sixteen_reductions_of_a_thread_block_end_a_transmission():
    code = compiled([step("re", f"i{k}", "o0") for k in range(20)])
    assert [k for k in range(20) if not code.fused[k]] == [0, 16]
    later = compiled(
        [step("re", f"i{k}", "o0") for k in range(3)]
        + [step("cpy", "i0", "o9")]
        + [step("re", f"i{k}", "o1") for k in range(20)]
    )
    # The count runs over the thread block: 13 here make 16, the rest is one long transmission.
    assert [k for k in range(24) if not later.fused[k]] == [0, 3, 4, 17]


def test_messages_are_paired_in_order():
    code = compile_program(read(exchange()))
    assert code.partner.tolist() == [6, 7, -1, -1, 2, 3, -1, -1]
    assert code.origin.tolist() == [-1, -1, 4, 5, -1, -1, 0, 1]
    assert code.problems == ()


def problem(*gpus, **options):
    code = compile_program(read(program("allreduce", list(gpus), pieces=4, **options)))
    assert (code.partner == -1).all()
    return code.problems[0][0]


def test_unpaired_messages_are_told():
    sends = [(1, -1, 0, [step("s"), step("s", "i1")])]
    assert "2 messages are sent from rank 0 to rank 1 on channel 0 but 1 received" in problem(
        sends, [(-1, 0, 0, [step("r")])]
    )
    assert "but 0 received" in problem(sends, [(-1, 0, 1, [step("cpy")])])
    assert "no message is sent from rank 0 to rank 1 on channel 1" in problem(
        [(-1, -1, 0, [step("cpy")])], [(-1, 0, 1, [step("r")])]
    )
    assert "sends 1 chunks from rank 0 to rank 1 on channel 0 but" in problem(
        sends, [(-1, 0, 0, [step("r", count=2), step("r")])]
    )


def test_two_thread_blocks_on_one_connection():
    twice = [(1, -1, 0, [step("s")]), (1, -1, 0, [step("s", "i1")])]
    assert "thread blocks 0 and 1 of rank 0 both send" in problem(
        twice, [(-1, 0, 0, [step("r"), step("r")])]
    )


def test_steps_on_no_chunks_send_nothing():
    gpus = [[(1, -1, 0, [step("s", count=0)])], [(-1, -1, 0, [step("cpy")])]]
    assert compile_program(read(program("allreduce", gpus, pieces=1))).problems == ()

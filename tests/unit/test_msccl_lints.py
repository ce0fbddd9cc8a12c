"""Why a runtime refuses, ignores or misreads a file."""

import pytest
from msccl_files import NAMES, exchange, program, real, step

from certune.tasks.collective.msccl.lints import lint
from certune.tasks.collective.msccl.program import TARGETS
from certune.tasks.collective.msccl.read import read

SILENT = (-1, -1, 0)


def names(data, target="azure", severity=None):
    return {
        item.name
        for item in lint(read(data), target, data=data)
        if severity is None or item.severity == severity
    }


def local(*blocks, **header):
    gpus = [[(*SILENT, list(steps)) for steps in blocks]]
    return program("allreduce", gpus, pieces=header.pop("pieces", 32), **header)


def test_a_plain_file_has_no_errors():
    assert names(exchange(), severity="error") == set()
    assert names(exchange(maxBytes=1024), "microsoft") == set()


@pytest.mark.parametrize("name", NAMES)
def test_shipped_files_are_clean_where_they_are_shipped(name):
    target = "rccl" if name.startswith("ROCm__rccl/all") else "azure"
    assert names(real(name), target, "error") == set()


@pytest.mark.parametrize("name", ["ndv4__r48ll", "all-reduce-ring-simple", "ncv4__ar_tree_12_LL"])
def test_rccl_does_not_build_fused_operations(name):
    (found,) = [item for item in lint(read(real(name)), "rccl") if item.severity == "error"]
    assert found.name == "fused-operations"
    assert found.line > 0
    assert "r, re and cpy" in found.remedy


@pytest.mark.parametrize("missing", ["outofplace", "minBytes", "maxBytes"])
def test_attributes_that_other_writers_leave_out(missing):
    data = exchange(**{missing: None})
    assert "missing-attribute" in names(data, "azure", "error")
    assert "missing-attribute" in names(data, "rccl", "error")
    assert "missing-attribute" not in names(data, "microsoft")


def test_size_windows_mean_different_things():
    assert "size-window" in names(exchange(), "microsoft", "error")
    assert "no-size-limit" in names(exchange(), "rccl", "warning")
    assert "size-window" in names(exchange(maxBytes=None), "microsoft", "warning")
    for target in TARGETS:
        assert "size-window" in names(exchange(minBytes=9, maxBytes=8), target, "error")


def test_collective_names_of_the_dialects():
    gpus = [[(-1, -1, 0, [step("cpy")])]]
    old = program("reduce_scatter", gpus, pieces=1)
    new = program("reducescatter", gpus, pieces=1)
    assert "unknown-collective" in names(old, "rccl", "error")
    assert "unknown-collective" in names(new, "microsoft", "error")
    assert "unknown-collective" not in names(new, "azure")
    assert "unknown-collective" in names(program("gather", gpus, pieces=1), "microsoft", "error")


def test_limits_of_steps():
    steps = [step("cpy", f"i{k % 32}", f"o{k % 32}") for k in range(65)]
    assert "too-many-steps" in names(local(steps), "azure", "error")
    assert "too-many-steps" not in names(local(steps), "microsoft")
    hidden = [item | {"s": 0} for item in steps]
    assert {"too-many-steps", "step-numbers"} <= names(local(hidden), "azure")


def test_limits_of_thread_blocks_and_dependences():
    many = [[step("cpy", f"i{k % 32}", f"o{k % 32}", signals=1)] for k in range(300)]
    many[0] = [step("cpy", "i31", "o31", after=(200, 0))]
    data = local(*many)
    assert "too-many-blocks" in names(data, "rccl", "error")
    assert "too-many-blocks" in names(data, "microsoft", "error")
    assert "too-many-blocks" not in names(data, "azure")
    assert "dependence-range" in names(data, "azure", "error")


def test_limits_of_channels_and_peers():
    assert "too-many-channels" in names(exchange(nchannels=33), "azure", "error")
    assert "too-many-channels" not in names(exchange(nchannels=33), "rccl")
    data = exchange().replace(b'chan="0"', b'chan="1"')
    assert "channel-range" in names(data, "azure", "error")
    gpus = [[(1 + k % 2, -1, 0, [step("s", f"i{k}")]) for k in range(33)], [], []]
    assert "too-many-peers" in names(program("allreduce", gpus, pieces=33), "azure", "error")
    assert "idle-peer" in names(
        program("allreduce", [[(1, -1, 0, [step("cpy")])], []], pieces=1), "azure", "warning"
    )


def test_limits_of_elements():
    many = [[step("cpy", "i0", "o0")] * 60 for _ in range(70)]
    assert "too-many-elements" in names(local(*many), "azure", "error")


def test_counts():
    assert "count" in names(local([step("cpy", count=72)], pieces=80), "azure", "error")
    assert "empty-step" in names(local([step("cpy", count=0)]), "azure", "warning")


def test_chains_signals_and_drift():
    signal = [step("cpy", signals=1)]
    broken = local(signal, [step("nop", after=(0, 0)), step("cpy", "i1", "o1")])
    assert "broken-chain" in names(broken, "azure", "error")
    dropped = local(signal, [step("nop", after=(0, 0))])
    assert "dropped-dependence" in names(dropped, "azure", "warning")
    assert "nop-signal" in names(local([step("nop", signals=1)]), "azure", "warning")
    assert "flag-drift" in names(local([step("nop"), step("cpy", signals=1)]), "azure")
    silent = [step("cpy")]
    assert "missing-signal" in names(
        local(silent, [step("cpy", "i1", "o1", after=(0, 0))]), "azure", "error"
    )
    late = [step("cpy"), step("cpy", "i2", "o2", signals=1)]
    assert "late-signal" in names(
        local(late, [step("cpy", "i1", "o1", after=(0, 0))]), "azure", "warning"
    )


def test_fusions():
    long = [step("re", f"i{k}", "o0") for k in range(3)] + [step("cpy", "i0", "o9")]
    long += [step("re", f"i{k}", "o1") for k in range(31)]
    assert "long-fusion" in names(local(long), "azure", "error")
    uneven = [step("re", "i1", "o0", count=2), step("re", "i2", "o0", count=1)]
    assert "uneven-fusion" in names(local(uneven), "azure", "error")


def test_offsets_that_are_refused():
    data = local([step("cpy", "i0", "s5")], chunks=(32, 32, 2))
    assert "offset-refused" in names(data, "azure", "error")


def test_declared_chunks_of_microsoft():
    data = local([step("cpy")], chunks=(16, 32, 0), maxBytes=10)
    assert "declared-chunks" in names(data, "microsoft", "error")
    assert "declared-chunks" not in names(data, "azure")


def swapped(old, new):
    text = exchange().decode()
    assert old in text
    return text.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("xml-header", b'<?xml version="1.0"?>\n' + exchange()),
        ("byte-order-mark", b"\xef\xbb\xbf" + exchange()),
        ("tabs", swapped("    <tb", "\t<tb")),
        ("tabs", swapped(' recv="1"', '\trecv="1"')),
        ("single-quotes", swapped('recv="1"', "recv='1'")),
        ("line-breaks", swapped(' recv="1"', '\n recv="1"')),
        ("spacing", swapped('recv="1"', 'recv = "1"')),
        ("double-blanks", swapped(' recv="1"', '  recv="1"')),
        ("entities", swapped('name="test"', 'name="a&amp;b"')),
        ("comment-equals", swapped("  <gpu", "  <!--a=b--><gpu")),
        ("cdata", swapped("  <gpu", "  <![CDATA[]]><gpu")),
        ("long-text", swapped('name="test"', f'name="{"x" * 256}"')),
        ("unknown-element", swapped("</gpu>", "<note/></gpu>")),
    ],
)
def test_traps_of_the_dialect(name, data):
    found = [item for item in lint(read(data), "azure", data=data) if item.name == name]
    assert len(found) == 1
    assert found[0].remedy
    assert 1 <= found[0].line <= data.count(b"\n")


def test_comments_and_blanks_before_the_end_are_no_traps():
    data = swapped("<algo", "<!-- a comment = fine, <tags> and\ttabs too -->\n<algo")
    data = data.replace(b'recv="1" chan="0">', b'recv="1" chan="0" >', 1)
    assert names(data, severity="error") == set()


def test_lints_say_line_and_remedy():
    data = swapped('recv="1"', "recv='1'")
    (text,) = [str(item) for item in lint(read(data), "azure", data=data) if item.line == 3]
    assert text.startswith("line 3: error single-quotes: ")
    assert text.endswith('write name="value"')


def test_long_hostile_tags_end_quickly():
    data = exchange().replace(b"</gpu>", b"<" + b"a" * 200_000 + b" b='" + b'"' * 200_000
                              + b"'/></gpu>", 1)  # fmt: skip
    assert "single-quotes" in names(data)

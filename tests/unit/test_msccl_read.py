import pytest
from msccl_files import NAMES, exchange, program, real, step

from certune.core import InvalidInput
from certune.tasks.collective.msccl import feasible
from certune.tasks.collective.msccl import read as reader
from certune.tasks.collective.msccl.program import KINDS
from certune.tasks.collective.msccl.read import read


def refusal(data, **options):
    with pytest.raises(InvalidInput) as caught:
        read(data, **options)
    return caught.value


def changed(old, new, data=None):
    text = (data or exchange()).decode()
    assert old in text
    return text.replace(old, new, 1).encode()


def test_columns_are_what_the_file_says():
    found = read(exchange())
    assert (found.ranks, found.blocks, found.steps) == (2, 2, 8)
    assert [KINDS[k] for k in found.kind] == ["s", "s", "rrc", "rrc"] * 2
    assert found.target_offset.tolist() == [0, 0, 0, 1] * 2
    assert found.source_offset.tolist() == [0, 1, 0, 1] * 2
    assert found.send.tolist() == [1, 0]
    assert found.line.tolist() == [4, 5, 6, 7, 12, 13, 14, 15]
    assert found.header.in_place is False
    assert found.header.max_bytes == 0
    assert found.place(6) == "rank 1, thread block 0, step 2 (line 14)"


def test_ranks_and_thread_blocks_in_any_order():
    blocks = [(-1, -1, 0, [step("cpy", "i0", "o0")]), (-1, -1, 0, [step("cpy", "i1", "o1")])]
    text = program("allreduce", [blocks], pieces=2).decode()
    swapped = text.replace('<tb id="0"', '<tb id="9"').replace('<tb id="1"', '<tb id="0"')
    swapped = swapped.replace('<tb id="9"', '<tb id="1"')
    found = read(swapped.encode())
    assert found.block.tolist() == [0, 1]
    assert found.source_offset.tolist() == [1, 0]
    assert found.line.tolist() == [7, 4]


@pytest.mark.parametrize("name", NAMES)
def test_real_files_are_read(name):
    found = read(real(name))
    assert found.steps == real(name).count(b"<step ")
    assert not found.unknown


def test_a_missing_attribute_names_it_and_the_line():
    error = refusal(changed(' cnt="1"', ""))
    assert "'cnt'" in error.message
    assert error.place == "line 4"


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('type="s"', 'type="sr"', "type"),
        ('srcbuf="i"', 'srcbuf="x"', "srcbuf"),
        ('srcoff="0"', 'srcoff="-2"', "srcoff"),
        ('srcoff="0"', 'srcoff="0x1"', "srcoff"),
        ('srcoff="0"', 'srcoff="١"', "srcoff"),
        ('srcoff="0"', 'srcoff=" 1"', "srcoff"),
        ('srcoff="0"', 'srcoff="1_0"', "srcoff"),
        ('srcoff="0"', 'srcoff=""', "srcoff"),
        ('srcoff="0"', f'srcoff="{"9" * 5000}"', "srcoff"),
        ('hasdep="0"', 'hasdep="2"', "hasdep"),
        ('cnt="1"', 'cnt="-1"', "cnt"),
        ('cnt="1"', 'cnt="99999999"', "cnt"),
        ('depid="-1"', 'depid="1"', "thread block 1"),
        ('depid="-1"', 'depid="0"', "waits"),
        ('recv="1"', 'recv="-1"', "recv"),
        ('send="1"', 'send="-1"', "send"),
        ('send="1"', 'send="0"', "own rank"),
        ('send="1"', 'send="2"', "send"),
        ('chan="0"', 'chan="x"', "chan"),
        ('<tb id="0"', '<tb id="1"', "missing"),
        ('<gpu id="1"', '<gpu id="0"', "twice"),
        ('<gpu id="1"', '<gpu id="2"', "id"),
        ('ngpus="2"', 'ngpus="1000000000"', "ngpus"),
        ('ngpus="2"', 'ngpus="3"', "rank 2"),
        ('ngpus="2"', 'ngpus="0"', "ngpus"),
        ('nchunksperloop="2"', 'nchunksperloop="1000000000"', "nchunksperloop"),
        ('proto="Simple"', 'proto="simple"', "protocol"),
        ('coll="allreduce"', 'coll="allreduc"', "collective"),
        ('coll="allreduce"', 'coll="custom"', "collective"),
        ('i_chunks="2"', 'i_chunks="-1"', "i_chunks"),
        ('s_chunks="2"', 's_chunks="2000000000"', "s_chunks"),
        ("<step ", "<algo ", "inside"),
        ("<tb ", "text<tb ", "text"),
        ("<algo ", "<gpu ", "outermost"),
        ("</algo>", "", "not well-formed"),
        ('srcoff="0"', 'srcoff="0" srcoff="0"', "not well-formed"),
        ('type="s"', 'type="&bomb;"', "not well-formed"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old, new, word):
    error = refusal(changed(old, new))
    assert word in str(error)
    assert "line" in error.place or "rank 2" in error.message


def test_duplicate_thread_blocks():
    blocks = [(-1, -1, 0, [step("cpy")]), (-1, -1, 0, [step("cpy")])]
    data = program("allreduce", [blocks], pieces=1)
    assert "given twice" in str(refusal(changed('<tb id="1"', '<tb id="0"', data)))


def test_document_types_and_entity_bombs_are_refused():
    bomb = b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;">]>' + exchange()
    assert "document types" in refusal(bomb).message
    assert (
        "document types"
        in refusal(b'<!DOCTYPE a SYSTEM "file:///etc/passwd">' + exchange()).message
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp037"])
def test_other_encodings_are_refused(encoding):
    refusal(exchange().decode().encode(encoding))


def test_bytes_that_are_no_text():
    error = refusal(changed('name="test"', 'name="te').replace(b"te", b"\xff\xfe", 1))
    assert error.place == "line 1"
    refusal(b"")
    refusal(b"\x00" * 100)


def test_size_limits(monkeypatch):
    assert "limit" in refusal(exchange(), limit=100).remedy
    monkeypatch.setattr(reader, "MAX_STEPS", 5)
    assert "more than 5 steps" in refusal(exchange()).message


def test_too_many_operands_or_chunks(monkeypatch):
    monkeypatch.setattr(feasible, "MAX_OPERANDS", 3)
    assert "chunks" in refusal(exchange()).message


def test_deep_nesting_ends():
    data = exchange().replace(b"</algo>", b"<x>" * 5000 + b"</x>" * 5000 + b"</algo>")
    assert "deep" in refusal(data).message


def test_unknown_elements_are_remembered():
    found = read(exchange().replace(b"</gpu>", b"<note><b/></note></gpu>", 1))
    assert [name for _, name in found.unknown] == ["note"]
    assert found.steps == 8


def test_truncations_never_escape():
    data = real("ncv4__ag_hier_4_LL")
    for end in range(0, len(data) - 1, 97):
        assert "line" in refusal(data[:end]).place

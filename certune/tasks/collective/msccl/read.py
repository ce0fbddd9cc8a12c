"""MSCCL XML read strictly, in bounded time and memory.

The judge of well-formedness is expat. Refused: document types and entities, encodings other
than UTF-8, elements in wrong places, missing or malformed attributes, duplicate or missing
ranks and thread blocks, peers and dependences that do not exist. What the runtimes accept but
misread is left to `lints`; operands outside their buffers to the obligation `bounds`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast
from xml.parsers import expat

import numpy as np

from certune.core import InvalidInput
from certune.core.errors import nearest
from certune.tasks.collective.collective import Kind
from certune.tasks.collective.msccl.feasible import check
from certune.tasks.collective.msccl.program import (
    BUFFERS,
    KINDS,
    PROTOCOLS,
    Header,
    Int,
    Program,
)

MAX_BYTES = 64 * 2**20
MAX_RANKS = 4096
MAX_STEPS = 8_000_000
MAX_CHUNKS = 2**20
MAX_COUNT = 2**16
_MAX_DEPTH = 16
_MAX_UNKNOWN = 1000

COLLECTIVES: dict[str, Kind] = {
    "allreduce": "allreduce",
    "allgather": "allgather",
    "reducescatter": "reduce-scatter",
    "reduce_scatter": "reduce-scatter",
    "alltoall": "alltoall",
    "broadcast": "broadcast",
    "reduce": "reduce",
    "gather": "gather",
    "scatter": "scatter",
}

_STEP = (
    "s", "type", "srcbuf", "srcoff", "dstbuf", "dstoff", "cnt", "depid", "deps", "hasdep",
)  # fmt: skip
_KIND = {name: str(code) for code, name in enumerate(KINDS)}
_BUFFER = {name: str(code) for code, name in enumerate(BUFFERS)}


@dataclass
class _Columns:
    """What the handlers collect; a row a rank, a thread block, a step."""

    header: Header | None = None
    gpus: list[tuple[int, ...]] = field(default_factory=list)
    blocks: list[tuple[int, ...]] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    parts: list[Int] = field(default_factory=list)
    count: int = 0
    unknown: list[tuple[int, str]] = field(default_factory=list)


def _whole(text: str | None, name: str, line: int, *, low: int, high: int) -> int:
    if text is None:
        raise InvalidInput(f"attribute {name!r} is missing", place=f"line {line}")
    digits = text[1:] if text[:1] == "-" else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        raise InvalidInput(
            f"attribute {name!r} is {text[:40]!r}, not a whole number", place=f"line {line}"
        )
    value = int(text)
    if not low <= value <= high:
        raise InvalidInput(
            f"attribute {name!r} is {value}",
            place=f"line {line}",
            remedy=f"it must be between {low} and {high}",
        )
    return value


def _header(attributes: dict[str, str], line: int) -> Header:
    def number(name: str, low: int, high: int) -> int:
        return _whole(attributes.get(name), name, line, low=low, high=high)

    def optional(name: str, high: int) -> int | None:
        return number(name, 0, high) if name in attributes else None

    protocol = attributes.get("proto")
    if protocol not in PROTOCOLS:
        raise InvalidInput(
            f"unknown protocol {protocol!r}" if protocol else "attribute 'proto' is missing",
            place=f"line {line}",
            remedy=nearest(protocol or "", PROTOCOLS),
        )
    collective = attributes.get("coll")
    if collective not in COLLECTIVES:
        raise InvalidInput(
            f"collective {collective!r} has no postcondition that could be shown"
            if collective
            else "attribute 'coll' is missing",
            place=f"line {line}",
            remedy=nearest(collective or "", COLLECTIVES),
        )
    in_place, out_of_place = optional("inplace", 1), optional("outofplace", 1)
    return Header(
        name=attributes.get("name", "")[:256],
        protocol=protocol,
        channels=number("nchannels", 1, 2**20),
        pieces=number("nchunksperloop", 1, MAX_CHUNKS),
        ranks=number("ngpus", 1, MAX_RANKS),
        collective=collective,
        in_place=None if in_place is None else bool(in_place),
        out_of_place=None if out_of_place is None else bool(out_of_place),
        min_bytes=optional("minBytes", 2**63 - 1),
        max_bytes=optional("maxBytes", 2**63 - 1),
        attributes=attributes,
        line=line,
    )


class _Handlers:
    def __init__(self, parser: expat.XMLParserType) -> None:
        self.parser = parser
        self.columns = _Columns()
        self.path: list[str] = []
        self.skipping = 0
        self.seen: set[int] = set()
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.StartDoctypeDeclHandler = self.doctype
        parser.EntityDeclHandler = self.doctype
        parser.CharacterDataHandler = self.text

    def line(self) -> int:
        return self.parser.CurrentLineNumber

    def doctype(self, *_: object) -> None:
        raise InvalidInput(
            "document types and entities are refused",
            place=f"line {self.line()}",
            remedy="remove <!DOCTYPE …>; the runtimes do not read it either",
        )

    def text(self, data: str) -> None:
        if not self.skipping and data.strip():
            raise InvalidInput(
                f"text {data.strip()[:40]!r} between elements",
                place=f"line {self.line()}",
                remedy="remove it; the runtimes refuse it",
            )

    def start(self, name: str, values: list[str]) -> None:
        if self.skipping:
            self.skipping += 1
            if self.skipping > _MAX_DEPTH:
                raise InvalidInput("nested too deeply", place=f"line {self.line()}")
            return
        depth = len(self.path)
        if name == "step" and depth == 3:
            self.step(values)
        elif name == "tb" and depth == 2:
            self.block(dict(zip(values[::2], values[1::2], strict=True)))
        elif name == "gpu" and depth == 1:
            self.gpu(dict(zip(values[::2], values[1::2], strict=True)))
        elif name == "algo" and depth == 0:
            attributes = dict(zip(values[::2], values[1::2], strict=True))
            self.columns.header = _header(attributes, self.line())
        elif name in ("algo", "gpu", "tb", "step") or depth == 0:
            inside = f"inside <{self.path[-1]}>" if self.path else "as the outermost element"
            raise InvalidInput(
                f"<{name[:40]}> {inside}",
                place=f"line {self.line()}",
                remedy="elements nest as algo, gpu, tb, step",
            )
        else:
            if len(self.columns.unknown) >= _MAX_UNKNOWN:
                raise InvalidInput(
                    f"more than {_MAX_UNKNOWN} unknown elements", place=f"line {self.line()}"
                )
            self.columns.unknown.append((self.line(), name[:80]))
            self.skipping = 1
            return
        self.path.append(name)

    def end(self, name: str) -> None:
        if self.skipping:
            self.skipping -= 1
            return
        if self.path.pop() == "tb":
            self.flush()

    def flush(self) -> None:
        # A thread block at a time, so that the steps wait as numbers in 64-bit columns.
        if self.columns.steps:
            rows = np.array(self.columns.steps, dtype=np.int64).reshape(-1, len(_STEP) + 1)
            self.columns.parts.append(rows)
            self.columns.steps = []

    def gpu(self, attributes: dict[str, str]) -> None:
        line = self.line()
        header = cast(Header, self.columns.header)
        if len(self.columns.gpus) >= header.ranks:
            raise InvalidInput(
                f"more <gpu> elements than ngpus={header.ranks}", place=f"line {line}"
            )
        row = [_whole(attributes.get("id"), "id", line, low=0, high=header.ranks - 1)]
        if row[0] in self.seen:
            raise InvalidInput(f"rank {row[0]} is given twice", place=f"line {line}")
        self.seen.add(row[0])
        for name in ("i_chunks", "o_chunks", "s_chunks"):
            row.append(_whole(attributes.get(name), name, line, low=0, high=MAX_CHUNKS))
        self.columns.gpus.append((*row, line))

    def block(self, attributes: dict[str, str]) -> None:
        line = self.line()
        header = cast(Header, self.columns.header)
        rank = self.columns.gpus[-1][0]
        row = [rank, _whole(attributes.get("id"), "id", line, low=0, high=2**20)]
        for name in ("send", "recv"):
            peer = _whole(attributes.get(name), name, line, low=-1, high=header.ranks - 1)
            if peer == rank:
                raise InvalidInput(
                    f"thread block {row[1]} of rank {rank} has its own rank as {name} peer",
                    place=f"line {line}",
                    remedy="use cpy or re for what stays on a rank",
                )
            row.append(peer)
        row.append(_whole(attributes.get("chan"), "chan", line, low=-1, high=2**20))
        self.columns.blocks.append((*row, self.columns.count, line))

    def step(self, values: list[str]) -> None:
        columns = self.columns
        columns.count += 1
        if columns.count > MAX_STEPS:
            raise InvalidInput(f"more than {MAX_STEPS} steps", place=f"line {self.line()}")
        numbers = _canonical_step(values)
        if numbers is None:
            numbers = _careful_step(values, self.line())
        columns.steps.extend(numbers)
        columns.steps.append(self.line())


def _canonical_step(values: list[str]) -> list[int] | None:
    """The numbers of a step whose attributes are in the usual order; None to look closer."""
    if tuple(values[::2]) != _STEP:
        return None
    kind, source, target = _KIND.get(values[3]), _BUFFER.get(values[5]), _BUFFER.get(values[9])
    if kind is None or source is None or target is None:
        return None
    texts = [values[1], kind, source, values[7], target, *values[11::2]]
    # Only plain decimals: int() would also take spaces, underscores and other scripts' digits.
    joined = "".join(texts).replace("-1", "0")
    if not (joined.isdigit() and joined.isascii()) or max(map(len, texts)) > 9:
        return None
    try:
        numbers = list(map(int, texts))
    except ValueError:
        return None
    plausible = min(numbers) >= -1 and numbers[0] >= 0 and 0 <= numbers[6] <= MAX_COUNT
    return numbers if plausible and numbers[9] in (0, 1) else None


def _careful_step(values: list[str], line: int) -> list[int]:
    attributes = dict(zip(values[::2], values[1::2], strict=True))
    numbers: list[int] = []
    for name in _STEP:
        text = attributes.get(name)
        if name == "type" or name in ("srcbuf", "dstbuf"):
            known = _KIND if name == "type" else _BUFFER
            if text is None:
                raise InvalidInput(f"attribute {name!r} is missing", place=f"line {line}")
            if text not in known:
                raise InvalidInput(
                    f"{name} is {text[:40]!r}", place=f"line {line}", remedy=nearest(text, known)
                )
            numbers.append(int(known[text]))
        else:
            low = 0 if name in ("s", "cnt", "hasdep") else -1
            high = {"cnt": MAX_COUNT, "hasdep": 1}.get(name, 999_999_999)
            numbers.append(_whole(text, name, line, low=low, high=high))
    return numbers


def read(data: bytes, *, limit: int = MAX_BYTES) -> Program:
    """Parse an MSCCL XML file of at most `limit` bytes.

    Raises:
        InvalidInput: what is wrong, and in which line.
    """
    if len(data) > limit:
        raise InvalidInput(f"{len(data)} bytes of XML", remedy=f"the limit is {limit} bytes")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidInput(
            f"not UTF-8 at byte {error.start}",
            place=f"line {line}",
            remedy="save it as UTF-8",
        ) from None
    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    handlers = _Handlers(parser)
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise InvalidInput(
            f"not well-formed XML: {expat.ErrorString(error.code)}",
            place=f"line {error.lineno}, column {error.offset + 1}",
        ) from None
    except ValueError as error:  # e.g. a declared encoding that Python does not know
        raise InvalidInput(f"not XML: {error}") from None
    return _program(handlers.columns)


def _program(columns: _Columns) -> Program:
    header = cast(Header, columns.header)
    gpus = np.array(columns.gpus, dtype=np.int64).reshape(-1, 5)
    missing = np.setdiff1d(np.arange(header.ranks), gpus[:, 0])
    if len(missing):
        raise InvalidInput(
            f"rank {missing[0]} has no <gpu>", remedy=f"give all {header.ranks} ranks of ngpus"
        )
    gpus = gpus[np.argsort(gpus[:, 0], kind="stable")]
    blocks = np.array(columns.blocks, dtype=np.int64).reshape(-1, 7)
    steps = (
        np.concatenate(columns.parts)
        if columns.parts
        else np.zeros((0, len(_STEP) + 1), dtype=np.int64)
    )
    begin = blocks[:, 5]
    length = np.diff(np.append(begin, len(steps)))
    order = np.lexsort((blocks[:, 1], blocks[:, 0]))
    blocks, begin, length = blocks[order], begin[order], length[order]
    rank, block = blocks[:, 0], blocks[:, 1]
    size = np.bincount(rank, minlength=header.ranks)
    start = np.concatenate(([0], np.cumsum(size)))
    expected = np.arange(len(block)) - start[rank]
    if wrong := np.flatnonzero(block != expected).tolist():
        row = wrong[0]
        again = row > 0 and rank[row - 1] == rank[row] and block[row - 1] == block[row]
        raise InvalidInput(
            f"thread block {block[row]} of rank {rank[row]} is given twice"
            if again
            else f"thread block {expected[row]} of rank {rank[row]} is missing",
            place=f"line {blocks[row, 6]}",
            remedy="number them 0, 1, 2, … without gaps",
        )
    first = np.concatenate(([0], np.cumsum(length)))
    if len(order) and np.any(np.diff(order) != 1):
        rows = np.repeat(begin - first[:-1], length) + np.arange(len(steps))
        steps = steps[rows]
    column = np.ascontiguousarray(steps.T)
    program = Program(
        header=header,
        chunks=np.ascontiguousarray(gpus[:, 1:4]),
        rank_line=gpus[:, 4].copy(),
        rank=rank.copy(),
        block=block.copy(),
        send=blocks[:, 2].copy(),
        receive=blocks[:, 3].copy(),
        channel=blocks[:, 4].copy(),
        block_line=blocks[:, 6].copy(),
        first=first,
        s=column[0],
        kind=column[1].astype(np.int8),
        source=column[2].astype(np.int8),
        source_offset=column[3],
        target=column[4].astype(np.int8),
        target_offset=column[5],
        count=column[6],
        depends=column[7],
        depends_step=column[8],
        signals=column[9],
        line=column[10],
        unknown=tuple(columns.unknown),
    )
    check(program)
    return program

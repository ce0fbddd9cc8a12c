"""MSCCL XML written in the dialect that the runtimes' hand-written parsers accept.

No XML header, no tabs, double quotes, one blank before each attribute, one element a line.
"""

from __future__ import annotations

import re

import numpy as np

from certune.tasks.collective.msccl.limits import MAX_TEXT
from certune.tasks.collective.msccl.program import BUFFERS, KINDS, Int, Program, Target

_UNLIMITED = 2**40  # microsoft/msccl takes maxBytes="0" as zero bytes
_WORD = re.compile(r"[^A-Za-z0-9_.+-]+")


def write(program: Program, target: Target) -> bytes:
    """The XML file of `program` for `target`.

    Whether the target can run it is for `lints` to say; what is written reads back as the same
    program, with the target's name for the collective.
    """
    header = program.header
    out = [
        f'<algo name="{_WORD.sub("_", header.name)[:MAX_TEXT] or "certune"}"'
        f' proto="{header.protocol}" nchannels="{header.channels}"'
        f' nchunksperloop="{header.pieces}" ngpus="{header.ranks}"'
        f' coll="{collective_name(header.collective, target)}"'
        f' inplace="{int(bool(header.in_place))}"'
        f' outofplace="{_out_of_place(header.in_place, header.out_of_place)}"'
        f' minBytes="{header.min_bytes or 0}" maxBytes="{_max_bytes(program, target)}">\n'
    ]
    prefix, middle, suffix = _step_texts(program)
    texts = np.empty((program.steps, 3), dtype=object)
    texts[:, 0], texts[:, 1], texts[:, 2] = prefix, middle, suffix
    lines = texts.ravel().tolist()
    del texts, prefix, middle, suffix
    ends = (3 * program.first).tolist()
    row_of_rank = np.searchsorted(program.rank, np.arange(program.ranks + 1)).tolist()
    columns = (program.block, program.send, program.receive, program.channel)
    block, send, receive, channel = (column.tolist() for column in columns)
    for rank, (i, o, s) in enumerate(program.chunks.tolist()):
        out.append(f'  <gpu id="{rank}" i_chunks="{i}" o_chunks="{o}" s_chunks="{s}">\n')
        for row in range(row_of_rank[rank], row_of_rank[rank + 1]):
            out.append(
                f'    <tb id="{block[row]}" send="{send[row]}" recv="{receive[row]}"'
                f' chan="{channel[row]}">\n'
            )
            out.append("".join(lines[ends[row] : ends[row + 1]]))
            out.append("    </tb>\n")
        out.append("  </gpu>\n")
    out.append("</algo>\n")
    return "".join(out).encode()


def collective_name(name: str, target: Target) -> str:
    """The collective's name in the dialect of `target`."""
    if name in ("reducescatter", "reduce_scatter"):
        return "reduce_scatter" if target == "microsoft" else "reducescatter"
    return name


def _out_of_place(in_place: bool | None, out_of_place: bool | None) -> int:
    return int(not in_place if out_of_place is None else out_of_place)


def _max_bytes(program: Program, target: Target) -> int:
    limit = program.header.max_bytes or 0
    if target == "microsoft":
        return limit or _UNLIMITED
    return 0 if limit == _UNLIMITED else limit


def _step_texts(program: Program) -> tuple[object, object, object]:
    """Three texts a step; equal ones are made once."""
    kind, source, target = (
        column.astype(np.int64) for column in (program.kind, program.source, program.target)
    )
    prefix = _texts(
        (program.s, kind, source),
        lambda s, k, b: f'      <step s="{s}" type="{KINDS[k]}" srcbuf="{BUFFERS[b]}" srcoff="',
    )
    middle = _texts(
        (program.source_offset, target, program.target_offset),
        lambda x, b, y: f'{x}" dstbuf="{BUFFERS[b]}" dstoff="{y}" cnt="',
    )
    suffix = _texts(
        (program.count, program.depends, program.depends_step, program.signals),
        lambda n, d, k, h: f'{n}" depid="{d}" deps="{k}" hasdep="{h}"/>\n',
    )
    return prefix, middle, suffix


def _texts(columns: tuple[Int, ...], form: object) -> object:
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        low = int(column.min(initial=0))
        code = code * (int(column.max(initial=0)) - low + 1) + (column - low)
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    rows = zip(*(column[first].tolist() for column in columns), strict=True)
    texts = np.empty(len(first), dtype=object)
    texts[:] = [form(*row) for row in rows]  # type: ignore[operator]
    return texts[which]

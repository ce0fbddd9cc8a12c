"""Real MSCCL XML files, and small programs for tests."""

from __future__ import annotations

import lzma
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data" / "msccl-xml"
NAMES = tuple(sorted(str(p.relative_to(DATA)).removesuffix(".xml.xz") for p in DATA.rglob("*.xz")))


@cache
def real(name: str) -> bytes:
    """A real file by the end of its name."""
    (found,) = [item for item in NAMES if item.endswith(name)]
    return lzma.decompress((DATA / f"{found}.xml.xz").read_bytes())


def step(kind, source="i0", target="o0", count=1, after=None, signals=0, number=None):
    """One step; `after` is (thread block, step). Its number is filled in by `program`."""
    on, goal = after or (-1, -1)
    return {
        "s": number,
        "type": kind,
        "srcbuf": source[0],
        "srcoff": source[1:],
        "dstbuf": target[0],
        "dstoff": target[1:],
        "cnt": count,
        "depid": on,
        "deps": goal,
        "hasdep": signals,
    }


def program(collective, gpus, *, pieces=None, chunks=None, **header):
    """XML bytes: `gpus` is a list of ranks, each a list of (send, receive, channel, steps)."""
    ranks = len(gpus)
    attributes = {
        "name": "test",
        "proto": "Simple",
        "nchannels": 1 + max((tb[2] for gpu in gpus for tb in gpu), default=0),
        "nchunksperloop": ranks if pieces is None else pieces,
        "ngpus": ranks,
        "coll": collective,
        "inplace": 0,
        "outofplace": 1,
        "minBytes": 0,
        "maxBytes": 0,
    } | header
    i, o, s = chunks or (attributes["nchunksperloop"],) * 3
    lines = ["<algo" + "".join(f' {k}="{v}"' for k, v in attributes.items() if v is not None) + ">"]
    for rank, blocks in enumerate(gpus):
        lines.append(f'  <gpu id="{rank}" i_chunks="{i}" o_chunks="{o}" s_chunks="{s}">')
        for number, (send, receive, channel, steps) in enumerate(blocks):
            lines.append(f'    <tb id="{number}" send="{send}" recv="{receive}" chan="{channel}">')
            for place, item in enumerate(steps):
                item = item | {"s": place if item["s"] is None else item["s"]}
                text = "".join(f' {k}="{v}"' for k, v in item.items() if v is not None)
                lines.append(f"      <step{text}/>")
            lines.append("    </tb>")
        lines.append("  </gpu>")
    return ("\n".join([*lines, "</algo>"]) + "\n").encode()


def exchange(**header):
    """A right allreduce of two ranks, out of place: each sends both chunks and adds."""
    blocks = []
    for rank in (0, 1):
        blocks.append(
            [
                (1 - rank, 1 - rank, 0, [
                    step("s", "i0"), step("s", "i1"),
                    step("rrc", "i0", "o0"), step("rrc", "i1", "o1"),
                ]),
            ]
        )  # fmt: skip
    return program("allreduce", blocks, pieces=2, **header)

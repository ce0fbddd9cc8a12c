"""Entry: run a Python program; what it prints is its output, what it says on stderr is told.

Descriptors: the job (see `pack`), where the output goes, and any others. The program runs as
`__main__` and finds its inputs in the global `inputs`, a dict of names and bytes.
"""

from __future__ import annotations

import os
import sys

from certune.sandbox.inside import status

_MOST_HEAD = 512  # bytes for the size and the name of a part


def pack(program: bytes, inputs: dict[str, bytes]) -> bytes:
    """A job as bytes: sizes and names in lines, an empty line, then everything end to end."""
    named = [("", program), *inputs.items()]
    head = "".join(f"{len(content)} {name.encode().hex()}\n" for name, content in named)
    return head.encode() + b"\n" + b"".join(content for _, content in named)


def unpack(job: bytes, most: int | None = None) -> tuple[bytes, dict[str, bytes]]:
    """The program and its inputs, at most `most` parts in all.

    Raises:
        ValueError, KeyError: it is no packed job, or has more parts.
    """
    head, _, rest = job.partition(b"\n\n")
    if most is not None and (head.count(b"\n") >= most or len(head) > most * _MOST_HEAD):
        raise ValueError("too many parts")
    contents, at = {}, 0
    for line in head.splitlines():
        size, _, name = line.partition(b" ")
        contents[bytes.fromhex(name.decode()).decode()] = rest[at : at + int(size)]
        at += int(size)
    return contents.pop(""), contents


def main(fds: tuple[int, ...]) -> None:
    """Run the program of the first descriptor with its standard output on the second."""
    source, output, *_ = fds
    with open(source, "rb", buffering=0) as file:
        program, inputs = unpack(file.read())
    os.dup2(output, 1)
    os.close(output)
    module = type(sys)("__main__")
    module.__dict__["inputs"] = inputs
    sys.modules["__main__"] = module
    status.loaded()
    exec(compile(program, "<program>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102

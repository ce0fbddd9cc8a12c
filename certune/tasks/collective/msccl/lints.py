"""Why a runtime would refuse, ignore or misread a file: named lints for each target.

An error means that the runtime refuses or never selects the file, or that what it runs is not
what the file says. Each has a name, a sentence, a line (0: the file as a whole) and a remedy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from certune.tasks.collective.msccl.compile import Code, compile_program
from certune.tasks.collective.msccl.dialect import dialect
from certune.tasks.collective.msccl.limits import (
    LIMITS,
    MAX_ATTRIBUTES,
    Limits,
)
from certune.tasks.collective.msccl.lint import Lint
from certune.tasks.collective.msccl.lint_steps import step_lints
from certune.tasks.collective.msccl.program import (
    RECEIVES,
    SENDS,
    Program,
    Target,
)


def lint(program: Program, target: Target, *, data: bytes | None = None) -> tuple[Lint, ...]:
    """Findings about `program` for `target`; with the file's `data`, also about its dialect."""
    limits = LIMITS[target]
    code = compile_program(program)
    found = [
        *_attributes(program, target, limits),
        *_limits(program, limits),
        *step_lints(program, code, limits, target),
        *_connections(code),
        *_elements(program),
    ]
    if data is not None:
        found += dialect(data)
    return tuple(sorted(found, key=lambda item: (item.severity, item.line, item.name)))


def _attributes(program: Program, target: Target, limits: Limits) -> Iterator[Lint]:
    header = program.header
    line = header.line
    executor = target != "microsoft"
    for name, value in (
        ("inplace", header.in_place),
        ("outofplace", header.out_of_place),
        ("minBytes", header.min_bytes),
        ("maxBytes", header.max_bytes),
    ):
        if value is None and (executor or name == "inplace"):
            yield Lint(
                "missing-attribute",
                "error",
                line,
                f"<algo> has no {name}; {limits.name} refuses the file",
                f'add {name}="…"',
            )
    if not executor and not header.attributes.get("name") and header.attributes:
        yield Lint(
            "missing-attribute",
            "error",
            line,
            f"<algo> has no name; {limits.name} refuses the file",
            'add name="…"',
        )
    if header.collective not in limits.collectives:
        other = {"reduce_scatter": "reducescatter", "reducescatter": "reduce_scatter"}
        yield Lint(
            "unknown-collective",
            "error",
            line,
            f"{limits.name} has no collective {header.collective}",
            f'write coll="{other[header.collective]}"'
            if header.collective in other
            else f"it has {', '.join(limits.collectives)}",
        )
    yield from _window(program, target, limits)
    if len(header.attributes) > MAX_ATTRIBUTES:
        yield Lint(
            "too-many-attributes",
            "error",
            line,
            f"<algo> has {len(header.attributes)} attributes; those after the"
            f" {MAX_ATTRIBUTES}th are dropped",
            "remove the ones that the runtime does not read",
        )
    threads = header.attributes.get("nthreads")
    if not executor and threads is not None and (not threads.isdecimal() or int(threads) % 32):
        yield Lint(
            "threads", "error", line, f"nthreads is {threads[:20]!r}", "give a multiple of 32"
        )
    if program.ranks > 1 and header.pieces % program.ranks and header.collective == "allreduce":
        yield Lint(
            "uneven-pieces",
            "warning",
            line,
            f"nchunksperloop={header.pieces} is no multiple of the {program.ranks} ranks; the"
            " file is selected only for counts that it divides",
        )


def _window(program: Program, target: Target, limits: Limits) -> Iterator[Lint]:
    header = program.header
    if target != "microsoft" and header.in_place is False and header.out_of_place is False:
        yield Lint(
            "never-selected",
            "error",
            header.line,
            'inplace="0" and outofplace="0": no call selects the file',
            "set the one that the program is written for",
        )
    low, high = header.min_bytes or 0, header.max_bytes
    if target == "microsoft" and high is None:
        yield Lint(
            "size-window",
            "warning",
            header.line,
            "without maxBytes the file is not used above 128 MiB",
            'add maxBytes="…" if it is meant for larger buffers',
        )
    if target == "microsoft" and high == 0:
        yield Lint(
            "size-window",
            "error",
            header.line,
            'maxBytes="0" means never above 0 bytes to microsoft/msccl (no limit to the others)',
            "give the largest size in bytes",
        )
    if high is not None and high < low and (high or target == "microsoft"):
        yield Lint(
            "size-window",
            "error",
            header.line,
            f"maxBytes={high} is below minBytes={low}; the file is never selected",
            "swap them",
        )
    if high == 0 and target != "microsoft":
        yield Lint(
            "no-size-limit",
            "warning",
            header.line,
            'maxBytes="0" means no limit: the file is selected for every larger size',
        )


def _limits(program: Program, limits: Limits) -> Iterator[Lint]:
    header = program.header
    length = np.diff(program.first)
    if header.channels > limits.channels:
        yield Lint(
            "too-many-channels",
            "error",
            header.line,
            f"nchannels={header.channels}; {limits.name} has at most {limits.channels}",
            "use fewer channels",
        )
    wrong = np.flatnonzero((program.channel >= header.channels) | (program.channel < 0))
    for row in wrong[:1].tolist():
        quiet = program.send[row] < 0 and program.receive[row] < 0
        if quiet and limits.name == LIMITS["microsoft"].name and program.channel[row] < 0:
            continue
        yield Lint(
            "channel-range",
            "error",
            int(program.block_line[row]),
            f"thread block {program.block[row]} of rank {program.rank[row]} uses channel"
            f" {program.channel[row]}, but nchannels={header.channels}",
            "number channels 0 … nchannels - 1",
        )
    late = np.flatnonzero(program.s >= limits.steps)
    if len(late):
        step = int(late[0])
        yield Lint(
            "too-many-steps",
            "error",
            int(program.line[step]),
            f"{program.place(step)}: {limits.name} takes steps below {limits.steps}",
            "spread the steps over more thread blocks"
            + (", or build with a larger MSCCL_MAX_NUM_STEPS" if limits.steps == 64 else ""),
        )
    long = np.flatnonzero(length > limits.steps)
    if len(long) and not len(late):
        row = int(long[0])
        yield Lint(
            "too-many-steps",
            "error",
            int(program.block_line[row]),
            f"thread block {program.block[row]} of rank {program.rank[row]} has {length[row]}"
            f" steps; {limits.name} keeps {limits.steps}",
            "spread the steps over more thread blocks",
        )
    blocks = np.bincount(program.rank, minlength=program.ranks)
    if int(blocks.max()) > limits.blocks:
        rank = int(np.argmax(blocks > limits.blocks))
        yield Lint(
            "too-many-blocks",
            "error",
            int(program.rank_line[rank]),
            f"rank {rank} has {blocks[rank]} thread blocks; {limits.name} allows {limits.blocks}",
            "use fewer channels, or let more connections share a thread block",
        )
    yield from _peers(program, limits)
    steps = np.bincount(program.rank, weights=length, minlength=program.ranks).astype(np.int64)
    nodes = 1 + program.ranks + blocks + steps
    if int(nodes.max()) > limits.nodes:
        rank = int(np.argmax(nodes > limits.nodes))
        yield Lint(
            "too-many-elements",
            "error",
            int(program.rank_line[rank]),
            f"rank {rank} keeps {nodes[rank]} XML elements; {limits.name} has room for"
            f" {limits.nodes}",
            "use fewer steps",
        )
    children = max(program.ranks, int(blocks.max()), int(length.max(initial=0)))
    if limits.children and children > limits.children:
        yield Lint(
            "too-many-children",
            "error",
            header.line,
            f"an element has {children} elements inside; {limits.name} has room for"
            f" {limits.children}",
        )


def _peers(program: Program, limits: Limits) -> Iterator[Lint]:
    key = program.rank * (int(program.channel.max(initial=0)) + 2) + program.channel + 1
    for peer, verb in ((program.send, "send"), (program.receive, "receive")):
        active = np.flatnonzero(peer >= 0)
        _, first, number = np.unique(key[active], return_index=True, return_counts=True)
        for at in np.flatnonzero(number > limits.peers)[:1].tolist():
            row = int(active[first[at]])
            yield Lint(
                "too-many-peers",
                "error",
                int(program.block_line[row]),
                f"{number[at]} thread blocks of rank {program.rank[row]} {verb} on channel"
                f" {program.channel[row]}; {limits.name} allows {limits.peers}",
                "use more channels",
            )


def _connections(code: Code) -> Iterator[Lint]:
    program = code.program
    for sentence, step in code.problems:
        yield Lint("connection", "error", int(program.line[step]), sentence)
    block = np.repeat(np.arange(program.blocks), np.diff(program.first))
    for uses, peer, name in ((SENDS, program.send, "send"), (RECEIVES, program.receive, "recv")):
        busy = np.zeros(program.blocks, dtype=np.bool_)
        busy[block[uses[program.kind]]] = True
        idle = np.flatnonzero((peer >= 0) & ~busy)
        if len(idle):
            row = int(idle[0])
            yield Lint(
                "idle-peer",
                "warning",
                int(program.block_line[row]),
                f"thread block {program.block[row]} of rank {program.rank[row]} has {name}="
                f'"{peer[row]}" but no step that uses it'
                + (f" ({len(idle)} thread blocks in all)" if len(idle) > 1 else ""),
                f'write {name}="-1"',
            )


def _elements(program: Program) -> Iterator[Lint]:
    for line, name in program.unknown[:8]:
        yield Lint(
            "unknown-element", "warning", line, f"<{name}> is skipped by the runtimes", "remove it"
        )

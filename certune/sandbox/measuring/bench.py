"""Measuring programs on a problem: the judge's whole side.

The judge owns the clock, the inputs, the reference and the result. A program can only be called
faster by answering sooner, with right outputs for inputs that it has never seen, without having
used the CPU elsewhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from certune.core.errors import Crashed, InvalidInput
from certune.sandbox.measuring.bout import Bout, Keeper, Window, start
from certune.sandbox.measuring.buffers import Layout, layout
from certune.sandbox.measuring.charge import given_away, hidden_work, waited
from certune.sandbox.measuring.outcome import Block, Died, Fault, Go, WrongResult
from certune.sandbox.measuring.problem import Problem, Program
from certune.sandbox.measuring.stage import Found, Stage, generator
from certune.sandbox.model import Isolation, Limits

# Calls nothing: what remains is the floor. `abs` of the C library ignores its arguments' meaning.
_EMPTY = {
    "python": Program("python", b"def run(*arrays):\n    pass\n"),
    "native": Program("native", b"", "abs"),
}


_LONG = 86_400.0  # seconds: whoever answers too late is ended by the bench


@dataclass(frozen=True)
class _Turn:
    """A "go" to come: which slots, and whether it counts as a single call among full ones."""

    first: int
    count: int
    lone: bool


class Bench:
    """Measures programs on one problem in workers of `keeper`.

    One "go" asks for `slots` calls on as many distinct inputs, so that the round trip is shared
    among them; a block is `gos` such "go"s and `lone` single calls strewn among them at random
    (none with one slot). `answer_seconds` is the time for one answer, or for loading; it stands in
    for the times in `limits`, since a worker also lives while others are measured. `threads`
    overrides what `limits` grants. Without `seed` (at least 16 bytes, secret) a fresh one is drawn.
    For one thread at a time.

    Raises:
        InvalidInput: buffers that cannot be shared, or that take more than half the memory that
            `limits` grants; a short seed.
    """

    def __init__(
        self,
        keeper: Keeper,
        problem: Problem,
        *,
        slots: int = 16,
        gos: int = 5,
        lone: int = 1,
        limits: Limits | None = None,
        threads: int = 1,
        warm_up: int = 2,
        answer_seconds: float = 10.0,
        seed: bytes | None = None,
    ) -> None:
        if gos < 1 or lone < 0 or warm_up < 0 or threads < 1 or not answer_seconds > 0:
            raise InvalidInput("a bench needs at least one go, one thread and some time")
        self._secret = secrets.token_bytes(32) if seed is None else seed
        if len(self._secret) < 16:
            raise InvalidInput("a seed that can be guessed", remedy="give at least 16 bytes")
        self._keeper = keeper
        self._limits = replace(
            limits or Limits(), threads=threads, wall_seconds=_LONG, cpu_seconds=_LONG
        )
        self._layout: Layout = layout(problem.buffers, slots, self._limits.memory_bytes // 2)
        self._stage = Stage(problem, self._layout, self._secret)
        self._gos, self._lone = gos, lone if slots > 1 else 0
        self._warm_up, self._seconds = warm_up, answer_seconds

    @property
    def level(self) -> Isolation:
        """How far its workers are kept apart."""
        return self._keeper.level

    def open(self, program: Program) -> Bout | Fault:
        """A fresh worker with `program` loaded and warmed up; the caller closes it.

        Raises:
            Unavailable, Crashed, TimedOut: trouble that is not the program's.
        """
        return self._open(program, self._stage.examine)

    def block(self, bout: Bout, inputs_seed: int | bytes) -> Block | Fault:
        """Measure one block; every call gets fresh inputs, every output is checked in full.

        Blocks of the same `inputs_seed` have the same inputs in different workers; the same
        worker must not see one twice, and a worker that was at fault is closed.

        Raises:
            ValueError: this worker has had these inputs.
            Crashed, TimedOut: trouble that is not the program's.
        """
        seed = inputs_seed if isinstance(inputs_seed, bytes) else b"%d" % inputs_seed
        if seed in bout.seeds:
            raise ValueError("inputs that a worker has seen are not fresh")
        bout.seeds.add(seed)
        result = self._block(bout, seed, self._stage.examine)
        return result if isinstance(result, Block) else _closed(bout, result)

    def floor(
        self, program: Program, blocks: int = 3, *, place: Callable[[Bout], None] | None = None
    ) -> Block:
        """What a program of the same language costs that does nothing at all: the protocol.

        `place` may put the worker on a core before it is measured.

        Raises:
            Crashed: a worker that did nothing was found at fault.
        """
        opened = self._open(_EMPTY[program.language], self._nothing)
        if not isinstance(opened, Bout):
            raise _unsound(opened)
        gos: list[Go] = []
        lone: list[Go] = []
        with opened as bout:
            if place is not None:
                place(bout)
            for _ in range(blocks):
                done = self._block(bout, secrets.token_bytes(16), self._nothing)
                if not isinstance(done, Block):
                    raise _unsound(done)
                gos += done.gos
                lone += done.lone
        return Block(tuple(gos), tuple(lone))

    def _open(self, program: Program, examine: Callable[[int, int], Found | None]) -> Bout | Fault:
        bout = start(self._keeper, program, self._layout, self._limits, self._seconds)
        try:
            fault = bout.load()
            for _ in range(self._warm_up):
                if fault is None:
                    warm = self._block(bout, secrets.token_bytes(16), examine)
                    fault = None if isinstance(warm, Block) else warm
        except BaseException:
            bout.close()
            raise
        return bout if fault is None else _closed(bout, fault)

    def _nothing(self, first: int, count: int) -> Found | None:
        """Examine the outputs of a program that writes none."""
        return self._stage.examine(first, 0)

    def _turns(self, rng: np.random.Generator) -> list[_Turn]:
        slots = self._layout.slots
        turns = [_Turn(0, slots, False)] * self._gos
        turns += [_Turn(int(rng.integers(slots)), 1, True) for _ in range(self._lone)]
        return [turns[place] for place in rng.permutation(len(turns))]

    def _block(
        self, bout: Bout, seed: bytes, examine: Callable[[int, int], Found | None]
    ) -> Block | Fault:
        threads, waits = bout.threads, given_away(bout.worker.pid)
        turns = self._turns(generator(self._secret, b"turns", seed))
        full: list[Go] = []
        lone: list[Go] = []
        for number, turn in enumerate(turns):
            rng = generator(self._secret, b"inputs", seed, b"%d" % number)
            self._stage.poison(rng)
            self._stage.fill(rng, turn.first, turn.count)
            self._stage.expose(bout.inputs, bout.outputs)
            window = bout.go(turn.first, turn.count)
            if not isinstance(window, Window):
                return window
            self._stage.take(bout.outputs)
            found = examine(turn.first, turn.count)
            if found is not None:
                return WrongResult(bout.gos - 1, found.slot, found.detail)
            (lone if turn.lone else full).append(bout.settle(window).go(threads))
        bout.past += [*full, *lone]
        fault = (
            bout.silent()
            or hidden_work([*full, *lone])
            or hidden_work(bout.past)
            or waited(waits, given_away(bout.worker.pid), len(turns), threads)
        )
        return fault or Block(tuple(full), tuple(lone))


def _closed(bout: Bout, fault: Fault) -> Fault:
    ended = bout.close()
    return fault if isinstance(fault, Died) else replace(fault, said=ended.diagnostics)


def _unsound(fault: Fault) -> Crashed:
    return Crashed(f"a program that does nothing was found at fault: {fault}")

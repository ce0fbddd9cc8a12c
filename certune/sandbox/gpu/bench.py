"""Measuring PyTorch programs on a device, as `measuring.Bench` does on the CPU.

What is other there:

- All memory on the device is the judge's; a worker maps it from descriptors. The reference is
  computed from the judge's own copy of the inputs, and inputs that were written to are found.
- The judge cannot see the worker's queue. So its clock stops only when it has a whole private
  copy of the outputs, taken after the reply on the same device: work that is still to be done
  then is missing from the copy, and all of it is checked.
- Caches are made cold before every call; one call at a time, no slots.
- Sizes are drawn for every call at random among those that the problem promises.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from time import perf_counter_ns

import numpy as np

from certune.core.errors import Crashed, InvalidInput
from certune.sandbox.gpu.device import Device, Memory
from certune.sandbox.inside.bench import HEAD
from certune.sandbox.measuring import Block, Died, Fault, Go, Problem, Program, WrongResult
from certune.sandbox.measuring.bout import Bout, Keeper, Window
from certune.sandbox.measuring.buffers import Bytes, Layout, layout
from certune.sandbox.measuring.channel import Channel
from certune.sandbox.measuring.charge import hidden_work
from certune.sandbox.measuring.memory import Shared, holding
from certune.sandbox.measuring.stage import Found, Stage, generator
from certune.sandbox.model import Launch, Limits

# PyTorch and its CUDA libraries map far more than they use; the device's memory counts, too.
GPU_LIMITS = Limits(
    wall_seconds=600.0, cpu_seconds=600.0, memory_bytes=2**40, threads=64, open_files=1024
)
_EMPTY = Program("python", b"def run(*tensors):\n    pass\n")


@dataclass(frozen=True)
class _Size:
    """One size: its buffers, its private side, and where it begins in the shared memories."""

    layout: Layout
    stage: Stage
    first_input: int
    first_output: int


@dataclass
class GpuBout:
    """A worker with a program loaded, and the device's memory that it shares with the judge."""

    bout: Bout
    inputs: Memory
    outputs: Memory

    def __enter__(self) -> GpuBout:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> bytes:
        """End the worker, give everything back; what it said on standard error."""
        return self.bout.close().diagnostics


class GpuBench:
    """Measures programs on a problem in the sizes that it promises, one `Problem` each.

    The sizes' buffers have the same names and roles; a program is called as
    ``entry(*tensors, **parameters)`` with PyTorch tensors in their order. A block is `gos`
    calls. `keeper` must be able to open `device.paths()`. Without `seed` (at least 16 bytes,
    secret) a fresh one is drawn.

    Raises:
        InvalidInput: no size, sizes of different buffers, a short seed.
    """

    def __init__(
        self,
        keeper: Keeper,
        sizes: Sequence[Problem],
        device: Device,
        *,
        gos: int = 10,
        limits: Limits = GPU_LIMITS,
        warm_up: int = 2,
        answer_seconds: float = 120.0,
        seed: bytes | None = None,
    ) -> None:
        if gos < 1 or warm_up < 0 or not answer_seconds > 0:
            raise InvalidInput("a bench needs at least one go and some time")
        self._secret = secrets.token_bytes(32) if seed is None else seed
        if len(self._secret) < 16:
            raise InvalidInput("a seed that can be guessed", remedy="give at least 16 bytes")
        kinds = {tuple((b.name, b.dtype, b.role) for b in size.buffers) for size in sizes}
        if len(kinds) != 1:
            raise InvalidInput(
                "the sizes of a problem differ in more than their shapes",
                remedy="give at least one size, and the same buffers in all",
            )
        self._keeper, self._device, self._limits = keeper, device, limits
        self._gos, self._warm_up, self._seconds = gos, warm_up, answer_seconds
        self._sizes: list[_Size] = []
        inputs = outputs = 0
        for problem in sizes:
            laid = layout(problem.buffers, 1, limits.memory_bytes)
            stage = Stage(problem, laid, self._secret)
            self._sizes.append(_Size(laid, stage, inputs, outputs))
            inputs += laid.inputs.size
            outputs += laid.outputs.size
        # What goes to the device and comes back, on the host's side.
        self._sent = np.zeros(inputs, dtype=np.uint8)
        self._asked = np.zeros(outputs, dtype=np.uint8)
        self._seen = np.zeros(inputs, dtype=np.uint8)
        self._taken = np.zeros(outputs, dtype=np.uint8)

    def open(self, program: Program) -> GpuBout | Fault:
        """A fresh worker with `program` loaded and warmed up in every size; close it.

        Raises:
            Unavailable, Crashed, TimedOut: trouble that is not the program's.
        """
        return self._open(program, check=True)

    def block(self, bout: GpuBout, inputs_seed: int | bytes) -> Block | Fault:
        """Measure one block: fresh inputs and a size at random for each call, all checked.

        Blocks of one `inputs_seed` have the same sizes and inputs in different workers; the
        same worker must not see one twice, and a worker that was at fault is closed.

        Raises:
            ValueError: this worker has had these inputs.
            Crashed, TimedOut: trouble that is not the program's.
        """
        seed = inputs_seed if isinstance(inputs_seed, bytes) else b"%d" % inputs_seed
        if seed in bout.bout.seeds:
            raise ValueError("inputs that a worker has seen are not fresh")
        bout.bout.seeds.add(seed)
        rng = generator(self._secret, b"sizes", seed)
        which = [int(x) for x in rng.integers(len(self._sizes), size=self._gos)]
        result = self._block(bout, seed, which, check=True)
        return result if isinstance(result, Block) else _closed(bout, result)

    def floor(self, blocks: int = 3) -> Block:
        """What a program costs that does nothing: protocol, launch, copy of the outputs.

        Raises:
            Crashed: a worker that did nothing was found at fault.
        """
        opened = self._open(_EMPTY, check=False)
        if not isinstance(opened, GpuBout):
            raise Crashed(f"a program that does nothing was found at fault: {opened}")
        gos: list[Go] = []
        with opened as bout:
            for _ in range(blocks):
                sizes = [go % len(self._sizes) for go in range(self._gos)]
                done = self._block(bout, secrets.token_bytes(16), sizes, check=False)
                if not isinstance(done, Block):
                    raise Crashed(f"a program that does nothing was found at fault: {done}")
                gos += done.gos
        return Block(tuple(gos))

    # -- beneath ---------------------------------------------------------------------------

    def _open(self, program: Program, *, check: bool) -> GpuBout | Fault:
        if program.language != "python":
            raise InvalidInput("programs for devices are Python modules that use PyTorch")
        bout = self._start(program)
        try:
            fault = bout.bout.load()
            for _ in range(self._warm_up):
                if fault is None:
                    every = range(len(self._sizes))
                    warm = self._block(bout, secrets.token_bytes(16), every, check=check)
                    fault = None if isinstance(warm, Block) else warm
        except BaseException:
            bout.close()
            raise
        return bout if fault is None else _closed(bout, fault)

    def _start(self, program: Program) -> GpuBout:
        with ExitStack() as held:
            inputs = self._device.share(self._sent.size, writable=False)
            held.callback(inputs.close)
            outputs = self._device.share(self._asked.size, writable=True)
            held.callback(outputs.close)
            told = holding("plan", self._plan(program, inputs, outputs))
            held.callback(os.close, told)
            channel = Channel()
            held.callback(channel.close)
            fds = (channel.theirs.fileno(), inputs.fd, outputs.fd, told)
            worker = self._keeper.start(Launch("gpu", self._keeper.level, self._limits, fds=fds))
            channel.theirs.close()
            bout = Bout(
                worker,
                channel,
                Shared(inputs.fd, self._sent),
                Shared(outputs.fd, self._asked),
                held.pop_all(),
                self._seconds,
                self._limits.threads,
            )
            return GpuBout(bout, inputs, outputs)

    def _plan(self, program: Program, inputs: Memory, outputs: Memory) -> bytes:
        told = json.dumps(
            {
                "device": self._device.kind,
                "ordinal": self._device.ordinal,
                "entry": program.entry,
                "parameters": dict(program.parameters),
                "inputs": inputs.size,
                "outputs": outputs.size,
                "sizes": [_tensors(size) for size in self._sizes],
            }
        ).encode()
        return HEAD.pack(len(told)) + told + program.source

    def _block(
        self, bout: GpuBout, seed: bytes, which: Sequence[int], *, check: bool
    ) -> Block | Fault:
        gos: list[Go] = []
        for number, index in enumerate(which):
            size = self._sizes[index]
            rng = generator(self._secret, b"inputs", seed, b"%d" % number)
            self._expose(bout, size, rng)
            self._device.synchronise()
            start = perf_counter_ns()
            window = bout.bout.go(index, 1)
            if not isinstance(window, Window):
                return window
            bout.outputs.keep()
            wall = perf_counter_ns() - start
            found = self._examine(bout, size, check)
            if found is not None:
                return WrongResult(bout.bout.gos - 1, 0, found.detail)
            timing = bout.bout.settle(replace(window, wall=wall))
            gos.append(timing.go(bout.bout.threads))
        bout.bout.past += gos
        return bout.bout.silent() or hidden_work(gos) or Block(tuple(gos))

    def _expose(self, bout: GpuBout, size: _Size, rng: np.random.Generator) -> None:
        """Fresh poison and inputs for one size, while the worker stands still; then the chill.

        Inputs that were just written lie in the cache, so that it comes after them.
        """
        size.stage.poison(rng)
        size.stage.fill(rng, 0, 1)
        size.stage.expose(
            Shared(-1, _part(self._sent, size.first_input, size.layout.inputs.size)),
            Shared(-1, _part(self._asked, size.first_output, size.layout.outputs.size)),
        )
        bout.outputs.write(self._asked)
        bout.inputs.write(self._sent)
        self._device.chill()

    def _examine(self, bout: GpuBout, size: _Size, check: bool) -> Found | None:
        """Check the outputs of this size, and that nothing else was written to."""
        bout.outputs.kept(self._taken)
        bout.inputs.keep()
        bout.inputs.kept(self._seen)
        if not np.array_equal(self._seen, self._sent):
            return Found(0, "wrote to its inputs")
        end = size.first_output + size.layout.outputs.size
        rest = np.r_[0 : size.first_output, end : self._taken.size]
        if not np.array_equal(self._taken[rest], self._asked[rest]):
            return Found(0, "wrote to a size that was not asked for")
        mine = _part(self._taken, size.first_output, size.layout.outputs.size)
        size.stage.take(Shared(-1, mine))
        return size.stage.examine(0, 1 if check else 0)


def _part(memory: Bytes, first: int, size: int) -> Bytes:
    return memory[first : first + size]


def _tensors(size: _Size) -> list[list[object]]:
    """Name, type, shape, whether it is an output, and offset of each argument."""
    places: dict[str, tuple[bool, int]] = {}
    for written, region, first in (
        (False, size.layout.inputs, size.first_input),
        (True, size.layout.outputs, size.first_output),
    ):
        for buffer, offset in zip(region.buffers, region.offsets, strict=True):
            places[buffer.name] = (written, first + offset)
    return [[b.name, b.dtype, list(b.shape), *places[b.name]] for b in size.layout.buffers]


def _closed(bout: GpuBout, fault: Fault) -> Fault:
    said = bout.close()
    return fault if isinstance(fault, Died) else replace(fault, said=said)

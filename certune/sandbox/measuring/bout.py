"""One worker that is being measured: from its start to its end, "go" by "go"."""

from __future__ import annotations

import dataclasses
import json
import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Protocol

from certune.core.canonical import Json
from certune.core.errors import Crashed, TimedOut
from certune.sandbox.inside.bench import HEAD
from certune.sandbox.measuring.buffers import Layout, Region
from certune.sandbox.measuring.channel import Channel, Reply
from certune.sandbox.measuring.charge import Timing, moving
from certune.sandbox.measuring.memory import Shared, for_inputs, for_outputs, holding
from certune.sandbox.measuring.outcome import Cheated, Died, Fault, Go
from certune.sandbox.measuring.problem import Program
from certune.sandbox.model import Ended, Isolation, Launch, Limits

_SHOWN = 32
_KILLED_SECONDS = 30.0  # far more than the kernel needs; beyond it something of ours is wrong
_STOPPING_SECONDS = 10.0  # on a machine that is far too busy
_ENDING_SECONDS = 2.0  # from closing the channel to the end of the process


class Worker(Protocol):
    """A process that belongs to the candidate, as the keeper hands it out."""

    @property
    def pid(self) -> int:
        """As this process sees it."""
        ...

    def cpu_seconds(self) -> float:
        """CPU time of the whole process, by the kernel's clock."""
        ...

    def stop(self) -> None:
        """Let it stand still."""
        ...

    def resume(self) -> None:
        """Let it go on."""
        ...

    def kill(self) -> None:
        """End it."""
        ...

    def wait(self, timeout: float | None = None) -> Ended:
        """How it ended; `TimedOut` if it has not within `timeout` seconds."""
        ...


class Keeper(Protocol):
    """Starts workers."""

    @property
    def level(self) -> Isolation:
        """How far they are kept apart."""
        ...

    def start(self, launch: Launch) -> Worker:
        """Start one."""
        ...


@dataclass(frozen=True)
class Window:
    """One answered "go": calls, and in nanoseconds the window and the CPU used before it."""

    calls: int
    wall: int
    used: int


def _region(region: Region) -> dict[str, object]:
    names = (buffer.name for buffer in region.buffers)
    return {
        "size": region.size,
        "stride": region.stride,
        "offsets": dict(zip(names, region.offsets, strict=True)),
    }


def plan(program: Program, layout: Layout, threads: int) -> bytes:
    """What the worker is told: where the buffers lie and how to call the program, then its text."""
    told = json.dumps(
        {
            "language": program.language,
            "entry": program.entry,
            "parameters": dict(program.parameters),
            "threads": threads,
            "slots": layout.slots,
            "buffers": {b.name: [b.dtype, b.shape] for b in layout.buffers},
            "inputs": _region(layout.inputs),
            "outputs": _region(layout.outputs),
        }
    ).encode()
    text = program.source if program.language == "python" else b""
    return HEAD.pack(len(told)) + told + text


@dataclass
class Bout:
    """A worker with a program loaded, standing still between one "go" and the next."""

    worker: Worker
    channel: Channel
    inputs: Shared
    outputs: Shared
    held: ExitStack = field(repr=False)  # what is given back with the worker
    limit: float  # seconds for one answer
    threads: int
    gos: int = 0
    mark: int = 0  # CPU time of the worker that has been accounted for, in nanoseconds
    loading_seconds: float = 0.0  # CPU time that it took to be ready
    past: list[Go] = field(default_factory=list)  # of all blocks so far
    seeds: set[bytes] = field(default_factory=set)
    ended: Ended | None = None

    def __enter__(self) -> Bout:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> Ended:
        """End the worker and give everything back; how it ended. May be called twice."""
        with self.held:
            if self.ended is None:
                self.worker.kill()
                self.ended = self.worker.wait(_KILLED_SECONDS)
        return self.ended

    def load(self) -> Fault | None:
        """Wait until the program is loaded, then let the worker stand still.

        Raises:
            Crashed: the worker ended before it had reached the program.
        """
        message = self.channel.go(0, 0)
        self.channel.ask(message)
        if (fault := self._judge(self.channel.answer(0, self.limit), message)) is not None:
            return fault
        self.worker.stop()
        self.mark = self.used()
        self.loading_seconds = self.mark / 1e9
        return None

    def used(self) -> int:
        """CPU time of the worker so far, in nanoseconds."""
        return round(self.worker.cpu_seconds() * 1e9)

    def go(self, first: int, count: int) -> Window | Fault:
        """Let the worker call `count` slots from `first`; it stands still before and after.

        Raises:
            Crashed: the worker ended for a reason that is not the program's.
        """
        if (fault := self.silent()) is not None:
            return fault
        message = self.channel.go(first, count)
        used = self.used()
        start = perf_counter_ns()
        try:
            self.channel.ask(message)
        except OSError:
            return self._gone()
        self.worker.resume()
        reply = self.channel.answer(start, self.limit)
        self.worker.stop()
        if self.threads > 1:
            self._stand_still()
        self.gos += 1
        if reply.message != message and (fault := self._judge(reply, message)) is not None:
            return fault
        return Window(count, reply.stamp - start, used)

    def _stand_still(self) -> None:
        """Wait until every thread has stopped.

        A thread alone runs none of the program's code once it has been told to stop. Of several,
        one has to be woken first, which takes a while on a busy machine, and then stops the others.

        Raises:
            TimedOut: the kernel did not stop it.
        """
        end = perf_counter_ns() + round(_STOPPING_SECONDS * 1e9)
        while moving(self.worker.pid):
            if perf_counter_ns() > end:
                raise TimedOut(f"a worker did not stop in {_STOPPING_SECONDS} s")
            os.sched_yield()

    def settle(self, window: Window) -> Timing:
        """Charge what the worker has used since the last time; call it as late as can be."""
        now = self.used()
        timing = Timing(window.calls, window.wall, window.used - self.mark, now - self.mark)
        self.mark = now
        return timing

    def silent(self) -> Fault | None:
        """Whether the worker has said anything that it was not asked for."""
        early = self.channel.unasked()
        if early is None:
            return None
        if not early:
            return self._gone()
        return Cheated("replied-early", {"go": self.gos, "message": early[:_SHOWN].hex()})

    def _judge(self, reply: Reply, expected: bytes) -> Fault | None:
        if reply.message == expected:
            return None
        if reply.message is None:
            return self._late()
        if not reply.message:
            return self._gone()
        evidence: dict[str, Json] = {"go": self.gos, "message": reply.message[:_SHOWN].hex()}
        if len(reply.message) != len(expected):
            return Cheated("spoke-out-of-turn", evidence)
        return Cheated("forged-reply", {**evidence, "expected": expected.hex()})

    def _late(self) -> Fault:
        ended = self.close()
        if not ended.loaded:
            raise TimedOut(f"a worker was not ready after {self.limit} s: {ended.detail}")
        detail = f"no answer in {self.limit} s"
        return Died(dataclasses.replace(ended, ending="out-of-time", detail=detail))

    def _gone(self) -> Fault:
        """The worker hung up: it has died, or would rather not be asked."""
        self.worker.resume()
        try:
            self.ended = self.worker.wait(_ENDING_SECONDS)
        except TimedOut:
            self.close()
            return Cheated("hung-up", {"go": self.gos})
        ended = self.close()
        if not ended.loaded:
            raise Crashed(f"a worker ended before it had loaded the program: {ended.detail}")
        return Died(ended)


def start(keeper: Keeper, program: Program, layout: Layout, limits: Limits, limit: float) -> Bout:
    """A fresh worker of `keeper`'s, on its way to load `program`.

    Raises:
        Unavailable: memory that can be sealed, or the isolation, cannot be had.
    """
    with ExitStack() as held:
        inputs, outputs = for_inputs(layout.inputs.size), for_outputs(layout.outputs.size)
        held.callback(os.close, inputs.fd)
        held.callback(os.close, outputs.fd)
        passed = [inputs.fd, outputs.fd, holding("plan", plan(program, layout, limits.threads))]
        held.callback(os.close, passed[-1])
        if program.language == "native" and program.source:
            passed.append(holding("program", program.source))
            held.callback(os.close, passed[-1])
        channel = Channel()
        held.callback(channel.close)
        fds = (channel.theirs.fileno(), *passed)
        launch = Launch("bench", keeper.level, limits, fds=fds, code=tuple(range(4, len(fds))))
        worker = keeper.start(launch)
        channel.theirs.close()  # when the worker's own end goes, the channel ends
        return Bout(worker, channel, inputs, outputs, held.pop_all(), limit, limits.threads)

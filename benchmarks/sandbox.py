"""What containment costs: the layers, a worker's start, and steady work inside of them.

    python benchmarks/sandbox.py

All levels that this machine has, interleaved in one run. Layer cost is the CPU time of a whole
worker with an empty program above the same at 'process'; both have ctypes imported, which a fresh
worker needs for its lock and which is told apart. Overhead is the CPU time of equal blocks of work
in fresh workers, by the kernel's clock read from outside, again above 'process'.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from certune.sandbox.inside.script import pack
from certune.sandbox.isolation.probe import available
from certune.sandbox.isolation.readable import interpreter
from certune.sandbox.keeper import Keeper, Worker
from certune.sandbox.model import Isolation, Launch, Limits
from certune.sandbox.passing import read_bounded, sealed
from certune.sandbox.toolchain import run

ROUNDS = 60
PROCESSES, BLOCKS = 7, 9
LIMITS = Limits(wall_seconds=300.0, cpu_seconds=300.0)

SERVE = """
import os
{setup}
os.write(7, b"r")
while os.read(6, 1):
    {block}
    os.write(7, b"d")
"""
NUMPY = (
    "import numpy as np; a = np.random.default_rng(1).random((192, 192)); b = np.empty(200_000)",
    "for _ in range(60): np.tanh(a @ a.T, out=a); np.cumsum(b, out=b)",
)
NATIVE = (
    "import ctypes; from certune.sandbox.inside import code; "
    "work = ctypes.CDLL(code.path(8)).work; work.restype = ctypes.c_double",
    "work(ctypes.c_long(6_000_000))",
)
SOURCE = b"""
double work(long n) {
    double x = 1.0, sum = 0.0;
    for (long i = 0; i < n; i++) { x = x * 1.0000001 + 1e-9; sum += 1.0 / x; }
    return sum;
}
"""


@contextmanager
def started(
    keeper: Keeper, program: str, *, fresh: bool, extra: tuple[int, ...] = ()
) -> Iterator[tuple[Worker, int]]:
    """A worker and what it prints."""
    heard, says = os.pipe()
    job = sealed(pack(program.encode(), {}))
    code = (4,) if len(extra) > 2 else ()
    launch = Launch("script", keeper.level, LIMITS, (job, says, *extra), fresh=fresh, code=code)
    worker = keeper.start(launch)
    os.close(says)
    os.close(job)
    try:
        yield worker, heard
    finally:
        worker.close()
        os.close(heard)


def layer_cost(keepers: dict[Isolation, Keeper], fresh: bool) -> dict[Isolation, float]:
    """Median CPU seconds of a worker that does nothing, for each level."""
    used: dict[Isolation, list[float]] = {level: [] for level in keepers}
    for _ in range(ROUNDS):
        for level, keeper in keepers.items():
            with started(keeper, "", fresh=fresh) as (worker, heard):
                ended, _ = read_bounded(worker, heard, 100)
                assert ended.ending == "finished", ended
                used[level].append(ended.cpu_seconds)
    return {level: statistics.median(values) for level, values in used.items()}


def ready(keepers: dict[Isolation, Keeper], fresh: bool) -> dict[Isolation, tuple[float, float]]:
    """Best and median seconds from the order to the first word of the program, for each level."""
    took: dict[Isolation, list[float]] = {level: [] for level in keepers}
    for _ in range(ROUNDS):
        for level, keeper in keepers.items():
            before = time.perf_counter()
            with started(keeper, "print(1, flush=True)", fresh=fresh) as (worker, heard):
                assert os.read(heard, 1) == b"1"
                took[level].append(time.perf_counter() - before)
                worker.wait()
    return {level: (min(values), statistics.median(values)) for level, values in took.items()}


def steady(
    keepers: dict[Isolation, Keeper], work: tuple[str, str], shared: bytes
) -> dict[Isolation, float]:
    """Median CPU seconds of a block of work, over processes and blocks, for each level."""
    program = SERVE.format(setup=work[0], block=work[1])
    used: dict[Isolation, list[float]] = {level: [] for level in keepers}
    for _ in range(PROCESSES):
        with ExitStack() as stack:
            workers = {}
            for level, keeper in keepers.items():
                go, goes = os.pipe()
                done, does = os.pipe()
                image = sealed(shared)
                extra = (go, does, image)
                worker, _ = stack.enter_context(started(keeper, program, fresh=True, extra=extra))
                for fd in extra:
                    os.close(fd)
                stack.callback(os.close, done)
                stack.callback(os.close, goes)
                assert os.read(done, 1) == b"r"
                workers[level] = (worker, goes, done)
            blocks: dict[Isolation, list[float]] = {level: [] for level in keepers}
            for _ in range(BLOCKS):
                for level, (worker, goes, done) in workers.items():
                    before = worker.cpu_seconds()
                    os.write(goes, b"g")
                    assert os.read(done, 1) == b"d"
                    blocks[level].append(worker.cpu_seconds() - before)
            for level, values in blocks.items():
                used[level].append(statistics.median(values))
    return {level: statistics.median(values) for level, values in used.items()}


def bare(program: str) -> float:
    """Median CPU seconds of a bare interpreter with `program`."""
    used = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [interpreter(), "-P", "-s", "-S", "-c", program]
        subprocess.run(command, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(used)


def main() -> None:
    levels = [one.level for one in available().standings if one.available]
    with ExitStack() as stack:
        keepers = {level: stack.enter_context(Keeper(level)) for level in levels}
        base = levels[0]
        whole, forked = layer_cost(keepers, True), layer_cost(keepers, False)
        warm, fresh = ready(keepers, False), ready(keepers, True)
        kernels = {"numpy": (NUMPY, b"")}
        if shutil.which("gcc"):
            command = ["gcc", "-O2", "-shared", "-fPIC", "-o", "k.so", "k.c"]
            kernels["C"] = (NATIVE, run(command, {"k.c": SOURCE}, ["k.so"]).outputs["k.so"])
        work = {name: steady(keepers, *one) for name, one in kernels.items()}
        heads = ["level", "layers, CPU ms, fresh / warm", "warm, best / median ms"]
        heads += ["fresh, best / median ms", *(f"{name}, overhead" for name in work)]
        print("| " + " | ".join(heads) + " |")
        print("|---" * len(heads) + "|")
        for level in levels:
            cells = [
                level.word,
                " / ".join(f"{(one[level] - one[base]) * 1e3:.1f}" for one in (whole, forked)),
                " / ".join(f"{value * 1e3:.1f}" for value in warm[level]),
                " / ".join(f"{value * 1e3:.1f}" for value in fresh[level]),
                *(f"{(one[level] / one[base] - 1) * 100:+.1f} %" for one in work.values()),
            ]
            print("| " + " | ".join(cells) + " |")
        print(f"\na whole fresh worker at {base.word!r}: {whole[base] * 1e3:.1f} ms of CPU,")
        nothing, ctypes = bare("pass"), bare("import ctypes")
        print(
            f"a bare interpreter {nothing * 1e3:.1f} ms, and ctypes {(ctypes - nothing) * 1e3:.1f}"
        )


if __name__ == "__main__":
    main()

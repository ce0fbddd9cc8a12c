"""Measuring real workers: programs in Python and in C, what is kept from them, how they fail."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
from measuring_tools import HONEST, Sum, keeper_at, opened, python

from certune.core.errors import InvalidInput
from certune.sandbox.measuring import (
    Bench,
    Block,
    Bout,
    Buffer,
    Cheated,
    Died,
    Program,
    WrongResult,
    mismatch,
)
from certune.sandbox.measuring.charge import moving
from certune.sandbox.measuring.stage import Stage
from certune.sandbox.model import Isolation, Limits


@pytest.fixture(scope="module")
def keeper():
    with keeper_at(Isolation.CONFINED) as started:
        yield started


@dataclass(frozen=True)
class Mixed:
    """Several types and roles: `grid` is scaled in place, `count` says how many are positive."""

    @property
    def buffers(self):
        return (
            Buffer("weights", "float32", (3, 5), "in"),
            Buffer("grid", "float64", (3, 5), "inout"),
            Buffer("positive", "bool", (3, 5), "out"),
            Buffer("count", "int64", (1,), "out"),
        )

    def fill(self, rng, inputs):
        assert set(inputs) == {"weights", "grid"}
        for array in inputs.values():
            array[...] = rng.normal(size=array.shape)

    def check(self, inputs, outputs):
        assert set(outputs) == {"grid", "positive", "count"}
        assert not any(array.flags.writeable for array in outputs.values())
        grid = inputs["grid"] * (inputs["weights"].astype("float64") * 3)
        return (
            mismatch("grid", grid, outputs["grid"], relative=1e-12)
            or mismatch("positive", grid > 0, outputs["positive"])
            or mismatch("count", np.array([np.count_nonzero(grid > 0)]), outputs["count"])
        )


MIXED = """
import numpy as np
def work(weights, grid, positive, count, *, factor, loud):
    assert not loud and not weights.flags.writeable and grid.flags.aligned
    assert all(array.ctypes.data % 64 == 0 for array in (weights, grid, positive, count))
    grid *= weights.astype("float64") * factor
    np.greater(grid, 0, out=positive)
    count[0] = np.count_nonzero(positive)
"""


def test_a_python_program_is_measured(keeper):
    bench = Bench(keeper, Sum(), slots=16, gos=4, lone=2)
    with opened(bench, python(HONEST)) as bout:
        block = bench.block(bout, 1)
        assert isinstance(block, Block), block
        assert (len(block.gos), len(block.lone), block.calls) == (4, 2, 64)
        assert {go.calls for go in block.gos} == {16}
        assert {go.calls for go in block.lone} == {1}
        assert 0 < block.wall_seconds < 1
        assert 0 < block.cpu_seconds < 1
        assert block.hidden_cpu_seconds <= block.cpu_seconds
        # All that the worker has used is charged: to a block, or to loading and warming up.
        second = bench.block(bout, 2)
        assert isinstance(second, Block)
        used = sum(go.cpu_seconds for go in bout.past)
        assert used == pytest.approx(bout.used() / 1e9 - bout.loading_seconds, abs=1e-4)
        with pytest.raises(ValueError, match="not fresh"):
            bench.block(bout, 1)


def test_buffers_of_all_kinds_arrive_aligned_with_parameters(keeper):
    bench = Bench(keeper, Mixed(), slots=3)
    with opened(bench, python(MIXED, "work", factor=3.0, loud=False)) as bout:
        assert isinstance(bench.block(bout, 0), Block)
    wrong = bench.open(python(MIXED, "work", factor=2.0, loud=False))
    assert isinstance(wrong, WrongResult)
    assert "grid[0, 0]" in wrong.detail


def test_both_workers_of_a_pair_see_the_same_inputs_and_one_never_twice(keeper):
    seen = "import os\ndef run(a, b, out):\n    os.write(2, a.tobytes())\n    out[:] = a + b\n"
    bench = Bench(keeper, Sum(4), slots=2, gos=2, lone=0, warm_up=0)
    said = []
    for _ in range(2):
        with opened(bench, python(seen)) as bout:
            for seed in (b"x", b"y"):
                assert isinstance(bench.block(bout, seed), Block)
            said.append(bout.close().diagnostics)
    assert said[0] == said[1]
    arrays = [said[0][start : start + 32] for start in range(0, len(said[0]), 32)]
    assert len(arrays) == len(set(arrays)) == 8


def test_another_secret_means_other_inputs(keeper):
    seen = "import os\ndef run(a, b, out):\n    os.write(2, a.tobytes())\n    out[:] = a + b\n"
    said = []
    for secret in (bytes(32), bytes(31) + b"x"):
        bench = Bench(keeper, Sum(4), slots=1, gos=1, warm_up=0, seed=secret)
        with opened(bench, python(seen)) as bout:
            assert isinstance(bench.block(bout, 0), Block)
            said.append(bout.close().diagnostics)
    assert said[0] != said[1]
    with pytest.raises(InvalidInput, match="at least 16 bytes"):
        Bench(keeper, Sum(4), seed=b"short")


@pytest.mark.parametrize(
    ("source", "ending", "said"),
    [
        ("syntax error", "failed", b"SyntaxError"),
        ("def other(): pass", "failed", b"KeyError"),
        ("def run(a, b, out): raise ValueError('no')", "failed", b"ValueError: no"),
        ("def run(a, b): pass", "failed", b"TypeError"),
        ("def run(a, b, out): a[:] = 0", "failed", b"read-only"),
        ("import os\ndef run(a, b, out): os.kill(os.getpid(), 9)", "killed", b""),
        ("def run(a, b, out): bytearray(2**33)", "out-of-memory", b"MemoryError"),
        ("raise SystemExit(0)", "finished", b""),
    ],
)
def test_how_a_program_dies_is_told(keeper, source, ending, said):
    fault = Bench(keeper, Sum()).open(python(source))
    assert isinstance(fault, Died), fault
    assert fault.ended.loaded
    assert fault.ended.ending == ending
    assert said in fault.said


def test_a_program_that_dies_late_closes_its_bout(keeper):
    source = (
        "calls = 0\ndef run(a, b, out):\n    global calls\n    calls += 1\n"
        "    assert calls < 100\n    out[:] = a + b\n"
    )
    bench = Bench(keeper, Sum(), slots=8)
    before = len(os.listdir("/proc/self/fd"))
    with opened(bench, python(source)) as bout:
        results = [bench.block(bout, seed) for seed in range(1)]
        assert isinstance(results[0], Died)
        assert bout.ended is not None
        del bout
    assert len(os.listdir("/proc/self/fd")) <= before


def test_nothing_is_left_open(keeper):
    bench = Bench(keeper, Sum())
    before = sorted(os.listdir("/proc/self/fd"))
    for source in (HONEST, b"def run(a, b, out): pass", b"1 / 0"):
        result = bench.open(python(source))
        if not isinstance(result, WrongResult | Died):
            result.close()
            result.close()
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_the_floor_is_low_and_below_what_work_costs(keeper):
    bench = Bench(keeper, Sum(20000), slots=16)
    for language in ("python", "native"):
        program = Program(language, b"")
        floor = bench.floor(program)
        assert floor.calls == 15 * 16
        assert statistics.median(go.wall_seconds for go in floor.gos) < 1e-3
        with opened(bench, python(HONEST)) as bout:
            block = bench.block(bout, language.encode())
        assert isinstance(block, Block)
        middle = statistics.median(go.cpu_seconds for go in block.gos)
        assert statistics.median(go.cpu_seconds for go in floor.gos) < middle


def test_the_worker_stands_still_between_gos(keeper):
    burning = (
        "import threading\n"
        "def burn():\n    while True:\n        pass\n"
        "threading.Thread(target=burn, daemon=True).start()\n"
        "def run(a, b, out):\n    out[:] = a + b\n"
    )
    bench = Bench(keeper, Sum(), threads=2, slots=2, warm_up=0)
    bout = bench.open(python(burning))
    assert isinstance(bout, Bout)
    with bout:
        deadline = time.monotonic() + 10
        while moving(bout.worker.pid) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert not moving(bout.worker.pid)
        before = bout.used()
        time.sleep(0.05)
        assert bout.used() == before
        bout.worker.resume()
        time.sleep(0.05)
        assert moving(bout.worker.pid)
        assert bout.used() > before


def test_outputs_are_taken_when_every_thread_has_stopped(keeper, monkeypatch):
    burning = (
        "import threading\n"
        "def burn():\n    while True:\n        sum(range(1000))\n"
        "for _ in range(2):\n    threading.Thread(target=burn, daemon=True).start()\n"
        "def run(a, b, out):\n    out[:] = a + b\n"
    )
    bench = Bench(keeper, Sum(), threads=3, slots=1, gos=40, warm_up=0)
    seen = []
    with opened(bench, python(burning)) as bout:
        real = Stage.take

        def take(stage, outputs):
            seen.append(moving(bout.worker.pid))
            real(stage, outputs)

        monkeypatch.setattr(Stage, "take", take)
        bench.block(bout, 0)
    assert len(seen) == 40
    assert not any(seen)


@pytest.mark.parametrize("gos", [1, 3])
def test_what_is_said_after_a_go_is_heard_before_the_next(keeper, gos):
    twice = (
        "import os, sys\n"
        "def run(a, b, out):\n"
        "    out[:] = a + b\n"
        "    for _ in range(2):\n"
        "        os.write(4, sys._getframe(1).f_locals['message'])\n"
    )
    bench = Bench(keeper, Sum(), slots=1, gos=gos, warm_up=0)
    heard = []
    for _ in range(8):
        with opened(bench, python(twice)) as bout:
            fault = bench.block(bout, 0)
            heard.append(bout.gos == 1 and isinstance(fault, Cheated) and fault.trick)
        if heard[-1] == "replied-early":
            break
    # On a busy machine it may have been stopped before it could say more.
    assert heard[-1] == "replied-early", heard


def test_hidden_work_adds_up_over_small_blocks(keeper, monkeypatch):
    real = Bout.settle

    def leaking(bout, window):
        return replace(real(bout, window), leaked=1_000_000)

    monkeypatch.setattr(Bout, "settle", leaking)
    bench = Bench(keeper, Sum(), slots=1, gos=1, warm_up=0)
    with opened(bench, python(HONEST)) as bout:
        results = [bench.block(bout, seed) for seed in range(3)]
    assert [type(result) for result in results] == [Block, Block, Cheated]
    assert results[2].trick == "hidden-work"


def test_too_many_or_too_large_buffers_are_refused(keeper):
    with pytest.raises(InvalidInput, match="use fewer slots"):
        Bench(keeper, Sum(2**20), slots=16, limits=Limits(memory_bytes=2**28))


C = """
#include <stdint.h>
#include <stddef.h>
void work(const float *weights, double *grid, _Bool *positive, int64_t *count,
          double factor, int64_t size) {
  *count = 0;
  for (size_t i = 0; i < (size_t)size; i++) {
    grid[i] *= (double)weights[i] * factor;
    positive[i] = grid[i] > 0;
    *count += positive[i];
  }
}
void overrun(const float *w, double *grid, _Bool *positive, int64_t *count,
             double factor, int64_t size) {
  work(w, grid, positive, count, factor, size);
  count[1] = 0;
}
void nothing(void) {}
"""


@pytest.fixture(scope="module")
def shared_object(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("native")
    (folder / "work.c").write_text(C)
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", "work.so", "work.c"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "work.so").read_bytes()


@pytest.mark.parametrize("level", [Isolation.PROCESS, Isolation.CONFINED, Isolation.CONTAINED])
def test_native_code_is_measured(shared_object, level):
    with keeper_at(level) as keeper:
        bench = Bench(keeper, Mixed(), slots=4)
        given = {"size": 15, "factor": 3.0}
        with opened(bench, Program("native", shared_object, "work", given)) as bout:
            assert isinstance(bench.block(bout, 0), Block)
        for entry, said in (("overrun", "outside of its outputs"), ("nothing", "never written")):
            fault = bench.open(Program("native", shared_object, entry, given))
            assert isinstance(fault, WrongResult)
            assert said in fault.detail
        for source, entry in ((shared_object, "missing"), (b"no library", "work")):
            fault = bench.open(Program("native", source, entry, given))
            assert isinstance(fault, Died), fault
            assert fault.ended.loaded

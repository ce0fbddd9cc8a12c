"""Measuring PyTorch programs: the whole way with the host in a device's place, and on one."""

import importlib.util

import pytest
from gpu_problems import RIGHT, SIZES, SLOW, WRONG

from certune.core.errors import InvalidInput, Unavailable
from certune.sandbox.gpu import Cuda, GpuBench, GpuBout, Host
from certune.sandbox.isolation.probe import available
from certune.sandbox.keeper import Keeper
from certune.sandbox.measuring import Block, Cheated, Died, Program, WrongResult
from certune.sandbox.model import Isolation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"
    ),
    pytest.mark.skipif(
        available().best < Isolation.CONFINED, reason="no confined workers on this machine"
    ),
]


def _cuda():
    try:
        return Cuda()
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def device(request):
    return Host() if request.param == "cpu" else _cuda()


@pytest.fixture(scope="module", params=[Isolation.CONFINED, Isolation.CONTAINED])
def keeper(request, device):
    if not available().standing(request.param).available:
        pytest.skip(f"no {request.param.word} workers on this machine")
    with Keeper(request.param, readable=device.paths()) as made:
        yield made


@pytest.fixture
def bench(keeper, device):
    return GpuBench(keeper, SIZES, device, gos=6, warm_up=1)


def test_a_right_program_is_measured_in_every_size(bench):
    opened = bench.open(RIGHT)
    assert isinstance(opened, GpuBout), str(opened) + opened.said.decode(errors="replace")
    with opened as bout:
        for seed in range(3):
            block = bench.block(bout, seed)
            assert isinstance(block, Block), str(block)
            assert block.calls == 6
            assert block.wall_seconds > 0
        with pytest.raises(ValueError, match="not fresh"):
            bench.block(bout, 2)


def test_more_work_takes_longer(bench):
    # The least of many: what other work on the test machine adds is no affair of this test.
    least = [min(go.wall_seconds for go in bench.floor(3).gos)]
    for program in (RIGHT, SLOW):
        with bench.open(program) as bout:
            blocks = [bench.block(bout, seed) for seed in range(5)]
            least.append(max(min(go.wall_seconds for go in block.gos) for block in blocks))
    assert least[0] < least[2]
    assert least[1] < least[2]


@pytest.mark.parametrize("name", WRONG)
def test_wrong_programs_are_found(bench, name):
    found = bench.open(Program("python", WRONG[name]))
    if isinstance(found, GpuBout):
        with found as bout:
            seed = 0
            found = bench.block(bout, seed)
            while isinstance(found, Block) and seed < 5:
                seed += 1
                found = bench.block(bout, seed)
    assert isinstance(found, WrongResult), found


def test_inputs_cannot_be_written_to(bench):
    found = bench.open(Program("python", b"def run(a, b, c):\n    c += a @ b\n    a += 1\n"))
    assert isinstance(found, Died | WrongResult)


def test_a_reply_before_the_work_is_found(bench):
    source = (
        b"import os\ndef run(a, b, c):\n    c += a @ b\n"
        b"    for fd in range(4, 9):\n        try:\n            os.write(fd, b'x' * 16)\n"
        b"        except OSError:\n            pass\n"
    )
    found = bench.open(Program("python", source))
    assert isinstance(found, Cheated)


def test_a_program_that_fails_says_why(bench):
    found = bench.open(Program("python", b"def run(a, b, c):\n    raise RuntimeError('no luck')\n"))
    assert isinstance(found, Died)
    assert b"no luck" in found.said


def test_what_is_no_pytorch_program_is_refused(bench):
    with pytest.raises(InvalidInput, match="PyTorch"):
        bench.open(Program("native", b"\x7fELF", "run"))

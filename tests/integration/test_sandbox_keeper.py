"""Workers at every level that this machine has: endings, limits, walls, and the judge's hand."""

import contextlib
import gc
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from certune.core.errors import Crashed, InvalidInput, TimedOut
from certune.sandbox.inside.script import pack
from certune.sandbox.isolation.probe import available
from certune.sandbox.keeper import Keeper
from certune.sandbox.model import LAYERS, Isolation, Launch, Layer, Limits
from certune.sandbox.passing import read_bounded, sealed

LEVELS = [Isolation.PROCESS, Isolation.CONFINED, Isolation.CONTAINED]
FRESH = pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "warm"])


@pytest.fixture(scope="module", params=LEVELS, ids=lambda level: level.word)
def keeper(request):
    if not available().standing(request.param).available:
        pytest.skip(f"{request.param.word} cannot be had here")
    with Keeper(request.param, preload=("numpy",)) as keeper:
        yield keeper


@pytest.fixture
def walled(keeper):
    if keeper.level < Isolation.CONFINED:
        pytest.skip("a process apart has no walls")
    return keeper


@contextlib.contextmanager
def started(keeper, program, *, fresh=False, fds=(), **limits):
    heard, says = os.pipe()
    job = sealed(pack(program.encode(), {}))
    try:
        launch = Launch("script", keeper.level, Limits(**limits), (job, says, *fds), fresh=fresh)
        worker = keeper.start(launch)
    finally:
        os.close(says)
        os.close(job)
    try:
        with worker:
            yield worker, heard
    finally:
        os.close(heard)


def run(keeper, program, **options):
    with started(keeper, program, **options) as (worker, heard):
        ended, output = read_bounded(worker, heard, 1 << 20)
    return ended, output.decode()


def wait_for_end(pid):
    """Until a process is gone, or dead and its new parent has only not looked yet."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.005)
    raise AssertionError(f"{pid} still runs")


@FRESH
def test_a_program_runs_with_numpy_and_callbacks(keeper, fresh):
    ended, output = run(
        keeper,
        """
import ctypes, numpy
print(int((numpy.ones((64, 64)) @ numpy.ones((64, 64))).sum()))
sort = ctypes.CDLL(None).qsort
order = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
values = (ctypes.c_int * 3)(3, 1, 2)
sort(values, 3, 4, order(lambda a, b: a[0] - b[0]))
print(*values)
""",
        fresh=fresh,
    )
    assert (ended.ending, ended.loaded, output) == ("finished", True, "262144\n1 2 3\n"), ended
    assert ended.cpu_seconds > 0.0
    assert ended.peak_bytes > 2**20


@pytest.mark.parametrize(
    ("program", "limits", "ending"),
    [
        ("while True: pass", {"cpu_seconds": 0.2}, "out-of-cpu"),
        ("import time; time.sleep(60)", {"wall_seconds": 0.2}, "out-of-time"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
            {"wall_seconds": 0.3},
            "out-of-time",
        ),
        ("bytearray(1 << 29)", {"memory_bytes": 1 << 27}, "out-of-memory"),
        ("import sys\nwhile True: sys.stderr.write('x' * 65536)", {}, "too-much-output"),
        ("import os; os.abort()", {}, "killed"),
        ("import ctypes; ctypes.string_at(0)", {}, "killed"),
        ("1 / 0", {}, "failed"),
        ("import sys; sys.exit(3)", {}, "failed"),
        ("import os; os._exit(0)", {}, "finished"),
    ],
)
def test_endings_have_names(keeper, program, limits, ending):
    ended, _ = run(keeper, program, **{"output_bytes": 1 << 17, **limits})
    assert (ended.ending, ended.loaded) == (ending, True), ended
    assert ended.detail


def test_no_memory_limit_is_none(keeper):
    program = "import mmap; print(len(mmap.mmap(-1, 1 << 36, flags=0x4022)))"  # NORESERVE
    assert run(keeper, program, memory_bytes=0)[1] == f"{1 << 36}\n"
    assert run(keeper, program, memory_bytes=1 << 30)[0].ending == "out-of-memory"


def test_forks_and_threads_end_as_too_many_processes(walled):
    ended, _ = run(walled, "import os; os.fork()")
    assert ended.ending == "too-many-processes"
    ended, _ = run(walled, "import threading; threading.Thread(target=print).start()")
    assert ended.ending == "too-many-processes"
    ended, output = run(
        walled, "import threading; threading.Thread(target=print, args=(1,)).start()", threads=2
    )
    assert (ended.ending, output) == ("finished", "1\n")


def test_writing_beyond_the_limit_ends_as_file_too_large(keeper):
    fd = os.memfd_create("out")
    program = "import os\nwhile True: os.write(6, b'x' * 65536)"
    ended, _ = run(keeper, program, fds=(fd,), file_bytes=1 << 20)
    assert ended.ending == "file-too-large"
    assert os.fstat(fd).st_size == 1 << 20
    os.close(fd)


def test_walls_hold_and_say_so(walled):
    secret = Path(__file__).resolve()
    ended, output = run(
        walled,
        f"""
import os, signal
tries = dict(
    read=lambda: open({str(secret)!r}).read(),
    shadow=lambda: open("/etc/passwd").read(),
    write=lambda: open("/tmp/x", "w"),
    devnull=lambda: open("/dev/null", "w"),
    environ=lambda: open("/proc/%d/environ" % os.getppid(), "rb").read(),
    listing=lambda: os.listdir("/home"),
    parent=lambda: os.kill(os.getppid(), signal.SIGCONT),
    group=lambda: os.kill(0, signal.SIGCONT),
    socket=lambda: __import__("socket").socket(),
    execute=lambda: os.execv("/bin/true", ["true"]),
    nice=lambda: os.nice(1),
    affinity=lambda: os.sched_setaffinity(0, [0]),
    memfd=lambda: os.memfd_create("x"),
    pipe=lambda: os.pipe(),
)
for name, attempt in tries.items():
    try:
        attempt()
    except OSError:
        continue
    print(name)
""",
    )
    assert (ended.ending, output) == ("finished", ""), ended.diagnostics.decode()


def test_a_worker_cannot_take_back_what_it_told(walled):
    """Else it could make its own death look like trouble of the judge's machine."""
    program = """
import os
for way in ("/proc/self/fd/3", "/dev/fd/3"):
    try:
        os.read(os.open(way, os.O_RDONLY | os.O_NONBLOCK), 100)
    except OSError:
        pass
try:
    os.read(3, 100)
except OSError:
    pass
os.write(3, b"Eforged")
os.abort()
"""
    ended, _ = run(walled, program, wall_seconds=2.0)
    assert (ended.ending, ended.loaded) == ("killed", True)
    assert "forged" not in ended.detail


def test_a_worker_cannot_spoil_what_the_keeper_uses(keeper):
    """Flags of an open file are shared with whoever else has it."""
    program = """
import fcntl, os
for fd in range(64):
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK | os.O_DIRECT)
    except OSError:
        pass
while True:
    try:
        os.write(2, b"x" * 5000)
    except BlockingIOError:
        pass
"""
    ended, _ = run(keeper, program, output_bytes=1 << 20, cpu_seconds=20)
    assert ended.ending == "too-much-output"
    assert run(keeper, "print(1)")[1] == "1\n"


def test_a_contained_worker_sees_its_own_small_world(keeper):
    if keeper.level is not Isolation.CONTAINED:
        pytest.skip("for 'contained'")
    program = """
import os
print(os.path.exists("/proc"), os.path.exists("/etc/passwd"), os.path.exists("/home"))
print(os.getpid() < 1000, os.getppid(), os.uname().nodename)
"""
    ended, output = run(keeper, program, fresh=True)
    assert output == "False False False\nTrue 1 worker\n", ended


def test_the_private_root_cannot_be_written_even_without_the_other_walls(keeper):
    if keeper.level is not Isolation.CONTAINED:
        pytest.skip("for 'contained'")
    program = """
import os
for name in ("/x", "/usr/lib/x", "/dev/x", "/.work/own/x", "/.code/own/x", os.__file__ + "x"):
    try:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
    except OSError:
        continue
    print(name)
"""
    layers = LAYERS[keeper.level] - {Layer.LANDLOCK, Layer.SECCOMP, Layer.PRIVILEGES}
    with Keeper(keeper.level, layers=layers) as another:
        ended, output = run(another, program)
    assert (ended.ending, output) == ("finished", "")


@FRESH
def test_nothing_of_the_judge_is_inherited(keeper, fresh, monkeypatch):
    monkeypatch.setenv("CERTUNE_SECRET", "hunter2")
    leak = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(leak, True)
    program = """
import os, signal, sys
print(*sorted(os.environ))
def there(fd):
    try: os.fstat(fd)
    except OSError: return False
    return True
print(*[fd for fd in range(256) if there(fd)])
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), os.getcwd(), sys.flags.hash_randomization)
print(os.getsid(0) == os.getpid(), os.environ["PYTHONHASHSEED"])
"""
    try:
        with Keeper(keeper.level) as another:
            _, output = run(another, program, fresh=fresh)
    finally:
        os.close(leak)
    names, fds, rest, session = output.splitlines()
    assert "CERTUNE_SECRET" not in names
    assert fds == "0 1 2 3"  # the job has been read, and the output has become 1
    assert rest == "set() / 0"
    assert session == "True 0"


def test_the_judge_reads_the_clock_stops_resumes_and_kills(keeper):
    with started(keeper, "print(1, flush=True)\nwhile True: pass") as (worker, heard):
        assert os.read(heard, 1) == b"1"
        assert Path(f"/proc/{worker.pid}/status").exists()
        before = worker.cpu_seconds()
        time.sleep(0.1)
        assert worker.cpu_seconds() > before
        worker.stop()
        time.sleep(0.05)
        stopped = worker.cpu_seconds()
        time.sleep(0.1)
        assert worker.cpu_seconds() == stopped
        worker.resume()
        time.sleep(0.1)
        assert worker.cpu_seconds() > stopped
        with pytest.raises(TimedOut):
            worker.wait(0.05)
        worker.kill()
        ended = worker.wait(10)
        assert (ended.ending, ended.detail) == ("killed", "killed by the judge")
        assert worker.wait() is ended
        assert worker.cpu_seconds() == ended.cpu_seconds
        worker.kill()
        worker.stop()


def test_a_dropped_worker_dies(keeper):
    with started(keeper, "import time; print(1, flush=True); time.sleep(60)") as (worker, heard):
        assert os.read(heard, 1) == b"1"
        pid = worker.pid
        worker.close()
        wait_for_end(pid)


def test_daemons_of_a_worker_without_a_filter_die_with_it():
    """At 'process' nothing forbids a fork; the keeper finds what was left."""
    program = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        os.close(1)
        time.sleep(60)
    os._exit(0)
time.sleep(0.1)
"""
    with Keeper(Isolation.PROCESS) as keeper:
        with started(keeper, program) as (worker, heard):
            pid = int(os.read(heard, 100))
            ended = worker.wait(20)
        assert ended.ending == "finished"
        assert not Path(f"/proc/{pid}").exists()


def test_many_workers_at_once_from_several_threads(keeper):
    results, before = [], len(os.listdir("/proc/self/fd"))

    def some(number):
        for index in range(3):
            results.append(run(keeper, f"print({number} * 100 + {index})")[1])

    threads = [threading.Thread(target=some, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert sorted(map(int, results)) == sorted(n * 100 + i for n in range(8) for i in range(3))
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_parent_death_signal_is_not_tied_to_the_judges_thread(keeper):
    """A worker that a thread started outlives the thread."""
    held = []

    def start():
        context = started(keeper, "import time; time.sleep(0.3); print('alive')")
        held.append((context, context.__enter__()))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    context, (worker, heard) = held[0]
    _, output = read_bounded(worker, heard, 100)
    assert output == b"alive\n"
    context.__exit__(None, None, None)


def test_closing_the_keeper_ends_its_workers(keeper):
    another = Keeper(keeper.level)
    with started(another, "import time; print(1, flush=True); time.sleep(60)") as (worker, heard):
        assert os.read(heard, 1) == b"1"
        pid = worker.pid
        another.close()
        assert not Path(f"/proc/{pid}").exists()
        with pytest.raises(Crashed):
            worker.wait(5)
    with pytest.raises(Crashed), started(another, "print(1)"):
        pass


def test_a_keeper_that_is_killed_takes_its_workers_along(keeper):
    program = "import time; print(1, flush=True); time.sleep(60)"
    with Keeper(keeper.level) as another, started(another, program) as (worker, heard):
        assert os.read(heard, 1) == b"1"
        os.kill(another._process.pid, signal.SIGKILL)
        with pytest.raises(Crashed, match="died"):
            worker.wait(10)
        wait_for_end(worker.pid)


def test_each_layer_can_be_left_out(keeper):
    if keeper.level is not Isolation.CONTAINED:
        pytest.skip("once is enough")
    for layer in Layer:
        with Keeper(keeper.level, layers=LAYERS[keeper.level] - {layer}) as another:
            ended, output = run(another, "print(1)", fresh=layer is Layer.DESCRIPTORS)
            assert (ended.ending, output) == ("finished", "1\n"), (layer, ended)


def test_a_template_with_a_second_thread_is_refused(tmp_path, monkeypatch):
    """What exists already would stay outside of the walls."""
    from certune.sandbox.isolation import readable

    module = tmp_path / "busy_module.py"
    module.write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True)"
        ".start()\n"
    )
    paths = [*readable.module_path(), str(tmp_path)]
    monkeypatch.setattr("certune.sandbox.keeper.client.files.module_path", lambda: paths)
    with pytest.raises(Crashed, match="a preloaded package started a thread"):
        Keeper(Isolation.CONFINED, preload=("busy_module",))


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python"])
def test_a_keeper_that_does_not_start_is_trouble_of_our_own(program, monkeypatch):
    monkeypatch.setattr("certune.sandbox.keeper.client.files.interpreter", lambda: program)
    for _ in range(5):
        with pytest.raises(Crashed, match=r"the keeper (did not start|died while it started)"):
            Keeper(Isolation.PROCESS)


def test_a_launch_has_to_fit_its_keeper(keeper):
    other = Isolation.PROCESS if keeper.level is not Isolation.PROCESS else Isolation.CONFINED
    for launch in (
        Launch("script", other),
        Launch("script", keeper.level, profile="toolchain"),
        Launch("../script", keeper.level),
        Launch("script", keeper.level, fds=tuple([0] * 100)),
    ):
        with pytest.raises(InvalidInput):
            keeper.start(launch)


def test_an_entry_that_does_not_exist_is_trouble_of_our_own(keeper):
    with keeper.start(Launch("nowhere", keeper.level)) as worker:
        ended = worker.wait(20)
    assert not ended.loaded
    assert "ModuleNotFoundError" in ended.detail

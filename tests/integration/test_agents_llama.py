"""The same agents against a real llama.cpp server, where ``CERTUNE_TEST_LLAMA`` names its binary.

Its model has random weights: it speaks noise, but obeys a schema.
"""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request

import pytest
from model_bench import Bench, options
from tiny_gguf import tiny_gguf

from certune import plugins
from certune.agents.best_of_n import BestOfN
from certune.agents.evolve import Evolve
from certune.agents.openai import OpenAI

BINARY = os.environ.get("CERTUNE_TEST_LLAMA", "")
pytestmark = pytest.mark.slow
needs_llama = pytest.mark.skipif(
    not BINARY, reason="CERTUNE_TEST_LLAMA names no llama.cpp server binary"
)


def test_the_model_is_small_and_the_same_for_a_seed():
    first, again, other = tiny_gguf(1), tiny_gguf(1), tiny_gguf(2)
    assert first == again
    assert first != other
    assert first[:4] == b"GGUF"
    assert len(first) < 2**20


class Address:
    """What `options` needs to know of a server."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/v1"


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    (folder / "noise.gguf").write_bytes(tiny_gguf(0))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [BINARY, "-m", str(folder / "noise.gguf"), "--host", "127.0.0.1", "--port", str(port)]
    words += ["-c", "32768", "-t", "1", "-np", "1", "--no-warmup", "--jinja"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            for _ in range(600):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                    break
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                time.sleep(0.1)
            yield Address(port)
        finally:
            process.terminate()
            process.wait(20)


@needs_llama
@pytest.mark.parametrize("factory", [OpenAI, BestOfN, Evolve])
def test_noise_that_obeys_a_schema_ends_as_verdicts(tmp_path, llama, factory):
    bench = Bench(tmp_path)
    given = options(llama, max_tokens=120, temperature=1.0)
    ended = bench.run(factory, factory.name, given, attempts=8)
    assert ended.stopped == "budget"
    assert len(bench.trials) == 8
    assert all(trial.decision is not None for trial in bench.trials)
    assert {trial.provenance["rung"] for trial in bench.trials} == {"json_schema"}
    assert all(trial.usage.tokens_out > 0 for trial in bench.trials)
    assert "accepted" not in bench.reasons or any(
        sum(json.loads(p)["xs"]) == 12
        for p, r in zip(bench.payloads, bench.reasons, strict=True)
        if r == "accepted"
    )
    parsed = 0
    for payload in bench.payloads:
        with contextlib.suppress(ValueError):
            assert set(json.loads(payload)) == {"xs"}
            parsed += 1
    assert parsed


@needs_llama
def test_noise_about_a_collective_is_refused(tmp_path, llama):
    parameters = {"topology": "ring", "ranks": "4", "targets": "none"}
    task = plugins.open_task(plugins.spec("collective/allgather", parameters))
    bench = Bench(tmp_path, task)
    bench.run(OpenAI, "openai", options(llama, max_tokens=400), attempts=6)
    assert len(bench.trials) == 6
    assert set(bench.reasons) <= {"invalid", "refuted", "not-better"}
    assert {trial.provenance["rung"] for trial in bench.trials} == {"json_schema"}


@needs_llama
def test_a_real_server_repeats_itself_for_a_seed(tmp_path, llama):
    seen = []
    for run in range(2):
        bench = Bench(tmp_path / str(run))
        given = options(llama, max_tokens=60, repair="false", temperature=1.0)
        bench.run(BestOfN, "best-of-n", given, attempts=3)
        seen.append(bench.payloads)
    assert seen[0] == seen[1]

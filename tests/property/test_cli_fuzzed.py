"""Whatever a file holds, a command ends with exit 0, 1 or 2 and one line, never with a traceback,
never as an internal error, and never with a changed ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from certune.cli import app
from certune.tasks.collective.library import build
from certune.tasks.collective.topology import dump_topology

TOPOLOGY = dump_topology(build("ring", {"ranks": "4"}))
SCHEDULE = json.dumps(
    {
        "format": "certune-schedule/1",
        "collective": "allgather",
        "ranks": 2,
        "pieces": 2,
        "steps": [{"copy": [[0, 1, 0], [1, 0, 1]]}],
    }
).encode()
XML = (
    b'<algo name="a" proto="Simple" nchannels="1" nchunksperloop="2" ngpus="2" coll="allgather" '
    b'inplace="0" outofplace="1" minBytes="0" maxBytes="0">\n'
    b'  <gpu id="0" i_chunks="1" o_chunks="2" s_chunks="0">\n  </gpu>\n'
    b'  <gpu id="1" i_chunks="1" o_chunks="2" s_chunks="0">\n  </gpu>\n</algo>\n'
)
PLAN = b'{"name":"p","collective":"allgather","protocol":"Simple","inplace":false,"gpus":[]}'
SEEDS = (TOPOLOGY, SCHEDULE, XML, PLAN, b'{"payload":"","payloadType":"","signatures":[]}', b"")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Garbage, JSON of any shape, and valid files with bytes or members changed."""
    way = draw(st.integers(0, 3))
    if way == 0:
        return draw(st.binary(max_size=200))
    if way == 1:
        return json.dumps(draw(json_values)).encode()
    data = bytearray(draw(st.sampled_from(SEEDS)))
    if way == 2:
        for _ in range(draw(st.integers(1, 3))):
            if data:
                data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
        return bytes(data)
    cut = draw(st.integers(0, len(data)))
    return bytes(data[:cut]) + draw(st.binary(max_size=20)) + bytes(data[cut:])


COMMANDS = {
    "verify": ["verify", "FILE"],
    "judge": ["verify", "collective/allgather", "FILE", "-p", "topology=ring", "-p", "ranks=2"],
    "lint": ["lint", "FILE"],
    "explain": ["explain", "FILE"],
    "convert": ["convert", "FILE", "--to", "rccl"],
    "check": ["check", "FILE"],
    "topology": ["topology", "FILE"],
    "task": ["verify", "collective/allgather", "SCHEDULE", "-p", "topology=FILE"],
    "incumbent": [
        "optimize", "collective/allgather", "-p", "topology=ring", "-p", "ranks=2",
        "--incumbent", "FILE", "--budget", "attempts=1", "--project", "PROJECT",
    ],
    "prove": ["prove", "FILE"],
    "sign": ["ledger", "head", "--sign", "FILE", "--project", "PROJECT"],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=contents())
def test_hostile_files(tmp_path: Path, command: str, data: bytes) -> None:
    file = tmp_path / "hostile.json"
    file.write_bytes(data)
    schedule = tmp_path / "schedule.json"
    schedule.write_bytes(SCHEDULE)
    words = {"FILE": str(file), "SCHEDULE": str(schedule), "PROJECT": str(tmp_path)}
    arguments = [words.get(word, word).replace("=FILE", f"={file}") for word in COMMANDS[command]]
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code in (0, 1, 2), done.output
    assert "internal error" not in done.output
    assert "Traceback" not in done.output
    assert file.read_bytes() == data


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.binary(max_size=400) | st.binary(max_size=300).map(lambda b: b"SQLite format 3\0" + b)
)
def test_hostile_ledgers(tmp_path: Path, data: bytes) -> None:
    folder = tmp_path / ".certune"
    folder.mkdir(exist_ok=True)
    (folder / "ledger.sqlite3").write_bytes(data)
    for arguments in (["show"], ["ledger", "verify"], ["export"], ["resume"]):
        done = CliRunner().invoke(app, [*arguments, "--project", str(tmp_path)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code in (2, 3), done.output
        assert "internal error" not in done.output
        assert (folder / "ledger.sqlite3").read_bytes() == data

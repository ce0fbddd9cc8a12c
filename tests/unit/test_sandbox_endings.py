"""How the end of a process gets its name, and what exceptions say about limits."""

import errno
import os
import signal

import pytest

from certune.sandbox.inside import status as said
from certune.sandbox.keeper.endings import BY_JUDGE, detail, ending

EXITED = {code: code << 8 for code in (0, 1, 70)}


@pytest.mark.parametrize(
    ("status", "told", "killed_for", "cpu", "name"),
    [
        (EXITED[0], b"L", "", 0.1, "finished"),
        (EXITED[1], b"L", "", 0.1, "failed"),
        (EXITED[1], b"LM", "", 0.1, "out-of-memory"),
        (EXITED[1], b"LP", "", 0.1, "too-many-processes"),
        (EXITED[1], b"LF", "", 0.1, "file-too-large"),
        # Who ends well has reached no limit, whatever it writes.
        (EXITED[0], b"LMPF", "", 0.1, "finished"),
        (signal.SIGSEGV, b"L", "", 0.1, "killed"),
        (signal.SIGKILL, b"L", "", 0.1, "killed"),
        (signal.SIGKILL, b"L", "", 5.0, "out-of-cpu"),
        (signal.SIGXCPU, b"L", "", 5.0, "out-of-cpu"),
        (signal.SIGXCPU, b"L", "", 0.1, "killed"),  # its own doing
        (signal.SIGXFSZ, b"L", "", 0.1, "file-too-large"),
        (signal.SIGSEGV | 0x80, b"L", "", 0.1, "killed"),
        (signal.SIGKILL, b"L", "out-of-time", 0.1, "out-of-time"),
        (signal.SIGKILL, b"L", "too-much-output", 0.1, "too-much-output"),
        (signal.SIGKILL, b"L", BY_JUDGE, 0.1, "killed"),
    ],
)
def test_an_ending_is_named(status, told, killed_for, cpu, name):
    assert ending(status, told, killed_for, cpu, 5.0) == name
    assert detail(status, killed_for)


def test_details_name_signals():
    assert detail(signal.SIGSEGV, "") == "ended by SIGSEGV"
    assert detail(40, "") == "ended by SIGRTMIN+6" or "40" in detail(40, "")
    assert detail(EXITED[70], "") == "exit status 70"
    assert detail(signal.SIGKILL, BY_JUDGE) == "killed by the judge"


@pytest.mark.parametrize(
    ("error", "letter"),
    [
        (MemoryError(), b"M"),
        (OSError(errno.ENOMEM, ""), b"M"),
        (BlockingIOError(errno.EAGAIN, ""), b"P"),
        (RuntimeError("can't start new thread"), b"P"),
        (OSError(errno.EFBIG, ""), b"F"),
        (PermissionError(errno.EPERM, ""), b""),
        (OSError("no number"), b""),
        (ValueError(), b""),
    ],
)
def test_an_exception_tells_of_a_limit(error, letter, monkeypatch):
    heard, says = os.pipe()
    monkeypatch.setattr(said, "STATUS_FD", says)
    said.why(error)
    os.close(says)
    assert os.read(heard, 10) == letter
    os.close(heard)
    said.why(error)  # nobody listens any more: no matter

"""The judge's end of the wire to a worker: fixed messages, and when the reply was sent."""

from __future__ import annotations

import os
import select
import socket
import struct
from dataclasses import dataclass, field
from time import perf_counter_ns, time_ns

from certune.sandbox.inside.bench import MESSAGE

# asm-generic/socket.h; the same number for the option and for the ancillary message.
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
# Room for the stamp and for nothing else: descriptors that a worker sends along are dropped by
# the kernel, since the stamp comes first.
_ROOM = socket.CMSG_SPACE(_TIMESPEC.size)
_TAG = 8
_SHOWN = 64
_AT_ONCE = 2000  # nanoseconds


@dataclass(frozen=True)
class Reply:
    """What the worker sent: the message (empty: it hung up; None: nothing in time) and when.

    `stamp` is in nanoseconds of this process's `perf_counter_ns`; the kernel took it while the
    message was being sent, so that a judge who is woken late does not lengthen the window.
    """

    message: bytes | None
    stamp: int


def _clocks() -> tuple[int, int]:
    """This process's clock and the one that messages are stamped by, read at the same time."""
    best = None
    for _ in range(5):
        before, clock, after = perf_counter_ns(), time_ns(), perf_counter_ns()
        if best is None or after - before < best[0]:
            best = after - before, before, clock
        if after - before < _AT_ONCE:  # else something else ran between the two
            break
    assert best is not None
    return best[1], best[2]


def _sent(ancillary: list[tuple[int, int, bytes]], earliest: int) -> int:
    """When a message that has just been received was sent; now, if that cannot be told."""
    now, clock = _clocks()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            sent: int = now - (clock - seconds * 10**9 - nanoseconds)
            # Somebody may set the clock in between; then the judge's own time stands.
            return sent if earliest <= sent <= now else now
    return now


@dataclass
class Channel:
    """A pair of sockets that keep messages apart; `theirs` is for the worker."""

    ours: socket.socket = field(init=False)
    theirs: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        """Open it."""
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.setblocking(False)
        self.ours.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._poll = select.poll()
        self._poll.register(self.ours, select.POLLIN)
        self._wait = self._poll.poll
        self._receive = self.ours.recvmsg

    def close(self) -> None:
        """Hang up."""
        self.ours.close()
        self.theirs.close()

    def unasked(self) -> bytes | None:
        """A message that is there although none was asked for; None is as it should be."""
        try:
            message, *_ = self.ours.recvmsg(_SHOWN)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        return message

    def go(self, first: int, count: int) -> bytes:
        """A "go" with a tag that nobody can know before; the reply has to be the same."""
        return MESSAGE.pack(os.urandom(_TAG), first, count)

    def ask(self, message: bytes) -> None:
        """Send a "go".

        Raises:
            OSError: the worker has hung up.
        """
        self.ours.send(message)

    def answer(self, start: int, seconds: float) -> Reply:
        """Wait at most `seconds` for a message; `start` is when the "go" took effect."""
        self._wait(seconds * 1000)
        try:
            message, ancillary, *_ = self._receive(_SHOWN, _ROOM)
        except BlockingIOError:
            return Reply(None, perf_counter_ns())
        except OSError:
            return Reply(b"", perf_counter_ns())
        return Reply(message, _sent(ancillary, start))

"""A process of the judge's own that makes calls for it, over a socket.

Not a fork and not `multiprocessing`'s way of starting, which runs the caller's main module
again: a fresh interpreter with the same module path. Both ends are the judge's; candidates
never write to this socket, so what comes over it may be pickled.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from certune.core.errors import TimedOut
from certune.sandbox.executors.model import Work
from certune.sandbox.executors.perform import SINGLE_THREADED, Order, carry_out, value_of, written
from certune.sandbox.executors.plan import Seat
from certune.sandbox.executors.pool import Lost

_BEGIN = "from certune.sandbox.executors.child import main; main({})"


def main(descriptor: int) -> None:
    """Make calls until the judge is gone; runs in the child."""
    connection = Connection(descriptor)
    orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        # In a thread, so that the judge's death is noticed in the middle of a call as well.
        try:
            while True:
                orders.put(connection.recv_bytes())
        except (EOFError, OSError):
            # The group: what a call has started goes, too.
            os.killpg(0, signal.SIGKILL)

    sys.path[:] = pickle.loads(connection.recv_bytes())  # noqa: S301 - from the judge
    threading.Thread(target=listen, daemon=True).start()
    while True:
        connection.send_bytes(carry_out(orders.get()))


class Child:
    """A seat of this machine: one process, started at the first call and anew when lost."""

    def __init__(self, node: str, seat: Seat, folder: Path | None = None) -> None:
        """A seat of the node `node`; `folder` holds the locks of measuring cores."""
        self.node = node
        self.seat = seat
        self._folder = folder
        self._lock = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def call(self, work: Work[Any]) -> Any:
        """See `Place.call`.

        Raises:
            Lost: the process died.
            TimedOut: the call took longer than it may; the process is ended.
            Crashed: the work cannot be pickled.
        """
        domain = self.seat.domain if work.kind == "measure" else None
        data = written(Order(work.call, work.arguments, self.seat.cpus, domain, self._folder))
        connection = self._begun()
        try:
            connection.send_bytes(data)
            if not connection.poll(work.seconds):
                self._end()
                raise TimedOut(f"{work.name} took longer than {work.seconds:g} s")
            answer = connection.recv_bytes()
        except (EOFError, OSError):
            raise Lost(self._end(patience=1.0)) from None
        return value_of(answer)

    def close(self) -> None:
        """End the process; see `Place.close`."""
        with self._lock:
            self._closed = True
        self._end()

    def _begun(self) -> Connection:
        with self._lock:
            if self._closed:
                raise Lost("closed")
            if self._connection is None:
                ours, theirs = socket.socketpair()
                command = [sys.executable, "-c", _BEGIN.format(theirs.fileno())]
                self._process = subprocess.Popen(
                    command,
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                    env=dict(os.environ) | dict(SINGLE_THREADED),
                )
                theirs.close()
                self._connection = Connection(ours.detach())
                self._connection.send_bytes(pickle.dumps(sys.path))
            return self._connection

    def _end(self, patience: float = 0.0) -> str:
        """Kill the process and all it has started; what was seen of its end.

        With `patience` (seconds) it may first end by itself, to be told as it was. The
        connection is closed with its last reference, which another thread may hold in `poll`.
        """
        with self._lock:
            process, self._process, self._connection = self._process, None, None
        if process is None:
            return "the process was ended"
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        status = process.poll()
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if status is None:
            return "the process was ended"
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        return f"the process ended {how}"

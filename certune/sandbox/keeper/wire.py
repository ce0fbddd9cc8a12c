"""Messages between judge and keeper: JSON with descriptors, one a datagram, bounded."""

from __future__ import annotations

import array
import json
import os
import socket
from typing import Any

_MOST_BYTES = 256 * 1024
MOST_FDS = 100


def send(channel: socket.socket, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
    """Send a message and copies of `fds`.

    Raises:
        OSError: the other side is gone, or does not read.
    """
    carried = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    channel.sendmsg([json.dumps(message).encode()], carried)


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and its descriptors (the caller's to close); None when the other side left.

    Raises:
        OSError: the message is cut, or none is there on a channel that does not block.
    """
    space = socket.CMSG_SPACE(MOST_FDS * 4)
    data, carried, flags, _ = channel.recvmsg(_MOST_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, content in carried:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        for fd in fds:
            os.close(fd)
        raise OSError(90, "a message between judge and keeper is too long")
    if not data:
        return None
    message: dict[str, Any] = json.loads(data)
    return message, list(fds)

"""Sockets and a terminal of the judge's, on which nothing should ever be heard."""

from __future__ import annotations

import os
import pty
import socket
from pathlib import Path


class Listeners:
    """Servers over TCP, UDP, path and abstract sockets, and a terminal."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path_socket = str(folder / "stream")
        self.path_datagram = str(folder / "datagram")
        self.abstract, self.abstract_datagram = name, f"{name}-datagram"
        self._streams: dict[str, socket.socket] = {}
        self._datagrams: dict[str, socket.socket] = {}
        tcp = self._open(self._streams, "TCP", socket.AF_INET, ("127.0.0.1", 0))
        udp = self._open(self._datagrams, "UDP", socket.AF_INET, ("127.0.0.1", 0))
        self._open(self._streams, "path", socket.AF_UNIX, self.path_socket)
        self._open(self._datagrams, "path", socket.AF_UNIX, self.path_datagram)
        self._open(self._streams, "abstract", socket.AF_UNIX, "\0" + self.abstract)
        self._open(self._datagrams, "abstract", socket.AF_UNIX, "\0" + self.abstract_datagram)
        for name in (self.path_socket, self.path_datagram):
            os.chmod(name, 0o666)
        self.tcp = int(tcp.getsockname()[1])
        self.udp = int(udp.getsockname()[1])
        self._read, self.pipe = os.pipe()
        os.set_blocking(self._read, False)
        os.set_inheritable(self.pipe, True)
        self.pipe_inode = os.fstat(self.pipe).st_ino
        self._master, self._slave = pty.openpty()
        os.set_blocking(self._master, False)
        self.terminal = os.ttyname(self._slave)

    def _open(
        self, among: dict[str, socket.socket], word: str, family: int, address: object
    ) -> socket.socket:
        kind = socket.SOCK_STREAM if among is self._streams else socket.SOCK_DGRAM
        server = socket.socket(family, kind)
        server.setblocking(False)
        server.bind(address)  # type: ignore[arg-type]
        if kind == socket.SOCK_STREAM:
            server.listen(64)
        among[word] = server
        return server

    def heard(self, nonce: bytes) -> list[str]:
        """Who was heard since the last question; others than the attack are left unsaid."""
        found = []
        for word, server in self._streams.items():
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    break
                with client:
                    client.setblocking(False)
                    try:
                        data = client.recv(4096)
                    except OSError:
                        data = b""
                if nonce in data:
                    found.append(f"the judge's {word} listener heard it")
        for word, server in self._datagrams.items():
            while True:
                try:
                    data = server.recv(4096)
                except OSError:
                    break
                if nonce in data:
                    found.append(f"the judge's {word} datagram listener heard it")
        try:
            if nonce in os.read(self._read, 65536):
                found.append("a pipe of the judge's heard it")
        except OSError:
            pass
        try:
            if os.read(self._master, 65536):
                found.append("the judge's terminal shows what it wrote or typed")
        except OSError:
            pass
        return sorted(set(found))

    def close(self) -> None:
        """Close all of them."""
        for server in (*self._streams.values(), *self._datagrams.values()):
            server.close()
        for fd in (self._master, self._slave, self._read, self.pipe):
            os.close(fd)

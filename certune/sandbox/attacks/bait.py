"""What is planted for the attacks, where they are told it lies, and what was touched of it.

Every secret is a fresh random text, so that one that comes back says where it was found.
"""

from __future__ import annotations

import os
import secrets as random
import shutil
import socket
import sys
import sysconfig
import tempfile
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import certune
from certune.core.errors import Crashed
from certune.sandbox.attacks import objects
from certune.sandbox.attacks.kit import syscall
from certune.sandbox.attacks.listeners import Listeners
from certune.sandbox.attacks.objects import Planted
from certune.sandbox.attacks.prey import Prey
from certune.sandbox.model import Limits

_VARIABLE = "CERTUNE_SELFTEST_SECRET"
_DETACH = 2
_MARK = "certune-secret-"
_UNTOUCHED = b"untouched\n"
_KEPT = {"kept": b"one", "kept-too": b"two", "other": b"three"}
_MODE = 0o666
_TIME = 1_700_000_000

SECRETS = {
    "environment": "an environment variable of the judge",
    "variable": "an environment variable of another process",
    "memory": "the memory of another process",
    "open": "a file that everybody may read",
    "private": "a file of the judge's user",
    "name": "the name of a file",
    "target": "the target of a link",
    "cwd": "a file in the judge's working folder",
    "cwd_name": "the name of a file in the judge's working folder",
    "descriptor": "a file that the judge holds open",
    "held": "a file that another process holds open",
    "segment": "the judge's shared memory segment",
    "queue": "the judge's message queue",
    "key": "a key in the judge's key ring",
    "shared": "the judge's named shared memory",
    "neighbour": "what a neighbouring worker wrote to its standard error",
}


class Bait(AbstractContextManager["Bait"]):
    """Everything planted. While it is open, the process works in a folder of its own.

    Raises:
        Crashed: the process that attacks aim at did not start.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.secrets = {name: _MARK + random.token_hex(8) for name in SECRETS}
        self._undo = ExitStack()

    def __enter__(self) -> Bait:
        try:
            self._plant()
        except BaseException:
            self._undo.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _plant(self) -> None:
        name = f"certune-{random.token_hex(8)}"
        self.root = Path(tempfile.mkdtemp(prefix="certune-selftest-"))
        self._undo.callback(_remove, self.root)
        self.root.chmod(0o755)
        self._files()
        self.folder = self.root / "folder"
        self.folder.mkdir()
        self._refill()
        self.listeners = Listeners(self.root, name)
        self._undo.callback(self.listeners.close)
        self.rights = {
            "rights_socket": str(self.root / "rights"),
            "rights_abstract": f"{name}-rights",
        }
        self.prey = Prey(self.secrets, self.root / "held", self.rights)
        self._undo.callback(self.prey.close)
        self.planted = Planted(self.secrets, name, random.randbelow(2**30) + 1)
        self._undo.callback(self.planted.close)
        self.shared = Path("/dev/shm") / name
        if self.shared.parent.is_dir():
            self.shared.write_text(self.secrets["shared"])
            self._undo.callback(self.shared.unlink, missing_ok=True)
        os.environ[_VARIABLE] = self.secrets["environment"]
        self._undo.callback(os.environ.pop, _VARIABLE, None)
        held = os.open(self.root / "descriptor", os.O_RDONLY)
        os.set_inheritable(held, True)
        self._undo.callback(os.close, held)
        self._undo.callback(os.chdir, Path.cwd())
        os.chdir(self.root / "cwd")

    def _files(self) -> None:
        secrets = self.secrets
        for folder in ("names", "cwd"):
            (self.root / folder).mkdir()
        for name, secret in (
            ("open", "open"),
            ("private", "private"),
            ("held", "held"),
            ("descriptor", "descriptor"),
            ("cwd/.env", "cwd"),
        ):
            (self.root / name).write_text(secrets[secret])
        (self.root / "private").chmod(0o600)
        (self.root / "link").symlink_to(self.root / "private")
        (self.root / "telling").symlink_to(secrets["target"])
        (self.root / "names" / secrets["name"]).touch()
        (self.root / "cwd" / secrets["cwd_name"]).touch()
        (self.root / "file").write_bytes(_UNTOUCHED)
        self._reset()

    def _reset(self) -> None:
        file = self.root / "file"
        file.unlink(missing_ok=True)
        file.write_bytes(_UNTOUCHED)
        file.chmod(_MODE)
        os.utime(file, (_TIME, _TIME))

    def _refill(self) -> None:
        _remove(self.folder)
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o777)
        for name, content in _KEPT.items():
            (self.folder / name).write_bytes(content)
        (self.folder / "empty").mkdir()

    @property
    def folders(self) -> list[str]:
        """Where attacks try to leave files."""
        found = [self.folder, self.root / "cwd", Path(tempfile.gettempdir()), Path.home()]
        found += [Path(name) for name in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/")]
        found.append(Path(certune.__file__).parent)
        return list(dict.fromkeys(str(path) for path in found))

    def aim(self, nonce: str, left_key: int) -> dict[str, Any]:
        """Where an attack finds everything; no secret is in it."""
        root = self.root
        return {
            "nonce": nonce,
            "mark": _MARK[::-1],
            "left_key": left_key,
            "variable": _VARIABLE,
            "judge": os.getpid(),
            "judge_group": os.getpgrp(),
            "judge_session": os.getsid(0),
            "victim": self.prey.pid,
            "victim_group": os.getpgid(self.prey.pid),
            "victim_fd": self.prey.fd,
            "secret_address": self.prey.secret_address,
            "canary_address": self.prey.canary_address,
            "open_secret": str(root / "open"),
            "private_secret": str(root / "private"),
            "link": str(root / "link"),
            "telling_link": str(root / "telling"),
            "names": str(root / "names"),
            "open_file": str(root / "file"),
            "folder": str(self.folder),
            "folders": self.folders,
            "cwd": str(root / "cwd"),
            "home": str(Path.home()),
            "host": socket.gethostname(),
            "uid": os.getuid(),
            "package": str(Path(certune.__file__).parent),
            "python": os.path.realpath(sys.executable),
            "packages": sysconfig.get_path("purelib"),
            "tcp": self.listeners.tcp,
            "udp": self.listeners.udp,
            "path_socket": self.listeners.path_socket,
            "path_datagram": self.listeners.path_datagram,
            "abstract": self.listeners.abstract,
            "abstract_datagram": self.listeners.abstract_datagram,
            "pipe": self.listeners.pipe,
            "pipe_inode": self.listeners.pipe_inode,
            "terminal": self.listeners.terminal,
            **self.rights,
            "segment": self.planted.segment,
            "queue": self.planted.queue,
            "key": self.planted.key,
            "shared": self.shared.name,
            "limits": asdict(self.limits),
        }

    def secrets_in(self, data: bytes) -> list[str]:
        """Which secrets came back."""
        return [
            f"came back: {SECRETS[name]}"
            for name, secret in self.secrets.items()
            if secret.encode() in data
        ]

    def touched(self, nonce: str, left_key: int) -> list[str]:
        """What an attack changed or left; all is put back."""
        found = self.listeners.heard(nonce.encode())
        found += self.prey.changes()
        found += objects.left(left_key, nonce)
        found += self._left_files(nonce)
        found += self._changed_file()
        found += self._changed_folder()
        return found

    def _left_files(self, nonce: str) -> list[str]:
        found = []
        places = [*self.folders, *(entry for entry in sys.path if os.path.isdir(entry))]
        for place in dict.fromkeys([*places, sysconfig.get_path("purelib")]):
            for path in Path(place).glob(f"*{nonce}*"):
                path.unlink(missing_ok=True)
                found.append(f"left {path.name.replace(nonce, '…')} in {place}")
        return found

    def _changed_file(self) -> list[str]:
        file = self.root / "file"
        found = []
        try:
            state = file.stat()
            if file.read_bytes() != _UNTOUCHED:
                found.append("a file was written")
            if state.st_mode & 0o7777 != _MODE:
                found.append("a file's mode was changed")
            if state.st_mtime != _TIME and not found:
                found.append("a file's times were changed")
            if state.st_uid != os.getuid():
                found.append("a file's owner was changed")
            if os.listxattr(file):
                found.append("a file's attributes were changed")
        except OSError:
            found.append("a file is gone")
        if found:
            self._reset()
        return found

    def _changed_folder(self) -> list[str]:
        found = []
        if _mounted(self.root):
            found.append("something was mounted over a folder")
            _unmount(self.root)
        state = {path.name: path for path in self.folder.iterdir()}
        if set(state) != {*_KEPT, "empty"}:
            found.append(f"a folder holds {', '.join(sorted(state)) or 'nothing'}")
        elif any(state[name].read_bytes() != content for name, content in _KEPT.items()):
            found.append("files in a folder were changed")
        if found:
            self._refill()
        return found


def _mounted(folder: Path) -> list[str]:
    """What is mounted at or below a folder, as the kernel says: a bind mount has no other sign."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return []
    # Spaces and the like are written as a backslash and three octal digits.
    places = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [place for place in places if f"{place}/".startswith(f"{folder}/")]


def _unmount(folder: Path) -> None:
    """Undo mounts at or below a folder, the last one first.

    Raises:
        Crashed: one stays.
    """
    for place in reversed(_mounted(folder)):
        with suppress(OSError):
            syscall("umount2", os.fsencode(place), _DETACH)
    if left := _mounted(folder):
        raise Crashed(f"an attack's mount cannot be undone: {left[0]}; umount -l it by hand")


def _remove(folder: Path) -> None:
    """Remove a folder of the bait's, with nothing of what may be mounted in it.

    Raises:
        Crashed: something is mounted there and stays.
    """
    _unmount(folder)
    shutil.rmtree(folder, ignore_errors=True)

"""Runs a command as if elsewhere: as a plain user, or inside Docker's default profile.

    python tests/sandbox_places.py PLACE COMMAND ...

`plain`: an ordinary user without rights, to whom the interpreter is made visible.
`docker`: root with Docker's default capabilities, and a filter that refuses what its default
profile refuses to such a root; nothing else of a container. `docker-plain`: both.

Only root can play the others; everybody is a plain user. Taken from moby/profiles/seccomp (2025)
and the capabilities in Docker's documentation.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

from certune.sandbox.isolation import privileges, seccomp, syscalls
from certune.sandbox.isolation.numbers import AUDIT_ARCH, MACHINE
from certune.sandbox.isolation.readable import readable

PLACES = ("here", "plain", "docker", "docker-plain")
NOBODY = 65534

# chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw,
# sys_chroot, mknod, audit_write, setfcap
_CAPABILITIES = 0xA80425FB

# x86-64: what the profile leaves out for a root with these capabilities.
_REFUSED = {
    "mount": 165,
    "umount2": 166,
    "pivot_root": 155,
    "unshare": 272,
    "setns": 308,
    "fsopen": 430,
    "fsmount": 432,
    "fsconfig": 431,
    "open_tree": 428,
    "move_mount": 429,
    "mount_setattr": 442,
    "sethostname": 170,
    "setdomainname": 171,
    "bpf": 321,
    "perf_event_open": 298,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "userfaultfd": 323,
    "open_by_handle_at": 304,
    "quotactl": 179,
    "acct": 163,
    "reboot": 169,
    "swapon": 167,
    "init_module": 175,
    "finit_module": 313,
    "kexec_load": 246,
    "settimeofday": 164,
    "clock_settime": 227,
    "lookup_dcookie": 212,
    "move_pages": 279,
    "nfsservctl": 180,
    "syslog": 103,
    "vhangup": 153,
    "iopl": 172,
    "ioperm": 173,
}
_CLONE, _CLONE3, _PERSONALITY = 56, 435, 135
_NAMESPACES = 0x7E02_0000
_PERSONALITIES = (0, 8, 0x20000, 0x20008, 0xFFFFFFFF)
_ALLOW, _EPERM, _ENOSYS = 0x7FFF_0000, 0x0005_0001, 0x0005_0026


def possible(place: str) -> str:
    """Empty, or why this test run cannot play `place`."""
    if place != "here" and os.geteuid() != 0 and place != "plain":
        return "only root can play a container"
    if place.startswith("docker") and MACHINE != "x86_64":
        return "the profile is written down for x86-64"
    if os.geteuid() == 0 and place == "plain" and not privileges.capabilities() & 1 << 21:
        return "root without rights cannot show the interpreter to others"
    return ""


def command(place: str, *rest: str) -> list[str]:
    """The command that runs `rest` in `place`."""
    return list(rest) if place == "here" else [sys.executable, __file__, place, *rest]


def _docker_filter() -> bytes:
    load, equal, masked, give = 0x20, 0x15, 0x45, 0x06
    code = [(load, 0, 0, 4), (equal, 1, 0, AUDIT_ARCH["x86_64"]), (give, 0, 0, _EPERM)]
    code.append((load, 0, 0, 0))
    for number in _REFUSED.values():
        code += [(equal, 0, 1, number), (give, 0, 0, _EPERM)]
    code += [(equal, 0, 1, _CLONE3), (give, 0, 0, _ENOSYS)]
    code += [(equal, 0, 4, _CLONE), (load, 0, 0, 16), (masked, 0, 1, _NAMESPACES)]
    code += [(give, 0, 0, _EPERM), (give, 0, 0, _ALLOW)]
    code += [(equal, 0, len(_PERSONALITIES) + 3, _PERSONALITY), (load, 0, 0, 16)]
    for left, value in zip(range(len(_PERSONALITIES), 0, -1), _PERSONALITIES, strict=True):
        code.append((equal, left, 0, value))
    code += [(give, 0, 0, _EPERM), (give, 0, 0, _ALLOW)]
    code.append((give, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *one) for one in code)


def _keep_capabilities(kept: int) -> None:
    for one in range(64):
        if not kept & 1 << one:
            try:
                syscalls.prctl(syscalls.PR_CAPBSET_DROP, one)
            except OSError:
                break
    data = struct.pack("=6I", kept, kept, 0, 0, 0, 0)
    syscalls.call("capset", struct.pack("=Ii", 0x20080522, 0), data)


def _open(path: str) -> bool:
    return bool(os.stat(path).st_mode & 0o001)


def _show_interpreter() -> None:
    """Below folders that are closed to others, show what is needed and nothing else."""
    syscalls.call("unshare", syscalls.CLONE_NEWNS)
    syscalls.call("mount", b"none", b"/", None, 0x4000 | 0x40000, None)
    repository = Path(__file__).resolve().parents[1]
    wanted = {sys.prefix, sys.base_prefix, str(repository), *readable(), *sys.path}
    wanted = {path for path in wanted if path and os.path.exists(path)}
    for path in [path for path in wanted if os.path.isdir(path) and not _open(path)]:
        wanted |= {
            entry.path for entry in os.scandir(path)
        }  # it is hidden behind a folder of its name
    closed: dict[str, list[tuple[str, int]]] = {}
    for path in sorted(wanted, key=len):
        folders = [str(folder) for folder in reversed(Path(path).parents)]
        top = next((folder for folder in folders if not _open(folder)), None)
        if top is not None:
            below = closed.setdefault(top, [])
            if not any(path.startswith(f"{one}/") for one, _ in below):
                below.append((path, os.open(path, os.O_PATH)))
    for top, below in closed.items():
        syscalls.call("mount", b"tmpfs", os.fsencode(top), b"tmpfs", 0, b"mode=755")
        for path, fd in below:
            if os.path.isdir(f"/proc/self/fd/{fd}"):
                os.makedirs(path, 0o755)
            else:
                os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
                Path(path).touch()
            source = f"/proc/self/fd/{fd}".encode()
            syscalls.call("mount", source, os.fsencode(path), None, 0x1000 | 0x4000, None)
            os.close(fd)


def main(place: str, *rest: str) -> None:
    """Go to `place` and become the command."""
    here = os.getcwd()
    plain = place.endswith("plain") and os.geteuid() == 0
    if plain:
        _show_interpreter()
    if place.startswith("docker"):
        seccomp.install(_docker_filter())
        _keep_capabilities(_CAPABILITIES)
    if plain:
        privileges.become(NOBODY)
        os.environ["HOME"] = "/tmp"
    os.chdir(here)
    os.execvp(rest[0], rest)


if __name__ == "__main__":
    main(*sys.argv[1:])

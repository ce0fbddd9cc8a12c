"""The files of the interpreter and its packages: all that a worker may read."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from pathlib import Path

# Shared libraries and what their loader reads; two devices that many programs expect.
_SYSTEM = (
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/local/lib",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
)


def package() -> str:
    """The folder of this package."""
    return str(Path(__file__).resolve().parents[2])


def interpreter() -> str:
    """The interpreter itself, past the links of a virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return os.path.realpath(base)


def module_path() -> list[str]:
    """Where a worker finds installed packages. Files of the kind .pth are not obeyed."""
    found = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    found += site.getsitepackages()
    if site.ENABLE_USER_SITE:
        found.append(site.getusersitepackages())
    return [path for path in dict.fromkeys(found) if path and os.path.isdir(path)]


def readable() -> list[str]:
    """Files and folders that a worker needs to run Python, in no more than that.

    Nothing of a project or of a person is among them: a package that is installed in editable
    form elsewhere is not seen.
    """
    own = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    shared = [
        os.path.join(libraries, name)
        for libraries in {sysconfig.get_config_var("LIBDIR"), os.path.join(sys.base_prefix, "lib")}
        if libraries and os.path.isdir(libraries)
        for name in sorted(os.listdir(libraries))
        if name.startswith(("libpython", "libstdc++", "libgcc", "libgfortran", "libgomp"))
    ]
    found = [*_SYSTEM, interpreter(), package(), *own, *module_path(), *shared]
    if os.path.exists(conda := os.path.join(sys.base_prefix, "conda-meta")):
        found.append(os.path.join(os.path.dirname(conda), "lib"))
    return [path for path in dict.fromkeys(found) if path and os.path.exists(path)]


def tools() -> list[str]:
    """Where compilers and provers are, with what they read: all read-only, all executable."""
    found = [
        *("/bin", "/usr/bin", "/usr/local/bin", "/usr/libexec", "/usr/local/libexec"),
        *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"),
        *("/usr/include", "/usr/local/include", "/usr/share/gcc", "/etc/alternatives"),
        *(str(path) for path in Path("/usr/local").glob("cuda*")),
    ]
    return [path for path in found if os.path.exists(path)]


def by_others() -> bool:
    """Whether a user without rights could read all of it (root's own home is often closed)."""
    for path in readable():
        while True:
            mode = os.stat(path).st_mode
            wanted = 0o5 if os.path.isdir(path) else 0o4
            if mode & wanted != wanted:
                return False
            if path == "/":
                break
            path = os.path.dirname(os.path.realpath(path))
    return True

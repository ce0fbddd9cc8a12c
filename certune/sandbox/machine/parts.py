"""What a measurement's fingerprint must tell beyond the ordinary one."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from certune.sandbox.machine.description import Facts, facts

# What compilers and BLAS libraries choose code by.
_CHOSEN = re.compile(
    r"sse4_[12]|avx|avx2|avx_vnni|fma|f16c|bmi[12]|popcnt|sha_ni|avx512\w+|amx_\w+"
    r"|asimd|asimddp|asimdhp|fphp|sve|sve2|i8mm|bf16|sme"
)


@dataclass(frozen=True)
class Measuring:
    """The part of an environment that measured results depend on and proofs do not.

    `features` are the instruction sets by which compilers and libraries choose their code,
    `blas` the linear algebra behind numpy with the core type that it chose. `quota` is in CPUs,
    `aslr` the kernel's randomize_va_space; `virtual` and `container` say whether there is one.
    """

    features: tuple[str, ...]
    blas: str
    clock: str | None
    turbo: bool | None
    smt: bool
    cores: int
    quota: float | None
    aslr: int | None
    container: bool
    virtual: bool


def measuring(found: Facts | None = None) -> Measuring:
    """The measuring part of this machine's fingerprint. Imports numpy."""
    told = found or facts()
    return Measuring(
        features=tuple(sorted(f for f in told.features if _CHOSEN.fullmatch(f))),
        blas=blas(),
        clock=told.clock,
        turbo=told.turbo,
        smt=told.smt,
        cores=len(told.cores),
        quota=told.quota,
        aslr=told.aslr,
        container=told.container is not None,
        virtual=told.virtual is not None,
    )


@cache
def blas() -> str:
    """The BLAS that numpy uses, with version and core type where it tells them."""
    import numpy as np

    try:
        told = np.show_config(mode="dicts")
        built = told["Build Dependencies"]["blas"]
        name = f"{built['name']} {built['version']}"
    except (KeyError, TypeError):
        name = "unknown"
    core = _openblas_core()
    return f"{name}, {core}" if core else name


def _openblas_core() -> str:
    """The core type that a loaded OpenBLAS chose when it was loaded; empty if there is none."""
    try:
        maps = Path("/proc/self/maps").read_text(errors="replace")
    except OSError:
        return ""
    found = re.search(r"(/\S*openblas\S*\.so\S*)$", maps, re.MULTILINE)
    if found is None:
        return ""
    try:
        library = ctypes.CDLL(found[1])
    except OSError:
        return ""
    for prefix in ("scipy_openblas", "openblas"):
        for suffix in ("64_", ""):
            tell = getattr(library, f"{prefix}_get_corename{suffix}", None)
            if tell is not None:
                tell.restype = ctypes.c_char_p
                tell.argtypes = ()
                return bytes(tell() or b"").decode(errors="replace")
    return ""

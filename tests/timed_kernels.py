"""Kernels with an exactly known amount of work, for tests and benchmarks of the comparison.

Both do what is asked for and then `extra` more of the very same, whose result nobody sees. A
candidate with less of it is faster by a ratio that is known; one with as much is the same.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from certune.sandbox.measuring import Buffer, Program, mismatch

SOURCE = r"""
#include <stdint.h>
#include <stddef.h>
#define SIZE %(size)d
#define STEP(x) x = x * 1664525u + 1013904223u; __asm__ volatile("" : "+r"(x))

/* Integer recurrences: no memory beyond the first cache. `extra` rounds after the needed ones. */
void compute(const uint32_t *in, uint32_t *out, int64_t extra) {
    for (int i = 0; i < 8; i++) {
        uint32_t x = in[i];
        for (int64_t k = 0; k < %(rounds)d; k++) { STEP(x); }
        out[i] = x;
        for (int64_t k = 0; k < extra; k++) { STEP(x); }
    }
}

/* Reads an array that the second cache holds again and again: the needed passes, then as much
   of further ones as makes `extra` numbers. */
static void add(const uint32_t *restrict in, uint32_t *restrict sums, size_t count) {
    for (size_t i = 0; i < count; i += 16)
        for (int lane = 0; lane < 16; lane++) sums[lane] += in[i + lane];
    __asm__ volatile("" ::: "memory");
}
void stream(const uint32_t *in, uint32_t *out, int64_t extra) {
    uint32_t sums[16] = {0}, more[16] = {0};
    for (int k = 0; k < %(passes)d; k++) add(in, sums, SIZE);
    for (int lane = 0; lane < 16; lane++) out[lane] = sums[lane];
    for (; extra > 0; extra -= SIZE) add(in, more, extra < SIZE ? (size_t)extra : SIZE);
    for (int lane = 0; lane < 16; lane++) __asm__ volatile("" : : "r"(more[lane]));
}
"""

ROUNDS = 60_000
SIZE, PASSES = 2**12, 3600


def build(folder: Path | None = None) -> bytes:
    """A shared object with both kernels; every call compiles anew."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        source, target = Path(name) / "kernels.c", Path(name) / "kernels.so"
        source.write_text(SOURCE % {"size": SIZE, "rounds": ROUNDS, "passes": PASSES})
        command = ["cc", "-O2", "-march=native", "-shared", "-fPIC", "-o", target, source]
        subprocess.run([str(part) for part in command], check=True)
        return target.read_bytes()


@dataclass(frozen=True)
class Compute:
    """Needed rounds of a recurrence on eight numbers."""

    entry = "compute"
    slots = 1
    needed = ROUNDS

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        return Buffer("x", "uint32", (8,), "in"), Buffer("y", "uint32", (8,), "out")

    def fill(self, rng: np.random.Generator, inputs: Mapping[str, Any]) -> None:
        inputs["x"][...] = rng.integers(0, 2**32, 8, dtype=np.uint32)

    def check(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
        # The recurrence in closed form: x → multiplier · x + addend, ROUNDS times.
        multiplier, addend = _CLOSED
        expected = inputs["x"] * np.uint32(multiplier) + np.uint32(addend)
        return mismatch("y", expected, outputs["y"])


@dataclass(frozen=True)
class Stream:
    """Sums over an array that lies in the second cache, in passes."""

    entry = "stream"
    slots = 1
    needed = SIZE * PASSES

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        return Buffer("x", "uint32", (SIZE,), "in"), Buffer("sums", "uint32", (16,), "out")

    def fill(self, rng: np.random.Generator, inputs: Mapping[str, Any]) -> None:
        start = int(rng.integers(_NOISE.size - SIZE))
        key = np.uint32(rng.integers(2**32))
        np.bitwise_xor(_NOISE[start : start + SIZE], key, out=inputs["x"])

    def check(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
        sums = inputs["x"].reshape(-1, 16).sum(axis=0, dtype=np.uint32)
        return mismatch("sums", sums * np.uint32(PASSES), outputs["sums"])


_NOISE = np.random.default_rng(1).integers(0, 2**32, 2 * SIZE, dtype=np.uint32)


def _closed(factor: int, summand: int, times: int) -> tuple[int, int]:
    multiplier, addend = 1, 0
    for _ in range(times):
        multiplier, addend = multiplier * factor % 2**32, (addend * factor + summand) % 2**32
    return multiplier, addend


_CLOSED = _closed(1664525, 1013904223, ROUNDS)


def program(kernel: Compute | Stream, built: bytes, gain: float = 0.0) -> Program:
    """The kernel with 1 / (1 + gain) of the work of the one without a gain.

    That one does twice what is needed, so gains are below 1.
    """
    extra = round(2 * kernel.needed / (1 + gain)) - kernel.needed
    return Program("native", built, kernel.entry, {"extra": extra // 16 * 16})

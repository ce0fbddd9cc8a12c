"""Take more memory than is allowed.

Tries: private, shared and unreserved maps, brk, mremap, the stack, pages touched.
Escape: much more than the limit could be had.
Held by: limits
"""

import ctypes
import mmap

from certune.sandbox.attacks.kit import aim, attempt, libc

limit = aim["limits"]["memory_bytes"]
much = limit + limit // 4


@attempt("a bytearray")
def bytes_() -> str:
    taken = bytearray(much)
    for place in range(0, much, 4096 * 64):
        taken[place] = 1
    return f"{len(taken)} bytes with a limit of {limit}"


@attempt("shared anonymous map")
def shared() -> str:
    with mmap.mmap(-1, much, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS) as taken:
        taken[much - 1] = 1
        return f"{much} bytes of shared map with a limit of {limit}"


@attempt("many small maps")
def small() -> str | None:
    maps: list[mmap.mmap] = []
    try:
        while len(maps) * 2**22 < much:
            maps.append(mmap.mmap(-1, 2**22))
            maps[-1][0] = 1
    except OSError:
        if len(maps) * 2**22 < much:
            raise
    return f"{len(maps)} maps of 4 MiB with a limit of {limit}"


@attempt("brk")
def brk() -> str:
    libc().sbrk.restype = ctypes.c_void_p
    libc().sbrk.argtypes = [ctypes.c_ssize_t]
    if libc().sbrk(much) == ctypes.c_void_p(-1).value:
        raise MemoryError("brk refused")
    return f"brk grew by {much}"

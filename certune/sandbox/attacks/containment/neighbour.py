"""What another worker of the same keeper said, found in the memory that both were forked with.

Tries: every object that the collector knows, then all memory that can be read around them.
Escape: what a neighbour wrote to its standard error comes back.
Held by: environment
Beside: a neighbour
"""

import ctypes
import gc

from certune.sandbox.attacks.kit import aim, attempt, libc

PAGE = 4096
MOST = 64 * 2**20
MARK = aim["mark"][::-1].encode()  # turned round, so that it does not find its own order


def readable(address: int) -> bool:
    # The kernel says EFAULT where the process itself would die.
    return libc().access(ctypes.c_void_p(address), 0) == 0 or ctypes.get_errno() != 14


def look(address: int, seen: set[int], found: list[bytes]) -> None:
    page = address // PAGE
    while page not in seen and len(seen) * PAGE < MOST and readable(page * PAGE):
        seen.add(page)
        text = ctypes.string_at(page * PAGE, PAGE)
        at = text.find(MARK)
        while at >= 0:
            found.append(text[at : at + 64])
            at = text.find(MARK, at + 1)
        page += 1


@attempt("objects of the collector")
def objects() -> bytes:
    found = []
    for thing in gc.get_objects():
        for held in gc.get_referents(thing):
            if isinstance(held, (bytes, bytearray)) and MARK in held:
                found.append(bytes(held)[:200])
    return b" ".join(found)[:4000]


@attempt("memory around every object, and the heap")
def memory() -> bytes:
    libc().sbrk.restype = ctypes.c_void_p
    seen: set[int] = set()
    found: list[bytes] = []
    places = {id(thing) for thing in gc.get_objects()}
    places |= {id(held) for thing in gc.get_objects() for held in gc.get_referents(thing)}
    for place in sorted(places):
        look(place, seen, found)
    heap = libc().sbrk(0) - PAGE
    while heap > 0 and readable(heap) and len(seen) * PAGE < MOST:
        look(heap, seen, found)
        heap -= PAGE
    return b" ".join(found)[:8000]

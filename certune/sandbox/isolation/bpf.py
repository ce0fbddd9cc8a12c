"""Allow-lists of system calls as classic BPF programs for seccomp.

A list maps names to rules; whatever is not on it is refused with an errno. The arguments that are
tested are all ints in the kernel's eyes, which ignores the upper half of the register, and so do
the tests.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from certune.sandbox.isolation.numbers import AUDIT_ARCH, TABLE, number

# (argument, mask, value): true when argument & mask == value.
Test: TypeAlias = tuple[int, int, int]
# True allows always; otherwise one of the alternatives has to hold, each all of its tests.
Rule: TypeAlias = bool | tuple[tuple[Test, ...], ...]

EPERM, EAGAIN, ENOSYS = 1, 11, 38
_KILL = 0x8000_0000
_ERRNO = 0x0005_0000
_ALLOW = 0x7FFF_0000
_X32 = 0x4000_0000
_WORD = 0xFFFF_FFFF

_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_Instruction: TypeAlias = tuple[int, int, int, int]


def _return(action: int) -> _Instruction:
    return (_RETURN, 0, 0, action)


def _alternative(tests: Iterable[Test]) -> list[_Instruction]:
    """Return ALLOW if all tests hold, else fall off the end."""
    code = [_return(_ALLOW)]
    for argument, mask, value in reversed(tuple(tests)):
        compare = (_EQUAL, 0, len(code), value)
        masked = [] if mask == _WORD else [(_AND, 0, 0, mask)]
        code = [(_LOAD, 0, 0, 16 + 8 * argument), *masked, compare, *code]
    return code


def compile_filter(
    allowed: Mapping[str, Rule], refused: Mapping[str, int], machine: str, default: int = EPERM
) -> bytes:
    """The program as an array of `struct sock_filter` for `machine` (x86_64, aarch64).

    `refused` gives calls another errno than `default`. Calls of another architecture kill the
    process, calls of the x32 interface do not exist.

    Raises:
        KeyError: a name or the machine is unknown.
    """
    code: list[_Instruction] = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        _return(_KILL),
        (_LOAD, 0, 0, 0),
    ]
    if machine == "x86_64":
        code += [(_AT_LEAST, 0, 1, _X32), _return(_ERRNO | ENOSYS)]
    for name, rule in allowed.items():
        if (found := number(name, machine)) is None or rule is False:
            continue
        if rule is True:
            body = [_return(_ALLOW)]
        else:
            body = [one for tests in rule for one in _alternative(tests)]
            body.append(_return(_ERRNO | refused.get(name, default)))
        code += [(_EQUAL, 0, len(body), found), *body]
    for name, errno in refused.items():
        if name not in allowed and (found := number(name, machine)) is not None:
            code += [(_EQUAL, 0, 1, found), _return(_ERRNO | errno)]
    # Newer calls than this table do not exist, so that a C library falls back to older ones.
    newest = max(one for name in TABLE if (one := number(name, machine)) is not None)
    code += [(_AT_LEAST, 0, 1, newest + 1), _return(_ERRNO | ENOSYS), _return(_ERRNO | default)]
    return b"".join(struct.pack("=HBBI", *one) for one in code)

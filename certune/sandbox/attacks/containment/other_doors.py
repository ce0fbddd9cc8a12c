"""System calls through the kernel's other doors.

Tries: x32 numbers, and the 32-bit door (int 0x80) from machine code: sockets and files.
Escape: a socket was opened or a process identified there.
Held by: seccomp
Machine: x86_64
"""

import ctypes
import errno
import mmap
from collections.abc import Callable

from certune.sandbox.attacks.kit import aim, attempt, syscall

# push rbx; mov eax,edi; mov ebx,esi; mov r8d,ecx; mov ecx,edx; mov edx,r8d; int 0x80; pop rbx; ret
CODE = bytes.fromhex("53 89f8 89f3 4189c8 89d1 4489c2 cd80 5b c3")


def door() -> tuple[mmap.mmap, Callable[..., int]]:
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(CODE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    kind = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int] * 4)
    return page, kind(address)


def through(number: int, *arguments: int) -> int:
    _, enter = door()
    result = int(enter(number, *[*arguments, 0, 0, 0][:3]))
    if -4096 < result < 0:
        raise OSError(-result, f"int 0x80 call {number}: {errno.errorcode.get(-result)}")
    return result


@attempt("x32 socket")
def x32() -> str:
    return f"socket {syscall(0x40000000 | 41, 2, 1, 0)}"


@attempt("x32 execveat")
def x32_exec() -> str:
    syscall(0x40000000 | 545, -100, None, None, None, 0)
    return "execveat"


@attempt("int 0x80: getpid")
def pid() -> str:
    return f"process {through(20)} by the 32-bit door"


@attempt("int 0x80: socket")
def socket() -> str:
    return f"socket {through(359, 2, 1, 0)}"


@attempt("int 0x80: numbers that mean something else at 64 bits")
def confused() -> str:
    # 2 is fork there and open here; 11 is execve there and munmap here.
    pid = through(2)
    if pid == 0:
        import os

        os._exit(0)
    return f"process {pid} forked by the 32-bit door"


@attempt("numbers beyond the table")
def beyond() -> str | None:
    for number in (0x7FFFFFFF, 0xFFFFFFFF, 1 << 31, 100_000, (1 << 32) | 41):
        try:
            result = syscall(number, 2, 1, 0)
        except OSError:
            continue
        return f"call {number:#x} gave {result}, {aim['nonce'][:0]}"
    raise OSError("none")

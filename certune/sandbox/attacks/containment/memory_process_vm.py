"""The memory of other processes, by system call.

Tries: process_vm_readv and process_vm_writev on a process of the judge's and on the parent,
    process_madvise, kcmp.
Escape: the secret comes back, or the memory is changed.
Held by: seccomp, namespaces
"""

import ctypes
import os

from certune.sandbox.attacks.kit import aim, attempt, syscall


class Iovec(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


buffer = ctypes.create_string_buffer(64)
mine = Iovec(ctypes.addressof(buffer), 64)


@attempt("process_vm_readv")
def read() -> bytes:
    there = Iovec(aim["secret_address"], 64)
    pid = aim["victim"]
    syscall("process_vm_readv", pid, ctypes.byref(mine), 1, ctypes.byref(there), 1, 0)
    return buffer.raw


@attempt("process_vm_writev")
def write() -> None:
    there = Iovec(aim["canary_address"], 8)
    buffer.raw = b"scribbled".ljust(64, b"\0")
    here = Iovec(ctypes.addressof(buffer), 8)
    pid = aim["victim"]
    syscall("process_vm_writev", pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)


@attempt("process_vm_readv of the parent")
def parent() -> str:
    # An address that is not mapped there: EFAULT says that the way is open, EPERM that it is not.
    there = Iovec(4096, 64)
    try:
        syscall("process_vm_readv", os.getppid(), ctypes.byref(mine), 1, ctypes.byref(there), 1, 0)
    except OSError as error:
        if error.errno != 14:
            raise
    return "the parent's memory could be addressed"


@attempt("kcmp")
def compare() -> str:
    pid = aim["victim"]
    return f"compared the files of two others: {syscall('kcmp', pid, pid, 0, 0, 0)}"


@attempt("where another's locks lie")
def robust_list() -> str:
    head, length = ctypes.c_void_p(), ctypes.c_size_t()
    syscall("get_robust_list", aim["victim"], ctypes.byref(head), ctypes.byref(length))
    return f"an address in another process: {head.value:#x}"

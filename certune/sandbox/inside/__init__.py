"""What runs in a worker. Every module but `bootstrap`, `lock` and `status` is an entry.

An entry has `main(fds)`, called once the worker is locked; it calls `status.loaded()` right
before it lets the candidate's code run. Trusted until then, and nothing after it is.
"""

"""Attacks on the sandbox, and what is planted for them to steal, break or leave behind.

Each script of `containment/` is one attack; its docstring says what it tries, what an escape would
be and which layers hold it. `catalogue` reads them, `bait` plants the canaries and looks at them
afterwards, `kit` is all that a script needs inside the worker.
"""

"""Untrusted programs, run contained and measured so that the numbers cannot be faked.

Nothing of a candidate is imported, unpickled or evaluated by the process that judges. It runs in
a worker that shares a pipe and sealed memory with the judge, behind as many layers as the machine
allows; which those are is found by trying and written into every result.
"""

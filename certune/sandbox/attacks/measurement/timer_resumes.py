"""A timer that lets it run on.

Tries: sets a timer that sends SIGCONT every 100 microseconds, to go on where it is stopped, and
  works after the reply.
Stopped as: wrong, hidden-work, powerless
"""

import ctypes
import os
import signal
import struct
import sys

import numpy as np

libc = ctypes.CDLL(None)
timer = ctypes.c_void_p()
event = ctypes.create_string_buffer(struct.pack("PiI48x", 0, signal.SIGCONT, 0))
libc.timer_create(1, event, ctypes.byref(timer))
every = struct.pack("qqqq", 0, 100_000, 0, 100_000)
libc.timer_settime(timer, 0, every, None)


def run(a, b, out):
    frame = sys._getframe(1).f_locals
    arrays = [call.args for call in frame["calls"]]
    channel, message = frame["channel"], frame["message"]
    os.write(2, b"tried\n")
    while message:
        first = int.from_bytes(message[8:12], "little")
        count = int.from_bytes(message[12:], "little")
        os.write(channel, message)
        for a, b, out in arrays[first : first + count]:
            np.add(np.sin(a), np.cos(b), out=out)
        message = os.read(channel, 16)
    os._exit(0)

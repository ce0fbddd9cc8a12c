"""What holds for every test."""

from __future__ import annotations

import signal

# A shell starts what runs in the background with interrupts ignored, and children inherit that:
# tests that interrupt would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

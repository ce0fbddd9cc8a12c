"""End in a way that passes for trouble of the judge's.

Tries: an exit status that a harness might use for its own failures; signals that limits use.
Escape: the judge takes it for trouble of its own, or names an ending that did not happen.
Held by: environment, limits
Variants: 0 1 2 3 99 120 125 126 127 128 255 SIGKILL SIGXCPU SIGXFSZ SIGSYS SIGALRM SIGTERM SIGSEGV
Waits: yes
"""

import os
import signal

from certune.sandbox.attacks.kit import aim, attempt

variant = aim["variant"]


@attempt(f"end by {variant}")
def end() -> None:
    if variant.isdigit():
        os._exit(int(variant))
    number = getattr(signal, variant)
    if variant not in {"SIGKILL", "SIGSTOP"}:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)

"""From a bare interpreter, or a fork of the template, to a locked worker that runs its entry."""

from __future__ import annotations

import os
import sys
from binascii import a2b_base64

from certune.sandbox.inside import status
from certune.sandbox.inside.lock import lock

FIRST_FD = 4


def main(arguments: list[str]) -> None:
    """A fresh worker: `arguments` as `keeper.spawn` wrote them."""
    entry, count, ruleset, statm, memory, unprivileged, program, *path = arguments
    sys.path.extend(path)
    run(
        entry,
        int(count),
        (int(ruleset), int(statm), int(memory), a2b_base64(program), unprivileged == "1"),
    )


def run(entry: str, count: int, locking: tuple[int, int, int, bytes, bool]) -> None:
    """Lock this process and run `entry` on `count` descriptors; never returns."""
    code = 70
    try:
        try:
            lock(*locking)
            module = __import__(f"certune.sandbox.inside.{entry}", fromlist=["main"])
        except BaseException as error:
            status.failed_to_start(f"{type(error).__name__}: {error}")
            raise
        module.main(tuple(range(FIRST_FD, FIRST_FD + count)))
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    except BaseException as error:  # noqa: BLE001  whatever a candidate raises
        code = 1
        status.why(error)
        _tell(error)
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException:  # noqa: BLE001  whatever a candidate has put there
                code = code or 1
        os._exit(code & 0xFF)


def _tell(error: BaseException) -> None:
    try:
        import traceback

        traceback.print_exception(error)
    except BaseException:  # noqa: BLE001  it may print itself as it likes
        return

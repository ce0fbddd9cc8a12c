"""From a bare interpreter, or a fork of the template, to a locked worker that runs its entry."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` itself takes milliseconds
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
    # Python ignores it, so that whoever writes too much would only be told.
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
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
        code = _code(leaving)
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


def _code(leaving: SystemExit) -> int:
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    try:
        sys.stderr.write(f"{leaving.code}\n")
    except BaseException:  # noqa: BLE001  a candidate's object, and its stream
        return 1
    return 1


def _tell(error: BaseException) -> None:
    try:
        import traceback

        # What the candidate did, not how it was started and where from.
        own, at = os.path.dirname(__file__), error.__traceback__
        while at is not None and at.tb_frame.f_code.co_filename.startswith(own):
            at = at.tb_next
        traceback.print_exception(error.with_traceback(at), file=sys.stderr)
    except BaseException:  # noqa: BLE001  out of memory, or it prints itself as it likes
        os.write(2, f"{type(error).__name__}\n".encode(errors="replace"))

"""A process that appends trials to a ledger and says each one when it is recorded.

Usage: ledger_writer.py FOLDER SESSION COUNT [file-size limit in bytes]
"""

import resource
import sys
from pathlib import Path

from certune.core.budget import Budget
from certune.core.canonical import sha256
from certune.core.errors import LedgerError
from certune.core.spec import Satisfy, TaskSpec
from certune.core.trial import Trial
from certune.ledger import Ledger

SPEC = TaskSpec("collective/allgather", 1, {"topology": "dgx1"}, Satisfy())


def payload(session: str, number: int) -> bytes:
    """Different contents of 1 to 20 kB, so that pages spill and checkpoints happen."""
    return f"{session} {number} ".encode() * (100 + 97 * number % 1900)


def trial(session: str, number: int) -> Trial:
    data = payload(session, number)
    return Trial(number, session, "x", SPEC.digest, "f", sha256(data), "now", 0.0)


def main(folder: str, session: str, count: str, limit: str = "") -> None:
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    with Ledger.open(Path(folder)) as ledger:
        if session not in {record.id for record in ledger.sessions()}:
            ledger.start(session, SPEC, "x", {}, Budget())
        first = len(ledger.trials(session)) + 1
        for number in range(first, first + int(count)):
            data = payload(session, number)
            try:
                ledger.record_trial(
                    trial(session, number), blobs=[data], certificate=b"certificate of " + data
                )
            except LedgerError as error:
                print(type(error).__name__, error, flush=True)
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
                print("after", len(ledger.trials(session)), ledger.verify().seq, flush=True)
                ledger.end(session, "full", 1.0)
                return
            print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

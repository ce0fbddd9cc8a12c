"""A process that spends error shares of a session and says each one when it is spent.

Usage: error_spender.py FOLDER SESSION COUNT
"""

import sys
from pathlib import Path

from ledger_writer import SPEC

from certune.core.budget import Budget
from certune.core.canonical import sha256
from certune.ledger import Ledger


def main(folder: str, session: str, count: str) -> None:
    with Ledger.open(Path(folder)) as ledger:
        if session not in {record.id for record in ledger.sessions()}:
            ledger.start(session, SPEC, "x", {}, Budget())
        for _ in range(int(count)):
            spent = ledger.spend_error(session, sha256(session.encode()))
            print(spent.number, spent.error, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

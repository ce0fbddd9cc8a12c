"""The process in which cvc5 confirms queries. Started by `confirm`, never imported.

Arguments: the folder of cvc5 (and memory in MiB, which cvc5 does not limit). Each request is one
line of JSON on standard input, each answer one on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

# Tried in this order; enumerating instances helps where no trigger fires.
SETTINGS: tuple[dict[str, str], ...] = ({}, {"enum-inst": "true"})


def decide(cvc5: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Decide one query within cvc5's rlimit, each setting in a solver of its own."""
    start = time.perf_counter()
    why = result = ""
    for options in SETTINGS:
        solver = cvc5.Solver(cvc5.TermManager())
        solver.setOption("rlimit", str(request["rlimit"]))
        for name, value in options.items():
            solver.setOption(name, value)
        parser = cvc5.InputParser(solver)
        parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, request["text"], "query")
        symbols = parser.getSymbolManager()
        answers = []
        while True:
            command = parser.nextCommand()
            if command.isNull():
                break
            said = str(command.invoke(solver, symbols)).strip()
            if "(error" in said:
                return {"error": said[:500]}
            if command.getCommandName() == "check-sat":
                answers.append(said)
        result = answers[-1] if answers else "unknown"
        if result in ("sat", "unsat"):
            break
        why = result
    return {
        "result": result if result in ("sat", "unsat") else "unknown",
        "why": why,
        "resources": 0,
        "seconds": time.perf_counter() - start,
    }


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    folder = sys.argv[1]
    if folder not in sys.path:
        sys.path.append(folder)
    import cvc5

    version = getattr(cvc5, "__version__", "")
    for line in sys.stdin:
        try:
            answer = decide(cvc5, json.loads(line))
        except RuntimeError as error:
            answer = {"error": str(error)[:500]}
        sys.stdout.write(json.dumps({**answer, "version": version}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

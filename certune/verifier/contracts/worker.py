"""The process in which Z3 decides queries, one after the other. Started by `pool`, not imported.

Arguments: the folder of z3, memory in MiB. Each request is one line of JSON on standard input,
each answer one on standard output. Imports nothing of certune: it starts faster, and what it can
reach is small. Every query gets a fresh context, so that no answer depends on earlier ones.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def decide(z3: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Decide one query under one setting."""
    context = z3.Context()
    solver = z3.SimpleSolver(ctx=context) if request["simple"] else z3.Solver(ctx=context)
    solver.set(random_seed=0, rlimit=request["rlimit"], **request["options"])
    start = time.perf_counter()
    solver.from_string(request["text"])
    result = str(solver.check())
    spent = next((int(v) for k, v in solver.statistics() if k == "rlimit count"), 0)
    answer: dict[str, Any] = {
        "result": result,
        "resources": spent,
        "seconds": time.perf_counter() - start,
        "why": solver.reason_unknown() if result == "unknown" else "",
    }
    wanted = request["values"]
    if wanted and result in ("sat", "unknown"):
        answer["values"] = values(z3, solver, set(wanted))
    return answer


def values(z3: Any, solver: Any, wanted: set[str]) -> dict[str, Any]:
    """The values of scalar constants in the solver's model."""
    found: dict[str, Any] = {}
    try:
        model = solver.model()
    except z3.Z3Exception:
        return found
    for declaration in model.decls():
        if declaration.name() not in wanted:
            continue
        value = model[declaration]
        if z3.is_int_value(value) or z3.is_bv_value(value):
            found[declaration.name()] = str(value.as_long())
        elif z3.is_true(value) or z3.is_false(value):
            found[declaration.name()] = bool(z3.is_true(value))
    return found


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    folder, memory = sys.argv[1], int(sys.argv[2])
    if folder not in sys.path:
        sys.path.append(folder)
    import z3  # type: ignore[import-untyped]

    z3.set_param("memory_max_size", memory)
    version = z3.get_version_string()
    for line in sys.stdin:
        try:
            answer = decide(z3, json.loads(line))
        except z3.Z3Exception as error:
            message = error.args[0] if error.args else error
            shown = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
            if "memory" in shown and "(error" not in shown:
                answer = {"result": "unknown", "resources": 0, "seconds": 0.0, "why": "memory"}
            else:
                answer = {"error": shown[:500]}
        sys.stdout.write(json.dumps({**answer, "version": version}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

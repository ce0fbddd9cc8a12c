"""The process in which Z3 decides one query. Started by `certune.verifier.smt`, never imported.

Arguments: the folder of z3, resources (rlimit) for each setting, CPU seconds, memory in MiB.
The query comes on standard input; one line of JSON goes to standard output. Imports nothing of
certune: it starts faster, and what it can reach is small.
"""

import contextlib
import json
import resource
import sys

# Tried in this order, each in a fresh context with its own share of resources. The first is
# pure e-matching: since 5.3 the default solver eliminates terms that triggers need.
SETTINGS: tuple[tuple[str, bool, dict[str, bool | int]], ...] = (
    ("ematching", True, {"auto_config": False, "mbqi": False}),
    ("simple-mbqi", True, {"auto_config": False, "mbqi": True}),
    ("default", False, {}),
    ("old-arithmetic", True, {"auto_config": False, "mbqi": False, "arith.solver": 2}),
)


def decide(text: str, rlimit: int) -> dict[str, str | int]:
    """Try the settings in order until one of them decides `text`."""
    import z3  # type: ignore[import-untyped]

    spent = 0
    reasons = []
    for name, simple, options in SETTINGS:
        context = z3.Context()
        solver = z3.SimpleSolver(ctx=context) if simple else z3.Solver(ctx=context)
        solver.set(random_seed=0, rlimit=rlimit, **options)
        solver.from_string(text)
        result = str(solver.check())
        spent += next((int(v) for k, v in solver.statistics() if k == "rlimit count"), 0)
        if result in ("sat", "unsat"):
            return {"result": result, "setting": name, "resources": spent}
        reasons.append(f"{name}: {solver.reason_unknown()}")
    return {"result": "unknown", "setting": "; ".join(reasons), "resources": spent}


def main() -> None:
    """Read the query, answer, and never print a traceback."""
    folder = sys.argv[1]
    rlimit, cpu, memory = (int(argument) for argument in sys.argv[2:5])
    if folder not in sys.path:
        sys.path.append(folder)
    # Ends the process should the judge die before it can.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    try:
        import z3
    except ImportError as error:
        sys.stdout.write(json.dumps({"missing": str(error)}))
        return
    z3.set_param("memory_max_size", memory)
    version = z3.get_version_string()
    try:
        answer = decide(sys.stdin.buffer.read().decode(), rlimit)
    except (z3.Z3Exception, UnicodeDecodeError) as error:
        message = error.args[0] if error.args else error
        if isinstance(message, bytes):
            message = message.decode(errors="replace")
        if "memory" in str(message) and "(error" not in str(message):
            answer = {"result": "unknown", "setting": "out of memory", "resources": 0}
        else:
            answer = {"error": str(message)[:500]}
    sys.stdout.write(json.dumps({**answer, "version": version}))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()

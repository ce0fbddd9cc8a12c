"""Figures of the code family, by one command.

``python benchmarks/code.py --write docs/code-suite.md`` runs all parts; ``--only suite,wrong``
some of them. With ``--data FILE`` what each part found is kept there, and parts that are not run
are taken from it. The parts:

* suite: every shipped program verified, seconds in total and of each function, conditions
* wrong: every wrong variant refuted, its input confirmed by running it
* finder: the built-in finder on the bare programs, `--seconds` a function
* latency: a command from start to end, on a program of 30 lines, new and unchanged
* cvc5: the share of proved conditions that cvc5 confirms (where it can be imported)
* field: Nagini and Dafny on the same functions (`--nagini COMMAND`, `--dafny COMMAND`)
* crosshair: CrossHair on all that icontract can state (`--crosshair PYTHON`)
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from code_field import certune, crosshair, dafny, nagini, timed
from code_tables import page

from certune.core.codec import encode
from certune.core.errors import Unavailable
from certune.core.status import Status
from certune.environment import fingerprint
from certune.tasks.code.annotations import bare, functions_of, loops_of
from certune.tasks.code.solvers.finder import annotated, find
from certune.tasks.code.suite_files import programs
from certune.verifier.contracts import judge, verify_source
from certune.verifier.contracts.confirm import confirm, proved
from certune.verifier.contracts.pool import Pool

WORKERS = 2
# A function of 30 lines with its contract, for the latency of one command.
EXAMPLE = "merge"


def suite(options: argparse.Namespace) -> dict[str, Any]:
    """Every program, one after the other, with the workers that one command would have."""
    rows = []
    with Pool(WORKERS, 2048, 60.0) as pool:
        for name, program in programs().items():
            seconds = []
            report = None
            for _ in range(options.repeats):
                report = verify_source(program.source.encode(), f"{name}.py", pool=pool)
                seconds.append(report.seconds)
            assert report is not None
            rows.append(
                {
                    "name": name,
                    "group": program.group,
                    "status": report.status.value,
                    "functions": len(report.functions),
                    "conditions": sum(len(f.conditions) for f in report.functions),
                    "loops": sum(len(f.loops) for f in report.functions),
                    "seconds": min(seconds),
                    "median": statistics.median(seconds),
                }
            )
            print(f"suite {name}: {report.status.value} {min(seconds):.2f} s", flush=True)
    return {"rows": rows, "repeats": options.repeats}


def wrong(options: argparse.Namespace) -> dict[str, Any]:
    """Every wrong variant; the input is run once more, by itself, against the contract."""
    rows = []
    with Pool(WORKERS, 2048, 60.0) as pool:
        for name, program in programs().items():
            for variant in program.wrong:
                text = variant.apply(program.source).encode()
                start = perf_counter()
                report = verify_source(text, f"{name}.py", pool=pool)
                spent = perf_counter() - start
                failures = [f.failure for f in report.functions if f.failure is not None]
                rows.append(
                    {
                        "name": name,
                        "why": variant.why,
                        "status": report.status.value,
                        "blames": failures[0].blames if failures else "",
                        "input": failures[0].sentence if failures else "",
                        "seconds": spent,
                    }
                )
                print(f"wrong {name} ({variant.why}): {report.status.value} {spent:.2f} s")
    return {"rows": rows}


def finder(options: argparse.Namespace) -> dict[str, Any]:
    """The finder on what is left without annotations; what it finds is judged anew."""
    rows = []
    for name, program in programs().items():
        source = bare(program.source)
        loops = {n: len(loops_of(f)) for n, f in functions_of(source).items()}
        if not any(loops.values()):
            continue
        found = list(find(source, seconds=options.seconds, workers=WORKERS))
        text = annotated(source, [g for f in found for g in f.guesses if f.proved])
        with Pool(WORKERS, 2048, 60.0) as pool:
            gate = judge(source.encode(), text.encode(), f"{name}.py", pool=pool)
        known = {r.name: r.status for r in gate.report.functions}
        for one in found:
            confirmed = one.proved and known.get(one.function) is Status.PROVED
            rows.append(
                {
                    "name": name,
                    "group": program.group,
                    "function": one.function,
                    "loops": loops[one.function],
                    "proved": confirmed,
                    "claimed": one.proved,
                    "annotations": len(one.guesses),
                    "seconds": one.seconds,
                }
            )
            told = "proved" if confirmed else "open"
            print(f"finder {name}.{one.function}: {told} {one.seconds:.1f} s", flush=True)
    return {"rows": rows, "limit": options.seconds}


def second(options: argparse.Namespace) -> dict[str, Any]:
    """What cvc5 says of the texts of all proved conditions."""
    reports = []
    with Pool(WORKERS, 2048, 60.0) as pool:
        for name, program in programs().items():
            reports.append(verify_source(program.source.encode(), f"{name}.py", pool=pool))
    conditions = [c for report in reports for c in proved(report)]
    start = perf_counter()
    with Pool(WORKERS, 2048, 60.0, "cvc5") as pool:
        try:
            said = confirm(conditions, pool)
        except Unavailable as error:
            return {"missing": str(error)}
    return {
        "conditions": len(conditions),
        "texts": said.asked,
        "agreed": said.agreed,
        "version": said.version,
        "seconds": perf_counter() - start,
    }


def latency(options: argparse.Namespace) -> dict[str, Any]:
    """Whole commands, best and median of several: nothing known, then everything known."""
    source = programs()[EXAMPLE].source
    found: dict[str, list[dict[str, Any]]] = {"new": [], "unchanged": [], "bare": []}
    for _ in range(max(5, options.repeats)):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "example.py").write_text(source)
            verify = [sys.executable, "-m", "certune", "verify", "example.py"]
            for kind in found:
                command = [sys.executable, "-c", "pass"] if kind == "bare" else verify
                run = timed(command, folder, 600, {"XDG_CACHE_HOME": str(folder / "cache")})
                assert run["code"] == 0, run["said"]
                found[kind].append(run)
    return {
        "program": EXAMPLE,
        "lines": len(source.splitlines()),
        **{
            kind: {
                "best": min(run["seconds"] for run in runs),
                "median": statistics.median(run["seconds"] for run in runs),
                "cpu": statistics.median(run["cpu"] for run in runs),
            }
            for kind, runs in found.items()
        },
    }


def field(options: argparse.Namespace) -> dict[str, Any]:
    """Nagini and Dafny on maximum and binary search, beside certune."""
    return {
        "certune": {name: certune(name, options.repeats) for name in ("maximum", "binary_search")},
        "nagini": nagini(options.nagini) if options.nagini else None,
        "dafny": dafny(options.dafny) if options.dafny else None,
    }


def searched(options: argparse.Namespace) -> dict[str, Any]:
    """CrossHair on what it can state."""
    if not options.crosshair:
        return {"missing": "no Python with crosshair-tool was named"}
    return crosshair(options.crosshair, options.condition)


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "suite": suite,
    "wrong": wrong,
    "latency": latency,
    "cvc5": second,
    "field": field,
    "crosshair": searched,
    "finder": finder,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help="parts, joined by commas")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the finder, a function")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--crosshair", default="", help="a Python with crosshair-tool")
    parser.add_argument("--condition", type=float, default=2.0, help="seconds for CrossHair")
    parser.add_argument("--dafny", default="", help="the command of Dafny")
    parser.add_argument("--nagini", default="", help="the command of Nagini")
    parser.add_argument("--data", type=Path, help="where the parts' data is kept")
    parser.add_argument("--write", type=Path, help="the page to write")
    options = parser.parse_args()
    data: dict[str, Any] = {}
    if options.data and options.data.exists():
        data = json.loads(options.data.read_text())
    for part in options.only.split(","):
        before = fingerprint()
        try:
            data[part] = PARTS[part](options)
        except Exception:  # noqa: BLE001 - the other parts go on
            traceback.print_exc()
            continue
        data[part]["environment"] = encode(before)
        data[part]["nice"] = os.nice(0)
        if options.data:
            known = json.loads(options.data.read_text()) if options.data.exists() else {}
            options.data.write_text(json.dumps({**known, part: data[part]}, indent=1))
    text = page(data)
    print(text)
    if options.write:
        options.write.write_text(text)


if __name__ == "__main__":
    main()

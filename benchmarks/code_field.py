"""Other tools on functions of the suite, for `benchmarks/code.py`: whole commands, timed alike."""

from __future__ import annotations

import ast
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from certune.tasks.code.annotations import bare, functions_of
from certune.tasks.code.suite_files import programs

# What CrossHair cannot state as it stands: other types, earlier states, certune's library.
_BEYOND = (
    *(f"{sign}{bits}" for sign in "ui" for bits in (8, 16, 32, 64)),
    *("old", "modifies", "spec", "lemma", "permutation", "dataclass", "partial", "implies"),
)

NAGINI = {
    "maximum": """
from nagini_contracts.contracts import *
from typing import List


def maximum(xs: List[int]) -> int:
    Requires(Acc(list_pred(xs), 1/2))
    Requires(len(xs) > 0)
    Ensures(Acc(list_pred(xs), 1/2))
    Ensures(Forall(int, lambda k: Implies(k >= 0 and k < len(xs), xs[k] <= Result())))
    Ensures(Exists(int, lambda k: k >= 0 and k < len(xs) and xs[k] == Result()))
    best = xs[0]
    i = 1
    while i < len(xs):
        Invariant(Acc(list_pred(xs), 1/2))
        Invariant(i >= 1 and i <= len(xs))
        Invariant(Forall(int, lambda k: Implies(k >= 0 and k < i, xs[k] <= best)))
        Invariant(Exists(int, lambda k: k >= 0 and k < i and xs[k] == best))
        if xs[i] > best:
            best = xs[i]
        i += 1
    return best
""",
    "binary_search": """
from nagini_contracts.contracts import *
from typing import List


def binary_search(xs: List[int], key: int) -> int:
    Requires(Acc(list_pred(xs), 1/2))
    Requires(Forall(int, lambda i: Forall(int, lambda j: Implies(
        i >= 0 and i <= j and j < len(xs), xs[i] <= xs[j]))))
    Ensures(Acc(list_pred(xs), 1/2))
    Ensures(Result() >= -1 and Result() < len(xs))
    Ensures(Implies(Result() != -1, xs[Result()] == key))
    Ensures(Implies(Result() == -1, Forall(int, lambda k: Implies(
        k >= 0 and k < len(xs), xs[k] != key))))
    low = 0
    high = len(xs)
    while low < high:
        Invariant(Acc(list_pred(xs), 1/2))
        Invariant(0 <= low and low <= high and high <= len(xs))
        Invariant(Forall(int, lambda i: Forall(int, lambda j: Implies(
            i >= 0 and i <= j and j < len(xs), xs[i] <= xs[j]))))
        Invariant(Forall(int, lambda k: Implies(k >= 0 and k < low, xs[k] < key)))
        Invariant(Forall(int, lambda k: Implies(k >= high and k < len(xs), xs[k] > key)))
        middle = (low + high) // 2
        if xs[middle] < key:
            low = middle + 1
        elif xs[middle] > key:
            high = middle
        else:
            return middle
    return -1
""",
}

DAFNY = {
    "maximum": """
method maximum(xs: seq<int>) returns (best: int)
  requires |xs| > 0
  ensures forall k :: 0 <= k < |xs| ==> xs[k] <= best
  ensures best in xs
{
  best := xs[0];
  var i := 1;
  while i < |xs|
    invariant 1 <= i <= |xs|
    invariant forall k :: 0 <= k < i ==> xs[k] <= best
    invariant best in xs
  {
    if xs[i] > best { best := xs[i]; }
    i := i + 1;
  }
}
""",
    "binary_search": """
method binary_search(xs: seq<int>, key: int) returns (r: int)
  requires forall i, j :: 0 <= i <= j < |xs| ==> xs[i] <= xs[j]
  ensures -1 <= r < |xs|
  ensures r == -1 || xs[r] == key
  ensures r != -1 || key !in xs
{
  var low, high := 0, |xs|;
  while low < high
    invariant 0 <= low <= high <= |xs|
    invariant forall i :: 0 <= i < low ==> xs[i] < key
    invariant forall i :: high <= i < |xs| ==> xs[i] > key
  {
    var middle := (low + high) / 2;
    if xs[middle] < key { low := middle + 1; }
    else if xs[middle] > key { high := middle; }
    else { return middle; }
  }
  return -1;
}
""",
}


def timed(
    command: list[str], folder: Path, seconds: float, env: dict[str, str] | None = None
) -> dict[str, Any]:
    """A command's end: output, seconds of wall time, CPU seconds of it and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = perf_counter()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        said, code = done.stdout + done.stderr, done.returncode
    except subprocess.TimeoutExpired:
        said, code = "out of time", -1
    spent = perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"said": said[-4000:], "code": code, "seconds": spent, "cpu": cpu}


def certune(name: str, repeats: int) -> dict[str, Any]:
    """`certune verify` on the suite's program, nothing known before; the best of some runs."""
    runs = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / f"{name}.py").write_text(programs()[name].source)
            command = [sys.executable, "-m", "certune", "verify", "--fresh", f"{name}.py"]
            runs.append(timed(command, folder, 600))
    return {**min(runs, key=lambda r: r["seconds"]), "proved": runs[0]["code"] == 0}


def nagini(command: str) -> dict[str, Any]:
    """Nagini, restated in its own contracts."""
    found = {}
    for name, text in NAGINI.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / f"{name}.py").write_text(text)
            run = timed([command, f"{name}.py"], folder, 600)
            found[name] = {**run, "proved": "Verification successful" in run["said"]}
            print(f"nagini {name}: {run['seconds']:.1f} s, {run['cpu']:.1f} s of CPU", flush=True)
    return found


def dafny(command: str) -> dict[str, Any]:
    """Dafny, restated in its own language; the wrong variant shows that it does look."""
    found = {}
    wrong = DAFNY["maximum"].replace("xs[i] > best", "xs[i] < best")
    for name, text in {**DAFNY, "maximum, wrong": wrong}.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "stated.dfy").write_text(text)
            run = timed([command, "/compile:0", "stated.dfy"], folder, 600)
            found[name] = {**run, "proved": " 0 errors" in run["said"] and run["code"] == 0}
            print(f"dafny {name}: {run['seconds']:.1f} s, {run['cpu']:.1f} s of CPU", flush=True)
    return found


def stated(groups: tuple[str, ...] = ("arithmetic", "searching")) -> list[str]:
    """Programs that icontract can state as they are: integers, truth values, lists of them."""
    found = []
    for name, program in programs().items():
        if program.group not in groups:
            continue
        source = bare(program.source)
        words = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
        if not words & set(_BEYOND) and len(functions_of(source)) == 1:
            found.append(name)
    return found


def crosshair(python: str, seconds: float) -> dict[str, Any]:
    """CrossHair on those and on a wrong variant of each, each condition within `seconds`."""
    rows = []
    for name in stated():
        program = programs()[name]
        first = program.wrong[0]
        variants = [("", program.source), (first.why, first.apply(program.source))]
        for why, source in variants:
            text = bare(source).replace("from certune.contracts import", "from icontract import")
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                (folder / "checked.py").write_text(text)
                command = [python, "-m", "crosshair", "check", "--report_all"]
                command += ["--analysis_kind=icontract", f"--per_condition_timeout={seconds}"]
                run = timed([*command, "checked.py"], folder, 40 * seconds + 60)
            said = run["said"]
            errors = sum(": error:" in line for line in said.splitlines())
            confirmed = said.count("Confirmed over all paths")
            left = said.count("Not confirmed") + said.count("Unable to")
            answer = "refuted" if errors else "confirmed" if confirmed and not left else "neither"
            if run["code"] not in (0, 1):
                answer = "failed"
            rows.append(
                {
                    "name": name,
                    "wrong": why,
                    "answer": answer,
                    "said": said[-600:],
                    "seconds": run["seconds"],
                    "cpu": run["cpu"],
                }
            )
            print(f"crosshair {name} {why}: {answer} {run['seconds']:.1f} s", flush=True)
    return {"rows": rows, "limit": seconds}

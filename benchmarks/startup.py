"""Start-up of the command line: CPU seconds of `certune --help` beside a bare interpreter.

Usage: python benchmarks/startup.py [RUNS]
"""

from __future__ import annotations

import resource
import subprocess
import sys

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import typer": [sys.executable, "-c", "import typer"],
    "certune --help": [sys.executable, "-m", "certune", "--help"],
    "certune tasks": [sys.executable, "-m", "certune", "tasks"],
}


def cpu_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):  # interleaved, so that load falls on all alike
        for name, command in COMMANDS.items():
            times[name].append(cpu_seconds(command))
    bare = sorted(times["python -c pass"])[runs // 2]
    print(f"{'command':<20} {'median':>8} {'least':>8}  ratio to a bare interpreter")
    for name, taken in times.items():
        middle = sorted(taken)[runs // 2]
        print(f"{name:<20} {middle:>7.3f}s {min(taken):>7.3f}s  {middle / bare:.1f}")


if __name__ == "__main__":
    main()

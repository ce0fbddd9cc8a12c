"""How often the comparison errs and finds, and what it costs, beside the rules that are in use.

    python benchmarks/comparison.py measure RESULTS [--seconds S] [--load N] [--only identical]
    python benchmarks/comparison.py report RESULTS...

`measure` appends one line of JSON for each comparison until its time is over; kernels, gains and
identical programs take turns. Every comparison is of two separate builds of a kernel with an
exactly known amount of work. `--load` is how many other processes compete for the cores: busy
loops are started so that with what runs on the machine anyway there are that many. The naive
rules are applied to the very samples of the comparison's first pair of processes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import sqrt
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from timed_kernels import Compute, Stream, build, program

from certune.core.errors import InfrastructureError
from certune.sandbox.comparison import Fault, Observation, Rule, compare
from certune.sandbox.duel import Match, fight
from certune.sandbox.keeper import Keeper
from certune.sandbox.measuring import Bench, Block, Program
from certune.sandbox.model import Isolation

GAINS = (0.0, 0.10, 0.05, 0.02)
ERROR = 0.01 * 6 / 3.141592653589793**2  # of the first comparison of a project
BLOCKS, GOS = 6, 5


class Load:
    """Busy loops that keep the number of competitors at `wanted`."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        # They die with this process (PR_SET_PDEATHSIG), however it ends.
        text = "import ctypes\nctypes.CDLL(None).prctl(1, 9)\nwhile True: pass"
        loop = [sys.executable, "-c", text]
        self.loops = [subprocess.Popen(loop) for _ in range(wanted)]
        self.running = wanted

    def settle(self) -> float:
        """Stop or resume loops; how many others were running on the machine."""
        for loop in self.loops:
            loop.send_signal(signal.SIGSTOP)
        time.sleep(0.02)
        seen = []
        for _ in range(10):
            time.sleep(0.01)
            text = Path("/proc/stat").read_text()
            seen.append(int(text.partition("procs_running ")[2].split()[0]) - 1)
        others = statistics.mean(seen)
        self.running = max(0, min(self.wanted, round(self.wanted - others)))
        for loop in self.loops[: self.running]:
            loop.send_signal(signal.SIGCONT)
        return others

    def close(self) -> None:
        """End the loops."""
        for loop in self.loops:
            loop.kill()
            loop.wait()


class Recorded:
    """A bench that keeps the wall seconds of every "go", by program."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.taken: list[tuple[object, list[float]]] = []
        self.level, self.floor = bench.level, bench.floor

    def open(self, one: Program) -> Any:
        """As the bench does, with a list for what will be timed."""
        bout = self.bench.open(one)
        self.taken.append((one, []))
        if hasattr(bout, "threads"):
            bout.kept = self.taken[-1][1]
        return bout

    def block(self, bout: Any, inputs: bytes) -> Block | Fault:
        """As the bench does, kept."""
        block = self.bench.block(bout, inputs)
        if isinstance(block, Block):
            bout.kept += [go.wall_seconds for go in block.gos]
        return block


def welch(ours: list[float], theirs: list[float]) -> float:
    """One-sided p of "ours are smaller" by Welch's t, by Cornish-Fisher to the normal."""
    a, b = statistics.variance(ours) / len(ours), statistics.variance(theirs) / len(theirs)
    t = (statistics.mean(theirs) - statistics.mean(ours)) / sqrt(a + b)
    freedom = (a + b) ** 2 / (a * a / (len(ours) - 1) + b * b / (len(theirs) - 1))
    z = t * (1 - 1 / (4 * freedom)) / sqrt(1 + t * t / (2 * freedom))
    return 1 - statistics.NormalDist().cdf(z)


def mann_whitney(ours: list[float], theirs: list[float]) -> float:
    """One-sided p of "ours are smaller" by ranks (normal approximation)."""
    wins = sum((x < y) + 0.5 * (x == y) for x in ours for y in theirs)
    n, m = len(ours), len(theirs)
    z = (wins - n * m / 2) / sqrt(n * m * (n + m + 1) / 12)
    return 1 - statistics.NormalDist().cdf(z)


def naive(ours: list[float], theirs: list[float]) -> dict[str, bool]:
    """What rules in use say of the same samples: is the candidate faster?"""
    median = statistics.median
    return {
        "minimum of 10": min(ours[:10]) < min(theirs[:10]),
        "mean of 7": statistics.mean(ours[:7]) < statistics.mean(theirs[:7]),
        "median of 30": median(ours[:30]) < median(theirs[:30]),
        "median of 30, 2 % margin": median(ours[:30]) * 1.02 < median(theirs[:30]),
        "Welch t, 1 %": welch(ours[:30], theirs[:30]) < 0.01,
        "Mann-Whitney, 1 %": mann_whitney(ours[:30], theirs[:30]) < 0.01,
    }


def own_cpu(keeper: Keeper) -> float:
    """CPU seconds of this process, the keeper, and the workers that have ended."""
    fields = Path(f"/proc/{keeper._process.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:15]))
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def once(keeper: Keeper, kernel: Compute | Stream, gain: float) -> dict[str, object]:
    """One comparison of two builds."""
    incumbent, candidate = program(kernel, build()), program(kernel, build(), gain)
    recorded: list[Recorded] = []

    def matches() -> list[Match]:
        bench = Bench(keeper, kernel, slots=kernel.slots, gos=GOS, lone=1, warm_up=1)
        recorded.append(Recorded(bench))
        return [Match(recorded[-1], candidate, incumbent)]

    start, used = time.monotonic(), own_cpu(keeper)
    told: dict[str, object] = {"kernel": kernel.entry, "gain": gain}
    try:
        found = fight(matches, error=ERROR, blocks=BLOCKS)
    except InfrastructureError as error:
        return told | {"outcome": type(error).__name__, "reason": str(error)}
    told |= {"seconds": time.monotonic() - start, "cpu": own_cpu(keeper) - used}
    if isinstance(found, Fault):
        return told | {"outcome": found.kind, "reason": found.detail}
    first = recorded[0].taken[:2]
    ours = next(times for one, times in first if one is candidate)
    theirs = next(times for one, times in first if one is incumbent)
    return told | {
        "outcome": found.outcome,
        "reason": found.reason,
        "ratio": found.ratio,
        "interval": found.interval,
        "samples": found.samples,
        "naive": naive(ours, theirs),
    }


@contextmanager
def ended_well(load: Load) -> Iterator[Load]:
    try:
        yield load
    finally:
        load.close()


def measure(results: Path, seconds: float, competitors: int, only: str, level: str) -> None:
    # Identical programs every second time: what must not happen takes the most showing.
    gains = [0.0] if only == "identical" else [one for gain in GAINS[1:] for one in (0.0, gain)]
    plan = [(kernel, gain) for gain in gains for kernel in (Compute(), Stream())]
    until, turn = time.monotonic() + seconds, 0
    with (
        ended_well(Load(competitors)) as load,
        Keeper(Isolation[level.upper()]) as keeper,
        results.open("a") as file,
    ):
        while time.monotonic() < until:
            kernel, gain = plan[turn % len(plan)]
            turn += 1
            others = load.settle()
            told = once(keeper, kernel, gain)
            told |= {"others": others, "loops": load.running, "load": os.getloadavg()[0]}
            file.write(json.dumps(told) + "\n")
            file.flush()
            print(told["kernel"], told["gain"], told["outcome"], told.get("reason"), flush=True)


class Drawn:
    """Pairs drawn again from measured ones of identical programs, sides exchanged by a coin."""

    def __init__(self, pool: list[list[float]], generator: random.Random) -> None:
        self.pool, self.generator = pool, generator

    def observe(self) -> Observation:
        """One of the pool, either way around."""
        wall, cpu = self.generator.choice(self.pool)
        if self.generator.random() < 0.5:
            wall, cpu = 1 / wall, 1 / cpu
        return Observation(wall, cpu, 1.0, 1.0)


def redraw(lines: list[dict[str, Any]], kernel: str, count: int, least: float) -> str:
    """How often identical programs win in `count` comparisons of pairs drawn again."""
    pool = [
        pair
        for one in lines
        if one["kernel"] == kernel and one["gain"] == 0
        for pair in one.get("samples", ())
    ]
    generator = random.Random(1)
    rule = Rule(least_effect=least)
    won = sum(
        getattr(compare(Drawn(pool, generator), error=0.01, rule=rule), "outcome", "") == "better"
        for _ in range(count)
    )
    return f"{kernel}, least effect {least:.0%}: {won} of {count} from {len(pool)} measured pairs"


def share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else "none"


def report(files: list[Path]) -> None:
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    print("| kernel | gain | comparisons | better | not shown | worse | other | median pairs "
          "| median s | 95 % of s | median CPU s |\n" + "|---" * 11 + "|")  # fmt: skip
    for kernel in ("compute", "stream"):
        for gain in GAINS:
            some = [one for one in lines if one["kernel"] == kernel and one["gain"] == gain]
            done = [one for one in some if "samples" in one]
            if not done:
                continue
            count = {
                name: sum(one["outcome"] == name for one in some)
                for name in ("better", "not-shown", "worse")
            }
            seconds = sorted(one["seconds"] for one in done)
            print(
                f"| {kernel} | {gain:.0%} | {len(some)} | {share(count['better'], len(some))} | "
                f"{count['not-shown']} | {count['worse']} | {len(some) - sum(count.values())} | "
                f"{statistics.median(len(one['samples']) for one in done):.0f} | "
                f"{statistics.median(seconds):.1f} | {seconds[int(0.95 * len(seconds))]:.1f} | "
                f"{statistics.median(one['cpu'] for one in done):.1f} |"
            )
    print("\n| rule | " + " | ".join(f"{k} {g:.0%}" for k in ("compute", "stream") for g in GAINS)
          + " |\n|---|" + "---|" * 2 * len(GAINS))  # fmt: skip
    done = [one for one in lines if "samples" in one]
    for rule in [*done[0]["naive"], "certune"]:
        cells = []
        for kernel in ("compute", "stream"):
            for gain in GAINS:
                some = [one for one in done if one["kernel"] == kernel and one["gain"] == gain]
                won = sum(
                    one["outcome"] == "better" if rule == "certune" else one["naive"][rule]
                    for one in some
                )
                cells.append(f"{won / len(some):.0%}" if some else "")
        print(f"| {rule} | " + " | ".join(cells) + " |")
    rest = [one for one in lines if "samples" not in one]
    loads = [one["load"] for one in lines]
    print(f"\nothers running: median {statistics.median(one['others'] for one in lines):.1f}; "
          f"load average {min(loads):.1f} to {max(loads):.1f}, median "
          f"{statistics.median(loads):.1f}; busy loops of our own, median "
          f"{statistics.median(one['loops'] for one in lines)}")  # fmt: skip
    print("\nIdentical programs, pairs drawn again (error 1 %):")
    for kernel in ("compute", "stream"):
        for least in (0.01, 0.0):
            print(redraw(lines, kernel, 1000, least))
    for one in rest:
        print(one["kernel"], one["gain"], one["outcome"], one["reason"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["measure", "report"])
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--load", type=int, default=4)
    parser.add_argument("--only", choices=["all", "identical"], default="all")
    parser.add_argument("--level", default="confined")
    given = parser.parse_args()
    if given.what == "report":
        report(given.results)
    else:
        measure(given.results[0], given.seconds, given.load, given.only, given.level)


if __name__ == "__main__":
    main()

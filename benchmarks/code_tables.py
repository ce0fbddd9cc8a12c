"""The page that `benchmarks/code.py` writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

GROUPS = ("arithmetic", "searching", "structures", "policies")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return lines + [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]


def page(data: dict[str, Any]) -> str:
    """All that is there, in the order of the reader's questions."""
    lines = [
        "# The code suite: figures",
        "",
        "Written by `python benchmarks/code.py --write docs/code-suite.md`; what each part does is",
        "told there. The language is in [code](code.md). Seconds are wall time unless CPU is said.",
        "",
    ]
    for name, made in _PARTS.items():
        if name in data:
            lines += [*made(data[name]), *_environment(data[name]["environment"]), ""]
    return "\n".join(lines)


def _environment(given: dict[str, Any]) -> list[str]:
    packages = ", ".join(f"{k} {v}" for k, v in given["packages"].items())
    return [
        "",
        f"*{given['cpu']}, {given['cpus']} CPUs, {given['kernel']}, {given['python']}, {packages}; "
        f"load average before: {given['load']}.*",
    ]


def _suite(data: dict[str, Any]) -> list[str]:
    rows = data["rows"]
    lines = ["## Every program verified", ""]

    def row(name: str, of: list[dict[str, Any]]) -> list[object]:
        slow = max(of, key=lambda r: r["seconds"])
        return [
            name,
            len(of),
            sum(r["functions"] for r in of),
            sum(r["loops"] for r in of),
            sum(r["conditions"] for r in of),
            sum(r["status"] == "proved" for r in of),
            f"{sum(r['seconds'] for r in of):.1f}",
            f"{slow['name']} {slow['seconds']:.2f}",
        ]

    head = ("group", "programs", "functions", "loops", "conditions", "proved", "seconds", "slowest")
    told = [row(g, [r for r in rows if r["group"] == g]) for g in GROUPS]
    lines += table(head, [*told, row("all", rows)])
    lines += ["", f"Two solver workers, no cache between programs, best of {data['repeats']}."]
    return lines


def _wrong(data: dict[str, Any]) -> list[str]:
    rows = data["rows"]
    refuted = [r for r in rows if r["status"] == "refuted" and r["blames"] == "program"]
    lines = ["## Every wrong variant refuted", ""]
    lines += [
        f"{len(refuted)} of {len(rows)} wrong variants are refuted with an input on which the run",
        f"breaks the contract, in {sum(r['seconds'] for r in rows):.1f} s; the slowest takes",
        f"{max(r['seconds'] for r in rows):.1f} s. Some of the inputs:",
        "",
    ]
    shown = refuted[:: max(1, len(refuted) // 8)][:8]
    cells = ([r["name"], r["why"], "`" + _cell(r["input"]) + "`"] for r in shown)
    lines += table(("program", "what is wrong", "found"), cells)
    left = [r for r in rows if r not in refuted]
    if left:
        lines += ["", "Not refuted: " + "; ".join(f"{r['name']} ({r['why']})" for r in left) + "."]
    return lines


def _cell(text: str) -> str:
    short = text.split(": ")[0] + ": " + text.split(": ")[1] if ": " in text else text
    return short[:90].replace("|", "\\|").replace("`", "")


def _latency(data: dict[str, Any]) -> list[str]:
    lines = ["## Latency", ""]
    names = {
        "new": f"`certune verify {data['program']}.py`, {data['lines']} lines, nothing known",
        "unchanged": "the same again, proofs of the earlier run known",
        "bare": "`python -c pass`",
    }
    told = [[v, f"{data[k]['best']:.2f}", f"{data[k]['median']:.2f}"] for k, v in names.items()]
    return lines + table(("command, from start to end", "best, s", "median, s"), told)


def _second(data: dict[str, Any]) -> list[str]:
    lines = ["## A second solver", ""]
    if "missing" in data:
        return [*lines, f"Not run: {data['missing']}."]
    share = 100 * data["agreed"] / max(1, data["texts"])
    return [
        *lines,
        f"cvc5 {data['version']} confirms {data['agreed']} of {data['texts']} texts",
        f"({share:.1f} %; {data['conditions']} conditions, equal texts once) in",
        f"{data['seconds']:.1f} s.",
    ]


def _field(data: dict[str, Any]) -> list[str]:
    lines = ["## Beside the field", ""]
    rows = []
    for name, own in data["certune"].items():
        rows.append(
            [name, "certune", _answer(own), f"{own['seconds']:.2f}", f"{own['cpu']:.2f}", ""]
        )
        for tool in ("nagini", "dafny"):
            other = (data.get(tool) or {}).get(name)
            if other is None:
                continue
            times = f"{other['seconds'] / own['seconds']:.1f} ({other['cpu'] / own['cpu']:.1f})"
            told = [f"{other['seconds']:.2f}", f"{other['cpu']:.2f}", times]
            rows.append([name, tool, _answer(other), *told])
    head = ("function", "tool", "answer", "wall, s", "CPU, s", "times certune's: wall (CPU)")
    lines += table(head, rows)
    lines += ["", "Whole commands from start to end, nothing cached, one after the other."]
    missing = [t for t in ("nagini", "dafny") if not data.get(t)]
    if missing:
        lines.append(f"Not run: {', '.join(missing)}.")
    return lines


def _answer(run: dict[str, Any]) -> str:
    return "proved" if run["proved"] else "not proved"


def _crosshair(data: dict[str, Any]) -> list[str]:
    lines = ["## Beside CrossHair", ""]
    if "missing" in data:
        return [*lines, f"Not run: {data['missing']}."]
    rows = data["rows"]

    def count(of: list[dict[str, Any]], answer: str) -> int:
        return sum(r["answer"] == answer for r in of)

    right, wrong = [r for r in rows if not r["wrong"]], [r for r in rows if r["wrong"]]
    answers = ("confirmed", "refuted", "neither", "failed")
    cells = [
        [name, len(of), *(count(of, a) for a in answers), f"{sum(r['seconds'] for r in of):.0f}"]
        for name, of in (("right", right), ("wrong", wrong))
    ]
    lines += table(("programs", "", *answers, "wall, s"), cells)
    lines += [
        "",
        "Those programs of the groups arithmetic and searching whose contracts icontract can state",
        f"as they are, and the first wrong variant of each; {data['limit']:.0f} s a condition.",
        "*neither*: no",
        "counterexample was found, and not all paths were seen. What certune says of the same",
        "programs, with their annotations, is above.",
    ]
    return lines


def _finder(data: dict[str, Any]) -> list[str]:
    rows = data["rows"]
    lines = ["## The built-in finder", ""]

    def row(name: str, of: list[dict[str, Any]]) -> list[object]:
        done = [r for r in of if r["proved"]]
        loops = sum(r["loops"] for r in of)
        found = sum(r["loops"] for r in done)
        return [
            name,
            len(of),
            len(done),
            loops,
            f"{found} ({100 * found / max(1, loops):.0f} %)",
            f"{sum(r['seconds'] for r in of):.0f}",
        ]

    head = ("group", "functions with loops", "proved", "loops", "loops of those proved", "seconds")
    told = [row(g, [r for r in rows if r["group"] == g]) for g in GROUPS]
    lines += table(head, [*told, row("all", rows)])
    left = ", ".join(f"{r['name']}.{r['function']}" for r in rows if not r["proved"])
    lines += [
        "",
        f"One pass over the programs without annotations, {data['limit']:.0f} s of wall time a",
        "function; what it finds is judged again by the whole gate. Not found: " + left + ".",
    ]
    return lines


_PARTS = {
    "suite": _suite,
    "wrong": _wrong,
    "latency": _latency,
    "cvc5": _second,
    "finder": _finder,
    "field": _field,
    "crosshair": _crosshair,
}

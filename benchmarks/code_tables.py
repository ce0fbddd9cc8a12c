"""The page that `benchmarks/code.py` writes."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

GROUPS = ("arithmetic", "searching", "structures", "policies")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return lines + [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]


def paragraph(text: str) -> list[str]:
    """Text in lines that fit."""
    return textwrap.wrap(text, 98, break_long_words=False, break_on_hyphens=False)


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
            lines += [*made(data[name]), *_environment(data[name]), ""]
    return "\n".join(lines)


def _environment(part: dict[str, Any]) -> list[str]:
    given, nice = part["environment"], part.get("nice", 0)
    packages = ", ".join(f"{k} {v}" for k, v in given["packages"].items())
    text = (
        f"{given['cpu']}, {given['cpus']} CPUs, Linux {given['kernel']}, {given['python']}, "
        f"{packages}; load average before: {given['load']}"
    )
    text += f"; run at nice {nice}." if nice else "."
    if given["load"] is not None and given["load"] > given["cpus"]:
        text += " Beside other work: wall times are longer than on a machine of one's own."
    return ["", *paragraph(f"*{text}*")]


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
    told = f"Two solver workers, no cache between programs, best of {data['repeats']}."
    return [*lines, "", told]


def _wrong(data: dict[str, Any]) -> list[str]:
    rows = data["rows"]
    refuted = [r for r in rows if r["status"] == "refuted" and r["blames"] == "program"]
    lines = ["## Every wrong variant refuted", ""]
    lines += paragraph(
        f"{len(refuted)} of {len(rows)} wrong variants are refuted with an input on which a run "
        f"breaks the contract, in {sum(r['seconds'] for r in rows):.1f} s; the slowest takes "
        f"{max(r['seconds'] for r in rows):.1f} s. Some of the inputs:"
    )
    lines.append("")
    shown = refuted[:: max(1, len(refuted) // 8)][:8]
    cells = ([r["name"], r["why"], "`" + _cell(r["input"]) + "`"] for r in shown)
    lines += table(("program", "what is wrong", "found"), cells)
    left = [r for r in rows if r not in refuted]
    if left:
        lines += ["", "Not refuted: " + "; ".join(f"{r['name']} ({r['why']})" for r in left) + "."]
    return lines


def _cell(text: str) -> str:
    found = re.match(r"(.*?\)): (.*?) fails at", text)
    short = f"{found[1]}: {found[2]}" if found else text
    return textwrap.shorten(short, 90, placeholder=" …").replace("|", "\\|").replace("`", "")


def _latency(data: dict[str, Any]) -> list[str]:
    lines = ["## Latency", ""]
    names = {
        "new": f"`certune verify {data['program']}.py`, {data['lines']} lines, nothing known",
        "unchanged": "the same again, proofs of the earlier run known",
        "bare": "`python -c pass`",
    }
    told = [
        [v, *(f"{data[k][of]:.2f}" for of in ("best", "median", "cpu"))] for k, v in names.items()
    ]
    return lines + table(("command, from start to end", "best, s", "median, s", "CPU, s"), told)


def _second(data: dict[str, Any]) -> list[str]:
    lines = ["## A second solver", ""]
    if "missing" in data:
        return [*lines, f"Not run: {data['missing']}."]
    share = 100 * data["agreed"] / max(1, data["texts"])
    return lines + paragraph(
        f"cvc5 {data['version']} confirms {data['agreed']} of {data['texts']} texts "
        f"({share:.2f} %; {data['conditions']} conditions, equal texts once) in "
        f"{data['seconds']:.1f} s."
    )


def _field(data: dict[str, Any]) -> list[str]:
    lines = ["## Beside the field", ""]
    rows = []
    for name, own in data["certune"].items():
        for tool in ("certune", "nagini", "dafny"):
            run = (data.get(tool) or {}).get(name)
            if run is None:
                continue
            alone = _alone(run["said"])
            times = f"{run['seconds'] / own['seconds']:.1f} / {run['cpu'] / own['cpu']:.1f}"
            cells = [f"{run['seconds']:.2f}", f"{run['cpu']:.2f}", alone, times]
            rows.append([name, tool, _answer(run), *cells])
    head = ("function", "tool", "answer", "wall, s", "CPU, s", "by its own word, s")
    lines += table((*head, "times certune's wall / CPU"), rows)
    told = (
        "Whole commands from start to end, nothing cached, one after the other; *by its own word*: "
        "the time that the tool says it took for verifying, without its start."
    )
    wrong = (data.get("dafny") or {}).get("maximum, wrong")
    if wrong is not None:
        found = "is refused" if not wrong["proved"] else "is accepted"
        told += f" A wrong maximum {found} by Dafny."
    missing = [t for t in ("nagini", "dafny") if not data.get(t)]
    if missing:
        told += f" Not run: {', '.join(missing)}."
    return [*lines, "", *paragraph(told)]


def _alone(said: str) -> str:
    found = re.search(r"Verification took ([\d.]+) seconds", said) or re.search(
        r"conditions?, .*?, ([\d.]+) s$", said, re.MULTILINE
    )
    return f"{float(found[1]):.2f}" if found else ""


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
    told = (
        "Those programs of the groups arithmetic and searching whose contracts icontract can state "
        f"as they are, and the first wrong variant of each; {data['limit']:.0f} s a condition. "
        "*neither*: no counterexample was found, and not all paths were seen."
    )
    return [*lines, "", *paragraph(told)]


def _finder(data: dict[str, Any]) -> list[str]:
    limit = data["limit"]
    rows = [{**r, "proved": r["proved"] and r["seconds"] <= limit} for r in data["rows"]]
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
    left = ", ".join(f"`{r['function']}`" for r in rows if not r["proved"])
    told = (
        f"One pass over the programs without annotations, {limit:.0f} s of wall time a "
        "function (what takes longer does not count); what it finds is judged again by the whole "
        f"gate. Not found: {left}."
    )
    return [*lines, "", *paragraph(told)]


_PARTS = {
    "suite": _suite,
    "wrong": _wrong,
    "latency": _latency,
    "cvc5": _second,
    "finder": _finder,
    "field": _field,
    "crosshair": _crosshair,
}

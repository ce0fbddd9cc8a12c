"""The interpreter, CPython and the formulas mean the same by a program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contract_tools import DATA, pool, source

from certune.core.status import Status
from certune.verifier.contracts import Limits, strip, verify_source
from certune.verifier.contracts.data import Record, copied, to_json
from certune.verifier.contracts.interpret import Interpreter
from certune.verifier.contracts.observe import Workbench
from certune.verifier.contracts.stops import Broken, Stuck

SUITE = Path(__file__).parents[2] / "certune" / "tasks" / "code" / "suite"
FILES = sorted(f for f in (*SUITE.glob("*/*.py"), *DATA.glob("*.py")) if f.name != "__init__.py")


def to_python(value: Any, names: dict[str, Any]) -> Any:
    """The interpreter's value as CPython's."""
    if isinstance(value, Record):
        return names[value.kind](**{k: to_python(v, names) for k, v in value.fields.items()})
    if isinstance(value, list | tuple):
        return type(value)(to_python(v, names) for v in value)
    return copied(value)


def of_python(value: Any) -> Any:
    """CPython's value as the interpreter's."""
    if hasattr(value, "__dataclass_fields__"):
        fields = {k: of_python(getattr(value, k)) for k in value.__dataclass_fields__}
        return Record(type(value).__name__, fields)
    if isinstance(value, list | tuple):
        return type(value)(of_python(v) for v in value)
    return value


def compare(file: Path, count: int) -> int:
    """Run every function of a file both ways; how many runs were compared."""
    text = file.read_bytes()
    bench = Workbench(text, file.name)
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(strip(text), str(file), "exec"), names)  # our own programs
    runs = 0
    for name in bench.module.own:
        function = bench.function(name)
        if function.role != "code":
            continue
        for arguments in bench.examples(name, count):
            theirs = {k: to_python(v, names) for k, v in arguments.items()}
            ours = {k: copied(v) for k, v in arguments.items()}
            try:
                mine = Interpreter(bench.module, steps=50_000).run(function, ours)
            except (Broken, Stuck):
                continue
            result = names[name](**theirs)
            left = {k: to_json(of_python(v)) for k, v in theirs.items()}
            assert to_json(of_python(result)) == to_json(mine), (name, arguments)
            assert left == {k: to_json(v) for k, v in ours.items()}, (name, arguments)
            runs += 1
    return runs


@pytest.mark.parametrize("file", FILES[::6], ids=lambda f: f.stem)
def test_interpreter_and_cpython_agree(file: Path) -> None:
    compare(file, 8)


@pytest.mark.slow
def test_interpreter_and_cpython_agree_on_all_programs() -> None:
    assert sum(compare(file, 100) for file in FILES) > 2_000


OPERATORS = """
    @ensure(lambda a, b, result: result == {expected})
    def f(a: {kind}, b: {kind}) -> {kind}:
        return {written}
"""
NUMBERS = {
    "u8": (0, 1, 2, 7, 8, 127, 128, 254, 255),
    "i8": (-128, -127, -8, -1, 0, 1, 3, 7, 127),
    "int": (-9, -4, -3, -1, 0, 1, 2, 3, 4, 9),
}
WRITTEN = (
    "a + b",
    "a - b",
    "a * b",
    "a // b",
    "a % b",
    "a & b",
    "a | b",
    "a ^ b",
    "a << b",
    "a >> b",
    "-a",
    "abs(a)",
    "min(a, b)",
    "u8.wrapping_add(a, b)",
    "i8.wrapping_mul(a, b)",
    "u8.wrapping_shl(a, b)",
    "i8.wrapping_sub(a, b)",
    "u8.wrapping_neg(a)",
)


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("kind", ["u8", "i8", "int"])
def test_formulas_agree_with_python_on_operators(kind: str, written: str) -> None:
    """What the conditions say of constants is what Python computes, for both forms of words."""
    word = next((w for w in ("u8", "i8") if w + "." in written), "")
    if (word and word != kind) or (kind == "int" and set(written) & set("&|^<>")):
        pytest.skip("not of the language")
    names: dict[str, Any] = {}
    exec("from certune.contracts import u8, i8", names)
    cases, low, high = (
        [],
        *((NUMBERS[kind][0], NUMBERS[kind][-1]) if kind != "int" else (None, None)),
    )
    for a in NUMBERS[kind]:
        for b in NUMBERS[kind]:
            if (b == 0 and written[2:4].strip() in ("//", "%")) or (
                ("<<" in written or ">>" in written or "shl" in written) and not 0 <= b < 8
            ):
                continue
            value = eval(written, names, {"a": a, "b": b})
            if low is None or low <= value <= high:
                cases.append((a, b, value))
    chosen = cases[:: max(1, len(cases) // 6)]
    body = ""
    for number, (a, b, value) in enumerate(chosen):
        one = OPERATORS.format(kind=kind, written=written, expected=value)
        one = one.replace("def f", f"def f{number}")
        needed = f"@require(lambda a, b: a == {a} and b == {b})\n    "
        body += one.replace("@ensure", needed + "@ensure", 1)
    report = verify_source(
        source(body), "o.py", limits=Limits(resources=200_000, attempts=3), pool=pool()
    )
    assert not report.findings
    for function in report.functions:
        assert function.status is Status.PROVED, (function.name, report.diagnostics(), chosen)

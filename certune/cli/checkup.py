"""What `certune doctor` looks at. Each look gives findings; nothing here prints."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from certune.core.errors import CertuneError

if TYPE_CHECKING:
    from certune.sandbox.machine import MachineReport
    from certune.sandbox.model import Isolation

# missing: something that certune needs. absent: something that it can do without.
Status: TypeAlias = Literal["ok", "advice", "absent", "missing", "trouble"]

_PATIENCE = 2.0
_LARGE = 64 * 2**20


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: how it is, in what words, and what to do about it."""

    section: str
    name: str
    status: Status
    detail: str
    remedy: str = ""


def isolation(required: Isolation | None) -> Iterator[Check]:
    """The levels, each tried just now; `required` or 'confined' has to be there."""
    from certune.sandbox.isolation.probe import available
    from certune.sandbox.model import Isolation

    means = {
        Isolation.PROCESS: "own process, clean environment, limits",
        Isolation.CONFINED: "and Landlock and a system-call filter: enough for hostile code",
        Isolation.CONTAINED: "and namespaces of its own",
    }
    report = available()
    least = required if required is not None else Isolation.CONFINED
    for standing in report.standings:
        name = standing.level.word
        if standing.available:
            yield Check("isolation", name, "ok", means[standing.level])
        else:
            status: Status = "missing" if standing.level <= least else "absent"
            yield Check("isolation", name, status, standing.reason, standing.remedy)
    if required is Isolation.DECLARED:
        told = f"your word for what is around; below it {report.best.word!r}, which was tried"
        yield Check("isolation", "declared", "ok", told)


def machine(report: MachineReport) -> Iterator[Check]:
    """Whether it may be measured on now, what was found, and what is worth changing."""
    probed, pressure = report.probed, report.pressure
    figures = [
        f"timer floor {probed.timer_floor * 1e9:.0f} ns",
        f"longest detour {probed.longest_detour * 1e3:.2g} ms",
        f"others used {100 * pressure.others:.0f} %",
        f"steal {100 * pressure.steal:.1f} %",
    ]
    if pressure.load is not None:
        figures.append(f"load {pressure.load:.1f}")
    if report.compared:
        figures.append(f"compared with {report.compared} earlier validations")
    state: Status = "ok" if report.fit else "missing" if report.state == "broken" else "advice"
    word = "fit for measuring" if report.fit else f"{report.state}: not measured on as it is now"
    yield Check("machine", "fitness", state, f"{word} ({', '.join(figures)})")
    for finding in report.findings:
        name = "advice" if finding.state == "fit" else finding.state
        status: Status = "missing" if finding.state == "broken" else "advice"
        yield Check("machine", name, status, finding.evidence, finding.remedy)


_TOOLS = (
    ("gcc", ("gcc", "--version"), "native kernels: install gcc or clang"),
    ("clang", ("clang", "--version"), ""),
    ("nvcc", ("nvcc", "--version"), "CUDA kernels: install the CUDA toolkit"),
    ("cvc5", ("cvc5", "--version"), "a second opinion on proofs: install cvc5"),
)


def toolchains() -> Iterator[Check]:
    """Compilers and provers on the path, with their versions."""
    for name, command, remedy in _TOOLS:
        if shutil.which(command[0]) is None:
            yield Check("toolchains", name, "absent", "not on the path", remedy)
            continue
        said = _said(command)
        if said is None:
            yield Check("toolchains", name, "absent", "there, and does not run", remedy)
        else:
            lines = [line for line in said.splitlines() if any(c.isdigit() for c in line)]
            # nvcc's version is on a later line than its year.
            release = [line for line in lines if "release" in line]
            yield Check("toolchains", name, "ok", (release or lines or [said])[0].strip()[:70])


def _said(command: tuple[str, ...]) -> str | None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()


_QUERIES: tuple[tuple[str, Literal["dimacs", "smtlib2"], bytes], ...] = (
    ("python-sat", "dimacs", b"p cnf 1 2\n1 0\n-1 0\n"),
    ("z3-solver", "smtlib2", b"(declare-const x Int)(assert (< x x))(check-sat)"),
)


def solvers() -> Iterator[Check]:
    """Solvers, each asked a question that it must refute."""
    from certune.core.proof import Query
    from certune.verifier.provers import Provers

    provers = Provers()
    for name, language, text in _QUERIES:
        remedy = f"pip install --force-reinstall {name}"
        try:
            answer = provers.decide(Query(language, text), seconds=20.0)
        except CertuneError as error:
            yield Check("solvers", name, "missing", str(error), remedy)
            continue
        told = f"{answer.solver} {answer.version}"
        if answer.result == "unsat":
            yield Check("solvers", name, "ok", told)
        else:
            wrong = f"{told} answered {answer.result!r} to what cannot be satisfied"
            yield Check("solvers", name, "missing", wrong, remedy)


_EXTRAS = (
    ("openai", "openai", "models over an OpenAI-compatible server", "openai"),
    ("dspy", "dspy", "DSPy programs as agents", "dspy"),
    ("mcp", "mcp", "certune mcp, for coding agents", "'certune[mcp]'"),
    ("ray", "ray", "work on a cluster", "'certune[ray]'"),
    ("torch", "torch", "GPU kernels", "torch"),
    ("triton", "triton", "Triton kernels", "triton"),
)


def extras() -> Iterator[Check]:
    """Optional packages; looked up, not imported."""
    from importlib.metadata import PackageNotFoundError, version

    for name, distribution, use, install in _EXTRAS:
        try:
            yield Check("extras", name, "ok", f"{version(distribution)}: {use}")
        except PackageNotFoundError:
            yield Check("extras", name, "absent", use, f"pip install {install}")


def gpus() -> Iterator[Check]:
    """Graphics processors as the driver tells them; no CUDA library is loaded."""
    query = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    if shutil.which(query[0]) is not None:
        said = _said(query)
        if said is None:
            told = "nvidia-smi is there, and does not answer"
            yield Check("gpu", "driver", "absent", told, "see whether the driver is loaded")
        else:
            for number, line in enumerate(said.splitlines()[:16]):
                yield Check("gpu", f"gpu {number}", "ok", line[:80])
        return
    if any(Path("/dev").glob("nvidia[0-9]*")):
        told = "there are devices, and no nvidia-smi to ask"
        yield Check("gpu", "driver", "absent", told, "install the driver's tools")
        return
    yield Check("gpu", "gpu", "absent", "none here: GPU kernels are not measured")


def ledger(project: Path) -> Iterator[Check]:
    """The ledger of the project, if it has one: checked in full unless it is large."""
    from certune.core.errors import LedgerError
    from certune.ledger import FOLDER, Ledger
    from certune.ledger.reader import FILE

    path = project / FOLDER / FILE
    if not path.exists():
        told = f"none in {project.resolve()}"
        yield Check("ledger", "ledger", "absent", told, "certune optimize begins one")
        return
    try:
        with Ledger.open(project, create=False, read_only=True) as opened:
            whole = path.stat().st_size <= _LARGE
            head = opened.verify() if whole else opened.head()
    except (LedgerError, OSError) as error:
        remedy = "keep the file, and see docs/ledger.md"
        yield Check("ledger", "ledger", "trouble", str(error), remedy)
        return
    checked = "all checked" if whole else "too large to check here: certune ledger verify"
    yield Check("ledger", "ledger", "ok", f"{head.seq} records, {checked}")


def guarded_look(section: str, look: Callable[[], Iterator[Check]]) -> list[Check]:
    """What a look found; trouble of its own is a finding, too, and hides no other."""
    found: list[Check] = []
    try:
        found += look()
    except Exception as error:  # noqa: BLE001 - a doctor must not die of the patient
        told = f"could not be looked at: {type(error).__name__}: {error}"
        found.append(Check(section, section, "trouble", told))
    return found

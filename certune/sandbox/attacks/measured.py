"""Attacks on measurement: each script of `measurement/` is a program that wants to be called fast.

A script's docstring says what it tries and as what it is stopped; ``With: threads 2`` asks for
another bench. It writes "tried" to its standard error at the moment it does its trick, so that a
script that failed otherwise is not taken for one that was held. Those named ``honest_`` try
nothing and have to be measured.
"""

from __future__ import annotations

import ast
import re
import secrets
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from certune.core.errors import Crashed
from certune.sandbox.measuring import (
    Bench,
    Block,
    Bout,
    Buffer,
    Cheated,
    Fault,
    Program,
    WrongResult,
    mismatch,
)
from certune.sandbox.measuring.bout import Keeper

# A gain that no noise explains, on both clocks: a trick that works gains much more.
GAIN = 1.5
_BLOCKS = 4
_SLOTS = 4
_MARK = b"tried"
_LINE = re.compile(r"^(Tries|With|Stopped as): (.*(?:\n .*)*)", re.MULTILINE)
_OPTIONS = ("threads", "answer_seconds", "blocks")


@dataclass(frozen=True)
class Waves:
    """out = sin(a) + cos(b): dear enough that skipping any of it shows."""

    size: int = 4096

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """Two inputs and an output, all of doubles."""
        shape = (self.size,)
        return (
            Buffer("a", "float64", shape, "in"),
            Buffer("b", "float64", shape, "in"),
            Buffer("out", "float64", shape, "out"),
        )

    def fill(self, rng: np.random.Generator, inputs: Mapping[str, Any]) -> None:
        """Numbers between 0 and 1."""
        for array in inputs.values():
            rng.random(out=array)

    def check(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
        """All but the last bits."""
        expected = np.sin(inputs["a"]) + np.cos(inputs["b"])
        return mismatch("out", expected, outputs["out"], relative=1e-13)


@dataclass(frozen=True)
class Attack:
    """A script. `stops` are the outcomes of `Attempt` that may come of it."""

    name: str
    tries: str
    stops: tuple[str, ...]
    source: str
    options: Mapping[str, float]


@dataclass(frozen=True)
class Attempt:
    """How an attack went.

    `outcome` is "faster" (it was fooled), "powerless" (right, and no faster than honest work),
    "wrong", "died", or the name of the trick that it was caught at. `said` is what it wrote.
    """

    attack: Attack
    outcome: str
    tried: bool
    detail: str
    said: str

    @property
    def held(self) -> bool:
        """Whether the trick was really tried, gained nothing, and ended as it is known to end.

        An honest program is held when it was measured.
        """
        return self.tried and self.outcome in self.attack.stops


def attacks() -> tuple[Attack, ...]:
    """All scripts, by name.

    Raises:
        Crashed: a script without the lines that say what it tries.
    """
    folder = resources.files("certune.sandbox.attacks") / "measurement"
    names = sorted(
        file.name
        for file in folder.iterdir()
        if file.name.endswith(".py") and file.name != "__init__.py"
    )
    return tuple(_attack(name[:-3], (folder / name).read_text("utf-8")) for name in names)


def _attack(name: str, source: str) -> Attack:
    text = ast.get_docstring(ast.parse(source)) or ""
    said = {key: " ".join(value.split()) for key, value in _LINE.findall(text)}
    option, _, value = said.get("With", "").partition(" ")
    if not {"Tries", "Stopped as"} <= set(said) or option not in ("", *_OPTIONS):
        raise Crashed(f"the attack {name} does not say what it tries and as what it is stopped")
    stops = tuple(word.strip() for word in said["Stopped as"].split(","))
    options = {option: float(value)} if option else {}
    return Attack(name, said["Tries"], stops, source, options)


def _outcome(fault: object) -> str:
    if isinstance(fault, Cheated):
        return fault.trick
    return "wrong" if isinstance(fault, WrongResult) else "died"


def _wall(blocks: Sequence[Block]) -> float:
    """The median window in seconds, single calls left out."""
    return statistics.median(go.wall_seconds for block in blocks for go in block.gos)


def _cpu(blocks: Sequence[Block]) -> float:
    """All CPU seconds: whoever works at another time has worked."""
    return sum(go.cpu_seconds for block in blocks for go in (*block.gos, *block.lone))


class Ring:
    """Runs attacks beside an honest program on the same inputs, in workers of `keeper`."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._secret = secrets.token_bytes(32)
        self._honest = next(a for a in attacks() if a.name == "honest_control")

    def bench(self, options: Mapping[str, float]) -> Bench:
        """The bench that an attack asks for."""
        return Bench(
            self._keeper,
            Waves(),
            slots=_SLOTS,
            threads=int(options.get("threads", 1)),
            answer_seconds=options.get("answer_seconds", 10.0),
            seed=self._secret,
        )

    def run(self, attack: Attack) -> Attempt:
        """Try one attack.

        Raises:
            Crashed: the honest program itself was found at fault.
            InfrastructureError: no worker could be had.
        """
        bench = self.bench(attack.options)
        # The same inputs, but as much time as anybody gets on a busy machine.
        patient = self.bench({**attack.options, "answer_seconds": 60.0})
        control = patient.open(Program("python", self._honest.source.encode()))
        if not isinstance(control, Bout):
            raise Crashed(f"honest work was found at fault: {control}")
        with control:
            opened = bench.open(Program("python", attack.source.encode()))
            if not isinstance(opened, Bout):
                return _stopped(attack, opened)
            with opened:
                return _compared(attack, (patient, control), (bench, opened))


def _compared(attack: Attack, control: tuple[Bench, Bout], tricky: tuple[Bench, Bout]) -> Attempt:
    ours: list[Block] = []
    theirs: list[Block] = []
    for number in range(int(attack.options.get("blocks", _BLOCKS))):
        honest = control[0].block(control[1], number)
        if not isinstance(honest, Block):
            raise Crashed(f"honest work was found at fault: {honest}")
        block = tricky[0].block(tricky[1], number)
        if not isinstance(block, Block):
            return _stopped(attack, block)
        ours.append(honest)
        theirs.append(block)
    wall, cpu = _wall(ours) / _wall(theirs), _cpu(ours) / _cpu(theirs)
    outcome = "faster" if min(wall, cpu) >= GAIN else "powerless"
    said = tricky[1].close().diagnostics
    detail = f"{wall:.2f} times as fast by the clock, {cpu:.2f} by CPU time"
    return Attempt(attack, outcome, _MARK in said, detail, said.decode(errors="replace"))


def _stopped(attack: Attack, fault: Fault) -> Attempt:
    said = fault.said.decode(errors="replace")
    return Attempt(attack, _outcome(fault), _MARK in fault.said, str(fault), said)


def measurement_attacks(keeper: Keeper) -> Iterator[Attempt]:
    """Run all attacks, one after the other, in fresh workers of `keeper`.

    Raises:
        Crashed: the honest program itself was found at fault.
        InfrastructureError: a worker could not be had.
    """
    ring = Ring(keeper)
    for attack in attacks():
        yield ring.run(attack)

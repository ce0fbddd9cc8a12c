"""Attacks by way of the toolchain: each script of `toolchain/` is run by a shell as a tool.

A compiler or prover that a candidate has taken over can do no more than a shell that obeys it.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

from certune.core.errors import InfrastructureError, InvalidInput
from certune.sandbox import toolchain
from certune.sandbox.attacks.bait import Bait
from certune.sandbox.attacks.trying import LIMITS
from certune.sandbox.keeper import Keeper

SHELL = "/bin/sh"
TOOL_LIMITS = replace(LIMITS, wall_seconds=8.0, cpu_seconds=4.0, processes=8, open_files=64)
_OUTPUTS = ("out", "out2", "out3", "out4", "out5")
_HEADER = re.compile(r"^# (Tries|Escape|Needs): (.*)$", re.MULTILINE)
_WORDS = """trying() { echo "certune-trying $nonce $*" >&2; }
did() { echo "certune-did $nonce $*" >&2; }
"""


@dataclass(frozen=True)
class ToolAttack:
    """One script; `needs` is a program without which it cannot be tried."""

    name: str
    title: str
    tries: str
    escape: str
    source: str = field(repr=False)
    needs: str = ""


@dataclass(frozen=True)
class Tried:
    """How one went: attempts made, why it is an escape, what kept it from being tried."""

    attack: ToolAttack
    attempts: int
    reasons: tuple[str, ...]
    broken: str = ""


def parse(name: str, source: str) -> ToolAttack:
    """An attack from its script.

    Raises:
        InvalidInput: the header lacks something.
    """
    fields = dict(_HEADER.findall(source))
    title = source.partition("\n")[0].removeprefix("# ").rstrip(".")
    if not {"Tries", "Escape"} <= set(fields) or not title:
        raise InvalidInput("an attack needs a title, Tries and Escape", place=name)
    needs = fields.get("Needs", "")
    return ToolAttack(name, title, fields["Tries"], fields["Escape"], source, needs)


def attacks() -> tuple[ToolAttack, ...]:
    """Every attack that this machine has the programs for."""
    folder = resources.files("certune.sandbox.attacks") / "toolchain"
    names = sorted(path.name for path in folder.iterdir() if path.name.endswith(".sh"))
    found = (parse(name[:-3], (folder / name).read_text("utf-8")) for name in names)
    return tuple(one for one in found if not one.needs or shutil.which(one.needs))


def run(keeper: Keeper, bait: Bait) -> Iterator[Tried]:
    """All of them, one after the other, in workers of `keeper` (profile "toolchain")."""
    for attack in attacks():
        yield one(keeper, bait, attack)


def one(keeper: Keeper, bait: Bait, attack: ToolAttack) -> Tried:
    """One attack, and what was seen of it."""
    nonce, key = f"certune-{secrets.token_hex(8)}", secrets.randbelow(2**30) + 1
    aim = {**bait.aim(nonce, key), "processes": TOOL_LIMITS.processes}
    aim |= {"file_bytes": TOOL_LIMITS.file_bytes, "folders": " ".join(bait.folders)}
    words = "".join(
        f"{name}={shlex.quote(str(value))}\n"
        for name, value in aim.items()
        if isinstance(value, str | int)
    )
    inputs = {"attack.sh": (words + _WORDS + attack.source).encode()}
    try:
        outcome = toolchain.run([SHELL, "attack.sh"], inputs, _OUTPUTS, TOOL_LIMITS, keeper=keeper)
    except InfrastructureError as error:
        told = f"{type(error).__name__}: {error}"
        if not _works(keeper):
            return Tried(attack, 0, (), told)
        return Tried(attack, 1, (f"passes for trouble of the judge's own: {told}",))
    said = outcome.diagnostics
    reasons = [f"says: {what[:200]}" for what in re.findall(rf"certune-did {nonce} (.*)", said)]
    came = said.encode() + b" ".join(outcome.outputs.values())
    reasons += bait.secrets_in(came)
    if len(came) > 2 * TOOL_LIMITS.output_bytes:
        reasons.append(f"{len(came)} bytes came back")
    if outcome.cpu_seconds > 2 * TOOL_LIMITS.cpu_seconds:
        reasons.append(f"used {outcome.cpu_seconds:.1f} s of CPU time")
    reasons += _left(nonce)
    reasons += bait.touched(nonce, key)
    attempts = len(re.findall(rf"certune-trying {nonce}", said))
    return Tried(attack, attempts, tuple(dict.fromkeys(reasons)))


def _works(keeper: Keeper) -> bool:
    """Whether a harmless script runs, so that trouble was of the attack's making."""
    try:
        inputs = {"true.sh": b"true\n"}
        outcome = toolchain.run([SHELL, "true.sh"], inputs, (), TOOL_LIMITS, keeper=keeper)
    except InfrastructureError:
        return False
    return outcome.ending == "finished"


def _left(nonce: str) -> list[str]:
    """Processes that carry the attack's name in their command line; they end by themselves."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if nonce.encode() in (entry / "cmdline").read_bytes():
                return ["a process of it runs after its end"]
        except OSError:
            continue
    return []

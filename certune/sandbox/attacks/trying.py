"""One attack in one worker, and what was seen of it from outside."""

from __future__ import annotations

import base64
import json
import os
import secrets
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from certune.core.errors import Crashed, InfrastructureError, TimedOut
from certune.sandbox.attacks.bait import Bait
from certune.sandbox.attacks.catalogue import Attack
from certune.sandbox.inside.bootstrap import FIRST_FD
from certune.sandbox.keeper import Keeper, Worker
from certune.sandbox.model import Ended, Launch, Limits

LIMITS = Limits(
    wall_seconds=2.0,
    cpu_seconds=1.0,
    memory_bytes=256 * 2**20,
    file_bytes=2**20,
    output_bytes=256 * 2**10,
)
_GRACE = 2.0  # seconds after its limits in which a run has to be over
_LISTEN = 0.5  # seconds in which what was left of it may be heard after its end
_MOST_BYTES = 4 * 2**20
_MOST_TRIES = 24
_MOST_STARTS = 3
_NEIGHBOUR = """
import os, time
from certune.sandbox.attacks.kit import aim, say
os.write(2, aim["secret"].encode())
say("said")
time.sleep(2)
"""


@dataclass
class Try:
    """What one worker did. `broken` are mistakes of the script or of the set-up."""

    attempts: int = 0
    tried: bool = False
    broke: bool = False
    seconds: float = 0.0
    reasons: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @classmethod
    def refused(cls, why: str, attack: Attack) -> Try:
        """A keeper that refused to start, as it has to where it was asked to import threads."""
        if attack.preloads and "thread" in why:
            return cls(attempts=1, tried=True)
        return cls(broken=[f"the keeper did not start: {why}"])


@dataclass
class _Heard:
    """The report as read, and how the run went."""

    data: bytearray = field(default_factory=bytearray)
    ended: Ended | None = None
    survived: bool = False
    outlived: bool = False
    looked: list[str] = field(default_factory=list)
    failed: str = ""


def one(
    keeper: Keeper, bait: Bait, attack: Attack, variant: str, run: int, *, fresh: bool
) -> Iterator[Try]:
    """Run one attack; again for its later attempts where an earlier one ended the worker."""
    skip, starts = 0, 0
    nonce = _nonce(bait, attack, variant)
    for _ in range(_MOST_TRIES):
        aim = {**bait.aim(*nonce), "run": run, "variant": variant, "skip": skip}
        aim["own"] = [*range(FIRST_FD), FIRST_FD, FIRST_FD + 1]
        tried, done, made = _single(keeper, bait, attack, aim, fresh=fresh)
        starts += 1
        if not made and not done and not tried.broke and starts < _MOST_STARTS:
            continue  # the machine was slow, or cleared up behind an earlier attack
        if run == attack.runs:
            tried.reasons += bait.touched(*nonce)
        yield tried
        skip += made
        if done or not made or tried.broke or len(attack.variants) > 1:
            return


_nonces: dict[tuple[int, str, str], tuple[str, int]] = {}


def _nonce(bait: Bait, attack: Attack, variant: str) -> tuple[str, int]:
    """The same for all runs of an attack that leaves something for a later one."""
    fresh = (f"certune-{secrets.token_hex(8)}", secrets.randbelow(2**30) + 1)
    if attack.runs == 1:
        return fresh
    return _nonces.setdefault((id(bait), attack.name, variant), fresh)


def _single(
    keeper: Keeper, bait: Bait, attack: Attack, aim: dict[str, Any], *, fresh: bool
) -> tuple[Try, bool, int]:
    """One worker: what was seen, whether the script reached its end, how many attempts began."""
    begun = time.monotonic()
    order = {"name": attack.name, "source": attack.source, "aim": aim}
    try:
        with _beside(keeper, bait if attack.neighbour else None):
            limits = replace(LIMITS, threads=attack.threads)
            heard = _hear(keeper, json.dumps(order).encode(), limits, fresh=fresh)
    except InfrastructureError as error:
        # The attack made the judge's own side fail, or the sandbox does not work at all.
        what = f"the judge's side failed: {type(error).__name__}: {error}"
        return Try(broken=[what], broke=True, seconds=time.monotonic() - begun), True, 0
    tried, done = _read(heard, bait, aim["nonce"])
    tried.seconds = time.monotonic() - begun
    return tried, done, tried.attempts


def _read(heard: _Heard, bait: Bait, nonce: str) -> tuple[Try, bool]:
    tried = Try(tried=True)
    done, beats = False, False
    returned = bytearray(heard.data)
    for line in bytes(heard.data).splitlines():
        try:
            said = json.loads(line[:8192])
            kind = said["kind"]
            if kind == "got":
                returned += base64.b64decode(said["data"])
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        if kind == "did":
            tried.reasons.append(f"says: {str(said.get('what'))[:200]}")
        if said.get("nonce") != nonce:
            continue
        if kind == "trying":
            tried.attempts += 1
        elif kind == "broken":
            tried.broken.append(f"broken: {said['what']}: {said['why'].splitlines()[-1]}")
        done = done or kind == "end"
        beats = beats or kind == "beat"
    ended = heard.ended
    if heard.failed:
        tried.broke = True
        found = tried.reasons if tried.attempts else tried.broken
        found.append(f"the judge's side failed: {heard.failed}")
    if ended is not None:
        returned += ended.diagnostics
        if tried.attempts and not ended.loaded:
            tried.reasons.append("its death passes for trouble of the judge's own")
        if ended.cpu_seconds > LIMITS.cpu_seconds + _GRACE / 2:
            tried.reasons.append(f"used {ended.cpu_seconds:.1f} s of CPU time")
        if len(ended.diagnostics) > 2 * LIMITS.output_bytes:
            tried.reasons.append(f"{len(ended.diagnostics)} bytes of diagnostics came back")
        if not ended.loaded and not tried.attempts:
            tried.broken.append(f"never ran: {ended.detail}")
    tried.reasons += bait.secrets_in(bytes(returned))
    tried.reasons += heard.looked
    if heard.outlived:
        tried.reasons.append("was still there after its time")
    if heard.survived:
        tried.reasons.append("something of it lives on after its end" if beats else "pipe held")
    return tried, done


@contextmanager
def _beside(keeper: Keeper, bait: Bait | None) -> Iterator[None]:
    """An honest worker that says a secret on its standard error and is still there."""
    if bait is None:
        yield
        return
    order = {
        "name": "neighbour",
        "source": _NEIGHBOUR,
        "aim": {"secret": bait.secrets["neighbour"], "nonce": "neighbour"},
    }
    listen, worker = _started(keeper, json.dumps(order).encode(), LIMITS, fresh=True)
    try:
        os.read(listen, 1)  # it has said it
        time.sleep(0.05)  # and the keeper has read it
        yield
    finally:
        worker.kill()
        os.close(listen)


def _hear(keeper: Keeper, order: bytes, limits: Limits, *, fresh: bool) -> _Heard:
    listen, worker = _started(keeper, order, limits, fresh=fresh)
    try:
        return _follow(worker, listen)
    finally:
        worker.kill()
        os.close(listen)


def _started(keeper: Keeper, order: bytes, limits: Limits, *, fresh: bool) -> tuple[int, Worker]:
    """A worker on `order`, and where its report is read."""
    source, told = os.pipe()
    listen, report = os.pipe()
    try:
        os.set_blocking(told, False)
        if os.write(told, order) != len(order):
            raise Crashed("an attack is larger than a pipe")
        os.close(told)
        told = -1
        launch = Launch("attack", keeper.level, limits, fds=(source, report), fresh=fresh)
        return listen, keeper.start(launch)
    except BaseException:
        os.close(listen)
        raise
    finally:
        for fd in (source, report, told):
            if fd >= 0:
                os.close(fd)


def _follow(worker: Worker, listen: int) -> _Heard:
    heard = _Heard()
    os.set_blocking(listen, False)
    deadline = time.monotonic() + LIMITS.wall_seconds + _GRACE
    until = deadline
    open_ = True
    while time.monotonic() < until:
        if open_ and select.select([listen], [], [], 0.02)[0]:
            open_ = _take(worker, listen, heard)
        if heard.ended is None:
            try:
                heard.ended = worker.wait(0.0 if open_ else 0.05)
            except TimedOut:
                continue
            except InfrastructureError as error:
                heard.failed = f"{type(error).__name__}: {error}"
                break
            until = time.monotonic() + _LISTEN
        elif not open_:
            return heard
    if heard.ended is None and not heard.failed:
        heard.outlived = True
        worker.kill()
        heard.ended = worker.wait(10.0)
    while open_ and heard.failed and select.select([listen], [], [], 0.2)[0]:
        open_ = len(heard.data) < _MOST_BYTES and _take(worker, listen, heard)
    heard.survived = open_ and not heard.failed and len(heard.data) < _MOST_BYTES
    return heard


def _take(worker: Worker, listen: int, heard: _Heard) -> bool:
    """Read what is there; False once nobody is left that could write."""
    if len(heard.data) >= _MOST_BYTES:
        time.sleep(0.02)  # enough; whoever floods waits now
        return True
    try:
        data = os.read(listen, 65536)
    except BlockingIOError:
        return True
    heard.data += data
    for what in ("privileges", "user"):
        if b'"kind": "look"' in data and f'"at": "{what}"'.encode() in data:
            heard.looked += seen(worker.pid, what)
    return bool(data)


def seen(pid: int, what: str) -> list[str]:
    """What is wrong with a running worker's "user" or "privileges", as the kernel says."""
    try:
        with open(f"/proc/{pid}/status") as file:
            lines = [line.rstrip("\n").partition(":") for line in file]
    except OSError:
        return []
    state = {name: text.split() for name, _, text in lines}
    if what == "user":
        return ["runs as root"] if "0" in state["Uid"] + state["Gid"] else []
    found = []
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        if int(state[name][0], 16):
            found.append(f"holds capabilities ({name} {state[name][0]})")
    if state["NoNewPrivs"] != ["1"]:
        found.append("may gain privileges by a set-user-id program")
    return found

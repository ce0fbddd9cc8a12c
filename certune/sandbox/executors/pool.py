"""Who does what next: one queue, seats on nodes, losses, validation and quarantine.

Both executors are this pool with seats of their own kind. Every seat that has work to do has a
thread, which waits for its process or its node; all decisions are taken under one lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from certune.core.errors import CertuneError, Crashed, Unavailable, nearest
from certune.sandbox.executors.model import Loss, Node, Placed, Work
from certune.sandbox.executors.plan import Seat
from certune.sandbox.machine import MachineReport, Series, Tolerance, drifted, suspects

T = TypeVar("T")

Validator = Callable[[int], MachineReport]


class Lost(Exception):
    """The process or the node under a work is gone; `node_gone` when it was the node."""

    def __init__(self, reason: str, *, node_gone: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node_gone = node_gone


class Place(Protocol):
    """A seat on a node, where calls are made one after the other."""

    @property
    def node(self) -> str:
        """The node's name."""
        ...

    @property
    def seat(self) -> Seat:
        """The CPUs."""
        ...

    def call(self, work: Work[Any]) -> Any:
        """Make the call there.

        Raises:
            Lost: the process or the node went away under it.
            Exception: whatever the call raised.
        """
        ...

    def close(self) -> None:
        """End what runs there; a `call` in another thread raises `Lost`."""
        ...


@dataclass(eq=False)
class _Item:
    work: Work[Any]
    future: Future[Placed[Any]]
    only: str | None = None
    begun: bool = False
    lost: list[Loss] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def begin(self) -> bool:
        """Whether it may be done: not if it was cancelled before it was begun."""
        self.begun = self.begun or self.future.set_running_or_notify_cancel()
        return self.begun

    def refuse(self, reason: str) -> None:
        """End it as nobody can do it."""
        if self.begin():
            self.future.set_exception(Unavailable(reason))


@dataclass(eq=False)
class _Member:
    """A node with what is free on it and what is known of it."""

    name: str
    labels: Mapping[str, float]
    free: dict[str, float]
    report: MachineReport | None = None
    validated: float = float("-inf")
    gone: str = ""
    quarantined: tuple[str, ...] = ()
    observed: dict[str, Series] = field(default_factory=dict)
    reserved: bool = False
    busy: dict[Seat, _Item] = field(default_factory=dict)

    @property
    def serves(self) -> bool:
        return not self.gone and not self.quarantined


def _nothing() -> None:
    return None


class Pool:
    """Work for places. `close` it, or use it in a ``with`` statement."""

    def __init__(
        self,
        places: Sequence[Place],
        labels: Mapping[str, Mapping[str, float]],
        *,
        validator: Validator | None,
        valid_for: float = 60.0,
        tolerance: Tolerance | None = None,
    ) -> None:
        """A pool of `places`; `labels` are what their nodes offer, by name.

        `validator` is called on a node, with the CPU that will measure, before work is measured
        there, and again when the last report is older than `valid_for` seconds; None trusts
        every node. A node that is worse than its peers by `tolerance` is quarantined.
        """
        self._validator = validator
        self._valid_for = valid_for
        self._tolerance = tolerance or Tolerance()
        self._members = {
            name: _Member(name, dict(offered), dict(offered)) for name, offered in labels.items()
        }
        self._places = list(places)
        self._waiting: list[_Item] = []
        self._losses: list[Loss] = []
        self._threads: dict[Place, threading.Thread] = {}
        self._closed = False
        self._turn = threading.Condition()

    # -- asked from outside ----------------------------------------------------------------

    def nodes(self) -> tuple[Node, ...]:
        """See `Executor.nodes`."""
        with self._turn:
            return tuple(
                Node(m.name, dict(m.labels), m.report, m.gone, m.quarantined)
                for m in self._members.values()
            )

    def losses(self) -> tuple[Loss, ...]:
        """See `Executor.losses`."""
        with self._turn:
            return tuple(self._losses)

    def submit(self, work: Work[T], *, only: str | None = None) -> Future[Placed[T]]:
        """See `Executor.submit`; `only` names the one node that may do it."""
        future: Future[Placed[T]] = Future()
        with self._turn:
            if self._closed:
                raise Unavailable("the executor is closed")
            item = _Item(work, future, only)
            reason = self._impossible(item)
            if reason is not None:
                raise Unavailable(reason)
            self._waiting.append(item)
            for place in self._places:
                if place not in self._threads and self._suits(place, item):
                    thread = threading.Thread(target=self._serve, args=(place,), daemon=True)
                    self._threads[place] = thread
                    thread.start()
            self._turn.notify_all()
        return future

    def validate(self) -> None:
        """Validate every node that measures, all at once, and compare them with their peers."""
        names = dict.fromkeys(place.node for place in self._places if place.seat.measures)
        asked = []
        for name in names:
            with suppress(Unavailable):  # gone or quarantined already
                asked.append(self.submit(Work(_nothing, (), "measure"), only=name))
        for future in asked:
            with suppress(CertuneError):  # `nodes` tells what became of it
                future.result()

    def observe(self, node: str, series: Series, tolerance: float) -> tuple[str, ...]:
        """Note what a node took for the same thing as its peers, such as an incumbent's time.

        A node that is worse than the others by more than `tolerance` is quarantined. Returns
        the evidence against this node, if any.
        """
        with self._turn:
            member = self._members[node]
            member.observed[series.name] = series
            seen = {
                m.name: [m.observed[series.name]]
                for m in self._members.values()
                if m.serves and series.name in m.observed
            }
            for found in drifted(seen, {series.name: tolerance}):
                self._quarantine(self._members[found.node], found.evidence)
            return member.quarantined

    def close(self) -> None:
        """See `Executor.close`."""
        with self._turn:
            self._closed = True
            waiting, self._waiting = self._waiting, []
            self._turn.notify_all()
        for item in waiting:
            item.refuse("the executor was closed")
        for place in self._places:
            place.close()
        for thread in self._threads.values():
            thread.join()

    # -- choosing, under the lock ----------------------------------------------------------

    def _suits(self, place: Place, item: _Item) -> bool:
        """Whether an item could ever be done at a place as things stand."""
        member = self._members[place.node]
        return (
            member.serves
            and item.only in (None, place.node)
            and place.seat.measures == (item.work.kind == "measure")
            and place.node not in item.refused
            and all(member.labels.get(k, -1.0) >= v for k, v in item.work.labels.items())
        )

    def _impossible(self, item: _Item) -> str | None:
        """Why no place that is left can do an item; None if one can."""
        if any(self._suits(place, item) for place in self._places):
            return None
        if item.refused:
            return "; ".join(f"{node}: {why}" for node, why in sorted(item.refused.items()))
        known = {name for member in self._members.values() for name in member.labels}
        for label in item.work.labels:
            if label not in known:
                return f"no node offers {label!r}; {nearest(label, known)}"
        if not any(member.serves for member in self._members.values()):
            told = "; ".join(
                f"{m.name}: {m.gone or ', '.join(m.quarantined)}" for m in self._members.values()
            )
            return f"no node is left ({told})" if told else "there is no node"
        return f"no node offers all of {dict(item.work.labels)}"

    def _next(self, place: Place) -> _Item | None:
        """The item that this place takes now, marked as taken."""
        member, seat = self._members[place.node], place.seat
        if self._closed or not member.serves or (seat.spare and self._kept(member)):
            return None
        for item in list(self._waiting):
            if not self._suits(place, item) or self._elsewhere(place, item):
                continue
            if any(member.free[k] < v for k, v in item.work.labels.items()):
                continue
            if seat.measures and any(busy.spare for busy in member.busy):
                return None  # what was begun on these cores before ends first
            self._waiting.remove(item)
            if not item.begin():
                continue
            self._mark(member, seat, item, -1)
            return item
        return None

    def _elsewhere(self, place: Place, item: _Item) -> bool:
        """Whether an item was lost on this node, and another can do it.

        A node's processes die before it is known that the node did.
        """
        lost = {loss.node for loss in item.lost}
        return place.node in lost and any(
            other.node not in lost and self._suits(other, item) for other in self._places
        )

    def _kept(self, member: _Member) -> bool:
        """Whether the measuring cores of a node are kept free of checks."""
        if member.reserved or any(seat.measures for seat in member.busy):
            return True
        measuring = [p for p in self._places if p.node == member.name and p.seat.measures]
        return any(self._suits(place, item) for item in self._waiting for place in measuring)

    def _mark(self, member: _Member, seat: Seat, item: _Item, sign: int) -> None:
        for label, amount in item.work.labels.items():
            member.free[label] += sign * amount
        if sign > 0:
            del member.busy[seat]
            return
        member.busy[seat] = item
        # A machine with one core for all must check on it again; others keep theirs free.
        others = any(
            not (p.seat.measures or p.seat.spare) for p in self._places if p.node == member.name
        )
        member.reserved = member.reserved or (seat.measures and others)

    def _quarantine(self, member: _Member, evidence: str) -> None:
        member.quarantined = tuple(dict.fromkeys((*member.quarantined, evidence)))
        self._settle()

    def _settle(self) -> None:
        """Fail what nobody can do any more, after a node went away or was refused."""
        for item in list(self._waiting):
            reason = self._impossible(item)
            if reason is not None:
                self._waiting.remove(item)
                item.refuse(reason)
        self._turn.notify_all()

    # -- the threads -----------------------------------------------------------------------

    def _serve(self, place: Place) -> None:
        """What the thread of a place does until the pool is closed or the node is gone."""
        member = self._members[place.node]
        while True:
            with self._turn:
                item = self._next(place)
                while item is None:
                    if self._closed or member.gone:
                        return
                    self._turn.wait()
                    item = self._next(place)
            again = self._do(place, member, item)
            with self._turn:
                self._mark(member, place.seat, item, +1)
                if again:
                    self._waiting.insert(0, item)
                self._settle()

    def _do(self, place: Place, member: _Member, item: _Item) -> bool:
        """Do an item and give its future the end; True if it is to be done again instead."""
        try:
            if item.work.kind == "measure" and not self._valid(place, member, item):
                return True
            value = place.call(item.work)
        except Lost as lost:
            return self._lost(member, item, lost)
        except BaseException as error:  # noqa: BLE001 - it belongs to who asked
            item.future.set_exception(error)
            return False
        item.future.set_result(Placed(value, place.node, place.seat.cpus, tuple(item.lost)))
        return False

    def _lost(self, member: _Member, item: _Item, lost: Lost) -> bool:
        with self._turn:
            if self._closed:
                item.future.set_exception(Unavailable("the executor was closed"))
                return False
            loss = Loss(item.work.name, member.name, len(item.lost) + 1, lost.reason)
            item.lost.append(loss)
            self._losses.append(loss)
            if lost.node_gone:
                member.gone = lost.reason
            if len(item.lost) < item.work.attempts:
                return True
        told = "; ".join(f"on {one.node}: {one.reason}" for one in item.lost)
        item.future.set_exception(
            Crashed(f"{item.work.name} was lost {len(item.lost)} times: {told}")
        )
        return False

    def _valid(self, place: Place, member: _Member, item: _Item) -> bool:
        """Whether the node may be measured on now; refuses it to the item if not."""
        if self._validator is None:
            return True
        report, age = member.report, time.monotonic() - member.validated
        lasts = self._valid_for if report is not None and report.fit else min(5.0, self._valid_for)
        if report is None or age > lasts:
            cpu = place.seat.cpus[0]
            report = place.call(Work(self._validator, (cpu,), "measure", attempts=1))
            with self._turn:
                member.report, member.validated = report, time.monotonic()
                self._compare()
        with self._turn:
            if report.state == "broken":
                self._quarantine(member, report.sentence())
            if member.quarantined:
                item.refused[member.name] = ", ".join(member.quarantined)
            elif not report.fit:
                item.refused[member.name] = f"not measured here: {report.sentence()}"
        return member.name not in item.refused

    def _compare(self) -> None:
        """Quarantine the nodes that are worse than their peers."""
        reports = {m.name: m.report for m in self._members.values() if m.serves and m.report}
        for found in suspects(reports, self._tolerance):
            self._quarantine(self._members[found.node], found.evidence)

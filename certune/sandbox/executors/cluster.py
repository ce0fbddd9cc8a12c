"""The executor of a Ray cluster (extra ``certune[ray]``): the same pool, with seats on nodes.

Ray is imported here alone. It moves bytes to a node and back and tells when one is gone; which
node gets what, how often something is begun again, and who is trusted to measure is decided in
the driver, by the same pool as on one machine. Nodes are the judge's own machines: candidates
run in their sandboxes.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from certune.core.errors import InfrastructureError, TimedOut, Unavailable
from certune.sandbox.executors.local import machine_label, validate_cpu
from certune.sandbox.executors.model import Loss, Node, Placed, Work
from certune.sandbox.executors.perform import SINGLE_THREADED, Order, carry_out, value_of, written
from certune.sandbox.executors.plan import Seat, plan
from certune.sandbox.executors.pool import Lost, Pool, Validator
from certune.sandbox.machine import Series, Tolerance, facts

T = TypeVar("T")

# Ray's own labels of a node, which are no resources to be asked for.
_OWN = ("node:", "object_store_memory", "memory")


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise Unavailable(f"Ray is not here ({error}); pip install 'certune[ray]'") from None
    return ray


def _survey(cores: int) -> tuple[str, tuple[Seat, ...]]:
    """What a node says of itself: its kind, and its seats."""
    found = facts()
    return machine_label(found), plan(found, cores=cores)


class NodeSeat:
    """A seat on a node of the cluster."""

    def __init__(self, node: str, seat: Seat, folder: Path | None = None) -> None:
        """A seat of the node with Ray's identity `node`."""
        self.node = node
        self.seat = seat
        self._folder = folder
        self._lock = threading.Lock()
        self._closed = False
        self._running: Any = None

    def call(self, work: Work[Any]) -> Any:
        """See `Place.call`.

        Raises:
            Lost: the worker or the node died.
            TimedOut: the call took longer than it may; the worker is ended.
            Crashed: the work cannot be pickled.
        """
        ray = _ray()
        domain = self.seat.domain if work.kind == "measure" else None
        data = written(Order(work.call, work.arguments, self.seat.cpus, domain, self._folder))
        with self._lock:
            if self._closed:
                raise Lost("closed")
            reference = self._running = _begin(ray, self.node, work.labels, data)
        try:
            return value_of(ray.get(reference, timeout=work.seconds))
        except ray.exceptions.GetTimeoutError:
            with suppress(Exception):
                ray.cancel(reference, force=True)
            raise TimedOut(f"{work.name} took longer than {work.seconds:g} s") from None
        except ray.exceptions.RayError as error:
            raise self._lost(ray, error) from None
        finally:
            with self._lock:
                self._running = None

    def close(self) -> None:
        """End what runs here; see `Place.close`."""
        with self._lock:
            self._closed = True
            running = self._running
        if running is not None:
            with suppress(Exception):  # it may just have ended, and its node may be gone
                _ray().cancel(running, force=True)

    def _lost(self, ray: Any, error: Exception) -> Lost:
        first = str(error).strip().splitlines()
        told = f"{type(error).__name__}: {first[0] if first else ''}"
        try:
            alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        except Exception as trouble:  # noqa: BLE001 - the cluster itself is gone
            return Lost(f"{told}; the cluster does not answer ({trouble})", node_gone=True)
        return Lost(told, node_gone=self.node not in alive)


def _reachable(address: str) -> None:
    """Refuse an address at which nothing listens; Ray itself would wait for minutes."""
    found = re.fullmatch(r"(?:ray://)?([^/\s]+):(\d{1,5})", address)
    if found is None:  # "auto", "local" and what else Ray may understand
        return
    try:
        socket.create_connection((found[1].strip("[]"), int(found[2])), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise Unavailable(f"no Ray cluster at {address}: {error}") from None


def _begin(ray: Any, node: str, labels: Mapping[str, float], data: bytes) -> Any:
    """Begin an order on a node and nowhere else; Ray itself is to begin nothing again."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked = {k: v for k, v in labels.items() if v > 0}
    options: dict[str, Any] = {
        "num_cpus": asked.pop("CPU", 1),
        "max_retries": 0,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
        "runtime_env": {"env_vars": dict(SINGLE_THREADED)},
    }
    if "GPU" in asked:
        options["num_gpus"] = asked.pop("GPU")
    if asked:
        options["resources"] = asked
    return ray.remote(carry_out).options(**options).remote(data)


class RayExecutor:
    """Work on the nodes of a Ray cluster, each of them planned like one machine.

    Labels are the resources that Ray's nodes declare (``GPU``, ``accelerator_type:…`` and
    whatever they were started with), and each node's kind of machine. Measured work goes to a
    node that was validated just before, pinned to its measuring core. Nodes that are worse than
    their peers, or compute wrongly, are quarantined with the evidence.
    """

    name = "ray"

    def __init__(
        self,
        address: str | None = None,
        *,
        cores: int = 1,
        validator: Validator | None = validate_cpu,
        valid_for: float = 60.0,
        tolerance: Tolerance | None = None,
        folder: Path | None = None,
        begin: Mapping[str, Any] | None = None,
    ) -> None:
        """Connect to the cluster at `address`, or begin one on this machine if None is given.

        A connection of this process to Ray that is there already is used, and left as it is.
        `begin` is passed to ``ray.init``. Nodes that join later are not taken up.

        Raises:
            Unavailable: Ray is not installed, no cluster answers, or no node has a CPU.
        """
        self._mine = False
        ray = _ray()
        if not ray.is_initialized():
            self._connect(ray, address, dict(begin or {}))
            self._mine = True
        try:
            places, labels = self._survey(ray, cores, folder)
            if not places:
                raise Unavailable("no node of the Ray cluster has a CPU to offer")
        except BaseException:
            self._leave()
            raise
        self._pool = Pool(
            places, labels, validator=validator, valid_for=valid_for, tolerance=tolerance
        )
        if validator is not None:
            self._pool.validate()

    @staticmethod
    def _connect(ray: Any, address: str | None, options: dict[str, Any]) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if address is None:
            quiet |= {"include_dashboard": False, "address": "local"}
        else:
            options["address"] = address
            _reachable(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(**(quiet | options))
        except Exception as error:  # noqa: BLE001 - Ray raises what its parts raise
            told = str(error).strip().splitlines() or [type(error).__name__]
            raise Unavailable(f"no Ray cluster at {address or 'this machine'}: {told[0]}") from None

    @staticmethod
    def _survey(
        ray: Any, cores: int, folder: Path | None
    ) -> tuple[list[NodeSeat], dict[str, dict[str, float]]]:
        asked: dict[str, Any] = {}
        offered: dict[str, dict[str, float]] = {}
        for node in ray.nodes():
            resources = {k: float(v) for k, v in node["Resources"].items()}
            if node["Alive"] and resources.get("CPU", 0) >= 1:
                name = node["NodeID"]
                offered[name] = {k: v for k, v in resources.items() if not k.startswith(_OWN)}
                asked[name] = _begin(ray, name, {}, written(Order(_survey, (cores,), ())))
        places = []
        for name, reference in asked.items():
            try:
                kind, seats = value_of(ray.get(reference, timeout=120))
            except (ray.exceptions.RayError, InfrastructureError):
                del offered[name]  # not reached now, so not counted on later
                continue
            offered[name][kind] = 0.0
            # Ray may offer fewer CPUs than there are; the measuring seat comes first.
            measuring = [seat for seat in seats if seat.measures]
            checking = [seat for seat in seats if not seat.measures]
            most = max(1, int(offered[name]["CPU"]) - len(measuring))
            places += [NodeSeat(name, seat, folder) for seat in (*measuring, *checking[: most + 1])]
        return places, offered

    def nodes(self) -> Sequence[Node]:
        """See `Executor.nodes`."""
        return self._pool.nodes()

    def losses(self) -> Sequence[Loss]:
        """See `Executor.losses`."""
        return self._pool.losses()

    def submit(self, work: Work[T]) -> Future[Placed[T]]:
        """See `Executor.submit`."""
        return self._pool.submit(work)

    def observe(self, node: str, series: Series, tolerance: float) -> tuple[str, ...]:
        """See `Pool.observe`: quarantine nodes that drift from their peers on equal work."""
        return self._pool.observe(node, series, tolerance)

    def close(self) -> None:
        """See `Executor.close`; a cluster that was begun here is ended."""
        self._pool.close()
        self._leave()

    def _leave(self) -> None:
        if self._mine:
            self._mine = False
            _ray().shutdown()

    def __enter__(self) -> Self:
        """The executor itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

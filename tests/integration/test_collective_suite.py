"""Every collective task passes the conformance suite, on topologies of every kind."""

from __future__ import annotations

import json
from collections.abc import Iterator

from certune.core import Context, Payload
from certune.tasks.collective.family import CollectiveFamily
from certune.testing import TaskSuite
from certune.verifier.provers import Provers


class CollectiveSuite(TaskSuite):
    family = CollectiveFamily()

    def context(self) -> Context:
        return Context(prover=Provers())

    def wrong_payloads(self, baseline: Payload) -> Iterator[Payload]:
        """The baseline without its last send, and with a send over no link or of nothing held."""
        data = json.loads(baseline.data)

        def changed() -> Payload:
            return Payload(baseline.format, json.dumps(data).encode())

        last = data["steps"][-1]
        sends = last.get("copy") or last["reduce"]
        removed = sends.pop()
        if sends or len(last) > 1:
            yield changed()
        sends.append(removed)
        first = data["steps"][0]
        operation = "copy" if "copy" in first else "reduce"
        first[operation].append(first[operation][0])
        yield changed()


class TestAllgatherDgx1(CollectiveSuite):
    task = "collective/allgather"
    parameters = {"topology": "dgx1"}


class TestAllreduceTime(CollectiveSuite):
    task = "collective/allreduce"
    parameters = {"topology": "ring", "ranks": "4", "objective": "time", "size": "1MiB"}


class TestReduceScatterFrontier(CollectiveSuite):
    task = "collective/reduce-scatter"
    parameters = {"topology": "torus2d", "rows": "2", "columns": "3", "objective": "frontier"}


class TestBroadcastSwitch(CollectiveSuite):
    task = "collective/broadcast"
    parameters = {"topology": "switch", "ranks": "4", "root": "2", "objective": "latency"}


class TestReduceHypercube(CollectiveSuite):
    task = "collective/reduce"
    parameters = {"topology": "hypercube", "dimensions": "3", "root": "5"}


class TestGatherLine(CollectiveSuite):
    task = "collective/gather"
    parameters = {"topology": "line", "ranks": "5", "root": "4"}


class TestScatterNodes(CollectiveSuite):
    task = "collective/scatter"
    parameters = {"topology": "nvswitch-nodes", "nodes": "2", "gpus": "2", "nics": "1"}


class TestAlltoallMesh(CollectiveSuite):
    task = "collective/alltoall"
    parameters = {"topology": "full", "ranks": "4"}

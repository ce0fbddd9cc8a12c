"""The executor of a Ray cluster: a local one of two cores, and nodes that are lost or gray."""

import os
import time
import warnings

import pytest
from machine_samples import CALM, FACTS, probed

from certune.core.errors import Unavailable
from certune.sandbox.executors import Work, exercises
from certune.sandbox.machine import Finding, MachineReport
from certune.testing import ExecutorSuite

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'certune[ray]'")

from certune.sandbox.executors.cluster import RayExecutor  # noqa: E402

# Ray leaves sockets and processes to the collector, and speaks of its own future.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def _paths():
    """Nodes find this file's module, as users' modules are to be found on theirs."""
    before = os.environ.get("PYTHONPATH")
    here = os.path.dirname(__file__)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [here, os.path.dirname(here), *([before] if before else [])]
    )
    yield
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def _two_cores():
    """One local Ray of two CPUs for all tests that can share it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(
            "local",
            num_cpus=2,
            resources={"special": 1},
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
        )
    yield
    ray.shutdown()


@pytest.mark.usefixtures("_two_cores")
class TestRayExecutor(ExecutorSuite):
    make = staticmethod(lambda: RayExecutor(validator=None))
    patience = 120.0

    def test_labels_are_rays_resources_and_the_kind_of_machine(self, executor):
        (node,) = executor.nodes()
        assert node.labels["special"] == 1
        (kind,) = (label for label in node.labels if label.startswith("machine:"))
        work = Work(exercises.add, (1, 1), "measure", {"special": 1, kind: 0})
        assert self.ask(executor, work) == 2
        with pytest.raises(Unavailable, match="GPU"):
            executor.submit(Work(exercises.add, (1, 1), labels={"GPU": 1}))

    def test_a_connection_that_was_there_is_left_as_it_is(self):
        RayExecutor(validator=None).close()
        assert ray.is_initialized()


def unfit(cpu: int) -> MachineReport:
    return MachineReport(FACTS, CALM, probed(), (Finding("throttled", "it is hot"),))


def broken(cpu: int) -> MachineReport:
    found = (Finding("broken", "one and one made three"),)
    return MachineReport(FACTS, CALM, probed(correct=False), found)


@pytest.mark.usefixtures("_two_cores")
def test_a_node_that_is_not_fit_is_not_measured_on():
    with RayExecutor(validator=unfit) as executor:
        assert executor.nodes()[0].report.state == "throttled"
        with pytest.raises(Unavailable, match="it is hot"):
            executor.submit(Work(exercises.add, (1, 1), "measure")).result(60)
        assert executor.submit(Work(exercises.add, (1, 1))).result(60).value == 2


@pytest.mark.usefixtures("_two_cores")
def test_a_node_that_computes_wrongly_gets_no_work_at_all():
    with RayExecutor(validator=broken) as executor:
        assert "three" in executor.nodes()[0].quarantined[0]
        with pytest.raises(Unavailable, match="three"):
            executor.submit(Work(exercises.add, (1, 1)))


def slow_on_one_node(cpu: int) -> MachineReport:
    """One node of the cluster is slower than the others; which, its resources say."""
    here = ray.get_runtime_context().get_node_id()
    slow = any(n["NodeID"] == here and "slow" in n["Resources"] for n in ray.nodes())
    return MachineReport(FACTS, CALM, probed(1.4 if slow else 1.0), ())


@pytest.fixture
def cluster():
    """Four nodes on this machine, one of them called slow."""
    from ray.cluster_utils import Cluster

    if ray.is_initialized():
        ray.shutdown()
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "resources": {"head": 1}},
    )
    made.others = [made.add_node(num_cpus=1, resources={"worker": 1}) for _ in range(2)]
    made.slow = made.add_node(num_cpus=1, resources={"slow": 1, "worker": 1})
    made.wait_for_nodes()
    yield made
    if ray.is_initialized():
        ray.shutdown()
    made.shutdown()


def by_label(executor, label):
    return [node for node in executor.nodes() if label in node.labels]


def test_gray_nodes_are_quarantined_and_lost_ones_replaced(cluster, tmp_path):
    executor = RayExecutor(cluster.address, validator=slow_on_one_node, valid_for=1e6)
    with executor:
        nodes = executor.nodes()
        assert len(nodes) == 4
        (slow,) = by_label(executor, "slow")
        assert any("compute-cpu is 40 % worse" in told for told in slow.quarantined)
        assert not any(node.quarantined for node in nodes if node.name != slow.name)
        used = {
            executor.submit(Work(exercises.add, (1, i), "measure")).result(120).node
            for i in range(8)
        }
        assert slow.name not in used
        with pytest.raises(Unavailable):
            executor.submit(Work(exercises.add, (1, 1), labels={"slow": 1}))

        # A node dies while it works: the work is done elsewhere, and the loss is told.
        running = executor.submit(Work(exercises.sleep, (4.0,), "measure", {"worker": 1}))
        while not running.running():
            time.sleep(0.01)
        placed_on = _where(executor, running)
        for node in cluster.others:
            if node.node_id == placed_on:
                cluster.remove_node(node, allow_graceful=False)
        placed = running.result(120)
        assert placed.node != placed_on
        assert [loss.node for loss in placed.lost] == [placed_on]
        assert executor.losses() == placed.lost
        # Its processes may die before it is known that the node did; then work finds it out.
        end = time.monotonic() + 120
        while not _node(executor, placed_on).gone and time.monotonic() < end:
            done = executor.submit(Work(exercises.add, (1, 1), "measure")).result(120)
            assert done.value == 2
            assert done.node != placed_on
        assert _node(executor, placed_on).gone
    assert not ray.is_initialized()


def _node(executor, name):
    (found,) = (node for node in executor.nodes() if node.name == name)
    return found


def _where(executor, future):
    """The node on which a work runs."""
    with executor._pool._turn:
        for member in executor._pool._members.values():
            if any(item.future is future for item in member.busy.values()):
                return member.name
    return None


def test_no_cluster_is_said_in_words():
    if ray.is_initialized():
        ray.shutdown()
    with pytest.raises(Unavailable, match="no Ray cluster at 127"):
        RayExecutor("127.0.0.1:1")

"""The verdict on every real plan, with its reason."""

from pathlib import Path

import pytest

from certune.core import Obligation, Status
from certune.tasks.collective.mscclpp.verify import CLAIMS, PlanReport, verify_plan

PLANS = Path(__file__).parents[1] / "data" / "mscclpp-plans"

# Obligations that are not proved, with words of the reason; everything else is proved.
REAL: dict[str, dict[str, tuple[Status, str]]] = {
    "allgather_pkt": {},
    "allreduce_packet": {},
    "alltoall": {},
    "transfer_pack": {},
    # The proxy still reads the source when the kernel has ended: nobody tells of its end.
    "mn_reducescatter": {"exit-safe": (Status.REFUTED, "operation 12 (pws) may still be reading")},
    "mn_send_recv": {
        "exit-safe": (Status.REFUTED, "operation 3 (pws) may still be reading"),
        "postcondition": (Status.UNKNOWN, "the input of the rank 1 before it, in a ring"),
    },
    # The stores through the switch are followed by relaxed signals only.
    "reduce_nvls": {"exit-safe": (Status.REFUTED, "(glres) may still be writing rank 1's i[0]")},
    # Rank 1's groups copy whole chunks a thread block, rank 0's read halves of each.
    "reduce_tbg": {
        "message-sizes": (Status.REFUTED, "a message of 64 bytes"),
        "no-race": (Status.REFUTED, "nothing orders them"),
        "initialised": (Status.UNKNOWN, "race"),
        "postcondition": (Status.UNKNOWN, "race"),
    },
}


def report(name: str) -> PlanReport:
    return verify_plan((PLANS / f"{name}.json").read_bytes())


def find(given: PlanReport, name: str) -> Obligation:
    return next(o for o in given.obligations if o.name == name)


@pytest.mark.parametrize("name", sorted(REAL))
def test_real_plan(name: str) -> None:
    given = report(name)
    assert [o.name for o in given.obligations] == [name for name in CLAIMS if name != "agreement"]
    for obligation in given.obligations:
        status, words = REAL[name].get(obligation.name, (Status.PROVED, ""))
        assert obligation.status == status, obligation
        if words:
            assert obligation.counterexample is not None
            assert words in obligation.counterexample.sentence
    assert given.verdict.met == (not REAL[name])


def test_pipeline_of_an_older_version_does_not_load() -> None:
    given = report("allreduce_pipeline")
    loads = find(given, "loads")
    assert loads.status is Status.REFUTED
    assert loads.counterexample is not None
    assert "'buff'" in loads.counterexample.sentence
    # What it computes was looked at for 1, 2, 3 and 33 iterations only.
    rest = {o.status for o in given.obligations if o.name != "loads"}
    assert rest == {Status.TESTED}
    assert "69206016 bytes" in find(given, "postcondition").claim


def test_claims_name_the_message_sizes() -> None:
    given = report("reduce_tbg")
    assert (given.scope.smallest, given.scope.largest) == (128, 2**32 - 64)
    assert "messages from 128 to 4294967232 bytes" in find(given, "no-deadlock").claim
    assert any("max_message_size" in warning for warning in given.warnings)

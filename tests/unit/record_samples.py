"""Small specs, trials and bounds for tests of the record."""

from fractions import Fraction

from certune.core.canonical import sha256
from certune.core.measurement import Bound, Measurement
from certune.core.obligation import Counterexample, Obligation, Verdict
from certune.core.spec import Improve, Metric, TaskSpec
from certune.core.status import Status
from certune.core.trial import Decision, Trial, Usage

ROUNDS = Metric("rounds", "rounds/chunk", "lower")
SPEC = TaskSpec("collective/allgather", 1, {"topology": "dgx1"}, Improve(ROUNDS))
OTHER = TaskSpec("collective/allreduce", 1, {"topology": "dgx1"}, Improve(ROUNDS))
BOUND = Bound("cut", ROUNDS, Fraction(7, 6), "proven", "every cut", "cut", {"cut": [0]})


def verdict(status=Status.PROVED):
    found = Counterexample("rank 3 never receives chunk 5", {"rank": 3})
    counterexample = found if status is Status.REFUTED else None
    return Verdict(
        (
            Obligation(
                "dataflow", "all arrives", "dataflow", status, "x", counterexample=counterexample
            ),
        )
    )


ACCEPTED = Decision("accepted", "better than the ring", "better-in-model")
REFUSED = Decision("not-better", "the ring is as good")


def payload(number):
    return b"payload %d" % number


def trial(number, session="s1", spec=SPEC, **members):
    data = payload(number)
    given = {
        "artefact": sha256(b"artefact %d" % number),
        "verdict": verdict(),
        "measurement": Measurement("modelled", {"rounds": Fraction(number, 6)}),
        "decision": ACCEPTED,
        "usage": Usage(10, 5, Fraction(1, 100)),
        "seconds": 0.5,
        **members,
    }
    return Trial(
        number=number,
        session=session,
        agent="search",
        spec=spec.digest,
        payload_format="native",
        payload=sha256(data),
        started="2026-01-31T12:00:00Z",
        **given,
    )

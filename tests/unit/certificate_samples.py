"""An acceptance with everything in it, and its files."""

from fractions import Fraction

from record_samples import ACCEPTED, BOUND, ROUNDS, SPEC, verdict

from certune.certificate import Acceptance
from certune.core.candidate import File
from certune.core.measurement import Comparison, Measurement
from certune.core.status import Status
from certune.environment import Environment

FILES = (File("schedule.json", b'{"sends":[]}\n'), File("schedule.xml", b"<algo/>\n"))
MACHINE = Environment(
    certune="0.1.0",
    python="cpython 3.11.7",
    packages={"z3-solver": "4.13.0"},
    machine="x86_64",
    cpu="Some CPU",
    cpus=8,
    system="Linux",
    kernel="6.1.0",
    distribution="Debian GNU/Linux 12 (bookworm)",
    governor="performance",
    load=0.5,
)


def acceptance(**members):
    given = {
        "spec": SPEC,
        "spec_digest": SPEC.digest,
        "status": Status.PROVED,
        "obligations": verdict().obligations,
        "decision": ACCEPTED,
        "measurement": Measurement("modelled", {ROUNDS.name: Fraction(7, 6)}),
        "comparison": Comparison("better", 1.7, (1.5, 1.9), 0.01, "exact"),
        "baseline_name": "ring",
        "baseline": Measurement("modelled", {ROUNDS.name: Fraction(7)}),
        "incumbent": {ROUNDS.name: Fraction(3, 2)},
        "bounds": (BOUND,),
        "gaps": {ROUNDS.name: Fraction(0)},
        "payload": FILES[0].digest,
        "payload_format": "native",
        "artefact": FILES[0].name,
        "artefact_format": "native",
        "environment": MACHINE,
        "versions": {"certune": "0.1.0"},
        "session": "s1",
        "agent": "search",
        "trial": 3,
        "created": "2026-01-31T12:00:00Z",
        "provenance": {"solver": "greedy", "seed": 1},
        **members,
    }
    return Acceptance(**given)

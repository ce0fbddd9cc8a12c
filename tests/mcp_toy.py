"""A family small enough to be read whole: positive integers with a given sum, as few as can be.

Payloads are JSON: ``{"xs": [5, 7]}``. Further members steer the judging for tests: ``sleep``
(seconds in `check`), ``trouble`` (trouble of certune's own), ``bug`` (an unexpected exception).
"""

import time
from fractions import Fraction

from certune.core import (
    Baseline,
    Bound,
    Brief,
    Candidate,
    Counterexample,
    Crashed,
    File,
    Improve,
    InvalidInput,
    InvalidPayload,
    Measurement,
    Metric,
    Obligation,
    Parameter,
    Payload,
    PayloadFormat,
    Status,
    TaskInfo,
    TaskSpec,
)
from certune.core.canonical import dumps, loads

FORMAT = "toy-sum"
TERMS = Metric("terms", "numbers", "lower")
SCHEMA = {
    "type": "object",
    "properties": {"xs": {"type": "array", "items": {"type": "integer"}}},
    "required": ["xs"],
    "additionalProperties": False,
}


def spec(total=12):
    return TaskSpec("toy/sum", 1, {"total": total}, Improve(TERMS))


class ToyTask:
    def __init__(self, given):
        self.spec = given
        self.total = given.parameters["total"]

    def recognise(self, data):
        return FORMAT

    def elaborate(self, payload, context):
        if payload.format != FORMAT:
            raise InvalidPayload(f"unknown payload format {payload.format!r}")
        try:
            value = loads(payload.data, limit=2**20)
        except InvalidInput as error:
            raise InvalidPayload(error.message, place=error.place, remedy=error.remedy) from None
        if not isinstance(value, dict) or not isinstance(value.get("xs"), list):
            raise InvalidPayload("no member xs", remedy="send an object with an array xs")
        xs = value["xs"]
        if not xs or any(isinstance(x, bool) or not isinstance(x, int) for x in xs):
            raise InvalidPayload("xs must hold integers", place="xs")
        kept = {key: value[key] for key in ("xs", "sleep", "trouble", "bug") if key in value}
        return Candidate(payload, File("sum.json", dumps(kept)), value=kept)

    def check(self, candidate, context):
        value = candidate.value
        time.sleep(value.get("sleep", 0))
        if value.get("trouble"):
            raise Crashed("the toy's solver died")
        if value.get("bug"):
            raise ZeroDivisionError("a defect")
        xs = value["xs"]
        wrong = next((i for i, x in enumerate(xs) if x < 1), None)
        positive = None
        if wrong is not None:
            positive = Counterexample(f"xs[{wrong}] is {xs[wrong]}", {"index": wrong})
        total = sum(xs)
        differs = None
        if total != self.total:
            told = f"the sum is {total}, not {self.total}"
            differs = Counterexample(told, {"sum": total, "wanted": self.total})
        return (
            self._shown("positive", "every number is positive", positive),
            self._shown("sum", f"the numbers add up to {self.total}", differs),
        )

    def _shown(self, name, claim, counterexample):
        status = Status.PROVED if counterexample is None else Status.REFUTED
        return Obligation(
            name, claim, "exhaustive", status, f"toy/{name}", counterexample=counterexample
        )

    def evaluate(self, candidate, context):
        return Measurement("modelled", {"terms": Fraction(len(candidate.value["xs"]))})

    def compare(self, candidate, incumbent, context):
        return None

    def baseline(self):
        return Baseline("ones", Payload(FORMAT, dumps({"xs": [1] * self.total})))

    def bounds(self, context):
        claim = "a sum that is not zero has a term"
        return (Bound("one", TERMS, Fraction(1), "proven", claim, "toy/one"),)

    def solvers(self):
        return ()

    def brief(self):
        example = dumps({"xs": [1] * self.total})
        described = "an object whose member xs holds the numbers"
        return Brief(
            spec=self.spec,
            task=f"positive integers that add up to {self.total}, as few as possible",
            formats=(PayloadFormat(FORMAT, described, SCHEMA, example),),
            baselines=("ones",),
            bounds=tuple(self.bounds(None)),
            hints=("larger numbers need fewer terms",),
            repairs={"sum": "change one number by the difference"},
        )

    def recheck(self, bound, context):
        return bound.name == "one" and bound.value == 1


class ToyFamily:
    name = "toy"
    semantics = 1

    def tasks(self):
        parameters = (Parameter("total", "what the numbers add up to", "12"),)
        return (TaskInfo("toy/sum", "positive integers with a given sum", parameters),)

    def spec(self, task, parameters):
        if task != "toy/sum":
            raise InvalidInput(f"there is no task {task!r}")
        return spec(int(parameters.get("total", "12")))

    def open(self, given):
        return ToyTask(given)


def install(folder):
    """Make the family known to a process that has `folder` and the tests on its path."""
    info = folder / "certune_toy-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: certune-toy\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[certune.families]\ntoy = mcp_toy:ToyFamily\n")

"""The DSPy program: propose, reflect on a counterexample, repair; saved and loaded as JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

# LiteLLM, should anything import it, fetches a price list otherwise.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import dspy
from pydantic_core import core_schema

from certune.agents.schemas import restore, strict
from certune.core.agent import PayloadFormat
from certune.core.candidate import Payload
from certune.core.canonical import Json, dumps, loads, sha256
from certune.core.errors import ConfigurationError, InvalidInput

FILE_BYTES = 4 * 2**20
PREDICTORS = ("propose", "reflect", "repair")

PROPOSE = """\
Propose one complete candidate for an optimization task. It is judged by a verifier: parsed \
strictly, proven correct or refuted with a counterexample, and then its cost is computed. Only a \
candidate that is proven correct and better than what is to be beaten is accepted. Think about \
what limits the best candidate so far and change exactly that; never repeat an earlier candidate."""

REFLECT = """\
A verifier refused a candidate and gave a counterexample. Say what in the candidate causes exactly \
this failure, and what has to change; if other parts have the same fault, name them as well."""

REPAIR = """\
Mend a candidate that a verifier refused. Change what the diagnosis names, keep what is right, \
and give the whole candidate again, in the same format. It must stay better than what is to be \
beaten where that is possible."""

_TASK = "the task, the format of candidates, and what mends which failure"
_STANDING = "what is to be beaten, the bounds, and earlier attempts with their verdicts"
_PLAN = "in at most four sentences: what limits the best candidate, and what is done about it"
_DIAGNOSIS = "the cause of the failure and the change that removes it, place by place"


def candidate_type(chosen: PayloadFormat) -> type:
    """The type of a candidate: of the format's JSON schema, or text where it has none.

    Pydantic lets any value through: the verifier's own parser is the judge of it. The schema is
    what servers enforce and models read.
    """
    schema = strict(chosen.schema) if chosen.schema is not None else None
    if schema is None:
        return str

    def core(cls: type, source: object, handler: object) -> object:
        return core_schema.any_schema()

    def told(cls: type, core_: object, handler: object) -> object:
        return schema

    members = {
        "__get_pydantic_core_schema__": classmethod(core),
        "__get_pydantic_json_schema__": classmethod(told),
        "__doc__": chosen.description,
    }
    return type("Candidate", (dict,), members)


def _input(description: str) -> Any:
    return dspy.InputField(desc=description)


def _output(description: str) -> Any:
    return dspy.OutputField(desc=description)


def signatures(chosen: PayloadFormat) -> dict[str, Any]:
    """The signatures of the three steps, their candidates typed by the format."""
    candidate = candidate_type(chosen)
    whole = f"one whole candidate in the format {chosen.name}, nothing left out"
    failed = {
        "candidate": (str, _input("the candidate that was refused")),
        "verdict": (str, _input("the verifier's words, with the counterexample")),
    }
    return {
        "propose": dspy.Signature(
            {
                "task": (str, _input(_TASK)),
                "standing": (str, _input(_STANDING)),
                "plan": (str, _output(_PLAN)),
                "proposal": (candidate, _output(whole)),
            },
            PROPOSE,
        ),
        "reflect": dspy.Signature(
            {
                "task": (str, _input(_TASK)),
                **failed,
                "diagnosis": (str, _output(_DIAGNOSIS)),
            },
            REFLECT,
        ),
        "repair": dspy.Signature(
            {
                "task": (str, _input(_TASK)),
                **failed,
                "diagnosis": (str, _input(_DIAGNOSIS)),
                "proposal": (candidate, _output(whole)),
            },
            REPAIR,
        ),
    }


class Proposer(dspy.Module):  # type: ignore[misc, unused-ignore]
    """Proposes a candidate; given a failed one and its verdict, reflects on it and mends it."""

    def __init__(self, chosen: PayloadFormat, *, reflects: bool = True) -> None:
        super().__init__()
        steps = signatures(chosen)
        self.propose = dspy.Predict(steps["propose"])
        self.reflect = dspy.Predict(steps["reflect"])
        self.repair = dspy.Predict(steps["repair"])
        self.reflects = reflects

    def forward(
        self,
        task: str,
        standing: str,
        candidate: str = "",
        verdict: str = "",
        typed: Mapping[str, Any] | None = None,
    ) -> dspy.Prediction:
        """One candidate, in the member `proposal`.

        `typed` are the signatures of another format than the program was made for; they get the
        instructions of this one.
        """

        def step(name: str, **inputs: str) -> dspy.Prediction:
            predictor = getattr(self, name)
            if typed is None:
                return predictor(**inputs)
            told = predictor.signature.instructions
            return predictor(signature=typed[name].with_instructions(told), **inputs)

        if not verdict:
            return step("propose", task=task, standing=standing)
        diagnosis = "not given: see the verifier's words"
        failed = {"task": task, "candidate": candidate, "verdict": verdict}
        if self.reflects:
            diagnosis = step("reflect", **failed).diagnosis
        return step("repair", **failed, diagnosis=diagnosis)


def payload_of(proposal: object, chosen: PayloadFormat) -> Payload | None:
    """The payload in a program's answer; None where it has no form that can be sent."""
    if proposal is None:
        return None
    if isinstance(proposal, str):
        return Payload(chosen.name, proposal.encode("utf-8", "replace"))
    try:
        text = dumps(cast(Json, proposal)).decode()
    except (TypeError, ValueError, RecursionError):
        return None
    if chosen.schema is not None:
        text = restore(text, chosen.schema)
    return Payload(chosen.name, text.encode())


# -- files -----------------------------------------------------------------------------------


def save(program: Proposer, path: Path) -> None:
    """Write the program's instructions and demonstrations as JSON, whole or not at all.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.json")
    try:
        program.save(str(unfinished))
        unfinished.replace(path)
    except OSError as error:
        told = f"cannot be written: {error.strerror}"
        raise ConfigurationError(told, place=str(path)) from None
    finally:
        unfinished.unlink(missing_ok=True)


def read(path: Path) -> tuple[Mapping[str, Any], str]:
    """The state in a program's file, and the file's digest.

    The file is data: it names no class to import and no model to ask, and is never unpickled.

    Raises:
        ConfigurationError: what is wrong with it.
    """
    place = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"cannot be read: {reason}", place=place) from None
    try:
        state = loads(data, limit=FILE_BYTES)
    except InvalidInput as error:
        raise ConfigurationError(
            f"no program: {error}", place=place, remedy="make one: certune compile TASK -o FILE"
        ) from None
    if not isinstance(state, dict):
        raise ConfigurationError("no program: not an object", place=place)
    for name in PREDICTORS:
        _check(state.get(name), f"{place}: {name}")
    for name in state:
        if name not in (*PREDICTORS, "metadata"):
            raise ConfigurationError(f"no program: unknown member {name[:60]!r}", place=place)
    return {name: state[name] for name in PREDICTORS}, sha256(data)


def _check(state: object, place: str) -> None:
    """Refuse a predictor's state that is anything but instructions and demonstrations."""
    signature = state.get("signature") if isinstance(state, dict) else None
    instructions = signature.get("instructions") if isinstance(signature, dict) else None
    if not isinstance(state, dict) or not isinstance(instructions, str):
        raise ConfigurationError("no instructions", place=place)
    if state.get("lm") is not None:
        raise ConfigurationError(
            "it names a model of its own", place=place, remedy="save it without one"
        )
    demos = state.get("demos", [])
    if not isinstance(demos, list) or not all(isinstance(demo, dict) for demo in demos):
        raise ConfigurationError("demos is no array of objects", place=place)


def restore_into(program: Proposer, state: Mapping[str, Any]) -> None:
    """Give a program the instructions and demonstrations of a state that `read` returned."""
    for name in PREDICTORS:
        predictor = getattr(program, name)
        instructions = state[name]["signature"]["instructions"]
        predictor.signature = predictor.signature.with_instructions(instructions)
        predictor.demos = [dspy.Example(**demo) for demo in state[name].get("demos", [])]

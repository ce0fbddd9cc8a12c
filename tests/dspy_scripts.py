"""A model for the DSPy agent: answers by the step that a prompt asks for."""

import json

from model_server import Say


def step(call):
    """The step of the program that a request belongs to."""
    asked = call.prompt.rpartition("order of fields:")[2]
    if "`diagnosis`" in asked:
        return "reflect"
    return "propose" if "`plan`" in asked else "repair"


class Script:
    """Candidates by step, in their order; the last one repeats. Counts what was asked."""

    def __init__(self, propose=(), repair=(), diagnosis="the sum is off by one"):
        self.answers = {"propose": list(propose), "repair": list(repair)}
        self.diagnosis = diagnosis
        self.asked = []

    def __call__(self, call):
        name = step(call)
        self.asked.append(name)
        if name == "reflect":
            return Say(json.dumps({"diagnosis": self.diagnosis}))
        answers = self.answers[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if not isinstance(answer, list):
            return answer if isinstance(answer, Say) else Say(answer)
        told = {"plan": "fewer terms"} if name == "propose" else {}
        return Say(json.dumps({**told, "proposal": {"xs": answer}}))

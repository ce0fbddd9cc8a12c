"""Better instructions for the DSPy program: `dspy.GEPA` with the verifier's words as feedback.

The program practises on tasks: it proposes, and mends what is refused, as it will in a session.
Whatever it proposes is submitted and recorded like any other attempt; an optimizer has no way of
its own to a verdict. The model is asked and candidates are submitted in the caller's thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from certune.agents.chat import Ask, Stopping
from certune.agents.dspy import DSPy
from certune.agents.dspy_bridge import Bridge
from certune.agents.dspy_engine import Engine, Halt
from certune.agents.dspy_program import Proposer, signatures
from certune.agents.model import choose_format
from certune.agents.reply import Reply
from certune.agents.verdicts import feedback, score_of
from certune.core.agent import Brief, History, PayloadFormat
from certune.core.candidate import Payload
from certune.core.canonical import Json
from certune.core.errors import BudgetSpent, CertuneError, ConfigurationError, Crashed
from certune.core.trial import Proposal, Trial, Usage

import dspy  # isort: skip - after dspy_program, which sets up what its import reads

PERFECT = 1.0
_INSTRUCTION_CHARACTERS = 6000
_SEED = 2**20
_SHOWN = 64 * 1024  # characters of a failed candidate


@dataclass(frozen=True)
class Lesson:
    """A task to practise on: its brief and history, and the one door to its verdicts.

    `submit` raises `BudgetSpent` when nothing more may be spent, on any of the lessons.
    """

    brief: Brief
    history: History
    submit: Callable[[Proposal], Trial]


@dataclass(frozen=True)
class Compiled:
    """The better program, its score and that of the beginning, and why it ended."""

    program: Proposer
    before: float
    after: float
    ended: str


@dataclass(frozen=True)
class _Sent:
    """A candidate on its way to the verdict, by lesson."""

    lesson: int
    found: Any
    turn: str


@dataclass(frozen=True)
class _Judged:
    """A recorded attempt, and the candidate as the model is shown it again."""

    trial: Trial
    text: str


class Practice(dspy.Module):  # type: ignore[misc, unused-ignore]
    """The program on one lesson: a proposal, then repairs while the verdict asks for them.

    The prediction has a `score` from 0 to 1, the mean of the first and the best attempt's, and
    the verifier's words on the `first` and the `last`.
    """

    def __init__(
        self,
        proposer: Proposer,
        lessons: Sequence[Lesson],
        formats: Sequence[PayloadFormat],
        submit: Callable[[_Sent], _Judged | Exception],
        repairs: int,
    ) -> None:
        super().__init__()
        self._formats = formats
        self.proposer = proposer
        self._lessons = lessons
        self._submit = submit
        self._repairs = repairs

    def __deepcopy__(self, memo: dict[int, Any]) -> Practice:
        """A copy with a program of its own; lessons and the way to verdicts are shared."""
        proposer = self.proposer.deepcopy()
        return Practice(proposer, self._lessons, self._formats, self._submit, self._repairs)

    def deepcopy(self) -> Practice:
        """See `__deepcopy__`."""
        return self.__deepcopy__({})

    def forward(self, lesson: int, task: str, standing: str) -> dspy.Prediction:
        """Practise on the lesson of this number."""
        brief = self._lessons[lesson].brief
        told: list[str] = []
        scores: list[float] = []
        typed = signatures(self._formats[lesson])
        inputs = {"task": task, "standing": standing}
        turn = "propose"
        try:
            while True:
                judged = self._submit(_Sent(lesson, self._propose(inputs, typed), turn))
                if isinstance(judged, Exception):
                    raise Halt(judged)
                trial = judged.trial
                told.append(feedback(trial, brief))
                scores.append(score_of(trial, brief))
                refused = trial.verdict is not None and not trial.verdict.met
                if not refused or len(scores) > self._repairs:
                    break
                inputs |= {"candidate": judged.text, "verdict": told[-1]}
                turn = "repair"
        except Halt as halt:
            if not scores:
                why = f"not judged: {halt.cause}"
                return dspy.Prediction(score=0.0, first=why, last=why)
        score = (scores[0] + max(scores)) / 2
        return dspy.Prediction(score=score, first=told[0], last=told[-1])

    def _propose(self, inputs: Mapping[str, str], typed: Mapping[str, Any]) -> Any:
        try:
            return self.proposer(**inputs, typed=typed).proposal
        except Exception:  # noqa: BLE001 - what DSPy cannot read is an attempt as well
            return None


def _metric(
    gold: Any, found: Any, trace: Any = None, name: str | None = None, steps: Any = None
) -> Any:
    """GEPA's metric: the score, and the verifier's words on what the named step gave."""
    last = name is not None and not name.endswith("propose")
    return dspy.Prediction(score=found.score, feedback=found.last if last else found.first)


class _Instructions:
    """GEPA's own way to new instructions; it leaves them as they are once nothing may be spent."""

    def __init__(self) -> None:
        from dspy.teleprompt.gepa import InstructionProposer

        self._inner = InstructionProposer(max_chars=_INSTRUCTION_CHARACTERS)

    def __call__(
        self, candidate: dict[str, str], reflective_dataset: Any, components_to_update: list[str]
    ) -> dict[str, str]:
        try:
            found: dict[str, str] = self._inner(
                candidate=candidate,
                reflective_dataset=reflective_dataset,
                components_to_update=components_to_update,
            )
        except (Halt, Exception):  # noqa: BLE001 - a proposal that fails is no proposal
            return {name: candidate[name] for name in components_to_update}
        return found


def compile_program(agent: DSPy, lessons: Sequence[Lesson], attempts: int) -> Compiled:
    """Improve the program's instructions on `lessons` with about `attempts` practice runs.

    Raises:
        ConfigurationError: there is no lesson, or one has no format of the name that was given.
        Unavailable: the model cannot be asked.
    """
    if not lessons:
        raise ConfigurationError("there is no task to compile on")
    school = _School(agent, lessons)

    def program(put: Callable[[Any], Any]) -> None:
        school.compile(put, attempts)

    bridge: Bridge[Any, Any] = Bridge(program)
    try:
        for question in bridge.questions():
            asked = question.asked
            found = school.ask(asked) if isinstance(asked, Ask) else school.judge(asked)
            question.answer(found)
    finally:
        bridge.close()
        school.settle()
        agent.close()
    if school.trouble is not None:
        raise school.trouble
    if isinstance(bridge.failure, CertuneError):
        raise bridge.failure
    if bridge.failure is not None or school.result is None:
        told = f"{type(bridge.failure).__name__}: {bridge.failure}"
        raise Crashed(f"DSPy's optimizer failed: {told}") from bridge.failure
    return school.result


class _School:
    """What the two threads share: the optimizer's runs in one, verdicts come from the other."""

    def __init__(self, agent: DSPy, lessons: Sequence[Lesson]) -> None:
        self._agent = agent
        self._lessons = lessons
        self._formats = [choose_format(one.brief, agent.manner.format) for one in lessons]
        self._engine: Engine | None = None
        self._over: Exception | None = None
        self.trouble: Exception | None = None
        self.result: Compiled | None = None

    # -- in the caller's thread ------------------------------------------------------------

    def ask(self, ask: Ask) -> Reply | Exception:
        """Ask the model; the first reason why it cannot be asked ends the compilation."""
        if self._over is not None:
            return self._over
        reply = self._agent.ask(ask)
        if isinstance(reply, Exception):
            self._end(reply)
        return reply

    def judge(self, sent: _Sent) -> _Judged | Exception:
        """Submit a candidate to its lesson."""
        assert self._engine is not None
        facts: dict[str, Json] = {"turn": sent.turn, "compiling": True}
        found = None if sent.found is None else dspy.Prediction(proposal=sent.found)
        proposal = self._agent.proposal(self._engine, found, self._formats[sent.lesson], facts)
        try:
            trial = self._lessons[sent.lesson].submit(proposal)
        except CertuneError as error:
            self._end(error)
            return error
        return _Judged(trial, proposal.payload.data.decode("utf-8", "replace")[:_SHOWN])

    def _end(self, error: Exception) -> None:
        self._over = self._over or error
        if not isinstance(error, BudgetSpent | Stopping):
            self.trouble = self.trouble or error

    def settle(self) -> None:
        """Record what was paid for and led to no attempt."""
        usage = self._agent.take_unrecorded()
        if usage is None or usage == Usage():
            return
        facts = {"by": self._agent.name, "note": "calls that led to no candidate"}
        proposal = Proposal(
            Payload(self._formats[0].name, b""), usage, {**facts, "compiling": True}
        )
        try:
            self._lessons[0].submit(proposal)
        except BudgetSpent:
            return

    # -- in the program's thread -----------------------------------------------------------

    def compile(self, put: Callable[[Any], Any], attempts: int) -> None:
        """Run GEPA to its end."""
        logging.getLogger("dspy").setLevel(logging.WARNING)
        agent = self._agent
        self._engine = agent.engine((), ask=put, seed=_SEED)
        proposer = agent.program(self._formats[0])
        student = Practice(proposer, self._lessons, self._formats, put, agent.repairs)
        examples = [
            dspy.Example(
                lesson=number, **agent.inputs(lesson.brief, lesson.history, self._formats[number])
            ).with_inputs("lesson", "task", "standing")
            for number, lesson in enumerate(self._lessons)
        ]
        with agent.setting(self._engine):
            optimizer = dspy.GEPA(
                metric=_metric,
                max_metric_calls=attempts,
                reflection_minibatch_size=min(3, len(examples)),
                reflection_lm=dspy.settings.lm,
                instruction_proposer=_Instructions(),
                use_merge=len(examples) > 1,
                num_threads=1,
                perfect_score=PERFECT,
                track_stats=True,
                seed=agent.manner.seed,
                gepa_kwargs={"stop_callbacks": [lambda state: self._over is not None]},
            )
            best = optimizer.compile(student, trainset=examples, valset=examples)
        scores = [float(score) for score in best.detailed_results.val_aggregate_scores]
        ended = f"{attempts} practice runs are done"
        if self._over is not None:
            ended = str(self._over) or "the time is over"
        self.result = Compiled(best.proposer, scores[0], max(scores), ended)

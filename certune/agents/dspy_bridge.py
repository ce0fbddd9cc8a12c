"""A DSPy program in a thread of its own, whose candidates are judged by the session's thread.

Modules such as `dspy.BestOfN` and optimizers want a reward while they run; the verdict comes from
the session, which asks its agent for one proposal after another. The bridge turns the one into
the other: the program asks and waits, the owner takes what was asked and answers.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

_TICK = 0.1


class Abandoned(BaseException):
    """Nobody will answer any more; ends the program past its handlers of exceptions."""


@dataclass
class Question(Generic[Q, A]):
    """What the program asks, to be answered by the owner."""

    asked: Q
    answers: queue.Queue[A | None] = field(default_factory=queue.Queue)

    def answer(self, answer: A) -> None:
        """Let the program go on."""
        self.answers.put(answer)


class Bridge(Generic[Q, A]):
    """Runs `program` in a thread; iterate over `questions` and answer each.

    `failure` is what ended the program, None where it ended by itself.
    """

    def __init__(self, program: Callable[[Callable[[Q], A]], None]) -> None:
        self._program = program
        self._questions: queue.Queue[Question[Q, A]] = queue.Queue()
        self._gone = threading.Event()
        self.failure: BaseException | None = None
        context = copy_context()
        # A daemon: a program that hangs in somebody's library must not keep the process.
        self._thread = threading.Thread(
            target=lambda: context.run(self._run), name="certune-program", daemon=True
        )

    def _run(self) -> None:
        try:
            self._program(self._ask)
        except BaseException as error:  # noqa: BLE001 - carried over to the owner's thread
            self.failure = error

    def _ask(self, asked: Q) -> A:
        question: Question[Q, A] = Question(asked)
        if not self._gone.is_set():
            self._questions.put(question)
        while not self._gone.is_set():
            try:
                answer = question.answers.get(timeout=_TICK)
            except queue.Empty:
                continue
            if answer is not None:
                return answer
        raise Abandoned

    def questions(self) -> Iterator[Question[Q, A]]:
        """Start the program and yield what it asks until it ends."""
        self._thread.start()
        while True:
            try:
                yield self._questions.get(timeout=_TICK)
            except queue.Empty:
                if not self._thread.is_alive() and self._questions.empty():
                    return

    def close(self) -> None:
        """Abandon the program: it ends at its next question, or when its call returns."""
        self._gone.set()

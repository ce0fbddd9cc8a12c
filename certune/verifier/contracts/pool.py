"""Z3 (or cvc5) in worker processes that answer one query after the other."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from certune.core.errors import Crashed, Unavailable
from certune.core.proof import Answer, Query
from certune.verifier.child import folder_of

_WORKERS = {
    "z3": (Path(__file__).with_name("worker.py"), "pip install z3-solver"),
    "cvc5": (Path(__file__).with_name("cvc5_worker.py"), "pip install cvc5"),
}


OUT_OF_TIME = "out of wall time"


@dataclass(frozen=True)
class Request:
    """One query under one setting; `values` are constants whose values are wanted of a model."""

    query: Query
    simple: bool
    rlimit: int
    options: Mapping[str, bool | int] = field(default_factory=dict)
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """The answer, why it is unknown, and the values that were asked for (integers as strings)."""

    answer: Answer
    why: str = ""
    values: Mapping[str, str | bool] = field(default_factory=dict)


class Pool:
    """Workers, started when first needed, ended when the context is left.

    A query that takes longer than `seconds` of wall time ends its worker and is unknown. That
    does not repeat; resource limits are what should end a query.
    """

    def __init__(self, workers: int, memory_mib: int, seconds: float, solver: str = "z3") -> None:
        self.solver = solver
        self.count = max(1, workers)
        self.memory = memory_mib
        self.seconds = seconds
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._started = 0
        self._lock = threading.Lock()
        self._all: list[_Worker] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every worker."""
        for worker in self._all:
            worker.stop()
        self._all.clear()
        self._idle = queue.SimpleQueue()
        self._started = 0

    def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """The replies, in the order of the requests.

        Raises:
            Unavailable: the solver is not installed.
            Crashed: a worker died, or the solver reported an error.
        """
        replies: list[Reply | None] = [None] * len(requests)
        todo = iter(range(len(requests)))
        lock = threading.Lock()
        errors: list[BaseException] = []

        def serve() -> None:
            while not errors:
                with lock:
                    number = next(todo, None)
                if number is None:
                    return
                try:
                    replies[number] = self._one(requests[number])
                except BaseException as error:  # noqa: BLE001 - raised again by the caller
                    errors.append(error)

        if len(requests) == 1:
            serve()
        else:
            threads = [
                threading.Thread(target=serve, daemon=True)
                for _ in range(min(self.count, len(requests)))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if errors:
            raise errors[0]
        return [r for r in replies if r is not None]

    def _one(self, request: Request) -> Reply:
        worker = self._take()
        try:
            reply = worker.ask(request, self.seconds)
        except BaseException:
            self._drop(worker)
            raise
        if reply is None:
            self._drop(worker)
            return Reply(Answer("unknown", self.solver, "", 0, self.seconds), OUT_OF_TIME)
        self._idle.put(worker)
        return reply

    def _take(self) -> _Worker:
        with self._lock:
            if self._idle.empty() and self._started < self.count:
                self._started += 1
                worker = _Worker(self.solver, self.memory)
                self._all.append(worker)
                return worker
        return self._idle.get()

    def _drop(self, worker: _Worker) -> None:
        worker.stop()
        with self._lock:
            self._started -= 1
            if worker in self._all:
                self._all.remove(worker)


class _Worker:
    """One process."""

    def __init__(self, solver: str, memory_mib: int) -> None:
        script, remedy = _WORKERS[solver]
        folder = folder_of(solver)
        if folder is None:
            raise Unavailable(f"{solver} is not installed; run: {remedy}")
        self.solver = solver
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(script), folder, str(memory_mib)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C goes to the judge, who decides what to stop
        )

    def ask(self, request: Request, seconds: float) -> Reply | None:
        """The reply; None if it does not come in time."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = json.dumps(
            {
                "text": request.query.text.decode(),
                "simple": request.simple,
                "rlimit": request.rlimit,
                "options": dict(request.options),
                "values": list(request.values),
            }
        )
        late = threading.Event()

        def end() -> None:
            late.set()
            self.process.kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
            said = self.process.stdout.readline()
        except BrokenPipeError:
            said = b""
        finally:
            timer.cancel()
        if late.is_set():
            return None
        if not said:
            raise Crashed(f"the {self.solver} worker died with code {self.process.wait()}")
        return _reply(said, self.solver)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.wait()


def _reply(line: bytes, solver: str) -> Reply:
    try:
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise Crashed(f"{solver} reported an error: {said['error']}")
        answer = Answer(
            said["result"], solver, said["version"], int(said["resources"]), float(said["seconds"])
        )
    except (ValueError, KeyError, TypeError):
        raise Crashed(f"{solver} gave no answer: {line[:200]!r}") from None
    if answer.result not in ("sat", "unsat", "unknown"):
        raise Crashed(f"{solver} answered {answer.result!r}")
    return Reply(answer, str(said.get("why", "")), said.get("values", {}))

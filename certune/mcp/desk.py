"""One thread that owns the session and its ledger; everybody else hands it work.

A session and its SQLite connection belong to one thread, and judging may take minutes, while
the server has to answer at once. So proposals wait in a queue, the desk's thread runs the
session and takes them one by one, and after every event it publishes an immutable view.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from certune.core.agent import Brief, History
from certune.core.candidate import Payload
from certune.core.canonical import Json
from certune.core.errors import BudgetSpent, CertuneError, InvalidInput, nearest
from certune.core.obligation import Verdict
from certune.core.trial import Proposal, Trial, Usage
from certune.judging import check, elaborate
from certune.ledger import Ledger
from certune.mcp.jobs import Job, Kind, State, View
from certune.session import Event, Run, Session

AGENT = "mcp"

MAX_WAITING = 32
MAX_WAITING_BYTES = 256 * 2**20
MAX_REMEMBERED = 4096
_TICK = 0.2  # seconds between looks at the clock while nothing is to be done

_OVER = {
    "exhausted": "the server is closing",
    "nothing-better": "the goal is met, nothing better exists: a proof or a proven bound is there",
    "budget": "the budget is spent",
    "asked": "the server is closing",
    "trouble": "ended by trouble of certune's own",
}


class Desk:
    """Takes payloads in, has them judged one at a time, says how each stands.

    `begin` opens ledger and session and is called in the desk's own thread, as is `publish`,
    which writes the files of an accepted trial.
    """

    def __init__(
        self,
        begin: Callable[[], Session],
        publish: Callable[[Ledger, Trial], Sequence[Path]],
    ) -> None:
        self._begin = begin
        self._publish = publish
        self._lock = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._jobs: dict[str, Job] = {}
        self._count = 0
        self._running = False
        self._now: Job | None = None
        self._closing = False
        self._session: Session | None = None
        self._view: View | None = None
        self._trouble: Exception | None = None
        self._files: dict[int, tuple[Path, ...]] = {}
        # A daemon: a judgement that hangs must not keep a server from ending.
        self._thread = threading.Thread(target=self._work, name="certune-desk", daemon=True)

    # -- from any thread -------------------------------------------------------------------

    def open(self, seconds: float) -> bool:
        """Start the thread; whether the session stands within `seconds`.

        Raises:
            CertuneError: the session could not be begun.
        """
        self._thread.start()
        with self._lock:
            self._lock.wait_for(lambda: self._view or self._trouble, seconds)
        if self._trouble is not None and self._view is None:
            raise self._trouble
        return self._view is not None

    @property
    def view(self) -> View | None:
        """The latest view; None while the session is being prepared.

        Raises:
            CertuneError: the session could not be begun.
        """
        if self._view is None and self._trouble is not None:
            raise self._trouble
        return self._view

    def hand_in(
        self, kind: Kind, format_: str | None, data: bytes, provenance: Mapping[str, Json]
    ) -> Job:
        """Queue a payload.

        Raises:
            InvalidInput: too many wait already.
            BudgetSpent: the session is over.
        """
        with self._lock:
            view = self.view
            over = "the server is closing" if self._closing else view and view.over
            if over:
                raise BudgetSpent(over)
            held = sum(len(job.data) for job in self._waiting)
            if len(self._waiting) >= MAX_WAITING or held + len(data) > MAX_WAITING_BYTES:
                raise InvalidInput(
                    f"{len(self._waiting)} proposals wait already",
                    remedy="ask for their verdicts first, or cancel some",
                )
            self._count += 1
            prefix = "p" if kind == "propose" else "v"
            job = Job(f"{prefix}{self._count}", kind, format_, data, provenance)
            self._forget()
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._lock.notify_all()
            return job

    def _forget(self) -> None:
        """Let go of the oldest settled jobs; the ledger has what was recorded of them."""
        if len(self._jobs) >= MAX_REMEMBERED:
            settled = [identity for identity, job in self._jobs.items() if job.settled]
            for identity in settled[: MAX_REMEMBERED // 2]:
                del self._jobs[identity]

    def job(self, identity: str) -> Job:
        """The job of this id.

        Raises:
            InvalidInput: there is none.
        """
        found = self._jobs.get(identity)
        if found is None:
            known = list(self._jobs)[-12:]
            raise InvalidInput(
                f"there is no proposal {identity[:40]!r}", remedy=nearest(identity[:40], known)
            )
        return found

    def before(self, job: Job) -> int:
        """How many are judged before `job`."""
        with self._lock:
            if job.state != "waiting":
                return 0
            position = next((i for i, other in enumerate(self._waiting) if other is job), 0)
            return position + (self._now is not None)

    def cancel(self, job: Job) -> bool:
        """Take a job that waits out of the queue; False where it is too late."""
        with self._lock:
            if job.state != "waiting":
                return False
            self._waiting.remove(job)
            self._settle(job, "cancelled", "cancelled before it was judged; nothing is recorded")
            return True

    def close(self, seconds: float) -> bool:
        """Stop: what is being judged is still recorded, what waits is not judged.

        Returns whether all of that was done within `seconds`.
        """
        with self._lock:
            self._closing = True
            session = self._session
            self._lock.notify_all()
        if session is not None:
            session.stop()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # -- the desk's own thread -------------------------------------------------------------

    def _work(self) -> None:
        over = "the server is closing"
        try:
            session = self._begin()
            try:
                over = self._serve(session)
            finally:
                session.ledger.close()
        except Exception as error:  # noqa: BLE001
            # Whatever it is must reach those who wait; a thread's own traceback reaches nobody.
            self._trouble = error
            kind = "" if isinstance(error, CertuneError) else f"{type(error).__name__}: "
            over = f"ended by trouble of certune's own: {kind}{error}"
        with self._lock:
            if self._view is not None:
                self._view = replace(self._view, over=over, running=False)
            left = [*self._waiting, *([self._now] if self._now else [])]
            self._waiting.clear()
            for job in left:
                self._settle(job, "not-judged", over)
            self._lock.notify_all()

    def _serve(self, session: Session) -> str:
        """Run the session from the first job on; why it is over."""
        with self._lock:
            self._session = session
        for trial in session.trials:
            if trial.accepted:
                self._write(session, trial)
        over = self._spent(session)
        self._show(session, over=over)
        if over is not None:
            return over
        with self._lock:
            # The clock of the budget starts with the first job, not with the server.
            self._lock.wait_for(lambda: self._waiting or self._closing)
            closing = self._closing
        if closing:
            session.ledger.end(session.identity, "asked: nothing was proposed", 0.0)
            return "the server is closing"
        self._running = True
        run = session.run(_Client(self, session), watch=lambda event: self._event(session, event))
        self._running = False
        over = _told(run)
        self._show(session, over=over)
        return over

    def _spent(self, session: Session) -> str | None:
        limit = session.record.budget.exhausted(session.ledger.spent(session.identity))
        if limit is not None:
            return f"the budget is spent ({limit})"
        return _OVER["nothing-better"] if session.nothing_better else None

    def _next(self, session: Session) -> Job | None:
        """Wait for the next job; None when the session is to stop."""
        with self._lock:
            while not self._waiting:
                if self._closing or session.stopping:
                    return None
                self._lock.wait(_TICK)
            if self._closing or session.stopping:
                return None
            self._now = job = self._waiting.popleft()
            job.state, job.began = "judging", time.monotonic()
            return job

    def _event(self, session: Session, event: Event) -> None:
        """After every trial, and every bound that is proven on the way."""
        if not isinstance(event, Trial):
            self._show(session)
            return
        job = self._now
        told = ""
        if event.accepted:
            told = self._write(session, event)
        self._show(session)
        if job is None:
            return
        job.trial = event
        job.files = self._files.get(event.number, ())
        with self._lock:
            if event.failure is not None:
                self._settle(job, "failed", f"trouble of certune's own: {event.failure}")
            else:
                self._settle(job, "done", told)

    def _write(self, session: Session, trial: Trial) -> str:
        """Write an accepted trial's files; what went wrong, if anything did."""
        try:
            self._files[trial.number] = tuple(self._publish(session.ledger, trial))
        except CertuneError as error:
            # The trial is recorded with its files; only these copies are not written.
            return f"accepted and recorded, but {error}"
        return ""

    def _verify(self, session: Session, job: Job) -> None:
        """Show or refute the obligations of a payload; nothing is recorded."""
        try:
            candidate = elaborate(session.task, self._payload(session, job), session.context)
            if isinstance(candidate, Verdict):
                job.verdict = candidate
            else:
                job.verdict = check(session.task, candidate, session.context)
        except CertuneError as error:
            with self._lock:
                self._settle(job, "failed", f"trouble of certune's own: {error}")
            return
        with self._lock:
            self._settle(job, "done", "")

    def _payload(self, session: Session, job: Job) -> Payload:
        if job.format is not None:
            return Payload(job.format, job.data)
        try:
            return Payload(session.task.recognise(job.data), job.data)
        except Exception:  # noqa: BLE001
            # It is a guess; whatever it stumbles over, judging will say what is wrong with it.
            return Payload(self._brief(session).formats[0].name, job.data)

    def _brief(self, session: Session) -> Brief:
        if self._view is None:
            return session.ask()
        return replace(self._view.brief, bounds=tuple(session.bounds))

    def _settle(self, job: Job, state: State, told: str) -> None:
        job.state, job.told, job.data = state, told, b""
        if self._now is job:
            self._now = None
        self._lock.notify_all()

    def _show(self, session: Session, over: str | None = None) -> None:
        running = self._running and over is None
        spent = session.spent if running else session.ledger.spent(session.identity)
        view = View(
            session=session.identity,
            brief=self._brief(session),
            trials=tuple(session.trials),
            incumbent=session.incumbent,
            nothing_better=session.nothing_better,
            budget=session.record.budget,
            spent=spent,
            running=running,
            at=time.monotonic(),
            over=over,
            files=dict(self._files),
        )
        with self._lock:
            self._view = view
            self._lock.notify_all()


class _Client:
    """The agent at the other end of the protocol, as the session sees it."""

    name = AGENT
    deterministic = False

    def __init__(self, desk: Desk, session: Session) -> None:
        self._desk = desk
        self._session = session

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield what the client sends, in its order; verifications are done in between."""
        desk, session = self._desk, self._session
        while (job := desk._next(session)) is not None:
            if job.kind == "verify":
                desk._verify(session, job)
                continue
            # What the client's model costs is not known here.
            usage = Usage(money=None)
            yield Proposal(desk._payload(session, job), usage, dict(job.provenance))


def _told(run: Run) -> str:
    told = _OVER[run.stopped]
    return f"{told} ({run.detail})" if run.detail and run.stopped in ("budget", "trouble") else told

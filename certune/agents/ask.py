"""The prompt in a file, the answer in another: a person or any tool is the model."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from certune.agents.model import choose_format, payload_of
from certune.agents.options import Options
from certune.agents.prompt import PROMPT_TOKENS, Prompt, render
from certune.core.agent import AgentSetup, Brief, History, Notice, PayloadFormat
from certune.core.errors import InvalidInput, Unavailable
from certune.core.trial import Proposal

_POLL_SECONDS = 0.2
_LARGEST = 64 * 2**20


class Ask:
    """Writes the prompt, waits for the answer in a file or on the terminal."""

    name = "ask"
    deterministic = False

    def __init__(self, setup: AgentSetup) -> None:
        options = Options(self.name, setup.options)
        self._folder = Path(options.text("folder", "asks"))
        self._terminal = options.flag("terminal", False)
        self._format = options.text("format")
        self._tokens = options.integer("prompt_tokens", PROMPT_TOKENS, 500, 10**6)
        self._settle = options.seconds("settle", 1.0, 0.0, 60.0)
        options.close()
        self._setup = setup

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield what is answered, one prompt after the other.

        Raises:
            Unavailable: the folder cannot be written.
        """
        chosen = choose_format(brief, self._format)
        while not self._setup.stopped():
            number = len(history.trials) + 1
            prompt = render(brief, history, chosen=chosen, tokens=self._tokens)
            if self._terminal:
                found = self._from_terminal(prompt)
            else:
                found = self._from_file(prompt, number, chosen)
            if found is None:
                return
            yield Proposal(payload_of(found, chosen), provenance={"by": self.name, "ask": number})

    def _from_terminal(self, prompt: Prompt) -> str | None:
        print(f"{prompt.system}\n\n{prompt.user}\n", file=sys.stderr)  # noqa: T201
        print("answer, then a line with a dot alone:", file=sys.stderr)  # noqa: T201
        lines: list[str] = []
        for line in sys.stdin:
            if line.strip() == ".":
                return "".join(lines)
            lines.append(line)
        return "".join(lines) if lines else None

    def _from_file(self, prompt: Prompt, number: int, chosen: PayloadFormat) -> str | None:
        asked = self._folder / f"{number:04d}-prompt.md"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            asked.write_text(f"{prompt.system}\n\n{prompt.user}\n", encoding="utf-8")
        except OSError as error:
            raise Unavailable(f"{self._folder} cannot be written: {error.strerror}") from None
        told = f"{asked} waits for its answer in {number:04d}-answer.json (or .txt, .md)"
        self._setup.tell(Notice(told))
        return self._wait(number)

    def _wait(self, number: int) -> str | None:
        """The answer once its file has not changed for a while; None when the session stops."""
        size, since = -1, 0.0
        while not self._setup.stopped():
            found = sorted(self._folder.glob(f"{number:04d}-answer.*"))
            try:
                now = found[0].stat().st_size if found else -1
                if now != size:
                    size, since = now, time.monotonic()
                elif now >= 0 and time.monotonic() - since >= self._settle:
                    if now > _LARGEST:
                        raise InvalidInput(f"larger than {_LARGEST} bytes", place=str(found[0]))
                    return found[0].read_text(encoding="utf-8", errors="replace")
            except OSError:
                size = -1  # it was moved between two looks
            time.sleep(_POLL_SECONDS)
        return None

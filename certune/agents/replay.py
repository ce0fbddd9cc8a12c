"""Proposals that were written before: a file of them, or a recorded session of the project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from certune.agents.options import Options
from certune.core.agent import AgentSetup, Brief, History
from certune.core.candidate import Payload
from certune.core.canonical import dumps, loads
from certune.core.errors import ConfigurationError, InvalidInput
from certune.core.trial import Proposal

_LONGEST_FILE = 512 * 2**20


class Replay:
    """Proposals from a JSON Lines file or from a recorded session of the project."""

    name = "replay"
    deterministic = True

    def __init__(self, setup: AgentSetup) -> None:
        options = Options(self.name, setup.options)
        self._file = options.text("file")
        self._session = options.text("session")
        options.close()
        if bool(self._file) == bool(self._session):
            raise ConfigurationError(
                "the agent 'replay' needs file=PATH or session=NAME, one of them"
            )
        if self._session == "last":
            raise ConfigurationError(
                "'last' is another session tomorrow, and here this one itself",
                place="replay option session",
                remedy="name it, as `certune show --all` lists it",
            )
        self._setup = setup

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield the proposals in their order, from where the history ends.

        Raises:
            InvalidInput: the file is no JSON Lines of ``{"format": …, "payload": …}``, or there
                is no such session.
        """
        sent = [trial.payload for trial in history.trials if trial.agent == self.name]
        if self._session:
            payloads, source = self._setup.recorded(self._session), f"session {self._session}"
        else:
            payloads, source = self._read(brief.formats[0].name), self._file
        for position, payload in enumerate(payloads):
            if position < len(sent) and sent[position] == payload.digest:
                continue
            yield Proposal(payload, provenance={"by": self.name, "from": source, "at": position})

    def _read(self, default: str) -> Iterator[Payload]:
        path = Path(self._file)
        try:
            if not path.is_file():  # a pipe would never end
                raise InvalidInput("no such file", place=self._file)
            if path.stat().st_size > _LONGEST_FILE:
                raise InvalidInput(f"larger than {_LONGEST_FILE} bytes", place=self._file)
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise InvalidInput(f"cannot be read: {error.strerror}", place=self._file) from None
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield self._payload(line, f"{self._file}, line {number}", default)

    @staticmethod
    def _payload(line: bytes, place: str, default: str) -> Payload:
        try:
            entry = loads(line)
        except InvalidInput as error:
            raise error.within(place) from None
        if not isinstance(entry, dict) or "payload" not in entry:
            raise InvalidInput("no object with a payload", place=place)
        name = entry.get("format", default)
        if not isinstance(name, str):
            raise InvalidInput("the format is no text", place=place)
        data = entry["payload"]
        return Payload(name, data.encode() if isinstance(data, str) else dumps(data))

"""The victim process from the judge's side: start it, ask it, and see whether it was changed."""

from __future__ import annotations

import json
import os
import resource
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from certune.core.errors import Crashed
from certune.sandbox.attacks import victim

_PATIENCE = 10.0


class Prey:
    """A victim, its secret in environment, memory and an open file.

    Raises:
        Crashed: it did not start.
    """

    def __init__(self, secrets: dict[str, str], file: Path, sockets: dict[str, str]) -> None:
        self._order = {"secret": secrets["memory"], "file": str(file), **sockets}
        self._variable = {"CERTUNE_VICTIM": secrets["variable"]}
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, anew if need be."""
        self.close()
        Path(self._order["rights_socket"]).unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", victim.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._variable,
            start_new_session=True,
        )
        answer = self._ask(json.dumps(self._order))
        if answer is None:
            raise Crashed("the process that the attacks aim at did not start")
        self.pid = self._process.pid
        self.secret_address, self.canary_address = answer["secret"], answer["canary"]
        self.fd = answer["fd"]
        self._state = self._look()

    def close(self) -> None:
        """End it."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # what it never read
                    stream.close()
        self._process = None

    def changes(self) -> list[str]:
        """What befell it since the last question; it is started anew where something did."""
        found = []
        state = self._look()
        for name, value in state.items():
            if value != self._state.get(name):
                found.append(f"{name} of another process: {self._state.get(name)} -> {value}")
        told = None if found and "run" in found[0] else self._ask("look", 2.0)
        if told is None:
            found.append("another process of the judge's was stopped or killed")
        else:
            if told["signals"]:
                found.append(f"another process heard the signals {sorted(set(told['signals']))}")
            if told["canary"] != victim.CANARY.decode():
                found.append("the memory of another process was changed")
        if found:
            self.start()
        return found

    def _ask(self, line: str, patience: float = _PATIENCE) -> dict[str, Any] | None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], patience)[0]:
                return None
            answer: dict[str, Any] = json.loads(process.stdout.readline())
        except (OSError, ValueError):
            return None
        return answer

    def _look(self) -> dict[str, object]:
        assert self._process is not None
        pid = self._process.pid
        try:
            return {
                "nice value": os.getpriority(os.PRIO_PROCESS, pid),
                "cores": sorted(os.sched_getaffinity(pid)),
                "policy": os.sched_getscheduler(pid),
                "limit on files": resource.prlimit(pid, resource.RLIMIT_NOFILE),
                "limit on core files": resource.prlimit(pid, resource.RLIMIT_CORE),
                "oom score": Path(f"/proc/{pid}/oom_score_adj").read_text().strip(),
                "session": os.getsid(pid),
            }
        except OSError:
            return {"run": "ended"}

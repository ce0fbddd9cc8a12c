"""What stands under the name `mcp` among the agents: it is served, not run."""

from __future__ import annotations

from typing import NoReturn

from certune.core.agent import AgentSetup
from certune.core.errors import ConfigurationError


def served(setup: AgentSetup) -> NoReturn:
    """A coding agent over the Model Context Protocol; it is served by `certune mcp TASK`."""
    raise ConfigurationError(
        "the agent 'mcp' is at the other end of a server, it cannot be run",
        remedy="serve it: certune mcp TASK, or certune mcp --resume SESSION",
    )

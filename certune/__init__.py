"""Agents propose; certune proves or measures; nothing else gets in.

The public face: the nouns of `certune.core`, and `Session`, `Ledger`, `judge`, `recheck` and
`open_certificate`, which are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certune.version import __version__ as __version__

if TYPE_CHECKING:
    from certune.certificate import open_certificate as open_certificate
    from certune.core import Budget as Budget
    from certune.core import CertuneError as CertuneError
    from certune.core import Context as Context
    from certune.core import InvalidInput as InvalidInput
    from certune.core import Payload as Payload
    from certune.core import Proposal as Proposal
    from certune.core import Status as Status
    from certune.core import TaskSpec as TaskSpec
    from certune.core import Trial as Trial
    from certune.judging import judge as judge
    from certune.ledger import Ledger as Ledger
    from certune.plugins import open_task as open_task
    from certune.plugins import spec as spec
    from certune.recheck import recheck as recheck
    from certune.session import Rival as Rival
    from certune.session import Session as Session

_HOMES = {
    "certune.certificate": ("open_certificate",),
    "certune.core": (
        "Budget",
        "CertuneError",
        "Context",
        "InvalidInput",
        "Payload",
        "Proposal",
        "Status",
        "TaskSpec",
        "Trial",
    ),
    "certune.judging": ("judge",),
    "certune.ledger": ("Ledger",),
    "certune.plugins": ("open_task", "spec"),
    "certune.recheck": ("recheck",),
    "certune.session": ("Rival", "Session"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'certune' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__

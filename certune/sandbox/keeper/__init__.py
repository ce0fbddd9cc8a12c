"""The keeper: starts workers, limits them, and leaves nothing of them behind."""

from certune.sandbox.keeper.client import Keeper as Keeper
from certune.sandbox.keeper.worker import Worker as Worker

__all__ = ["Keeper", "Worker"]

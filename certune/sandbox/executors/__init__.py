"""Executors: checks and measurements beside each other, on this machine or a cluster."""

from certune.sandbox.executors.local import LocalExecutor
from certune.sandbox.executors.model import Executor, Kind, Loss, Node, Placed, Work
from certune.sandbox.executors.plan import Seat, plan

__all__ = ["Executor", "Kind", "LocalExecutor", "Loss", "Node", "Placed", "Seat", "Work", "plan"]

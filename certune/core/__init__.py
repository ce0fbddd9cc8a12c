"""The nouns and protocols of certune. Pure data, no I/O, standard library only."""

from certune.core.agent import Agent, AgentFactory, AgentSetup, Brief, History, PayloadFormat
from certune.core.budget import Budget, Spent
from certune.core.candidate import Candidate, File, Payload
from certune.core.canonical import Json
from certune.core.errors import (
    BudgetSpent,
    CertuneError,
    ConfigurationError,
    Crashed,
    InfrastructureError,
    InvalidInput,
    InvalidPayload,
    LedgerBusy,
    LedgerCorrupt,
    LedgerError,
    LedgerFull,
    LedgerVersion,
    NotRepeatable,
    TimedOut,
    Unavailable,
)
from certune.core.family import Baseline, Context, Family, Parameter, Solver, Task, TaskInfo
from certune.core.measurement import Bound, Comparison, Measurement
from certune.core.obligation import Counterexample, Obligation, Verdict
from certune.core.proof import Answer, Prover, Query
from certune.core.run import Job, Outcome, Runner
from certune.core.spec import Goal, Improve, ImproveEach, Limits, Metric, Point, Satisfy, TaskSpec
from certune.core.status import Status
from certune.core.trial import Decision, Proposal, Trial, Usage

__all__ = [
    "Agent",
    "AgentFactory",
    "AgentSetup",
    "Answer",
    "Baseline",
    "Bound",
    "Brief",
    "Budget",
    "BudgetSpent",
    "Candidate",
    "CertuneError",
    "Comparison",
    "ConfigurationError",
    "Context",
    "Counterexample",
    "Crashed",
    "Decision",
    "Family",
    "File",
    "Goal",
    "History",
    "Improve",
    "ImproveEach",
    "InfrastructureError",
    "InvalidInput",
    "InvalidPayload",
    "Job",
    "Json",
    "LedgerBusy",
    "LedgerCorrupt",
    "LedgerError",
    "LedgerFull",
    "LedgerVersion",
    "Limits",
    "Measurement",
    "Metric",
    "NotRepeatable",
    "Obligation",
    "Outcome",
    "Parameter",
    "Payload",
    "PayloadFormat",
    "Point",
    "Proposal",
    "Prover",
    "Query",
    "Runner",
    "Satisfy",
    "Solver",
    "Spent",
    "Status",
    "Task",
    "TaskInfo",
    "TaskSpec",
    "TimedOut",
    "Trial",
    "Unavailable",
    "Usage",
    "Verdict",
]

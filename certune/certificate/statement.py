"""What a certificate says: an in-toto Statement v1 whose predicate is an acceptance."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from certune.core.candidate import File
from certune.core.canonical import Json, dumps
from certune.core.codec import encode
from certune.core.errors import InvalidInput
from certune.core.measurement import Bound, Comparison, Measurement
from certune.core.obligation import Obligation, Verdict
from certune.core.spec import TaskSpec
from certune.core.status import Status
from certune.core.trial import Decision
from certune.environment import Environment

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://certune.dev/acceptance/v1"

_HEX = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CREATED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z", re.ASCII)


def _check_created(created: str) -> None:
    try:
        if not _CREATED.fullmatch(created):
            raise ValueError
        datetime.fromisoformat(created)
    except ValueError:
        raise InvalidInput(
            f"{created[:40]!r} is no time",
            place="created",
            remedy="write it as 2026-01-31T12:00:00Z",
        ) from None


@dataclass(frozen=True)
class Acceptance:
    """The predicate: what was accepted, under which specification, by which evidence.

    `measurement` is the candidate's own and `baseline` that of the payload `baseline_name`,
    which everybody starts from; both are None where the goal is a proof. `incumbent` holds the
    values that were to be beaten, `gaps` the distance from the strongest proven bound (a ratio
    minus one; 0 is optimal), each by goal metric.

    `artefact` names the subject that is the canonical artefact, `payload` is the digest of what
    the agent sent, each in its format. `versions` holds what the judging depended on (certune,
    solvers). `created` is RFC 3339 in UTC; `provenance` is what the agent said of the proposal
    (solver, model).
    """

    spec: TaskSpec
    spec_digest: str
    status: Status
    obligations: tuple[Obligation, ...]
    decision: Decision
    measurement: Measurement | None
    comparison: Comparison | None
    baseline_name: str
    baseline: Measurement | None
    incumbent: Mapping[str, Fraction]
    bounds: tuple[Bound, ...]
    gaps: Mapping[str, Fraction]
    payload: str
    payload_format: str
    artefact: str
    artefact_format: str
    environment: Environment
    versions: Mapping[str, str]
    session: str
    agent: str
    trial: int
    created: str
    provenance: Mapping[str, Json]

    def __post_init__(self) -> None:
        """Refuse what contradicts itself; whether it is true takes a repetition."""
        if self.spec_digest != self.spec.digest:
            raise InvalidInput("not the digest of the spec", place="spec_digest")
        verdict = Verdict(self.obligations)
        if not verdict.met:
            raise InvalidInput("not every obligation reaches its floor", place="obligations")
        if self.status is not verdict.status:
            raise InvalidInput(
                f"{self.status.value}, but the obligations show {verdict.status.value}",
                place="status",
            )
        if not self.decision.accepted or self.decision.ground is None:
            raise InvalidInput("a certificate is of an acceptance with a ground", place="decision")
        if self.measurement is not None:
            for bound in self.bounds:
                if bound.kind == "proven" and bound.beaten_by(self.measurement.values):
                    raise InvalidInput(
                        f"the candidate is beyond the proven bound {bound.name!r}", place="bounds"
                    )
        if not _DIGEST.fullmatch(self.payload):
            raise InvalidInput("not a digest", place="payload", remedy="sha256: and 64 digits")
        _check_created(self.created)


@dataclass(frozen=True)
class Digests:
    """Digests of a subject, by algorithm as in-toto has them: hexadecimal."""

    sha256: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.sha256):
            raise InvalidInput("not 64 lower-case hexadecimal digits", place="sha256")


@dataclass(frozen=True)
class Subject:
    """A file that the statement is about: a name without folders, and its digest."""

    name: str
    digest: Digests

    def __post_init__(self) -> None:
        if self.name in ("", ".", "..") or any(
            c in "/\\" or not c.isprintable() for c in self.name
        ):
            raise InvalidInput(
                f"{self.name[:80]!r} is no file name",
                place="name",
                remedy="name it without folders",
            )

    @property
    def sha256(self) -> str:
        """The digest in the form that certune uses."""
        return f"sha256:{self.digest.sha256}"


@dataclass(frozen=True)
class Statement:
    """An in-toto Statement v1; the members are named as the standard names them."""

    _type: Literal["https://in-toto.io/Statement/v1"]
    subject: tuple[Subject, ...]
    predicateType: Literal["https://certune.dev/acceptance/v1"]  # noqa: N815
    predicate: Acceptance

    def __post_init__(self) -> None:
        names = [subject.name for subject in self.subject]
        if len(set(names)) != len(names):
            raise InvalidInput("two subjects have one name", place="subject")
        if self.predicate.artefact not in names:
            raise InvalidInput(
                f"the artefact {self.predicate.artefact[:80]!r} is no subject", place="subject"
            )

    @property
    def artefact(self) -> Subject:
        """The subject that is the canonical artefact."""
        return next(s for s in self.subject if s.name == self.predicate.artefact)

    def data(self) -> bytes:
        """The bytes that are signed: canonical JSON and a line's end."""
        return dumps(encode(self)) + b"\n"


def build(acceptance: Acceptance, files: Sequence[File]) -> Statement:
    """The statement that `acceptance` holds for `files`, the artefact among them.

    Raises:
        InvalidInput: names with folders or given twice, or the artefact is missing.
    """
    subjects = tuple(
        Subject(file.name, Digests(file.digest.removeprefix("sha256:"))) for file in files
    )
    return Statement(
        _type="https://in-toto.io/Statement/v1",
        subject=subjects,
        predicateType="https://certune.dev/acceptance/v1",
        predicate=acceptance,
    )

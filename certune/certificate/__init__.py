"""The evidence for one acceptance: an in-toto statement in a DSSE envelope."""

from certune.certificate.envelope import Opened, open_certificate, seal
from certune.certificate.files import match_files
from certune.certificate.statement import (
    PREDICATE_TYPE,
    Acceptance,
    Statement,
    Subject,
    build,
)

__all__ = [
    "PREDICATE_TYPE",
    "Acceptance",
    "Opened",
    "Statement",
    "Subject",
    "build",
    "match_files",
    "open_certificate",
    "seal",
]

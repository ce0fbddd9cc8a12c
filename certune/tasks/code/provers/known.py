"""The provers by name."""

from __future__ import annotations

from collections.abc import Mapping

from certune.tasks.code.provers.dafny import Dafny
from certune.tasks.code.provers.framac import FramaC
from certune.tasks.code.provers.protocol import Prover
from certune.tasks.code.provers.verus import Verus

PROVERS: Mapping[str, Prover] = {p.name: p for p in (Dafny(), FramaC(), Verus())}

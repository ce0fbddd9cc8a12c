"""Contracts in ordinary Python: what a function needs, what it promises, and why it holds.

Users' code imports this; it needs the standard library alone. `certune verify` proves the
contracts (see docs/code.md for the language); at run time they cost next to nothing unless
checking is asked for: by the environment variable ``CERTUNE_CHECK=1``, or by `checked` for one
function. ``certune strip`` writes the plain function, without this import.
"""

from certune.contracts.checks import (
    ContractError,
    checked,
    decreases,
    ensure,
    ghost,
    invariant,
    lemma,
    modifies,
    old,
    partial,
    require,
    spec,
)
from certune.contracts.library import implies, permutation
from certune.contracts.words import i8, i16, i32, i64, u8, u16, u32, u64

__all__ = [
    "ContractError",
    "checked",
    "decreases",
    "ensure",
    "ghost",
    "i8",
    "i16",
    "i32",
    "i64",
    "implies",
    "invariant",
    "lemma",
    "modifies",
    "old",
    "partial",
    "permutation",
    "require",
    "spec",
    "u8",
    "u16",
    "u32",
    "u64",
]

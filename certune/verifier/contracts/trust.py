"""What a proof of a module rests on, in words."""

from __future__ import annotations

from collections.abc import Sequence

from certune.verifier.contracts.tree import Function, Module

_ALWAYS = (
    "CPython's parser, and certune's reading of the tree and translation into conditions",
    "Z3's answer unsat for each condition",
    "integers, lists and records behave as CPython's; memory suffices",
    "callers respect types and preconditions, and share no mutable argument",
)


def trusted(module: Module, functions: Sequence[Function]) -> tuple[str, ...]:
    """The list for a report."""
    done = list(_ALWAYS)
    partial = [f.name for f in functions if f.partial]
    if partial:
        done.append(f"that these end, which nobody asked to prove: {', '.join(partial)}")
    if any(f.role == "spec" for f in functions) or functions:
        done.append("certune's axioms of sums, counts and permutations, where they are used")
    return tuple(done)

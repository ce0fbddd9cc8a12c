"""What is known at one point of a path: values of variables, facts, branches taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from certune.verifier.contracts.report import Kind, Place
from certune.verifier.contracts.terms import TRUE, Term
from certune.verifier.contracts.values import Value


@dataclass(frozen=True)
class Facts:
    """A list that grows at its end and shares its beginning."""

    before: Facts | None
    term: Term

    def __iter__(self) -> Iterator[Term]:
        chain: list[Term] = []
        node: Facts | None = self
        while node is not None:
            chain.append(node.term)
            node = node.before
        return reversed(chain)


@dataclass
class State:
    """One path. `entry` are the parameters' values at the start."""

    env: dict[str, Value]
    entry: dict[str, Value]
    facts: Facts | None = None
    trail: tuple[str, ...] = ()

    def copy(self) -> State:
        """Another path that begins like this one."""
        return State(dict(self.env), self.entry, self.facts, self.trail)

    def assume(self, fact: Term) -> None:
        """Add what is known from here on."""
        for part in fact.args if fact.op == "and" else (fact,):
            if part is not TRUE:
                self.facts = Facts(self.facts, part)

    def known(self) -> list[Term]:
        """All facts, oldest first."""
        return list(self.facts) if self.facts is not None else []


@dataclass(frozen=True)
class Claim:
    """A verification condition before anybody was asked: the facts imply the goal.

    `env` are the variables there, for showing a model.
    """

    function: str
    kind: Kind
    place: Place
    path: tuple[str, ...]
    text: str
    facts: tuple[Term, ...] = field(repr=False)
    goal: Term = field(repr=False)
    env: Mapping[str, Value] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Axiom:
    """A quantified fact about the logic's functions, with the patterns that trigger it."""

    variables: tuple[Term, ...]
    body: Term
    patterns: tuple[tuple[Term, ...], ...]


@dataclass(frozen=True)
class Definition:
    """A function of the logic: a specification function's value, or a sum.

    `axioms` belong to every query that mentions it, `extra` to later attempts.
    """

    name: str
    axioms: tuple[Axiom, ...] = ()
    extra: tuple[Axiom, ...] = ()

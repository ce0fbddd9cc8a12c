"""What the translation of `linear` rests on, as queries of their own.

*product* and *power* are the only places where a query is not linear. *radix* is about the
numbering of ranks and chunks that have several coordinates; it is a claim like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

from certune.core import Query
from certune.tasks.collective.parametric.claims import Claim
from certune.tasks.collective.parametric.description import Parameter
from certune.tasks.collective.parametric.expression import name, parse
from certune.tasks.collective.parametric.model import Axis
from certune.tasks.collective.parametric.smtlib import translate


@dataclass(frozen=True)
class Lemma:
    """One query of a lemma; `says` is what it shows."""

    name: str
    says: str
    query: Query


def _query(says: str, declarations: str, *assertions: str) -> Query:
    lines = [f"; {says}", "(set-logic ALL)"]
    lines += [f"(declare-const {text} Int)" for text in declarations.split()]
    lines += [f"(assert {text})" for text in assertions]
    return Query("smtlib2", ("\n".join([*lines, "(check-sat)"]) + "\n").encode())


def _lemma(label: str, says: str, declarations: str, *assertions: str) -> Lemma:
    return Lemma(label, says, _query(f"lemma {label}: {says}", declarations, *assertions))


_PRODUCT = (
    _lemma(
        "product-above",
        "for u >= 1, d >= k implies u * d >= u * k",
        "u d k",
        "(>= u 1)",
        "(>= d k)",
        "(< (* u d) (* u k))",
    ),
    _lemma(
        "product-below",
        "for u >= 1, d <= k implies u * d <= u * k",
        "u d k",
        "(>= u 1)",
        "(<= d k)",
        "(> (* u d) (* u k))",
    ),
)

# By induction over b from a + 1, with pow2(0) = 1 and pow2(e + 1) = 2 * pow2(e); A stands for
# pow2(a), B for pow2(b) and next for pow2(b + 1).
_POWER = (
    _lemma(
        "power-first",
        "pow2(a + 1) = (2 * v) * pow2(a) with v = 1",
        "A next v",
        "(= v 1)",
        "(= next (* 2 A))",
        "(not (and (= next (* (* 2 v) A)) (>= v 1)))",
    ),
    _lemma(
        "power-next",
        "if pow2(b) = (2 * v) * pow2(a) with v >= 1, then pow2(b + 1) is so with 2 * v",
        "A B next v",
        "(>= v 1)",
        "(= B (* (* 2 v) A))",
        "(= next (* 2 B))",
        "(not (and (= next (* (* 2 (* 2 v)) A)) (>= (* 2 v) 1)))",
    ),
)


def _radix() -> tuple[Lemma, ...]:
    """Numbering by i * m + j with 0 <= j < m: in range, one to one, and onto."""
    parameters = (Parameter("l"), Parameter("m"))
    outer, inner = name("l"), name("m")
    pairs = (Axis("i", outer), Axis("j", inner))
    others = (Axis("p", outer), Axis("q", inner))
    numbers = (Axis("x", parse("l * m")),)
    stated = (
        ("radix-range", "0 <= i * m + j < l * m", pairs, (), "0 <= i * m + j < l * m"),
        (
            "radix-unique",
            "i * m + j = p * m + q implies i = p and j = q",
            (*pairs, *others),
            ("i * m + j == p * m + q",),
            "i == p and j == q",
        ),
        (
            "radix-onto",
            "each 0 <= x < l * m is i * m + j with i = x // m < l and j = x % m < m",
            numbers,
            (),
            "0 <= x // m < l and 0 <= x % m < m and x // m * m + x % m == x",
        ),
    )
    return tuple(
        Lemma(
            label,
            says,
            translate(
                Claim(f"lemma {label}", says, axes, tuple(map(parse, given)), parse(goal)),
                parameters,
            ).query,
        )
        for label, says, axes, given, goal in stated
    )


def lemmas(names: frozenset[str]) -> tuple[Lemma, ...]:
    """The queries of the named lemmas: ``product``, ``power``, ``radix``."""
    # The power and radix lemmas are used through the product lemma.
    found: tuple[Lemma, ...] = _PRODUCT if names else ()
    if "power" in names:
        found += _POWER
    if "radix" in names:
        found += _radix()
    return found

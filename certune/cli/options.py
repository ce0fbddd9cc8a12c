"""How options are written on the command line: key=value, budgets, sizes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

import typer

from certune.core.budget import Budget
from certune.core.codec import fraction
from certune.core.errors import ConfigurationError, InvalidInput, nearest

if TYPE_CHECKING:
    from certune.sandbox.model import Isolation

DEFAULT_BUDGET = "time=10m"
LONGEST = 1e9  # seconds; what is longer is without end

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_BUDGETS = ("attempts", "time", "tokens", "money")


REQUIRE_ISOLATION = "CERTUNE_REQUIRE_ISOLATION"  # holds for every command that runs programs

RequireIsolation = Annotated[
    str | None,
    typer.Option(
        "--require-isolation",
        help="The least isolation for programs of candidates: process, confined, contained, or "
        "declared (you vouch for the container or machine around certune).",
        envvar=REQUIRE_ISOLATION,
    ),
]


def isolation_level(word: str | None) -> Isolation | None:
    """The level of `--require-isolation`, or of the environment where the option is not given."""
    word = word or os.environ.get(REQUIRE_ISOLATION) or None
    if word is None:
        return None
    from certune.sandbox.model import Isolation

    levels = {level.word: level for level in Isolation if level is not Isolation.NONE}
    if word not in levels:
        raise ConfigurationError(
            f"there is no isolation {word[:60]!r}",
            place="--require-isolation",
            remedy=nearest(word, levels),
        )
    return levels[word]


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """``key=value`` texts as a mapping; each key once."""
    values: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigurationError(
                f"{text!r} is not key=value", place=option, remedy="as in topology=dgx1"
            )
        if key in values:
            raise ConfigurationError(f"{key!r} is given twice", place=option)
        values[key] = value
    return values


def seconds(text: str, place: str) -> float:
    """A duration such as 90s, 10m or 1h in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found:
        raise ConfigurationError(
            f"{text!r} is no duration", place=place, remedy="as in 90s, 10m, 1h"
        )
    return min(float(found[1]) * _SECONDS[found[2] or "s"], LONGEST)


def _count(text: str, place: str) -> int:
    if not re.fullmatch(r"\d{1,15}", text):
        raise ConfigurationError(f"{text!r} is no count", place=place, remedy="as in 100")
    return int(text)


def budget(texts: Iterable[str]) -> Budget:
    """A budget from ``attempts=100``, ``time=10m``, ``tokens=50000``, ``money=2.50``.

    A duration alone is a time. Several may be given, or one joined by commas.
    """
    limits: dict[str, str] = {}
    for text in (part for joined in texts for part in joined.split(",")):
        key, equals, value = text.partition("=")
        if not equals:
            key, value = "time", text
        if key not in _BUDGETS:
            raise ConfigurationError(
                f"there is no budget {key!r}", place="--budget", remedy=nearest(key, _BUDGETS)
            )
        if key in limits:
            raise ConfigurationError(f"{key!r} is given twice", place="--budget")
        limits[key] = value
    money: Fraction | None = None
    if "money" in limits:
        if len(limits["money"]) > 40:
            raise ConfigurationError("too long for an amount", place="--budget money")
        try:
            money = fraction(limits["money"], "money")
        except InvalidInput as error:
            raise ConfigurationError(error.message, place="--budget money") from None
    place = "--budget"
    return Budget(
        attempts=_count(limits["attempts"], place) if "attempts" in limits else None,
        seconds=seconds(limits["time"], place) if "time" in limits else None,
        tokens=_count(limits["tokens"], place) if "tokens" in limits else None,
        money=money,
    )

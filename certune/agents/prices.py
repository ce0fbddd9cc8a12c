"""What tokens cost, from a table in a file of the user's. A price that is not there is unknown.

::

    currency = "USD"

    [models."gpt-5-mini"]
    input = "0.25"      # for a million tokens
    output = "2.00"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from certune.core.codec import decode, fraction
from certune.core.errors import ConfigurationError, InvalidInput

_LIMIT = 2**20


@dataclass(frozen=True)
class Price:
    """Money for a million tokens read and written."""

    input: Fraction
    output: Fraction

    def __post_init__(self) -> None:
        if self.input < 0 or self.output < 0:
            raise InvalidInput("a price below zero")

    def of(self, tokens_in: int, tokens_out: int) -> Fraction:
        """What so many tokens cost."""
        return (self.input * tokens_in + self.output * tokens_out) / 10**6


@dataclass(frozen=True)
class Prices:
    """A table of prices by the model's name, in one currency."""

    models: Mapping[str, Price] = field(default_factory=dict)
    currency: str = ""


def read_prices(path: str) -> Prices:
    """The table in the file `path`; an empty one where no path is given.

    Raises:
        ConfigurationError: it cannot be read or is no such table.
    """
    if not path:
        return Prices()
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(_LIMIT + 1)
        if len(data) > _LIMIT:
            raise ConfigurationError(f"larger than {_LIMIT} bytes", place=path)
        return decode(Prices, tomllib.loads(data.decode()))
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", place=path) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"not TOML: {error}", place=path) from None
    except InvalidInput as error:
        raise ConfigurationError(error.message, place=f"{path}: {error.place}") from None


def price_of(model: str, prices: Prices, given_in: str, given_out: str) -> Price | None:
    """The price given in options, else that of the table; None where it is unknown.

    Raises:
        ConfigurationError: only one of the two is given, or one is no number.
    """
    if not given_in and not given_out:
        return prices.models.get(model)
    if not given_in or not given_out:
        raise ConfigurationError("price_in and price_out go together", place="options")
    try:
        return Price(fraction(given_in, "price_in"), fraction(given_out, "price_out"))
    except InvalidInput as error:
        raise ConfigurationError(error.message, place=error.place or "price") from None

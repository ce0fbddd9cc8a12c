"""Options of agents, as people give them: strictly read, the nearest name when one is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from certune.core.errors import ConfigurationError, nearest

_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Options:
    """Reads each option once; `close` refuses what nobody asked for.

    Values are never quoted in errors: what was meant as a key may stand in the wrong option.
    """

    def __init__(self, agent: str, given: Mapping[str, str]) -> None:
        self._agent = agent
        self._given = given
        self._known: set[str] = set()

    def _wrong(self, name: str, expected: str) -> ConfigurationError:
        return ConfigurationError(f"expected {expected}", place=f"{self._agent} option {name}")

    def text(self, name: str, default: str = "") -> str:
        """A text; `default` where it is not given."""
        self._known.add(name)
        return self._given.get(name, default)

    def needed(self, name: str, remedy: str) -> str:
        """A text that must be given."""
        value = self.text(name)
        if not value:
            raise ConfigurationError(f"the agent {self._agent!r} needs {name}", remedy=remedy)
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        text = self.text(name, str(default))
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            raise self._wrong(name, f"a whole number from {low} to {high}")
        value = int(text)
        if not low <= value <= high:
            raise self._wrong(name, f"a whole number from {low} to {high}")
        return value

    def number(self, name: str, default: float | None, low: float, high: float) -> float | None:
        """A number from `low` to `high`; `default` where it is not given."""
        text = self.text(name)
        if not text:
            return default
        try:
            value = float(text)
        except ValueError:
            raise self._wrong(name, f"a number from {low:g} to {high:g}") from None
        if not low <= value <= high:
            raise self._wrong(name, f"a number from {low:g} to {high:g}")
        return value

    def seconds(self, name: str, default: float, low: float, high: float) -> float:
        """A duration in seconds."""
        value = self.number(name, default, low, high)
        assert value is not None
        return value

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        text = self.text(name, "true" if default else "false").lower()
        if text not in _FLAGS:
            raise self._wrong(name, "true or false")
        return _FLAGS[text]

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        """One of several words."""
        text = self.text(name, default)
        if text not in choices:
            raise self._wrong(name, f"one of {', '.join(choices)}")
        return text

    def close(self) -> None:
        """Refuse options that nobody asked for.

        Raises:
            ConfigurationError: with the nearest known name.
        """
        for name in self._given:
            if name in ("api_key", "key"):
                raise ConfigurationError(
                    "a key is no option, options are recorded",
                    place=f"{self._agent} option {name}",
                    remedy="put it into an environment variable and name that: api_key_env=NAME",
                )
            if name not in self._known:
                raise ConfigurationError(
                    f"the agent {self._agent!r} has no option {name[:60]!r}",
                    remedy=nearest(name[:60], self._known),
                )

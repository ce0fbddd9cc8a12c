"""Where a model is asked: the server, the model's name, and a key that is never written down."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from certune.agents.options import Options
from certune.core.errors import ConfigurationError

OPENAI = "https://api.openai.com/v1"

# What servers that need no key are given in its place.
NO_KEY = "none"
_SHORTEST_SECRET = 8


@dataclass(frozen=True)
class Endpoint:
    """One model of one server that speaks the OpenAI protocol (chat completions)."""

    base_url: str
    model: str
    key: str = field(default=NO_KEY, repr=False)
    timeout: float = 600.0
    key_name: str = "OPENAI_API_KEY"

    @property
    def official(self) -> bool:
        """Whether it is OpenAI's own, which has retired `max_tokens`."""
        return urlsplit(self.base_url).hostname == "api.openai.com"

    def scrub(self, text: str) -> str:
        """`text` without the key, should a server have echoed it."""
        secret = self.key != NO_KEY and len(self.key) >= _SHORTEST_SECRET
        return text.replace(self.key, "[key]") if secret else text


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            "no URL of a server", place="base_url", remedy="as in http://127.0.0.1:8000/v1"
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            "a base URL holds neither password nor query, it is recorded",
            place="base_url",
            remedy="put the key into an environment variable and name that: api_key_env=NAME",
        )
    return url.rstrip("/")


def _keyring(name: str) -> str:
    try:
        import keyring  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise ConfigurationError(
            "the package keyring is not installed", place="keyring", remedy="pip install keyring"
        ) from None
    service, slash, user = name.partition("/")
    if not slash:
        raise ConfigurationError("expected SERVICE/USER", place="keyring")
    try:
        found = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001 - each backend has its own exceptions
        raise ConfigurationError(
            f"the keyring cannot be read: {type(error).__name__}", place="keyring"
        ) from None
    if not found:
        raise ConfigurationError("no key is stored under this name", place="keyring")
    return str(found)


def read_endpoint(options: Options) -> Endpoint:
    """The endpoint that options and environment name.

    `base_url` falls back to ``OPENAI_BASE_URL`` and then to OpenAI's own; the key comes from the
    variable that `api_key_env` names (``OPENAI_API_KEY``) or from the keyring.

    Raises:
        ConfigurationError: no model, a wrong URL, or no key where one is needed.
    """
    model = options.needed("model", "as in --model gpt-5-mini or -o model=qwen3:8b")
    url = options.text("base_url") or os.environ.get("OPENAI_BASE_URL", "") or OPENAI
    base_url = _checked_url(url)
    named = options.text("api_key_env")
    variable = named or "OPENAI_API_KEY"
    keyring = options.text("keyring")
    timeout = options.seconds("timeout", 600.0, 0.05, 86400.0)
    key = _keyring(keyring) if keyring else os.environ.get(variable, "").strip()
    if not key and (named or base_url == OPENAI):
        raise ConfigurationError(
            f"the environment variable {variable} is not set", remedy=f"export {variable}=…"
        )
    if not key.isascii() or not key.isprintable():
        raise ConfigurationError("the key holds characters that no key has", place=variable)
    return Endpoint(base_url, model, key or NO_KEY, timeout, variable)

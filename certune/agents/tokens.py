"""How many tokens a text has, roughly, before a server has counted them.

Nothing is downloaded for it (tiktoken fetches its tables), so this is an estimate by the pieces
that byte-pair tokenizers cut: words, runs of up to three digits, pairs of punctuation.
"""

from __future__ import annotations

import re

_PIECES = re.compile(r"[A-Za-z]{1,7}|[0-9]{1,3}|[^\sA-Za-z0-9]{1,2}|\n+")


def estimate(text: str) -> int:
    """An estimate of the tokens in `text`."""
    return sum(1 for _ in _PIECES.finditer(text))

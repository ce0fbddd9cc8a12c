"""What the runtimes' hand-written XML parsers trip over in well-formed XML.

Emulates `mscclXmlGetNode` and its helpers (the NCCL XML parser): it wants elements and comments
separated by blanks and line ends only, and in a tag the name, then attributes as one blank,
``name="value"``. Every expression here runs in linear time: quantifiers do not give back.
"""

from __future__ import annotations

import re

from certune.tasks.collective.msccl.limits import MAX_TEXT
from certune.tasks.collective.msccl.lint import Lint, Severity

_ITEM = re.compile(rb"<!--.*?-->|<(?>\"[^\"]*+\"|'[^']*+'|[^>\"'])*+>|[^< \n\r]++", re.DOTALL)
_GOOD = re.compile(
    rb"</?+[A-Za-z]{1,%d}+(?: [A-Za-z_]{1,%d}+=\"[^\"&]{0,%d}+\")*+ ?+/?+>" % ((MAX_TEXT,) * 3)
)
_COMMENT = re.compile(rb"<!--[^ >/\n\r=]*+=")
_SINGLE = re.compile(rb"=[ \t\r\n]*+'")
_APART = re.compile(rb"(?:[ \t\r\n]=)|(?:=[ \t\r\n])")
_BREAK = re.compile(rb"[\r\n]")
_ENTITY = re.compile(rb"&[a-zA-Z#0-9]++;")
_LONG = re.compile(rb"[^\" =]{%d}" % (MAX_TEXT + 1))
_WIDE = re.compile(rb" {2}")
_MARK = b"\xef\xbb\xbf"

_TRAPS: dict[str, tuple[str, str]] = {
    "byte-order-mark": ("a byte order mark is refused", "save the file without one"),
    "xml-header": ("an XML declaration is refused", "remove <?xml …?>"),
    "tabs": ("tab characters are refused", "indent with blanks"),
    "single-quotes": ("a value is read to the next double quote", 'write name="value"'),
    "line-breaks": ("attributes must be on the line of their element", "join the lines"),
    "spacing": ("blanks around = are not understood", 'write name="value"'),
    "double-blanks": (
        "each further blank between attributes takes the place of one of 16 attributes",
        "leave one blank",
    ),
    "entities": ("entities are not decoded", "write plain text"),
    "comment-equals": (
        "a comment whose first word has a = is taken for an attribute",
        "put a blank after <!--",
    ),
    "cdata": ("CDATA sections are not known", "remove it"),
    "long-text": (f"a name or value of more than {MAX_TEXT} characters overflows a buffer",
                  "shorten it"),
    "markup": ("not understood by the runtimes' parser", "write plain elements"),
}  # fmt: skip


def dialect(data: bytes) -> list[Lint]:
    """Traps of the dialect in a well-formed file, the first of each sort."""
    first: dict[str, int] = {}
    if data.startswith(_MARK):
        first["byte-order-mark"] = 0
    for item in _ITEM.finditer(data):
        text = item.group()
        if text.startswith(b"<!--"):
            if _COMMENT.match(text):
                first.setdefault("comment-equals", item.start())
        elif not text.startswith(b"<"):
            if b"\t" in text:
                first.setdefault("tabs", item.start())
        elif not _GOOD.fullmatch(text):
            for name in _tag(text):
                first.setdefault(name, item.start())
    found: list[Lint] = []
    for name, at in first.items():
        sentence, remedy = _TRAPS[name]
        severity: Severity = "warning" if name == "double-blanks" else "error"
        line = data.count(b"\n", 0, at) + 1
        found.append(Lint(name, severity, line, f"runtimes' parser: {sentence}", remedy))
    return found


def _tag(text: bytes) -> list[str]:
    """What is wrong with a tag that is not of the plain form."""
    if text.startswith(b"<?"):
        return ["xml-header"]
    if text.startswith(b"<!["):
        return ["cdata"]
    names = [
        name
        for name, trap in (
            ("tabs", re.compile(rb"\t")),
            ("single-quotes", _SINGLE),
            ("line-breaks", _BREAK),
            ("spacing", _APART),
            ("double-blanks", _WIDE),
            ("entities", _ENTITY),
            ("long-text", _LONG),
        )
        if trap.search(text)
    ]
    return names or ["markup"]

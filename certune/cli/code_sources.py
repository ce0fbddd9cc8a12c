"""A user's file of annotated Python with the files that it imports. Nothing is executed."""

from __future__ import annotations

import sys
from pathlib import Path

from certune.cli.guard import read_file
from certune.core.errors import InvalidInput

# Modules that mean what docs/code.md says; a file of that name would be run in their stead.
_LIBRARY = ("__future__", "certune", "dataclasses", "deal", "icontract", "typing")
_MOST = 1_000_000


class Sources:
    """One reading of a file and of what it imports: the same bytes however often they are asked.

    A module `a.b` is ``a/b.py``, beside the file or beside the outermost package that the file
    is in. Its text is what is verified, its name what reports call it.

    Raises:
        InvalidInput: the file itself cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        self.roots = _roots(path)
        self.text = read_file(path, "file", _MOST)
        self.places: dict[str, Path] = {}
        self.missing: set[Path] = set()
        self._texts: dict[str, bytes | None] = {}

    def imports(self, name: str) -> bytes | None:
        """The text of a module; None where there is no such file."""
        if name not in self._texts:
            self._texts[name] = self._read(name)
        return self._texts[name]

    def _read(self, name: str) -> bytes | None:
        parts = name.split(".")
        if not all(part.isidentifier() and part.isascii() for part in parts):
            return None
        for root in self.roots:
            path = root.joinpath(*parts).with_suffix(".py")
            try:
                text = read_file(path, "file", _MOST)
            except InvalidInput:
                self.missing.add(path)
                continue
            self.places[name] = path
            return text
        return None

    @property
    def read(self) -> tuple[Path, ...]:
        """Every file that was read or looked for."""
        return (self.path, *self.places.values(), *sorted(self.missing))

    def shown(self, file: str) -> str:
        """The path of a file as reports name it (``module.py``; empty for the file itself)."""
        return str(self.places.get(file.removesuffix(".py"), file) if file else self.path)

    def line(self, file: str, number: int) -> str:
        """A line of one of the files; empty where there is none."""
        text = self._texts.get(file.removesuffix(".py")) if file else self.text
        rows = (text or b"").decode(errors="replace").split("\n")
        return rows[number - 1].rstrip() if 0 < number <= len(rows) else ""

    def hiding(self) -> list[str]:
        """Files beside it that Python would import in place of a library's module."""
        return [
            f"{name}{tail} lies beside it and would be imported in place of the module {name}"
            for name in _LIBRARY
            for tail, path in ((".py", f"{name}.py"), ("/", f"{name}/__init__.py"))
            if name != "__future__" and (self.folder / path).is_file()
            if (self.folder / path).resolve() != _own(name)
        ]


def _own(name: str) -> Path | None:
    """Where a module that is loaded already is from."""
    loaded = sys.modules.get(name)
    file = getattr(loaded, "__file__", None)
    return Path(file).resolve() if file else None


def _roots(path: Path) -> tuple[Path, ...]:
    """The file's folder, then the one that holds its outermost package."""
    folder = path.parent
    root = folder.resolve()
    while (root / "__init__.py").is_file() and root.parent != root:
        root = root.parent
    return (folder,) if root == folder.resolve() else (folder, root)

"""The plain program of an annotated file: what `certune strip` writes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certune.cli.code_sources import Sources


def plain_text(sources: Sources) -> str:
    """The file without contracts and annotations, as a module that runs by itself.

    Lemmas of other files, and specification functions that are not called any more, are not
    imported: their stripped files do not define them.

    Raises:
        Refused: it does not parse within the limits, or an imported file does not.
    """
    from certune.verifier.contracts import Limits, strip
    from certune.verifier.contracts.source import read

    roles = _imported(read(sources.text, Limits()), sources)
    lemmas = frozenset(name for name, role in roles.items() if role == "lemma")
    text = strip(sources.text, lemmas=lemmas)
    tree = ast.parse(text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    gone = {name for name, role in roles.items() if role != "code" and name not in used}
    if not gone:
        return text
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            node.names = [a for a in node.names if a.name not in gone]
            if not node.names:
                continue
        body.append(node)
    return ast.unparse(ast.Module(body, [])) + "\n"


def _imported(tree: ast.Module, sources: Sources) -> dict[str, str]:
    """The roles of functions that come from other files, by name."""
    from certune.verifier.contracts.erase import role_of
    from certune.verifier.contracts.report import Limits
    from certune.verifier.contracts.source import read

    roles: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom) or node.level or not node.module:
            continue
        text = sources.imports(node.module)
        if text is None:
            continue
        other = read(text, Limits(), f"{node.module}.py")
        found = {n.name: role_of(n) for n in other.body if isinstance(n, ast.FunctionDef)}
        wanted = {alias.name for alias in node.names}
        roles |= {name: role for name, role in found.items() if name in wanted}
    return roles

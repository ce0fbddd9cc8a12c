"""A file's top level: imports, constants, records, functions; and the files it imports."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from certune.verifier.contracts.coerce import coerce
from certune.verifier.contracts.decorators import read_decorators, read_modifies
from certune.verifier.contracts.expressions import expression
from certune.verifier.contracts.functions import read_function
from certune.verifier.contracts.report import Finding, Limits
from certune.verifier.contracts.scope import (
    LIBRARY,
    Names,
    Scope,
    Signature,
    check_name,
    read_type,
)
from certune.verifier.contracts.source import Refused, place_of, read, refuse
from certune.verifier.contracts.tree import Function, Lit, Module
from certune.verifier.contracts.types import (
    NoneT,
    RecordT,
    Type,
    is_mutable,
)

Imports = Callable[[str], bytes | None]
_MAX_FILES = 32
_ICONTRACT = ("require", "ensure", "snapshot")


@dataclass
class _Files:
    limits: Limits
    imports: Imports
    functions: dict[str, Function] = field(default_factory=dict)
    names: dict[str, Names] = field(default_factory=dict)
    reading: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    broken: dict[str, Finding] = field(default_factory=dict)


def no_imports(name: str) -> bytes | None:
    """No other file is known."""
    return None


@dataclass(frozen=True)
class Parsed:
    """What was read: the module, findings about the file, and functions that were refused."""

    module: Module
    findings: tuple[Finding, ...]
    broken: dict[str, Finding]
    signatures: dict[str, Signature]
    names: dict[str, Names] = field(default_factory=dict)


def parse(source: bytes, filename: str, limits: Limits, imports: Imports | None = None) -> Parsed:
    """Read a file and what it imports.

    What is wrong with the top level makes the file invalid; what is wrong within a function
    makes that function invalid, and the others are read.
    """
    files = _Files(limits, imports or no_imports)
    try:
        names = _file(source, "", files)
    except Refused as error:
        return Parsed(Module(filename, {}, {}, ()), (error.finding,), {}, {})
    own = tuple(s.name for s in names.functions.values() if "." not in s.name)
    module = Module(filename, files.functions, names.records, own)
    signatures = {s.name: s for n in files.names.values() for s in n.functions.values()}
    return Parsed(module, tuple(files.findings), files.broken, signatures, files.names)


def _file(source: bytes, name: str, files: _Files) -> Names:
    file = f"{name}.py" if name else ""
    tree = read(source, files.limits, file)
    names = Names(file)
    files.names[name] = names
    files.reading.append(name)
    definitions: list[ast.FunctionDef] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            definitions.append(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            _import(node, names, files)
        elif isinstance(node, ast.ClassDef):
            _class(node, names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            _constant(node, names)
        elif not (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            raise refuse(
                place_of(node, file),
                f"{type(node).__name__} at the top level",
                "imports, constants, records and functions only",
            )
    prefix = f"{name}." if name else ""
    readable: list[ast.FunctionDef] = []
    for node in definitions:
        names.check_new(node.name, node, "function")
        names.functions[node.name] = _signature(node, prefix + node.name, names)
        readable.append(node)
    lemmas = frozenset(n for n, s in names.functions.items() if s.role == "lemma")
    for node in readable:
        full = prefix + node.name
        try:
            files.functions[full] = read_function(node, names.functions[node.name], names, lemmas)
        except Refused as error:
            files.broken[full] = error.finding
        except RecursionError:
            files.broken[full] = Finding(
                place_of(node, file), "nested too deeply", "split it", "size"
            )
    files.reading.pop()
    return names


def _import(node: ast.Import | ast.ImportFrom, names: Names, files: _Files) -> None:
    at = place_of(node, names.file)
    for alias in node.names:
        if alias.asname is not None or alias.name == "*":
            raise refuse(at, "`as` or `*` in an import", "import by name", "import")
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name not in ("icontract", "deal"):
                raise refuse(at, f"module {alias.name[:60]!r}", "see docs/code.md", "import")
            names.modules.add(alias.name)
        return
    module = node.module or ""
    if node.level:
        raise refuse(at, "a relative import", "import by the module's name", "import")
    given = [alias.name for alias in node.names]
    allowed = {
        "__future__": ("annotations",),
        "typing": ("Final",),
        "dataclasses": ("dataclass",),
        "icontract": _ICONTRACT,
        "certune.contracts": tuple(LIBRARY),
    }
    if module not in allowed:
        _from_file(module, given, node, names, files)
        return
    for word in given:
        if word not in allowed[module]:
            raise refuse(at, f"{module}.{word[:40]}", "see docs/code.md", "import")
        if module == "icontract":
            if word in names.library:
                raise refuse(at, f"{word!r} is imported already", "use one", "shadowing")
            names.decorators[word] = word
        elif module == "certune.contracts":
            if word in names.decorators:
                raise refuse(at, f"{word!r} is imported already", "use one", "shadowing")
            names.library.add(word)
        elif module in ("typing", "dataclasses"):
            names.modules.add(word)


def _from_file(module: str, given: list[str], node: ast.AST, names: Names, files: _Files) -> None:
    at = place_of(node, names.file)
    if module in files.reading:
        raise refuse(at, f"{module!r} imports itself", "break the cycle", "import")
    if module not in files.names:
        if len(files.names) >= _MAX_FILES:
            raise refuse(at, "too many files", f"at most {_MAX_FILES}", "import")
        source = files.imports(module)
        if source is None:
            raise refuse(at, f"module {module[:60]!r} is not known here", "", "import")
        _file(source, module, files)
    other = files.names[module]
    for word in given:
        names.check_new(word, node, "import")
        if word in other.functions:
            names.functions[word] = other.functions[word]
        elif word in other.records:
            names.records[word] = other.records[word]
        elif word in other.constants:
            names.constants[word] = other.constants[word]
        else:
            raise refuse(at, f"{module} defines no {word[:40]!r}", "", "import")


def _constant(node: ast.Assign | ast.AnnAssign, names: Names) -> None:
    at = place_of(node, names.file)
    left = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    several = isinstance(node, ast.Assign) and len(node.targets) != 1
    if several or not isinstance(left, ast.Name) or node.value is None:
        raise refuse(at, "this assignment at the top level", "NAME = literal")
    names.check_new(left.id, node, "constant")
    kind: Type | None = None
    if isinstance(node, ast.AnnAssign):
        annotation = node.annotation
        if (
            isinstance(annotation, ast.Subscript)
            and isinstance(annotation.value, ast.Name)
            and annotation.value.id == "Final"
            and "Final" in names.modules
        ):
            annotation = annotation.slice
        if not (isinstance(annotation, ast.Name) and annotation.id == "Final"):
            kind = read_type(annotation, names, node)
    value = expression(node.value, Scope(names, "spec"), kind)
    if kind is not None:
        value = coerce(value, kind, at)
    if not isinstance(value, Lit) or value.value is None:
        raise refuse(at, "a constant that is no literal", "integers and booleans only")
    names.constants[left.id] = value


def _class(node: ast.ClassDef, names: Names) -> None:
    at = place_of(node, names.file)
    names.check_new(node.name, node, "record")
    parameters = getattr(node, "type_params", [])
    if node.bases or node.keywords or parameters or len(node.decorator_list) != 1:
        raise refuse(at, "a class that is no plain dataclass", "@dataclass class R:", "class")
    decorator, frozen = node.decorator_list[0], False
    if isinstance(decorator, ast.Call):
        for keyword in decorator.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if keyword.arg not in ("frozen", "slots") or value is not True or decorator.args:
                raise refuse(at, "an option of dataclass", "frozen=True, slots=True", "class")
            frozen = frozen or keyword.arg == "frozen"
        decorator = decorator.func
    if not (isinstance(decorator, ast.Name) and decorator.id == "dataclass"):
        raise refuse(at, "a class decorator", "@dataclass", "decorator")
    if "dataclass" not in names.modules:
        raise refuse(at, "dataclass is not imported", "from dataclasses import dataclass")
    fields: dict[str, Type] = {}
    for part in node.body:
        where = place_of(part, names.file)
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
            continue
        if not isinstance(part, ast.AnnAssign) or not isinstance(part.target, ast.Name):
            raise refuse(where, "more than fields in a record", "name: type, nothing else", "class")
        if part.value is not None:
            raise refuse(where, "a default", "give it in each construction", "class")
        name = part.target.id
        check_name(name, part, names.file, "field")
        if name in fields:
            raise refuse(where, f"field {name!r} twice", "once", "class")
        fields[name] = read_type(part.annotation, names, part)
        if isinstance(fields[name], NoneT) or (frozen and is_mutable(fields[name])):
            raise refuse(where, f"a {fields[name]} here", "immutable fields in a frozen record")
    if not fields:
        raise refuse(at, "a record without fields", "add one", "class")
    names.records[node.name] = RecordT(node.name, tuple(fields.items()), frozen)


def _signature(node: ast.FunctionDef, full: str, names: Names) -> Signature:
    at = place_of(node, names.file)
    a = node.args
    if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg:
        raise refuse(at, "* or / in the parameters", "plain parameters only", "parameters")
    if a.defaults or a.kw_defaults:
        raise refuse(at, "a default argument", "give every argument in calls", "default-argument")
    if node.type_comment is not None or getattr(node, "type_params", []):
        raise refuse(at, "a type parameter or comment", "annotate with plain types")
    parameters: dict[str, Type] = {}
    for parameter in a.args:
        check_name(parameter.arg, parameter, names.file, "parameter")
        if names.defined(parameter.arg):
            raise refuse(
                place_of(parameter, names.file),
                f"{parameter.arg!r} is defined already",
                "choose another name",
                "shadowing",
            )
        kind = read_type(parameter.annotation, names, parameter)
        if isinstance(kind, NoneT):
            raise refuse(at, "a parameter of type None", "remove it", "type")
        parameters[parameter.arg] = kind
    found = read_decorators(node, names)
    result = read_type(node.returns, names, node)
    modifies = read_modifies(found, parameters, names)
    if found.role == "lemma" and not isinstance(result, NoneT):
        raise refuse(at, "a lemma with a result", "-> None", "type")
    if found.role == "spec" and (isinstance(result, NoneT) or is_mutable(result)):
        raise refuse(at, f"a specification function of type {result}", "a value", "type")
    if found.role != "code" and modifies:
        raise refuse(at, f"a {found.role} that modifies", "remove @modifies", "modifies")
    return Signature(full, found.role, tuple(parameters.items()), modifies, result, at)

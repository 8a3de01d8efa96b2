"""What a function's result depends on in our own code, for keys.

Of the function's own package, the functions and constants that it uses enter the hash, one by one. Of every other
module of the library that these import, the whole file enters it, and all that it imports. Annotations do not enter it:
the values that they name come from other artefacts, whose keys cover them. Nor do versions of other libraries.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from stgcnlib.files import fingerprint, fingerprint_file

__all__ = ["source_files", "source_fingerprint", "source_parts"]

_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]+)|import[ \t]+([^\n#]+))", re.M)


def source_fingerprint(*functions: Callable[..., Any]) -> str:
    """A hash of the sources that functions depend on."""
    return _hashed(_all_origins(functions))


def source_parts(*functions: Callable[..., Any]) -> tuple[dict[str, str], dict[str, Path]]:
    """What counts of the sources that functions depend on: "module:name" -> text, and module -> file."""
    return _parts(_all_origins(functions))


def source_files(module: str) -> dict[str, Path]:
    """Module name -> file, of a module and of all modules of its package that it imports, also within functions."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name not in found and path is not None:
            found[name] = path
            waiting += _imported(path.read_text(encoding="utf-8"), name)
            waiting += _stub(name).values() if "." in name else ()  # taken as a whole, it gives all its names
    found.pop(module.partition(".")[0], None)  # the root names everything, and computes nothing
    return found


def _all_origins(functions: Iterable[Callable[..., Any]]) -> tuple[str, ...]:
    return tuple(sorted(origin for function in functions for origin in _origins(function)))


def _origins(function: Callable[..., Any]) -> Iterator[str]:
    """ "module:name" of a function; of a `partial`, also its arguments of this form."""
    if isinstance(function, partial):
        yield from _origins(function.func)
        yield from (each for each in function.args if isinstance(each, str) and ":" in each)
    else:
        yield f"{function.__module__}:{function.__qualname__}"


@cache
def _hashed(origins: tuple[str, ...]) -> str:
    pieces, files = _parts(origins)
    return fingerprint([pieces, {name: fingerprint_file(path) for name, path in files.items()}])


def _parts(origins: tuple[str, ...]) -> tuple[dict[str, str], dict[str, Path]]:
    pieces: dict[str, str] = {}
    modules: set[str] = set()
    waiting = list(origins)
    while waiting:
        origin = waiting.pop()
        module, _, name = origin.partition(":")
        known = _definitions(module)
        if origin in pieces or module in modules:
            continue
        if name not in known:  # made inside another function, say: the whole module counts
            modules.add(module)
            continue
        pieces[origin] = ast.unparse(known[name])
        for used in _used(known[name], known):
            waiting.append(f"{module}:{used}")
        for base, each in _names(known[name], module, known):
            found = _home(base, each)
            if found == base and base.rpartition(".")[0] == module.rpartition(".")[0]:
                waiting.append(f"{base}:{each}")
            else:
                modules.add(found)
    return pieces, {name: path for module in modules for name, path in source_files(module).items()}


@cache
def _definitions(module: str) -> dict[str, ast.stmt]:
    """Name -> statement that defines it, of a module's functions, classes, constants and imports."""
    path = _file(module)
    found: dict[str, ast.stmt] = {}
    for statement in ast.parse(path.read_text(encoding="utf-8")).body if path is not None else ():
        match statement:
            case ast.FunctionDef() | ast.ClassDef():
                found[statement.name] = statement
            case ast.Assign():
                nodes = [node for target in statement.targets for node in ast.walk(target)]
                names = [node.id for node in nodes if isinstance(node, ast.Name)]
                found |= dict.fromkeys(names, statement)
            case ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = statement
            case ast.Import() | ast.ImportFrom():
                found |= {(alias.asname or alias.name).partition(".")[0]: statement for alias in statement.names}
    return found


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """A statement's nodes but annotations."""
    yield node
    for field, value in ast.iter_fields(node):
        if field not in ("annotation", "returns"):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    yield from _walk(each)


def _used(statement: ast.stmt, known: dict[str, ast.stmt]) -> set[str]:
    """Names of the same module, imports aside, that a statement uses."""
    names = {node.id for node in _walk(statement) if isinstance(node, ast.Name)}
    return {n for n in names if n in known and not isinstance(known[n], ast.Import | ast.ImportFrom)}


def _names(statement: ast.stmt, module: str, known: dict[str, ast.stmt]) -> Iterator[tuple[str, str]]:
    """(module, name) that a statement imports, or uses from an import of its module; the library's own only."""
    used = {node.id for node in _walk(statement) if isinstance(node, ast.Name)}
    imports = [node for node in _walk(statement) if isinstance(node, ast.Import | ast.ImportFrom)]
    for name in used:
        if isinstance(known.get(name), ast.Import | ast.ImportFrom):
            imports.append(known[name])  # type: ignore[arg-type]
    package = module.partition(".")[0]
    for each in imports:
        local = each in known.values()
        for alias in each.names:
            if local and (alias.asname or alias.name).partition(".")[0] not in used:
                continue
            base = each.module if isinstance(each, ast.ImportFrom) else alias.name
            if base is not None and base.partition(".")[0] == package:
                yield base, alias.name if isinstance(each, ast.ImportFrom) else ""


def _imported(text: str, module: str) -> Iterator[str]:
    """Modules of the package that a module's text names in its import statements."""
    package = module.partition(".")[0]
    path = _file(module)
    home = module if path is not None and path.name == "__init__.py" else module.rpartition(".")[0]
    for match in _IMPORT.finditer(text):
        base, names, plain = match.groups()
        if plain is not None:
            yield from (part.split()[0] for part in plain.split(",") if part.strip().split(".")[0] == package)
            continue
        if base.startswith("."):
            base = _absolute(base, home)
        if base.partition(".")[0] == package:
            for part in names.strip("()\n ").split(","):
                name = part.split()[0] if part.split() else ""
                if name.isidentifier():
                    yield _home(base, name)


def _home(base: str, name: str) -> str:
    """The module that ``from base import name`` takes it from: a module itself, or as the base's stub says."""
    if name and _file(f"{base}.{name}") is not None:
        return f"{base}.{name}"
    return _stub(base).get(name, base)


@cache
def _stub(package: str) -> dict[str, str]:
    """Name -> module, of a package that imports its names on first use (``__init__.pyi``)."""
    path = _file(package)
    stub = path.with_suffix(".pyi") if path is not None else None
    if stub is None or not stub.exists():
        return {}
    found: dict[str, str] = {}
    for base, names, _ in _IMPORT.findall(stub.read_text(encoding="utf-8")):
        found |= {part.split()[0]: _absolute(base, package) for part in names.split(",") if part.split()}
    return found


def _absolute(base: str, home: str) -> str:
    """A relative module name in package `home`, in full."""
    dots = len(base) - len(base.lstrip("."))
    parents = home.split(".")[: len(home.split(".")) + 1 - dots]
    return ".".join([*parents, *filter(None, base[dots:].split("."))])


@cache
def _file(module: str) -> Path | None:
    """The file of a module, found without importing it or its parents; `None` if there is none."""
    package, *parts = module.split(".")
    root = getattr(sys.modules.get(package), "__file__", None)
    if root is None:
        return None
    path = Path(root)
    if not parts:
        return path
    if path.name != "__init__.py":
        return None
    place = path.parent.joinpath(*parts)
    return next((each for each in (place / "__init__.py", place.with_suffix(".py")) if each.is_file()), None)

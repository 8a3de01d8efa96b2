"""What a function's result depends on in our own code: its module and all modules of the package that it imports.

The sources themselves are hashed, so that an edited kernel makes new results; versions of other packages are not.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from stgcnlib.files import fingerprint, fingerprint_file

__all__ = ["source_files", "source_fingerprint"]

_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]+)|import[ \t]+([^\n#]+))", re.M)


def source_fingerprint(function: Callable[..., Any]) -> str:
    """A hash of the sources of a function: of its module, and of what that imports, at any depth."""
    return _hashed(function.__module__)


def source_files(module: str) -> dict[str, Path]:
    """Module name -> file, of a module and of all modules of its package that it imports, also within functions.

    A package stands for its ``__init__``, and for all that this names, stubs (``__init__.pyi``) included.
    """
    package = module.partition(".")[0]
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _file(name)
        if path is None:
            continue
        found[name] = path
        stub = path.with_suffix(".pyi")
        home = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for file in (path, stub):
            text = file.read_text(encoding="utf-8") if file.exists() else ""
            waiting += [each for each in _imported(text, package, home) if each not in found]
    found.pop(package, None)  # the library's own __init__ names everything and computes nothing
    return found


@cache
def _hashed(module: str) -> str:
    files = source_files(module)
    if not files:  # the function was defined in a notebook or at a prompt
        return fingerprint(inspect.getsource(sys.modules[module]))
    return fingerprint({name: fingerprint_file(path) for name, path in files.items()})


def _imported(text: str, package: str, home: str) -> Iterator[str]:
    """Modules of the package that a source in package `home` names in its import statements."""
    for match in _IMPORT.finditer(text):
        base, names, plain = match.groups()
        if plain is not None:
            yield from (part.split()[0] for part in plain.split(",") if part.strip().split(".")[0] == package)
            continue
        if base.startswith("."):
            dots = len(base) - len(base.lstrip("."))
            base = ".".join(
                [*home.split(".")[: len(home.split(".")) + 1 - dots], *filter(None, base[dots:].split("."))]
            )
        if base.partition(".")[0] == package:
            if base != package:
                yield base
            for part in names.strip("()\n ").split(","):
                name = part.split()[0] if part.split() else ""
                if name.isidentifier() and _file(f"{base}.{name}") is not None:
                    yield f"{base}.{name}"


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
    place = path.parent.joinpath(*parts) if path.name == "__init__.py" else path.parent.joinpath("?")
    for each in (place / "__init__.py", place.with_suffix(".py")):
        if each.is_file():
            return each
    return None

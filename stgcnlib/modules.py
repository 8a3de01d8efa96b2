"""Where the sources of a module lie, found without importing it, its parents or what it imports."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

__all__ = ["imported_files", "module_file", "module_home"]


def module_file(name: str, folders: Sequence[str | Path] = ()) -> Path | None:
    """The file of module `name`, looked for in `folders` and then as an import would; `None` if there is none."""
    package, *rest = name.split(".")
    places = [str(Path(folder).resolve()) for folder in folders]
    spec = PathFinder.find_spec(package, places) or PathFinder.find_spec(package)
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(part, list(spec.submodule_search_locations))
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).resolve()


def module_home(name: str, source: str | Path) -> Path:
    """The folder from which module `name`, whose file is `source`, is imported."""
    file = Path(source)
    return file.parents[name.count(".") + (file.stem == "__init__")]


def imported_files(name: str, file: Path) -> tuple[Path, ...]:
    """Files beside module `name` that it imports, and that these import, also within functions; in a fixed order.

    For an installed module, only those of its own package, since other packages have versions.

    Args:
        name: as it is imported, such as ``package.module``.
        file: the module's own file, which is not in the result.
    """
    home, package = module_home(name, file), name.partition(".")[0]
    installed = home in {Path(place).resolve() for place in sysconfig.get_paths().values()}
    found: dict[str, Path] = {name: file}
    waiting = [name]
    while waiting:
        for each in _imports(found[module := waiting.pop()], module):
            path = _file(home, each)
            if path is not None and each not in found and not (installed and each.partition(".")[0] != package):
                found[each] = path
                waiting.append(each)
    return tuple(sorted(set(found.values()) - {file}))


def _imports(file: Path, module: str) -> Iterator[str]:
    """Modules that a file may import: each name in its import statements, and all packages above it."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return  # importing it will say why
    home = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = home[: len(home) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[: i + 1]) for i in range(len(parts)))
    yield from (".".join(home[: i + 1]) for i in range(len(home)))


def _file(home: Path, module: str) -> Path | None:
    place = home.joinpath(*module.split("."))
    files = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((file.resolve() for file in files if file.is_file()), None)

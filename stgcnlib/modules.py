"""Where a module's source lies, found without importing it or its parents."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path

__all__ = ["module_file", "module_home"]


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

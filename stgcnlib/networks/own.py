"""Networks of one's own: the function or class that ``package.module:factory`` names, and how it is called.

The module may lie in a folder named by `import_path`, in the working directory, or in an installed package. No other
file in these folders replaces an installed module.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

from torch import nn

from stgcnlib.errors import StgcnlibError, StudyError, nearest, suggest
from stgcnlib.trust import state_folder

__all__ = ["import_factory", "import_path", "make_own", "refuse_unknown"]


@contextmanager
def import_path(folder: Path | str | None = None) -> Iterator[None]:
    """Within, modules are also found in `folder` and the working directory, after installed ones.

    Compiled files in these folders are not read, since their code may differ from the sources; none are written there.
    """
    before = list(sys.path), sys.pycache_prefix
    sys.path += _folders(folder)
    sys.pycache_prefix = str(state_folder() / "compiled")
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:], sys.pycache_prefix = before


def import_factory(name: str, folder: Path | str | None = None) -> Callable[..., Any]:
    """The function or class that ``package.module:factory`` names; the module itself defines it.

    It imports the module, which runs it: for a name out of a study, ask `stgcnlib.trust.require` first.

    Raises:
        StudyError: if the name has another form, the module or the factory cannot be imported, or the module itself
            imports the factory from another one; says why.
    """
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), *attribute.split("."))):
        raise StudyError(f"network {name!r}: give 'package.module:factory', as in an import statement")
    with import_path(folder):
        _refuse_namesake(name, module_name.partition(".")[0], _folders(folder))
        try:
            _import_first(module_name.partition(".")[0], _folders(folder))
            module: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            within = f"{module_name}.".startswith(f"{error.name}.")
            places = ", ".join(dict.fromkeys(_folders(folder)))
            why = f"looked in {places} and in the installed packages" if within else f"{module_name} itself needs it"
            raise StudyError(f"network {name!r}: there is no module {error.name!r}; {why}") from error
        except (Exception, SystemExit) as error:
            raise StudyError(
                f"network {name!r}: importing {module_name} failed with {type(error).__name__}: {error}"
            ) from error
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = [n for n, value in vars(found).items() if callable(value) and not n.startswith("_")]
            raise StudyError(f"network {name!r}: {module_name} has no {part!r}; {suggest(part, public)}")
        found = getattr(found, part)
    if not (inspect.isclass(found) or inspect.isfunction(found) or inspect.ismethod(found)):
        raise StudyError(f"network {name!r}: is {type(found).__name__}, expected a function or class that makes one")
    if found.__module__ != module_name:
        raise StudyError(
            f"network {name!r}: {module_name} has {attribute!r} from elsewhere; name the module that defines it: "
            f"'{found.__module__}:{found.__qualname__}'"
        )
    factory: Callable[..., Any] = found
    return factory


def refuse_unknown(name: str, factory: Callable[..., Any], options: Iterable[str], *, others: Iterable[str]) -> None:
    """Refuse options that a network does not have, and name those that it has.

    Args:
        name: of the network, as it was given.
        factory: the function or class that makes it.
        options: names of the given ones.
        others: names of its parameters that are no options.

    Raises:
        StudyError: it has no such option; the nearest is suggested.
    """
    parameters = inspect.signature(factory).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    named = [key for key, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    known = [key for key in named if key not in set(others)]
    for key in options:
        if key not in known:
            if not known:
                raise StudyError(f"network {name!r} has no option {key!r}; it has no options")
            near = nearest(key, known, most=1)
            hint = f"did you mean {near[0]!r}? Its" if near else "its"
            raise StudyError(f"network {name!r} has no option {key!r}; {hint} options are {', '.join(known)}")


def make_own(name: str, given: Mapping[str, Any], options: Mapping[str, Any]) -> nn.Module:
    """Call a factory with its options, and with those of `given` (layout, classes, channels) that it takes.

    Values of `None` are not passed. A network without attributes of these names gets them from `given`.

    Raises:
        StudyError: if the factory cannot be imported, refuses its arguments, fails, or makes no `torch.nn.Module`.
    """
    factory = import_factory(name)
    known = {key: value for key, value in given.items() if value is not None}
    refuse_unknown(name, factory, options, others=given)
    parameters = inspect.signature(factory).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        passed = {key: value for key, value in known.items() if key in parameters}
    else:
        passed = known
    needed = [
        key
        for key, p in parameters.items()
        if p.default is p.empty
        and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        and key not in {**passed, **options}
    ]
    if needed:
        raise StudyError(f"network {name!r} needs {', '.join(needed)}; give it to load_network")
    try:
        with import_path():
            network = factory(**passed, **options)
    except StgcnlibError:
        raise
    except (Exception, SystemExit) as error:
        raise StudyError(
            f"network {name!r} refuses {sorted({**passed, **options})}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(network, nn.Module):
        raise StudyError(f"network {name!r} made a {type(network).__name__}; it must make a torch.nn.Module")
    for key, value in known.items():
        if not hasattr(network, key):
            setattr(network, key, value)
    return network


def _folders(folder: Path | str | None) -> list[str]:
    return [str(Path(place).resolve()) for place in (folder, Path.cwd()) if place is not None]


def _import_first(package: str, folders: list[str]) -> None:
    """Import a package or module from these folders, if it is there, whatever is installed under its name."""
    spec = None if package in sys.modules else PathFinder.find_spec(package, folders)
    if spec is None or spec.loader is None:
        return
    sys.modules[package] = module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(package, None)
        raise


def _refuse_namesake(name: str, package: str, folders: list[str]) -> None:
    """Refuse a second file of a module's name: Python keeps one module per name, and would use the first."""
    loaded = getattr(sys.modules.get(package), "__file__", None)
    spec = PathFinder.find_spec(package, folders)
    if loaded and spec and spec.origin and Path(loaded).resolve() != Path(spec.origin).resolve():
        raise StudyError(
            f"network {name!r}: a module {package!r} is loaded already, from {loaded}; "
            f"rename {spec.origin}, or start a new Python"
        )

"""Reference pages from the code: every public name, the command line, the keys of a study file; and the tutorials.

The pages are MyST texts in `docs/generated`, which git ignores. A public name is one that a room's ``__all__`` names.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import typer

import stgcnlib
from stgcnlib.cli import app
from stgcnlib.pipeline import Study
from stgcnlib.pipeline.keys import KeySection, key_sections

ROOT = Path(__file__).resolve().parent.parent
INSIDE = {
    "cli", "endings", "files", "json_text", "progress", "sequence_checks", "sequence_files", "terminal", "threads",
    "modules", "devices", "texts", "yaml_text",
}  # fmt: skip
"""Modules that are tools of the library itself."""
TUTORIALS = ROOT / "notebooks" / "tutorials"


def write_all(folder: Path) -> None:
    """Write all pages into `folder`, which is made anew; a page that says the same keeps its time."""
    pages = {"command_line.md": command_line(), "study_file.md": study_file(), **api_pages()}
    pages |= {f"tutorials/{file.name}": file.read_text(encoding="utf-8") for file in sorted(TUTORIALS.glob("*.ipynb"))}
    files = {name: text.encode() for name, text in pages.items()}
    files |= {f"tutorials/{file.name}": file.read_bytes() for file in sorted(TUTORIALS.glob("*.png"))}
    for old in [file for file in folder.rglob("*") if file.is_file()]:
        if str(old.relative_to(folder)) not in files:
            old.unlink()
    for name, content in files.items():
        file = folder / name
        if not (file.is_file() and file.read_bytes() == content):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


# Every public name.


def rooms() -> dict[str, list[str]]:
    """Module -> its public names: rooms, and modules of their own in the package, that have any."""
    found = {}
    for info in pkgutil.iter_modules(stgcnlib.__path__):
        if info.name in INSIDE:
            continue
        module = importlib.import_module(f"stgcnlib.{info.name}")
        if names := [name for name in getattr(module, "__all__", ()) if not name.startswith("_")]:
            found[module.__name__] = names
    return found


def api_pages() -> dict[str, str]:
    """A page for each room, and one of the names that `import stgcnlib` gives."""
    short = {id(getattr(stgcnlib, name)): name for name in stgcnlib.__all__ if name != "__version__"}
    pages, home = {}, {}
    for module_name, names in rooms().items():
        room = importlib.import_module(module_name)
        parts = [f"# {module_name}\n\n*Which public names does `{module_name}` have, and what do they do?*\n"]
        parts.append(_directive(f"automodule:: {module_name}", "   :no-index:"))
        for name in sorted(names, key=str.lower):
            thing = getattr(room, name)
            if isinstance(thing, ModuleType):
                continue
            shortest = _shortest(thing, name, short)
            path = f"stgcnlib.{shortest}" if shortest else f"{module_name}.{name}"
            if path in home:
                parts.append(f"`{name}` is [{path}]({home[path]}).\n")
                continue
            home[path] = f"{module_name}.md"
            parts.append(f"## {name}\n\n" + _described(path, thing, room, name))
        pages[f"api/{module_name}.md"] = "\n".join(parts)
    pages["api/stgcnlib.md"] = _own_names(short, home)
    return pages


def _shortest(thing: Any, name: str, short: dict[int, str]) -> str | None:
    """The library's own name of a function or class; plain values are no one's in particular."""
    found = short.get(id(thing)) if inspect.isroutine(thing) or inspect.isclass(thing) else None
    return found if found == name else None


def _described(path: str, thing: Any, room: ModuleType, name: str) -> str:
    if inspect.isclass(thing):
        return _directive(f"autoclass:: {path}", "   :members:", "   :show-inheritance:" if _is_error(thing) else "")
    if inspect.isroutine(thing) or hasattr(thing, "__wrapped__"):
        return _directive(f"autofunction:: {path}")
    return _directive(f"py:data:: {path}", "   :no-index-entry:", "", f"   {_value_words(room, name)}")


def _is_error(thing: type) -> bool:
    return issubclass(thing, BaseException)


def _value_words(room: ModuleType, name: str) -> str:
    """What stands below an assignment in the sources, else what kind of value it is."""
    for node, after in pairwise(part for file in _files(room) for part in ast.parse(file.read_text("utf-8")).body):
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        named = any(isinstance(target, ast.Name) and target.id == name for target in targets)
        if named and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            return " ".join(str(after.value.value).split())
    value = getattr(room, name)
    if isinstance(value, dict):
        return "A dictionary with the keys " + ", ".join(f"``{key}``" for key in value) + "."
    if isinstance(value, tuple) and all(isinstance(part, str) for part in value):
        return "One of " + ", ".join(f"``{part}``" for part in value) + "."
    if isinstance(value, str | int | float):
        return f"``{value!r}``."
    return f"A `{type(value).__name__}`."


def _files(room: ModuleType) -> list[Path]:
    file = Path(inspect.getfile(room))
    return sorted(file.parent.glob("*.py")) if file.name == "__init__.py" else [file]


def _own_names(short: dict[int, str], home: dict[str, str]) -> str:
    rows = []
    for name in sorted(stgcnlib.__all__, key=str.lower):
        thing = getattr(stgcnlib, name)
        if isinstance(thing, ModuleType):
            rows.append(f"| [`stgcnlib.{name}`](stgcnlib.{name}.md) | {_first_sentence(thing)} |")
        elif name != "__version__":
            page = home[f"stgcnlib.{name}"]
            rows.append(f"| [`stgcnlib.{name}`](#stgcnlib.{name}) | {_first_sentence(thing)} |")
            assert page in {f"{room}.md" for room in rooms()}
    head = "# stgcnlib\n\n*What does `import stgcnlib` give?*\n\nEach name also lies in the room that it comes from.\n"
    return head + "\n| name | what it is for |\n|---|---|\n" + "\n".join(rows) + "\n"


def _first_sentence(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split()).replace("|", "\\|")


def _directive(*lines: str) -> str:
    """A directive in reStructuredText, which docstrings are read as."""
    return "```{eval-rst}\n.. " + "\n".join(line for line in lines if line is not None) + "\n```\n"


# The command line.


def command_line() -> str:
    """Every command with its arguments and options, as ``--help`` has them."""
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    parts = ["# Command line\n\n*Which commands are there, and what do they take?*\n", _options(group)]
    for name, command in group.commands.items():
        usage = " ".join(piece for piece in command.collect_usage_pieces(_context(command, name)))
        parts.append(
            f"## stgcnlib {name}\n\n```text\nstgcnlib {name} {usage}\n```\n\n{inspect.cleandoc(command.help)}\n"
        )
        parts.append(_options(command))
    return "\n".join(parts)


def _context(command: Any, name: str) -> Any:
    return command.context_class(command, info_name=name)


def _options(command: Any) -> str:
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        is_option = parameter.param_type_name == "option"
        shown = ", ".join(f"`{text}`" for text in (*parameter.opts, *parameter.secondary_opts)) if is_option else ""
        words = (parameter.help or "").replace("|", "\\|")
        default = parameter.default
        said = (
            f" Default: `{default}`." if isinstance(default, str | int | float) and default not in (False, "") else ""
        )
        rows.append(f"| {shown or f'`{(parameter.metavar or parameter.name.upper())}`'} | {words}{said} |")
    return "| argument or option | what it says |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else ""


# The study file.


def study_file() -> str:
    """Every key of a study file, section by section, from the models that check it."""
    parts = [
        "# Keys of a study file\n\n*What may a study file say, and what holds where it says nothing?*\n",
        "An unknown key is refused, with the nearest known one. `null` leaves a choice to the library.\n",
        "`stgcnlib keys [SECTION]` prints the same in a terminal.\n",
        *map(_section, key_sections(Study)),
    ]
    return "\n".join(parts)


def _section(section: KeySection) -> str:
    heads = ["key", "values", "default", "what it is"]
    lines = [heads, ["---"] * len(heads)]
    for key in section.keys:
        name = key.name.rpartition(".")[2]
        lines.append([f"`{name}`", key.values, key.default, key.words])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## {section.name or 'At the top'}\n\n{section.words}\n\n{table}\n"

"""What a public name's docstring must say, read off the source: what is lacking, name by name.

- Everything: a summary. It says what a function gives; several things need `Returns`.
- Parameters and fields of a class: an entry of Args, a sentence with the name in backticks (for a method also in the
  docstring of its class), an entry of the function that it is said to be "as", the glossary of the package, or a public
  class of the library as type.
- Arrays: a shape. Quantities with a unit, by their names: the unit.
- Each error raised in the function, or in a private function of its module: its name.
- Functions of rooms that measure: the formula's source; a heading of docs/method.md that is named exists.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "stgcnlib"
METHOD = PACKAGE.parent / "docs" / "method.md"
MEASURING = {"dtw", "dsgraph", "geometry", "explain", "studies", "verdicts"}  # rooms whose functions follow a formula

ARRAY = re.compile(r"\b(NDArray|ArrayLike|Tensor|ndarray|csr_array)\b")
SHAPE = re.compile(r"\((?:[^()\s]+|\w \+ 1|sum of \S+),[^()]*\)|any shape|scalar")
SOURCE = re.compile(r'docs/method\.md, "|arXiv|doi\.org|our choice|Our choice|\b(?:19|20)\d\d\b')
SECTIONS = ("Args", "Returns", "Raises", "Attributes", "Yields")
UNITS = {
    "fps": "per second", "frame_rate": "per second", "window": "frame", "stride": "frame", "band": "frame",
    "frames": "frame", "length": "frame", "hop": "frame", "sigma": "unit", "angle": "degree|radian",
    "degrees": "degree|radian", "noise": "metre|multiples", "seconds": "second", "timeout": "second",
    "memory": "byte|GB|GiB",
}  # fmt: skip
NO_FORMULA = {  # they check, read, write or arrange, and measure nothing
    "as_layer_distances", "dtw_options", "needed_reach", "load_relevance", "save_relevance", "merge_geometries",
    "read_finished", "bullets", "shown_level",
}  # fmt: skip
UNSAID = {"NotImplementedError", "AssertionError", "AttributeError"}  # mistakes of a program, not of its input


@dataclass(frozen=True)
class Name:
    """A public function or method (its `owner` is a class), or a class."""

    room: str
    title: str
    node: ast.FunctionDef | ast.ClassDef
    module: ast.Module
    owner: ast.ClassDef | None = None


@dataclass
class Text:
    """A docstring in its parts; `entries` are those of Args and Attributes."""

    whole: str
    summary: str
    entries: dict[str, str] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def file_of(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    stub = path / "__init__.pyi"
    return path.with_suffix(".py") if not path.is_dir() else stub if stub.exists() else path / "__init__.py"


def found(module: str, name: str) -> tuple[ast.stmt, ast.Module] | None:
    """Where a module's name is defined, through imports; None for a module or what is not ours."""
    tree = parsed(file_of(module))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node, tree
        if isinstance(node, ast.FunctionDef) and node.name == name and not _overload(node):
            return node, tree
        if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in node.names):
            source = f"{module}.{node.module}" if node.level and node.module else str(node.module)
            return found(source, name) if source.startswith("stgcnlib") else None
    return None


def listed(module: str) -> list[str]:
    """The public names of a module: `__all__`, or what its stub imports."""
    file = file_of(module)
    for node in parsed(file).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return [str(ast.literal_eval(each)) for each in getattr(node.value, "elts", [])]
    if file.suffix == ".pyi":
        return [alias.name for node in parsed(file).body if isinstance(node, ast.ImportFrom) for alias in node.names]
    return []


@cache
def _classes() -> set[str]:
    """Public classes of the library: as the type of a parameter, each says by its own docstring what that is."""
    return {name.title for name in public_names() if isinstance(name.node, ast.ClassDef)}


@cache
def public_names() -> tuple[Name, ...]:
    return tuple(_public_names())


def _public_names() -> Iterator[Name]:
    rooms = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    seen = set()
    for module in ["stgcnlib.errors", *(f"stgcnlib.{room}" for room in rooms), "stgcnlib"]:
        for name in listed(module):
            place = found(module, name)
            if place is None or id(place[0]) in seen or not isinstance(place[0], ast.FunctionDef | ast.ClassDef):
                continue
            node, tree = place
            seen.add(id(node))
            room = module.removeprefix("stgcnlib.")
            yield Name(room, name, node, tree)
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and method.name[0] != "_" and not _overload(method):
                        yield Name(room, f"{name}.{method.name}", method, tree, node)


def lacking(name: Name) -> Iterator[str]:
    """What the docstring of a name does not say."""
    text = text_of(name.node)
    if not text.summary:
        yield "a summary"
        return
    for parameter, annotation in () if "not by hand" in text.whole else parameters(name):
        said = described(name, text, parameter)
        if said is None:
            if not set(re.findall(r"\w+", annotation)) - {"None"} <= _classes():
                yield f"{parameter}: what it is"
            continue
        if ARRAY.search(annotation) and not SHAPE.search(said):
            yield f"{parameter}: its shape"
        if parameter in UNITS and re.search("int|float", annotation) and not re.search(UNITS[parameter], said):
            yield f"{parameter}: its unit ({UNITS[parameter]})"
    if isinstance(name.node, ast.FunctionDef):
        yield from _lacking_of_results(name, name.node, text)


def _lacking_of_results(name: Name, node: ast.FunctionDef, text: Text) -> Iterator[str]:
    returned = resolved(name.module, node.returns)
    outside = text.whole if not text.entries else text.summary + text.sections.get("Returns", "")
    if ARRAY.search(returned) and not SHAPE.search(outside):
        yield "the shape of what it returns"
    if re.search(r"\b(tuple|dict)\[", returned) and text.entries and not {"Returns", "Yields"} & {*text.sections}:
        yield "Returns"
    for error in sorted(raised(name, node)):
        of_class = text_of(name.owner).whole if name.owner is not None else ""
        if not re.search(rf"\b{error}\b", text.whole + of_class + inherited_errors(name, text)):
            yield f"Raises {error}"
    measures = name.room in MEASURING and name.owner is None and name.title not in NO_FORMULA
    if measures and not SOURCE.search(text.whole):
        yield "its source"
    for heading in re.findall(r'docs/method\.md, "([^"]+)"', " ".join(text.whole.split())):
        if not any(each.startswith(heading) for each in headings()):
            yield f"a heading {heading!r} in docs/method.md"


@cache
def headings() -> tuple[str, ...]:
    """Those of the page on the method."""
    return tuple(re.findall(r"^## (.*)$", METHOD.read_text("utf-8"), re.MULTILINE))


def parameters(name: Name) -> Iterator[tuple[str, str]]:
    """(name, annotation) of a function's parameters, or of the fields of a class that has no `__init__`."""
    node = name.node
    if isinstance(node, ast.ClassDef):
        init = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
        if not init:
            for each in node.body:
                named = isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
                if named and each.target.id[0] != "_" and "ClassVar" not in ast.unparse(each.annotation):
                    yield each.target.id, resolved(name.module, each.annotation)
            return
        (node,) = init
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    for each in every:
        if each is not None and each.arg not in ("self", "cls") and not each.arg.startswith("_"):
            yield each.arg, resolved(name.module, each.annotation)


def resolved(module: ast.Module, annotation: ast.expr | None) -> str:
    """An annotation with the module's own aliases written out."""
    if annotation is None:
        return ""
    text = str(annotation.value if isinstance(annotation, ast.Constant) else ast.unparse(annotation))
    for alias, meaning in _aliases(module).items():
        text = re.sub(rf"\b{alias}\b", meaning, text)
    return text


@cache
def _aliases(module: ast.Module) -> dict[str, str]:
    """What names of a module stand for a type."""
    found = {}
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Subscript | ast.BinOp):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            found[ast.unparse(target)] = ast.unparse(node.value)
    return {name: text for name, text in found.items() if name.isidentifier()}


@cache
def text_of(node: ast.FunctionDef | ast.ClassDef) -> Text:
    whole = inspect.cleandoc(ast.get_docstring(node) or "")
    parts = re.split(rf"^({'|'.join(SECTIONS)}):\n", whole, flags=re.MULTILINE)
    text = Text(whole, whole.split("\n\n")[0], sections=dict(zip(parts[1::2], parts[2::2], strict=True)))
    for section in ("Args", "Attributes"):
        for entry in re.split(r"\n(?= {4}\S)", "\n" + text.sections.get(section, "").split("\n\n")[0]):
            names, colon, said = entry.strip().partition(":")
            if colon:
                text.entries |= {each.strip().lstrip("*"): said for each in names.split(",")}
    return text


def described(name: Name, text: Text, parameter: str) -> str | None:
    """What is said of a parameter, here or where this docstring sends its reader for it; None: nothing."""
    own = text.entries.get(parameter)
    for each in _referred(name, text.whole if own is None else own):
        if parameter in (there := text_of(each)).entries:
            return there.entries[parameter] + (own or "")
    if own is not None:
        return own
    prose = re.sub(r"^ {4}.*\n?", "", text.whole, flags=re.MULTILINE)
    sentences = [each for each in re.split(r"(?<=[.;])\s|\n\n", prose) if re.search(rf"`\**{parameter}\b", each)]
    if not sentences and name.owner is not None:
        return described(Name(name.room, name.owner.name, name.owner, name.module), text_of(name.owner), parameter)
    return " ".join(sentences) or glossary().get(parameter)


@cache
def glossary() -> dict[str, str]:
    """Parameters that mean the same everywhere, as the docstring of the package describes them."""
    text = inspect.cleandoc(ast.get_docstring(parsed(PACKAGE / "__init__.py")) or "")
    return {match[1]: match[2] for match in re.finditer(r"^- `(\w+)`: (.*(?:\n  .*)*)", text, re.MULTILINE)}


def inherited_errors(name: Name, text: Text) -> str:
    """What other docstrings say of errors, where this one sends its reader there for them."""
    where = text.sections.get("Raises", "") + " ".join(re.findall(r"[^.]*[Ee]rrors[^.]* (?:as|of) `[^.]*", text.whole))
    return " ".join(text_of(each).whole for each in _referred(name, where))


def _referred(name: Name, said: str) -> list[ast.FunctionDef | ast.ClassDef]:
    """The functions and classes that a text names behind "as", "of" or "see"."""
    places = []
    for title in re.findall(r"\b(?:as|of|see|See|fields of|with) `+([\w.]+)`+", said):
        places += _index().get(title.rpartition(".")[2], [])
    return [each for each in places if each is not name.node]


@cache
def _index() -> dict[str, list[ast.FunctionDef | ast.ClassDef]]:
    """All functions, methods and classes of the library by name."""
    index: dict[str, list[ast.FunctionDef | ast.ClassDef]] = {}
    for file in PACKAGE.rglob("*.py"):
        for node in parsed(file).body:
            inner = node.body if isinstance(node, ast.ClassDef) else []
            for each in (node, *inner):
                if isinstance(each, ast.FunctionDef | ast.ClassDef):
                    index.setdefault(each.name, []).append(each)
    return index


def raised(name: Name, node: ast.FunctionDef) -> set[str]:
    """Errors that a function raises itself, or by a private function of its module that it calls."""
    helpers = {each.name: each for each in name.module.body if isinstance(each, ast.FunctionDef)}
    if name.owner is not None:
        helpers |= {f"self.{each.name}": each for each in name.owner.body if isinstance(each, ast.FunctionDef)}
    called = {ast.unparse(each.func) for each in _uncaught(node) if isinstance(each, ast.Call)}
    bodies = [node, *(each for title, each in helpers.items() if title in called and each.name.startswith("_"))]
    errors: set[str] = set()
    for body in bodies:
        for each in _uncaught(body):
            if isinstance(each, ast.Raise) and each.exc is not None:
                what = each.exc.func if isinstance(each.exc, ast.Call) else each.exc
                errors |= {what.id} if isinstance(what, ast.Name) and what.id[0].isupper() else set()
    return errors - UNSAID


def _uncaught(node: ast.AST) -> Iterator[ast.AST]:
    """All that is below a node, without what lies in a `try` that has handlers."""
    for each in ast.iter_child_nodes(node):
        tried = isinstance(each, ast.Try) and each.handlers
        for part in [*each.handlers, *each.orelse, *each.finalbody] if tried else [each]:
            yield part
            yield from _uncaught(part)


def _overload(node: ast.FunctionDef) -> bool:
    return any("overload" in ast.unparse(each) or "setter" in ast.unparse(each) for each in node.decorator_list)

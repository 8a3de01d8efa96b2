"""Mutants of a module: which there are, and a sample of them that a seed decides.

Cosmic Ray's operators replace operators, numbers, keywords and loops; `omissions` leave something out. Nothing is
mutated that no test should see: annotations, decorators, what is raised, asserts (also those of `zip`), progress bars,
indents, blocks for type checkers, the mark of keyword-only parameters.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider
from omissions import OMISSIONS

__all__ = ["Mutant", "sample"]

Position = tuple[int, int]
Change = tuple[Callable[[], Operator], int]

# Left out: the first two need arguments; without its decorator a cached property fails, and a kernel only takes longer;
# an operator on bits in place of arithmetic, or the reverse, fails whatever is tested.
UNUSED = r"VariableReplacer|VariableInserter|RemoveDecorator|ReplaceUnaryOperator_U\w+_(Not|Invert)"
BITS = r"(Bit\w+|\w+Shift)"
MIXED = rf"ReplaceBinaryOperator_((?!{BITS})[A-Za-z]+_{BITS}|{BITS}_(?!{BITS})[A-Za-z]+)"


def _operators() -> dict[str, Callable[[], Operator]]:
    provider = OperatorProvider()
    theirs = {name: provider[name] for name in provider if not re.fullmatch(f"{UNUSED}|{MIXED}", name)}
    return theirs | {operator.__name__: operator for operator in OMISSIONS}


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes:
        file: path below the repository.
        line: number of the first line that differs.
        old, new: the lines that differ, before and after, stripped and joined by a space.
        code: the whole file with the change.
    """

    file: str
    line: int
    old: str
    new: str
    code: str


def sample(root: Path, files: Sequence[tuple[str, str]], count: int, seed: int) -> list[Mutant]:
    """`count` mutants of some files (path below `root`, pattern that the line must match), by place.

    Places are drawn by the hash of their line, one mutant each, so that a change elsewhere leaves the sample as it is.
    """
    places: list[tuple[str, str, list[Change]]] = []
    for file, pattern in files:
        for key, changes in _places((root / file).read_text(encoding="utf-8"), pattern).items():
            changes.sort(key=lambda change, key=key: _hash(seed, file, key, change[0], change[1]))  # type: ignore[misc]
            places.append((_hash(seed, file, key), file, changes))
    found: list[Mutant] = []
    for _, file, changes in sorted(places, key=lambda place: place[0]):
        if len(found) < count:
            made = (_mutant(root, file, *change) for change in changes)
            found += [mutant for mutant in made if mutant is not None][:1]
    return sorted(found, key=lambda mutant: (mutant.file, mutant.line, mutant.new))


def _places(source: str, pattern: str) -> dict[str, list[Change]]:
    """What tells a place at which a family of operators applies -> the changes that they offer there."""
    lines, hidden, nodes = source.splitlines(), list(_hidden(ast.parse(source))), list(ast_nodes(get_ast(source)))
    found: dict[str, list[Change]] = {}
    for name, make in _operators().items():
        operator = make()
        positions = [place for node in nodes for place in operator.mutation_positions(node)]
        for occurrence, (start, end) in enumerate(positions):
            line = lines[start[0] - 1]
            marks = re.match(r"\*\s*,", line[start[1] :])  # what follows is given by keyword only
            if marks or not re.search(pattern, line) or any(a <= start < b for a, b in hidden):
                continue
            before = lines[: start[0] - 1].count(line)  # the same line may stand in several functions
            key = f"{line}|{before}|{start[1]}|{end[0] - start[0]}|{name.partition('_')[0]}"
            found.setdefault(key, []).append((make, occurrence))
    return found


def _hidden(tree: ast.Module) -> Iterator[tuple[Position, Position]]:
    """Spans of what is not mutated."""
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        match node:
            case ast.arg() | ast.AnnAssign():
                parts = [node.annotation]
            case ast.FunctionDef():
                parts = [node.returns, *node.decorator_list]
            case ast.ClassDef():
                aside = node.name == "_Progress" or any(ast.unparse(base) == "Protocol" for base in node.bases)
                parts = [node if aside else None, *node.decorator_list]
            case ast.Raise() | ast.Assert():
                parts = [node]
            case ast.Assign() if ast.unparse(node.targets[0]) == "__all__":
                parts = [node]
            case ast.If() if ast.unparse(node.test) == "TYPE_CHECKING":
                parts = [node]
            case ast.Call() if ast.unparse(node.func).endswith(("track", "warn")):
                parts = [node]
            case ast.keyword(arg="strict" | "progress" | "indent"):
                parts = [node]
        for part in parts:
            if isinstance(part, ast.expr | ast.stmt | ast.keyword):
                yield (part.lineno, part.col_offset), (part.end_lineno or 0, part.end_col_offset or 0)


def _mutant(root: Path, file: str, make: Callable[[], Operator], occurrence: int) -> Mutant | None:
    """The changed file; `None` if it says the same, or is no Python."""
    source = (root / file).read_text(encoding="utf-8")
    code = mutate_code(source, make(), occurrence)
    try:
        if code is None or ast.dump(ast.parse(code)) == ast.dump(ast.parse(source)):
            return None
    except SyntaxError:
        return None
    old, new = source.splitlines(), code.splitlines()
    first = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    last = next((i for i, (a, b) in enumerate(zip(old[::-1], new[::-1], strict=False)) if a != b), 0)
    texts = (" ".join(line.strip() for line in lines[first : len(lines) - last]) for lines in (old, new))
    return Mutant(file, first + 1, *texts, code)


def _hash(*values: object) -> str:
    text = "|".join(getattr(value, "__name__", str(value)) for value in values)
    return hashlib.sha256(text.encode()).hexdigest()

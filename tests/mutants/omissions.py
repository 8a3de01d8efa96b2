"""Operators for Cosmic Ray that leave out what a hurried author forgets: an argument, an element, a statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator

__all__ = ["OMISSIONS"]

Span = tuple[tuple[int, int], tuple[int, int]]


class OmitKeyword(Operator):
    """A named argument of a call is not passed."""

    def mutation_positions(self, node: Any) -> list[Span]:
        return [_span(node.children[i]) for i in self._arguments(node)]

    def mutate(self, node: Any, index: int) -> Any:
        return _without(node, self._arguments(node)[index], 1)

    @staticmethod
    def _arguments(node: Any) -> list[int]:
        if node.type not in ("arglist", "trailer") or (node.parent and node.parent.type == "decorator"):
            return []
        children = node.children
        return [
            i for i, c in enumerate(children) if c.type == "argument" and getattr(c.children[1], "value", "") == "="
        ]

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example("f(a, b=1)", "f(a)"), Example("f(b=1)", "f()"))


class OmitElement(Operator):
    """An element of a list, tuple, set or dictionary is left out; of three or more, for two are often unpacked."""

    def mutation_positions(self, node: Any) -> list[Span]:
        return [_span(node.children[i]) for i in self._elements(node)[0]]

    def mutate(self, node: Any, index: int) -> Any:
        elements, size = self._elements(node)
        return _without(node, elements[index], size)

    @staticmethod
    def _elements(node: Any) -> tuple[list[int], int]:
        if node.type not in ("testlist_comp", "dictorsetmaker"):
            return [], 1
        size = 3 if any(getattr(c, "value", "") == ":" for c in node.children) else 1
        starts = list(range(0, len(node.children), size + 1))
        plain = all(getattr(c, "value", ",") in (",", ":", "**") or c.type != "operator" for c in node.children)
        whole = plain and all(getattr(node.children[i - 1], "value", "") == "," for i in starts[1:])
        return (starts, size) if whole and len(starts) > 2 else ([], 1)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example("[a, b, c]", "[ b, c]"), Example("{a: 1, b: 2, c: 3}", "{a: 1, c: 3}", 1))


class OmitStatement(Operator):
    """A call whose result is not kept, a change in place, or a value set in an object is left out."""

    def mutation_positions(self, node: Any) -> list[Span]:
        return [_span(node)] if node.type == "simple_stmt" and self._acts(node.children[0]) else []

    def mutate(self, node: Any, index: int) -> Any:
        replacement = parso.parse("pass\n").children[0]
        replacement.get_first_leaf().prefix = node.get_first_leaf().prefix
        return replacement

    @staticmethod
    def _acts(statement: Any) -> bool:
        if statement.type in ("atom_expr", "power"):
            return True
        if statement.type != "expr_stmt" or statement.children[1].type == "annassign":
            return False
        augmented = getattr(statement.children[1], "value", "=") != "="
        return augmented or statement.children[0].type in ("atom_expr", "power")

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example("f(x)\n", "pass\n"), Example("a[0] = 1\n", "pass\n"), Example("a += 1\n", "pass\n"))


OMISSIONS = (OmitKeyword, OmitElement, OmitStatement)


def _span(node: Any) -> Span:
    return node.start_pos, node.end_pos


def _without(node: Any, start: int, size: int) -> Any:
    """The node without some of its children, and the comma after or before them."""
    children, stop = list(node.children), start + size
    if stop < len(children) and getattr(children[stop], "value", "") == ",":
        stop += 1
    elif start > 0 and getattr(children[start - 1], "value", "") == ",":
        start -= 1
    node.children = children[:start] + children[stop:]
    return node

"""How label smoothness depends on the number of nodes, in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from stgcnlib.geometry.density import IN_PROPORTION, SAME
from stgcnlib.groups import counted
from stgcnlib.verdicts.outcome import moves

__all__ = ["describe_density"]

STAYS = "changes no more than from draw to draw"


def describe_density(table: pd.DataFrame, *, measured: str = "label") -> str:
    """A paragraph: smoothness at the last layer by number of nodes, whether it still changes, and the fall with depth.

    A change counts where smoothness on all nodes lies outside the range of the draws of the largest part.

    Source: the rule is our choice.

    Args:
        table: of `stgcnlib.geometry.smoothness_by_density`; one without rows gives a sentence on what is needed.
        measured: what smoothness is of, "label" or "target".
    """
    if table.empty or (table["share"] == 1).all():
        return (
            "How smoothness depends on the number of nodes is not shown: it needs 200 nodes or a sample "
            "(`graph.sample`), of which every part has neighbours, and all distances between the nodes."
        )
    layer = str(table["title"].iloc[int(table["index"].to_numpy().argmax())])
    same, proportional = _ends(table, SAME), _ends(table, IN_PROPORTION)
    values = _listed([f"{row['smoothness']:.3f} with {row['n']:,}" for row in same])
    falls = [moves(row["first"] - row["smoothness"], ".3f") for row in same]
    kept = "" if len({row["k"] for row in same}) == 1 else ", fewer where a node cannot have as many"
    draws = counted(int(same[0]["draws"]), "draw", "draws")
    sizes = [_moves(rows) for rows in (same, proportional)]
    said = [
        f"At {layer}, {measured} smoothness S is {values} nodes (K = {same[-1]['k']}{kept}; parts are means "
        f"of {draws}).",
        f"With the same K, S {sizes[0] or STAYS}; with K in proportion to the number of nodes, S {sizes[1] or STAYS}.",
        f"From the first layer to the last, S {_listed(_together(falls))} with the same K.",
    ]
    if sizes[0]:
        of_each = " of each class" if measured == "label" else ""
        said.append(f"Compare S only between studies that have as many nodes{of_each}.")
    return " ".join(said)


def _ends(table: pd.DataFrame, rule: str) -> list[dict[str, Any]]:
    """Rows of the last layer by share, with smoothness at the first layer as "first"."""
    rows = table[table["rule"] == rule].sort_values(["share", "index"])
    first = rows[rows["index"] == rows["index"].min()]["smoothness"]
    last: list[dict[str, Any]] = rows[rows["index"] == rows["index"].max()].to_dict("records")
    return [row | {"first": float(value)} for row, value in zip(last, first, strict=True)]


def _moves(rows: list[dict[str, Any]]) -> str:
    """How smoothness changes from the largest part to all nodes; "" if by no more than the draws differ."""
    part, whole = rows[-2], rows[-1]
    if part["low"] <= whole["smoothness"] <= part["high"]:
        return ""
    change = whole["smoothness"] - part["smoothness"]
    return (
        f"still {'falls' if change < 0 else 'rises'}, by {abs(change):.3f} from {part['n']:,} to {whole['n']:,} nodes"
    )


def _together(words: list[str]) -> list[str]:
    """The words; where all begin with the same verb, only the first keeps it: "falls by 0.1", "0.2"."""
    verb = f"{words[0].rpartition(' ')[0]} "
    same = all(each.startswith(verb) for each in words)
    return [words[0], *(each.removeprefix(verb) for each in words[1:])] if same else words


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

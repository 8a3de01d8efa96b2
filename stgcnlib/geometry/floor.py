"""The lowest label smoothness that a graph allows, values rescaled to it, and a K that suits the recordings.

A node has few admissible candidates of its own class. With a larger K, some neighbours must be of other classes, and
smoothness cannot reach 0. Nothing here depends on features; the K that is chosen depends on labels and groups alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError
from stgcnlib.geometry.smoothness import check_labels
from stgcnlib.groups import barred_pairs, fewest_candidates, group_codes

__all__ = ["FEWEST_K", "MOST_K", "ChosenK", "choose_k", "rescaled", "same_class_candidates", "smoothness_floor"]

FEWEST_K, MOST_K = 5, 50
"""The least and the most K that is chosen here; K is lower where some node has fewer candidates."""


@dataclass(frozen=True)
class ChosenK:
    """The number of candidates of each node, and how it relates to the classes.

    Attributes:
        k: candidates per node.
        why: in words.
        median, least: admissible candidates of a node's own class, over nodes; NaN and 0 where there are no classes.
    """

    k: int
    why: str
    median: float = float("nan")
    least: int = 0

    @property
    def text(self) -> str:
        """K, why, how many candidates a node has of its own class, and the warning, as a paragraph."""
        words = [f"K = {self.k}: {self.why}."]
        if self.median == self.median:
            words.append(f"A node has {self.median:g} candidates of its own class (median; least {self.least}).")
        return " ".join([*words, *([f"{self.warning}."] if self.warning else [])])

    @property
    def warning(self) -> str | None:
        """What to know where k exceeds the candidates of a node's own class (median); None elsewhere."""
        if not self.k > self.median:
            return None
        return (
            f"K = {self.k} exceeds the {self.median:g} candidates of a node's own class (median): label smoothness "
            f"cannot fall below a floor, which rises with K and is drawn as a line"
        )


def same_class_candidates(labels: ArrayLike, exclude: ArrayLike | None = None) -> NDArray[np.int64]:
    """(N,) how many others of its own class may be a neighbour of each node.

    Source: our choice (docs/method.md, "Label smoothness").

    Args:
        labels: (N,) class indices.
        exclude: (N,) groups whose members are no neighbours of each other, an (N, N) bool mask of barred pairs, or
            None.

    Raises:
        GraphError: labels or `exclude` do not fit.
    """
    y = check_labels(labels, len(np.asarray(labels)))
    sizes = np.bincount(y)[y]
    if exclude is None:
        return np.asarray(sizes - 1, dtype=np.int64)
    if np.asarray(exclude).ndim == 2:
        return np.asarray((~barred_pairs(exclude, len(y)) & (y[:, None] == y[None, :])).sum(axis=1), dtype=np.int64)
    codes = group_codes(exclude, len(y))
    both = y * (int(codes.max()) + 1) + codes
    return np.asarray(sizes - np.bincount(both)[both], dtype=np.int64)


def smoothness_floor(graph: DSGraph, labels: ArrayLike, exclude: ArrayLike | None = None) -> NDArray[np.float64]:
    """(N,) the lowest random-walk smoothness of each node: the value if its largest weights lay on its own class.

    With m same-class candidates that is 1 − (sum of the m largest weights) / (sum of weights). The graph's weights are
    kept, and the largest are given to candidates of the node's own class. It is never above
    ``label_smoothness(graph, labels, per="node")``, and 0 where m is at least the number of neighbours kept.

    Source: our choice (docs/method.md, "Label smoothness").

    Args:
        graph: of N nodes.
        labels, exclude: as `same_class_candidates`; `exclude` as the graph was made with.

    Raises:
        GraphError: labels or `exclude` do not fit.
    """
    own = same_class_candidates(check_labels(labels, len(graph)), exclude)
    weights = -np.sort(-graph.weights, axis=1)
    total = weights.sum(axis=1)
    best = np.where(np.arange(weights.shape[1]) < own[:, None], weights, 0.0).sum(axis=1)
    # Rounding must not put the floor above a smoothness that equals it.
    share = np.divide(best, total, out=np.zeros_like(total), where=total > 0)
    floor: NDArray[np.float64] = np.clip(1 - share, 0.0, 1.0)
    floor[own >= (weights > 0).sum(axis=1)] = 0.0
    floor[total == 0] = 1.0
    return floor


def rescaled(smoothness: ArrayLike, floor: ArrayLike, null: ArrayLike) -> NDArray[np.float64]:
    """(S − floor) / (null − floor): 0 is as smooth as the graph allows, 1 as rough as shuffled labels.

    `smoothness`, `floor` and `null` are scalars or arrays of any shape that broadcast; so is what is returned. NaN
    where the null does not exceed the floor.

    Source: our choice (docs/method.md, "Label smoothness").
    """
    s, low, high = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (smoothness, floor, null)))
    return np.asarray(np.divide(s - low, high - low, out=np.full(s.shape, np.nan), where=high > low))


def choose_k(
    labels: ArrayLike | None,
    exclude: ArrayLike | None = None,
    *,
    wanted: int | None = None,
    count: int | None = None,
) -> ChosenK:
    """A K that suits the recordings: the median number of admissible candidates of a node's own class.

    That is the largest K with which most nodes could have neighbours of their own class only. It lies within 5 and 50,
    and no node has fewer candidates. On UTD-MHAD (12 such candidates) the floor at any layer is at most 0.0001 with
    K = 12, 0.02 with K = 20 and 0.11 with K = 100, where it is half of the last layer's smoothness.

    Source: our choice (docs/method.md, "DS-Graph by NNK").

    Args:
        labels: (N,) class indices; None: the recordings have no classes, and K is near √N.
        exclude: as `same_class_candidates`.
        wanted: a K to take as it is; None: choose.
        count: N, where there are no labels.

    Raises:
        GraphError: labels or `exclude` do not fit, neither labels nor `count` is given, or `wanted` is below 1.
    """
    if wanted is not None and wanted < 1:
        raise GraphError(f"k={wanted}; expected at least one neighbour")
    if labels is None:
        if count is None:
            raise GraphError("choose_k: give labels, or the count of recordings without classes")
        found, middle, least = round(count**0.5), float("nan"), 0
        why = f"the square root of the number of nodes ({count})"
    else:
        own = same_class_candidates(labels, exclude)
        count, middle, least = len(own), float(np.median(own)), int(own.min())
        found, why = int(middle), "the median number of candidates of a node's own class"
    if wanted is not None:
        return ChosenK(int(wanted), "as the study says", middle, least)
    within = min(max(found, FEWEST_K), MOST_K)
    if within != found:
        why = f"the {'least' if within == FEWEST_K else 'most'} that is chosen; {why} is {found}"
    most = fewest_candidates(exclude, count).candidates
    if within > most >= 1:
        within, why = most, "the most that every node can provide"
    return ChosenK(within, why, middle, least)

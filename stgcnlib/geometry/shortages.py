"""Side quantities that cannot be measured because a set of recordings is too small, with a sentence why.

This follows from labels and groups alone, so it is known before anything is measured. Where the curve of label
smoothness itself cannot be measured, an error is raised instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.geometry.readout import LIKENESS_NEEDS, probe_shortage
from stgcnlib.geometry.targets import vary
from stgcnlib.geometry.uncertainty import Jackknife, deletion_groups
from stgcnlib.groups import RECORDINGS, fewest_candidates, group_codes, of_nodes, resampled_groups

__all__ = ["find_shortages", "intervals_known", "sampled"]

MOST = 2000
"""Up to this number of recordings, the probe and the likeness of layers are measured on all of them."""


def find_shortages(
    told: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    resample: ArrayLike | None = None,
    unit: str = "subject",
    explained: int | None = None,
    seed: int = 0,
) -> dict[str, str]:
    """Name of each quantity that cannot be measured -> one sentence that says why; empty where all can be.

    Source: our choice; each limit is that of the function which would refuse.

    Args:
        told: (N,) class indices, or (N, Q) real targets.
        groups: (N,) groups whose members are no neighbours of each other, or None.
        resample: as of `layer_geometry`.
        unit: what intervals leave out, in one word.
        explained: number of the nodes that have relevance maps; None: no maps.
        seed: of the geometry.

    Returns:
        Some of the keys "intervals" (of label smoothness), "statistic_intervals" (of the statistics beside it),
        "dimension", "probe", "likeness" and "maps" (their label smoothness).
    """
    y = np.asarray(told)
    count, codes = len(y), None if groups is None else group_codes(groups, len(y))
    drawn = resampled_groups(resample, groups)
    parts = deletion_groups(count, groups=drawn, seed=seed)
    one = "random part of the recordings" if drawn is None or unit == RECORDINGS else unit
    found: dict[str, str | None] = {
        "intervals": _no_intervals(y, parts, codes, one),
        "statistic_intervals": None if intervals_known(parts, codes) else (
            f"The other statistics have no intervals: without any one {one}, at least four recordings must be left, "
            "each with two others that may be its neighbours."
        ),
        "dimension": None if fewest_candidates(codes, count).candidates >= 2 else (
            "Intrinsic dimension was not measured: each recording needs two others that may be its neighbours."
        ),
    }  # fmt: skip
    nodes = sampled(parts, seed)
    found["probe"] = probe_shortage(y[nodes], of_nodes(codes, nodes), seed=seed)
    if len(nodes) < LIKENESS_NEEDS:
        found["likeness"] = (
            f"How alike layers are by CKA was not measured: it takes {LIKENESS_NEEDS} recordings, and there are "
            f"{len(nodes)}."
        )
    if explained == 1:
        found["maps"] = "The label smoothness of relevance maps was not measured: one recording alone is explained."
    return {name: why for name, why in found.items() if why is not None}


def intervals_known(parts: NDArray[np.int64], groups: ArrayLike | None) -> bool:
    """Whether statistics can be measured without any one part: TwoNN takes two neighbours, CKA four recordings.

    Args:
        parts: (N,) part of each recording, as of `Jackknife`.
        groups: (N,) groups whose members are no neighbours of each other, or None.
    """
    kept = Jackknife(parts).kept()
    return len(kept) > 1 and all(
        len(keep) >= LIKENESS_NEEDS and fewest_candidates(of_nodes(groups, keep), len(keep)).candidates >= 2
        for keep in kept
    )


def sampled(parts: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """(n,) all nodes; of more than 2,000, 2,000 drawn at random, ascending, with at least one of every part.

    Args:
        parts: (N,) part of each recording, as of `Jackknife`.
        seed: of the draw.
    """
    if len(parts) <= MOST:
        return np.arange(len(parts))
    order = np.random.default_rng(seed).permutation(len(parts))
    _, one = np.unique(parts[order], return_index=True)
    chosen = np.concatenate([order[one], np.delete(order, one)])[:MOST]
    return np.sort(chosen)


def _no_intervals(told: NDArray[Any], parts: NDArray[np.int64], groups: ArrayLike | None, one: str) -> str | None:
    """Why label smoothness has no intervals; they need a graph without any one part, and targets that vary on it."""
    kept = Jackknife(parts).kept()
    if len(kept) < 2:
        return f"There are no intervals: they leave out one {one} at a time, and there is only one."
    if not all(vary(told[keep]) for keep in kept):
        return f"There are no intervals: they leave out one {one} at a time, and then all targets left are equal."
    if all(len(keep) and fewest_candidates(of_nodes(groups, keep), len(keep)).candidates for keep in kept):
        return None
    return (
        f"There are no intervals: they leave out one {one} at a time, and then some recording has nobody left who may "
        "be its neighbour."
    )

"""dtw_neighbors: the K nearest sequences of every sequence, as a NeighborTable.

Decides between projection bounds with refinement and computing every pair, and says in its statistics which it was and
what it cost; the work is in `projection`, `refine` and `tiles`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal, Unpack, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw.approximate import approximate_nearest, sampled_recall
from stgcnlib.dtw.frames import FrameTable, frame_table
from stgcnlib.dtw.options import DTWKeywords, DTWLike, DTWOptions, check_choice, dtw_options, names_options
from stgcnlib.dtw.projection import Projection
from stgcnlib.dtw.refine import PairCache, leaf_order, nearest
from stgcnlib.dtw.tiles import corridor_dimensions, lower_bounds, pair_costs
from stgcnlib.errors import SequenceError
from stgcnlib.groups import barred_pairs, check_candidates

__all__ = ["NeighborTable", "device_search", "dtw_neighbors", "search"]

Method = Literal["exact", "approximate"]

DIMENSIONS = 64
"""Coordinates per frame for the bounds: with more, the products cost more than they save (benchmarks/README.md)."""


@dataclass(frozen=True, eq=False)
class NeighborTable:
    """The K nearest sequences of N sequences, nearest first, ties by index.

    Attributes:
        indices: (N, K) int64.
        distances: (N, K) float32.
        statistics: how it was found. "method": "projection bounds", "brute force" (with a "reason", and with
            the name of the "device" if all pairs were computed on a GPU) or "approximate";
            "pairs": all pairs; "pairs_computed": those not settled by the first bounds, whose distance was computed, or
            that it exceeds what it may be; "share": their quotient;
            "pairs_settled": distances computed again in float64, to tell near ties; "dimensions" of the bounds;
            "rounds" of refinement; if approximate, "candidates" per sequence, and the "recall" over
            "recall_nodes" sequences compared with all others; "seconds", and per phase "seconds_projection",
            "seconds_bounds" and "seconds_refinement".
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float32]
    statistics: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.indices)


@names_options
def dtw_neighbors(
    a: Any,
    k: int,
    *,
    exclude: ArrayLike | None = None,
    method: Method = "exact",
    dimensions: int | None = None,
    dtw: DTWLike = None,
    device: str = "cpu",
    progress: bool | None = None,
    **options: Unpack[DTWKeywords],
) -> NeighborTable:
    """The `k` nearest other sequences of every sequence by DTW distance.

    The answer is that of comparing every pair in float64: distances that float32 cannot tell apart are computed
    again in float64, and those that agree to 1e-10 go by index. Most pairs are ruled out by lower bounds,
    which hold for every reading, band and metric, but not for ``normalize="path"``.

    Args:
        a: N sequences, as for `dtw_distances`.
        k: neighbours per sequence, K.
        exclude: (N,) group values (sequences of equal value are no neighbours: give the subjects to leave the
            same person out), or an (N, N) bool mask, true where j may not be a neighbour of i. A sequence is
            never its own neighbour. None: all others are admissible.
        method: "exact"; or "approximate" for sets of many thousands: DTW ranks only the 4 K sequences nearest by a
            vector of projected frames (seed 0). Its recall is measured and reported in the statistics.
        dimensions: coordinates per frame for the lower bounds; any number gives the same neighbours. None: 64, and
            no bounds at all where frames have no more features than that.
        dtw, device, progress, **options: as `dtw_distances`. A GPU computes all pairs, without bounds; "approximate" is
            for processors.

    Returns:
        Distances are within 1e-5 of float64 arithmetic, as those of `dtw_distances`.

    Raises:
        GraphError: `k` is below 1 or more than the admissible neighbours of a sequence, or `exclude` does not fit.
        SequenceError: as `dtw_distances`.
    """
    chosen = dtw_options(dtw, **options)
    if device != "cpu" and method == "exact":
        found = device_search(a, k, chosen, exclude=exclude, device=device, progress=progress)
        if found is not None:
            return found[0]
    return search(a, k, chosen, exclude=exclude, method=method, dimensions=dimensions, progress=progress)[0]


def search(
    a: Any,
    k: int,
    options: DTWOptions,
    *,
    exclude: ArrayLike | None = None,
    method: Method = "exact",
    dimensions: int | None = None,
    progress: bool | None = None,
) -> tuple[NeighborTable, PairCache]:
    """`dtw_neighbors`, and the exact distances that it computed on the way, for who needs more of them."""
    check_choice("method", method, get_args(Method))
    started = time.perf_counter()
    if dimensions is not None and (isinstance(dimensions, bool) or int(dimensions) != dimensions or dimensions < 1):
        raise SequenceError(f"dimensions={dimensions!r}; expected a whole number of at least 1")
    table = frame_table(a, "a")
    check_candidates(k, exclude, len(a))
    barred = barred_pairs(exclude, len(a))
    options = options.at_temporal_stride(table.temporal_stride)
    if method == "approximate":
        return _approximate(PairCache(options, table), k, barred, started)
    reason = _no_bounds(options, table, dimensions)
    seconds: dict[str, float] = {}
    lower = None
    if reason is None:
        clock = time.perf_counter()
        first = dimensions or DIMENSIONS
        projection = Projection.fit(table, max(first, corridor_dimensions(table)), centred=options.metric != "cosine")
        seconds["seconds_projection"], clock = time.perf_counter() - clock, time.perf_counter()
        lower = lower_bounds(options, projection.first(first), progress=progress)
        cache = PairCache(options, table, order=leaf_order(lower), projection=projection)
        seconds["seconds_bounds"] = time.perf_counter() - clock
    else:
        cache = PairCache(options, table, known=pair_costs(options, table, None, progress=progress))
    clock = time.perf_counter()
    indices, distances, rounds = nearest(cache, k, barred, lower)
    seconds["seconds_refinement"] = time.perf_counter() - clock
    statistics: dict[str, Any] = {"method": "projection bounds" if reason is None else "brute force"}
    if reason is None:
        statistics |= {"dimensions": first, "rounds": rounds}
    else:
        statistics["reason"] = reason
    return NeighborTable(indices, distances, statistics | _counts(cache, started) | seconds), cache


def _approximate(
    cache: PairCache, k: int, barred: NDArray[np.bool_], started: float
) -> tuple[NeighborTable, PairCache]:
    candidates = min(4 * k, len(barred))
    indices, distances = approximate_nearest(cache, k, barred, candidates=candidates)
    statistics: dict[str, Any] = {"method": "approximate", "candidates": candidates} | _counts(cache, started)
    recall, nodes = sampled_recall(cache, distances, barred)
    measured = {
        "recall": recall,
        "recall_nodes": nodes,
        "pairs_for_recall": cache.computed - statistics["pairs_computed"],
    }
    return NeighborTable(indices, distances, statistics | measured), cache


def _counts(cache: PairCache, started: float) -> dict[str, Any]:
    pairs = len(cache.known) * (len(cache.known) - 1) // 2
    return {
        "pairs": pairs,
        "pairs_computed": cache.computed,
        "share": cache.computed / pairs,
        "pairs_settled": cache.recomputed,
        "seconds": time.perf_counter() - started,
    }


def _no_bounds(options: DTWOptions, table: FrameTable, dimensions: int | None) -> str | None:
    """Why every pair is computed; None where bounds are of use."""
    if options.normalize == "path":
        return "no lower bound is known for normalize='path'"
    if dimensions is None and table.features <= DIMENSIONS + 1:
        return f"frames have {table.features} features, no more than the bounds would"
    return None


def device_search(
    a: Any,
    k: int,
    options: DTWOptions,
    *,
    exclude: ArrayLike | None = None,
    device: str,
    progress: bool | None = None,
) -> tuple[NeighborTable, PairCache] | None:
    """`search` by all pairs on a GPU, near ties settled on the processor; None where there is no such device."""
    from stgcnlib.dtw.gpu import device_name, device_pair_costs, dtw_device

    place = dtw_device(device)
    if place is None:
        return None
    started = time.perf_counter()
    table = frame_table(a, "a")
    check_candidates(k, exclude, len(a))
    options = options.at_temporal_stride(table.temporal_stride)
    known = device_pair_costs(options, table, None, device=place, progress=progress)
    seconds = time.perf_counter() - started
    cache = PairCache(options, table, known=known)
    indices, distances, _ = nearest(cache, k, barred_pairs(exclude, len(a)), None)
    name = device_name(place)
    statistics = {
        "method": "brute force",
        "reason": f"{name} computes all pairs: bounds would save products alone, which are about half of its time",
        "device": name,
        "seconds_pairs": seconds,
    }
    return NeighborTable(indices, distances, statistics | _counts(cache, started)), cache

"""dtw_neighbors: the K nearest sequences of every sequence, as a NeighborTable.

Decides between projection bounds with refinement and computing every pair, and says in its statistics which it was and
what it cost; the work is in `projection`, `refine` and `tiles`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw.approximate import sampled_recall
from stgcnlib.dtw.bounds import CHOICES, TILE_SEQUENCES, Bounds, bound_tile, cheapest
from stgcnlib.dtw.executor import Executor, HereExecutor
from stgcnlib.dtw.nearest_pairs import NearestPairs
from stgcnlib.dtw.options import DTWKeywords, DTWLike, DTWOptions, check_choice, check_whole, dtw_options, names_options
from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.dtw.projection import Projection
from stgcnlib.dtw.refine import PairCache, kth_limits, likely, nearest_known
from stgcnlib.dtw.set_costs import SetCosts
from stgcnlib.dtw.source import FrameSource, frame_source
from stgcnlib.dtw.tiles import corridor_projection, pair_costs
from stgcnlib.dtw.vectors import near_order, nearest_vectors, sequence_vectors
from stgcnlib.groups import Exclusion, check_candidates
from stgcnlib.progress import track

if TYPE_CHECKING:
    import torch

__all__ = ["NeighborTable", "dtw_neighbors", "search"]

Method = Literal["exact", "approximate"]

DIMENSIONS = max(CHOICES)
"""Coordinates per frame, beyond which bounds do not pay."""

FEW, CANDIDATES = 2000, (1, 2)
"""Each sequence is first compared with the K nearest by vectors (2 K with more than `FEW` sequences). This limits how
far neighbours can be; with more sequences, limits that are low from the start spare more comparisons."""

ALL_PAIRS = 2000
"""Sequences up to which every pair is computed where there are no bounds."""


@dataclass(frozen=True, eq=False)
class NeighborTable:
    """The K nearest sequences of N sequences, nearest first, ties by index.

    Attributes:
        indices: (N, K) int64.
        distances: (N, K) float32.
        statistics: how it was found. "method": "projection bounds", "brute force" (with a "reason", and with
            the name of the "device" if all pairs were computed on a GPU) or "approximate";
            "pairs": all pairs; "pairs_computed": those not settled by the first bounds, whose distance was computed, or
            shown to exceed its limit; "share": pairs_computed / pairs;
            "pairs_settled": distances computed again in float64, to settle near ties; "dimensions" of the bounds;
            "pairs_left" by these bounds; if approximate, "candidates" per sequence, and the "recall" over
            "recall_nodes" sequences compared with all others; "seconds", and per phase "seconds_projection",
            "seconds_limits", "seconds_bounds" and "seconds_refinement".
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
    executor: Executor | None = None,
    **options: Unpack[DTWKeywords],
) -> NeighborTable:
    """The `k` nearest other sequences of every sequence by DTW distance.

    The answer is that of comparing every pair in float64: distances that float32 cannot tell apart are computed
    again in float64, and those that agree to 1e-10 are ordered by index. Most pairs are ruled out by lower bounds,
    which hold for every reading, band and metric, but not for ``normalize="path"``.

    Source: the distance is that of docs/method.md, "Distance"; the search is our choice.

    Args:
        a: N sequences, as for `dtw_distances`.
        k: neighbours per sequence, K.
        exclude: (N,) group values (sequences of equal value are no neighbours: give the subjects to leave the
            same person out), or an (N, N) bool mask, true where j may not be a neighbour of i. A sequence is
            never its own neighbour. None: all others are admissible.
        method: "exact"; or "approximate": DTW ranks only the 4 K sequences nearest by a vector of projected frames
            (seed 0). Its recall is measured and reported in the statistics.
        dimensions: coordinates per frame for the lower bounds; any number gives the same neighbours. None: 16, 32 or
            64, by the share of pairs that each leaves of a sample; no bounds where frames have at most 65 features.
        executor: where the tasks of the search run, for example `stgcnlib.artefacts.Tasks`, which also keeps their
            results; None: in this process. The answer is the same, byte for byte.
        dtw, device, progress, **options: as `dtw_distances`. A GPU computes all pairs, without bounds; "approximate"
            always uses the processor.

    Returns:
        Distances are within 1e-5 of float64 arithmetic, as those of `dtw_distances`.

    Raises:
        GraphError: `k` is below 1 or more than the admissible neighbours of a sequence, or `exclude` does not fit.
        SequenceError: as `dtw_distances`.

    Examples:
        >>> import numpy as np, stgcnlib
        >>> still = [np.full((4, 1), value) for value in (0.0, 1.0, 5.0)]
        >>> stgcnlib.dtw_neighbors(still, k=1, window=1).indices.tolist()
        [[1], [0], [1]]
    """
    chosen = dtw_options(dtw, **options)
    return search(
        a, k, chosen, exclude=exclude, method=method, dimensions=dimensions, device=device, progress=progress,
        executor=executor,
    )[0]  # fmt: skip


def search(
    a: Any,
    k: int,
    options: DTWOptions,
    *,
    exclude: ArrayLike | None = None,
    method: Method = "exact",
    dimensions: int | None = None,
    device: str = "cpu",
    progress: bool | None = None,
    executor: Executor | None = None,
) -> tuple[NeighborTable, PairCache]:
    """As `dtw_neighbors`; also returns the cache of exact distances, which can compute more of them.

    `device` is as of `dtw_neighbors`. `executor`: where the tiles of bounds and the tasks of exact distances run; None:
    in this process. Limits are fixed before a phase begins, so that nothing depends on where a task runs, or in which
    order they end.
    """
    check_choice("method", method, get_args(Method))
    if dimensions is not None:
        check_whole("dimensions", dimensions, least=1)
    clock = _Clock()
    if executor is None or getattr(a, "local", False):
        executor = HereExecutor()
    source = frame_source(a, "a", executor)
    check_candidates(k, exclude, len(source))
    exclusion = Exclusion.of(exclude, len(source))
    options = options.at_temporal_stride(source.temporal_stride)
    if method == "exact" and device != "cpu":
        from stgcnlib.dtw.gpu import dtw_device

        place = dtw_device(device)
        if place is not None:
            return _on_device(source, k, options, exclusion, place, clock, progress=progress)
    reason = _no_bounds(options, source, dimensions)
    if method == "exact" and reason is not None and len(source) <= ALL_PAIRS:
        every = pair_costs(options, source.everything(), None, progress=progress)
        clock.phase("pairs")
        table, cache = _all_pairs(source, k, options, exclusion, every, clock)
        table.statistics["reason"] = reason
        return table, cache

    projection, short = _projections(options, source, dimensions, executor)
    vectors = sequence_vectors(options, short.first(DIMENSIONS))
    order = near_order(vectors)
    cache = PairCache(SetCosts.fit(options, source, projection, order), executor=executor)
    clock.phase("projection")
    reach = k * (4 if method == "approximate" else CANDIDATES[len(source) > FEW])
    candidates = nearest_vectors(vectors, reach, exclusion, options, source.lengths)
    del vectors
    statistics: dict[str, Any] = {}
    if method == "approximate":
        cache.fill(_pairs_of(candidates))
        statistics = {"method": "approximate", "candidates": candidates.shape[1]}
    else:
        cache.fill(_pairs_of(candidates[:, :k]))
        further = _pairs_of(candidates[:, k:])
        cache.fill(further, exclusion.pair_limits(further[:, 0], further[:, 1], kth_limits(cache.known, exclusion, k)))
        clock.phase("limits")
        limits = kth_limits(cache.known, exclusion, k)
        if reason is None:
            first = dimensions or cheapest(options, short, limits, exclusion, cache.known)
            rank = np.argsort(order)
            few = short.first(first)
            bounds = Bounds.fit(options, few, limits, exclusion, rank)
            left, least = _left_by(bounds, executor, progress=progress)
            coordinates = few.table.features - 1
            statistics = {"method": "projection bounds", "dimensions": coordinates, "pairs_left": len(left)}
            clock.phase("bounds")
            first_ones = left[likely(left, least, limits, cache.known, exclusion, k)]
            cache.fill(first_ones, exclusion.pair_limits(first_ones[:, 0], first_ones[:, 1], limits))
            limits = kth_limits(cache.known, exclusion, k, limits)
            left = left[least <= exclusion.pair_limits(left[:, 0], left[:, 1], limits)]
            cache.fill(left, exclusion.pair_limits(left[:, 0], left[:, 1], limits))
        else:
            statistics = {"method": "brute force", "reason": reason}
            for some in _everyone(len(source)):
                cache.fill(some, exclusion.pair_limits(some[:, 0], some[:, 1], limits), remembered=False)
    indices, distances = nearest_known(cache, k, exclusion)
    clock.phase("refinement")
    statistics |= _counts(cache, clock)
    if method == "approximate":
        recall, nodes = sampled_recall(cache, distances, exclusion)
        further_pairs = cache.computed - statistics["pairs_computed"]
        statistics |= {"recall": recall, "recall_nodes": nodes, "pairs_for_recall": further_pairs}
    return NeighborTable(indices, distances, statistics), cache


def _all_pairs(
    source: FrameSource,
    k: int,
    options: DTWOptions,
    exclusion: Exclusion,
    matrix: NDArray[np.float32],
    clock: _Clock,
) -> tuple[NeighborTable, PairCache]:
    """Neighbours from all distances (N, N); the caller completes the statistics."""
    count = len(source)
    i, j = np.triu_indices(count, 1)
    cache = PairCache(SetCosts.of(options, source), known=KnownPairs(count, i * count + j, matrix[i, j]))
    indices, distances = nearest_known(cache, k, exclusion)
    clock.phase("refinement")
    return NeighborTable(indices, distances, {"method": "brute force"} | _counts(cache, clock)), cache


def _on_device(
    source: FrameSource,
    k: int,
    options: DTWOptions,
    exclusion: Exclusion,
    device: torch.device,
    clock: _Clock,
    *,
    progress: bool | None,
) -> tuple[NeighborTable, PairCache]:
    """Neighbours from all pairs, computed tile by tile on a GPU; the processor settles near ties."""
    from stgcnlib.dtw.gpu import device_name, device_tiles

    nearest = NearestPairs(len(source), k, exclusion)
    for tile in device_tiles(options, source, device=device, progress=progress):
        nearest.add(tile.rows, tile.columns, tile.costs)
    clock.phase("pairs")
    cache = PairCache(SetCosts.of(options, source), known=nearest.known())
    cache.computed = len(source) * (len(source) - 1) // 2
    indices, distances = nearest_known(cache, k, exclusion)
    clock.phase("refinement")
    name = device_name(device)
    reason = f"{name} computes all pairs: bounds would save products alone, which are about half of its time"
    statistics = {"method": "brute force", "reason": reason, "device": name} | _counts(cache, clock)
    return NeighborTable(indices, distances, statistics), cache


def _projections(
    options: DTWOptions, source: FrameSource, dimensions: int | None, executor: Executor
) -> tuple[Projection | None, Projection]:
    """Short frames for corridors (None without corridors), and short frames with enough coordinates for bounds."""
    least = max(dimensions or 0, *CHOICES)
    projection = corridor_projection(options, source, least, executor)
    if projection is not None:
        return projection, projection
    return None, Projection.fit(source, least, centred=options.metric != "cosine", executor=executor)


def _left_by(
    bounds: Bounds, executor: Executor, *, progress: bool | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(P, 2) pairs that the bounds do not rule out, and their bounds (P,)."""
    tiles = bounds.tiles()
    found = track(executor.map(bound_tile, bounds, tiles), "DTW neighbours", total=len(tiles), show=progress)
    pairs, least = zip(*found, strict=True)
    return np.concatenate(pairs), np.concatenate(least)


def _pairs_of(candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    """(P, 2) every sequence with its candidates (N, K), but for those that are not there (-1)."""
    i, place = np.nonzero(candidates >= 0)
    return np.stack([i, candidates[i, place]], axis=1)


def _everyone(count: int) -> Iterator[NDArray[np.int64]]:
    """(P, 2) all pairs, block by block."""
    edges = range(0, count, TILE_SEQUENCES)
    for first in edges:
        for begin in range(first, count, TILE_SEQUENCES):
            i = np.arange(first, min(first + TILE_SEQUENCES, count))[:, None]
            j = np.arange(begin, min(begin + TILE_SEQUENCES, count))
            yield np.stack(np.broadcast_arrays(i, j), axis=2)[i < j]


class _Clock:
    """Seconds of the phases so far."""

    def __init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def phase(self, name: str) -> None:
        """Note the seconds of the phase that has just ended."""
        now = time.perf_counter()
        self.seconds[f"seconds_{name}"] = now - self.last
        self.last = now


def _counts(cache: PairCache, clock: _Clock) -> dict[str, Any]:
    pairs = cache.count * (cache.count - 1) // 2
    return {
        "pairs": pairs,
        "pairs_computed": cache.computed,
        "share": cache.computed / pairs,
        "pairs_settled": cache.recomputed,
        "seconds": clock.last - clock.started,
    } | clock.seconds


def _no_bounds(options: DTWOptions, table: FrameSource, dimensions: int | None) -> str | None:
    """Why every pair is computed; None where bounds are of use."""
    if options.normalize == "path":
        return "no lower bound is known for normalize='path'"
    if dimensions is None and table.features <= DIMENSIONS + 1:
        return f"frames have {table.features} features, and bounds would need about as many"
    return None

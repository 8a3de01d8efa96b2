"""CostModel: how frames become operands of a matrix product, and which products are too small to trust.

Knows precision and units; windows and the recursion are in `kernels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.frames import FrameTable, on_threads, scratch
from stgcnlib.dtw.kernels import LANES
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.projection import power_of_two
from stgcnlib.dtw.source import FrameSource

__all__ = ["CostModel", "Lanes", "Operand", "Rows"]

# Largest relative error that the product may leave on a squared distance (or a cosine distance); the square
# root halves it. What would be worse is recomputed from differences, so that distances hold to 1e-5.
TOLERANCE = {"euclidean": 1.6e-5, "sqeuclidean": 8e-6, "cosine": 8e-6}
PRECISE = 1e-11  # the same for precise costs


@dataclass(frozen=True, eq=False)
class Rows:
    """Some sequences one after the other, ready for the product; short ones padded by their last frame.

    Attributes:
        values: (R, D) centred and scaled frames, float32 (float64 for cosine and precise costs).
        norms: (R,) their squared norms, summed in float64.
        edges: (n + 1,) first row of each sequence, and the end.
        items: (n,) windows of each sequence.
        starts, lengths: (n,) first raw frame and number of raw frames of each sequence, without padding.
    """

    values: NDArray[Any]
    norms: NDArray[Any]
    edges: NDArray[np.int64]
    items: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Lanes:
    """Groups of `LANES` sequences, interleaved frame by frame; shorter ones of a group are padded by their last frame.

    Attributes:
        values, norms: as of `Rows`; row (first of the group) + t * LANES + lane is frame t of that lane.
        edges: (g + 1,) first row of each group, and the end.
        items, starts, lengths: (g, LANES) as of `Rows`. A lane that is not used has 0 frames, and repeats another.
        firsts: (g, LANES) where each sequence begins in the operand's values.
    """

    values: NDArray[Any]
    norms: NDArray[Any]
    edges: NDArray[np.int64]
    items: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    firsts: NDArray[np.int64]

    def after(self, groups: int) -> Lanes:
        """The lanes without the first `groups` groups; a view."""
        row = int(self.edges[groups])
        kept = slice(groups, None)
        return Lanes(
            self.values[row:], self.norms[row:], self.edges[kept] - row,
            self.items[kept], self.starts[kept], self.lengths[kept], self.firsts[kept],
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Operand:
    """All frames of one side, centred and scaled once; products take `rows` and `lanes` of it.

    Attributes:
        options: reading and window, which decide parts and padding.
        raw: (sum T, at least D) frames as they were given, zeros beyond D, for exact recomputation.
        values, norms: (R, D), (R,) centred and scaled, and squared norms.
        starts, rows_from: (N,) first frame of each sequence in `raw`, and first row in `values`.
        lengths: (N,) frames of each sequence.
    """

    options: DTWOptions
    raw: NDArray[Any]
    values: NDArray[Any]
    norms: NDArray[Any]
    starts: NDArray[np.int64]
    rows_from: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @property
    def padded_lengths(self) -> NDArray[np.int64]:
        """(N,) frames of each sequence in a product: one that is shorter than an item is filled up to it."""
        return np.maximum(self.lengths, self.options.item_frames)

    def rows(self, sequences: NDArray[np.int64], part: int = 0) -> Rows:
        """Some sequences (n,), or one part of each ("segments")."""
        first, lengths, padded, items = self._cut(sequences, part)
        edges = np.concatenate([[0], np.cumsum(padded)])
        frame = np.arange(edges[-1]) - np.repeat(edges[:-1], padded)
        picked = np.repeat(first + self.rows_from[sequences], padded)
        picked += np.minimum(frame, np.repeat(lengths - 1, padded))
        return Rows(self.values[picked], self.norms[picked], edges, items, first + self.starts[sequences], lengths)

    def lanes(
        self,
        sequences: NDArray[np.int64],
        part: int = 0,
        *,
        copied: bool = True,
        used: NDArray[np.bool_] | None = None,
    ) -> Lanes:
        """Some sequences (n,), or one part of each, in groups of `LANES`, in the order given.

        The last group is filled up. Without `copied` the frames are left where they are, and `values` is empty.
        `used` (n,) is false for sequences that only fill up a group; None: all are used.
        """
        groups = -(-len(sequences) // LANES)
        filled = np.resize(sequences, groups * LANES)
        filled[len(sequences) :] = sequences[-1]
        wanted = np.zeros(len(filled), np.bool_)
        wanted[: len(sequences)] = True if used is None else used
        cut = self._cut(filled, part)
        first, lengths, padded, items = (each.reshape(groups, LANES) for each in cut)
        widths = padded.max(axis=1)
        edges = np.concatenate([[0], np.cumsum(widths) * LANES])
        group = np.repeat(np.arange(groups), widths)
        frame = np.arange(len(group)) - np.repeat(edges[:-1] // LANES, widths)
        rows = first + self.rows_from[filled].reshape(groups, LANES)
        picked = (rows[group] + np.minimum(frame[:, None], lengths[group] - 1)).ravel()
        values = self.values[picked if copied else picked[:0]]
        starts = first + self.starts[filled].reshape(groups, LANES)
        there = np.where(wanted.reshape(lengths.shape), lengths, 0)
        return Lanes(values, self.norms[picked], edges, items, starts, there, rows)

    def _cut(self, sequences: NDArray[np.int64], part: int) -> tuple[NDArray[np.int64], ...]:
        """First frame, frames, frames with padding, and windows of one part of each sequence."""
        options, whole = self.options, self.lengths[sequences]
        first = part * whole // options.parts
        lengths = np.maximum((part + 1) * whole // options.parts, first + 1) - first
        padded = np.maximum(lengths, options.item_frames)
        items = (padded - options.item_frames) // options.item_stride + 1
        return first, lengths, padded, items


@dataclass(frozen=True, eq=False)
class CostModel:
    """Centre, scale and rounding of one comparison.

    ``|x-y|^2 = |x|^2 + |y|^2 - 2 <x,y>`` cancels when x is near y. Let u be the unit roundoff, and eta the error of a
    product relative to |x| |y|. The squared distance is then off by at most (eta + 5u)(|x|^2 + |y|^2); where it is
    below that bound divided by the tolerance, the kernels recompute it. With the worst case eta = D u nearly every pair
    would be recomputed. Instead, eta is twice the largest error measured on a sample of the data, and at least 4 u. The
    sample includes products of frames with themselves, which round worst: a biased BLAS or constant features are
    noticed.

    Cosine products are formed in float64: features after a ReLU are nearly parallel, and in float32 rounding would
    exceed 1 - cos. There the worst case of eta costs little, and is used.

    Attributes:
        centre: (D,) float64, subtracted from every frame (zero for cosine).
        scale: power of two that brings the largest feature to 0.5..1; squares neither overflow nor vanish.
        threshold: squared distances below `threshold` times the sum of squared norms (cosine distances
            below `threshold`) are recomputed.
        dtype: of the product.
    """

    centre: NDArray[np.float64]
    scale: float
    threshold: float
    dtype: np.dtype[Any]

    @classmethod
    def fit(cls, options: DTWOptions, *sources: FrameSource, precise: bool = False) -> CostModel:
        """Measure centre, scale and rounding on the frames that will be compared.

        `precise`: products in float64, distances to 1e-11; eta is the worst case, which costs little there.
        """
        cosine = options.metric == "cosine"
        frames = sum(int(each.offsets[-1]) for each in sources)
        spreads = [each.spread for each in sources]
        centre = np.zeros(sources[0].features)
        if not cosine:
            parts = (s.mean * (int(each.offsets[-1]) / frames) for s, each in zip(spreads, sources, strict=True))
            centre = sum(parts, centre)
        largest = max(float(np.maximum(s.largest - centre, centre - s.least).max()) for s in spreads)
        scale = power_of_two(largest)
        wide = cosine or precise
        dtype = np.dtype(np.float64 if wide else np.float32)
        unrounded = cls(centre, scale, 0.0, dtype)
        unit = 2.0**-53 if wide else 2.0**-24
        eta = len(centre) * unit if wide else max(4 * unit, 2 * max(unrounded._measured_rounding(s) for s in sources))
        return cls(centre, scale, (eta + 5 * unit) / (PRECISE if precise else TOLERANCE[options.metric]), dtype)

    def operand(self, table: FrameTable, options: DTWOptions, sequences: NDArray[np.int64] | None = None) -> Operand:
        """The frames of a table, centred and scaled: of all its sequences, or of those given only."""
        order = np.arange(len(table)) if sequences is None else sequences
        lengths = table.lengths
        rows_from = np.zeros(len(table), np.int64)
        rows_from[order] = np.cumsum(lengths[order]) - lengths[order]
        values = scratch((int(lengths[order].sum()), table.features), self.dtype)
        norms = np.empty(len(values), self.dtype)
        starts = table.offsets[:-1].astype(np.int64)

        def prepare(i: int) -> None:  # one sequence at a time keeps the float64 copy in cache
            exact = (table.values[starts[i] : starts[i] + lengths[i]] - self.centre) * self.scale
            rows = slice(rows_from[i], rows_from[i] + lengths[i])
            values[rows] = exact
            norms[rows] = np.einsum("td,td->t", exact, exact)

        # small operands are prepared by the calling thread, which may be one of several
        on_threads(prepare, order, size=values.nbytes)
        return Operand(options, table.rows, values, norms, starts, rows_from, lengths)

    def _measured_rounding(self, source: FrameSource) -> float:
        picked = np.unique(np.linspace(0, int(source.offsets[-1]) - 1, 128).astype(np.int64))
        exact = (source.frames(picked) - self.centre) * self.scale
        rows = exact.astype(self.dtype)
        sizes = np.sqrt(np.einsum("td,td->t", exact, exact))
        wide = rows.astype(np.float64)
        error = np.abs(rows @ rows.T - wide @ wide.T)
        size = np.outer(sizes, sizes)
        return float((error[size > 0] / size[size > 0]).max(initial=0.0))

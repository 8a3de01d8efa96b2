"""CostModel: how frames become operands of a matrix product, and which products are too small to trust.

Knows precision and units; windows and the recursion are in `kernels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.frames import FrameTable
from stgcnlib.dtw.options import DTWOptions

__all__ = ["CostModel", "Operand"]

# Largest relative error that the product may leave on a squared distance (or a cosine distance); the square
# root halves it. What would be worse is recomputed from differences, so that distances hold to 1e-5.
TOLERANCE = {"euclidean": 1.6e-5, "sqeuclidean": 8e-6, "cosine": 8e-6}
PRECISE = 1e-11  # the same for `CostModel.precise`


@dataclass(frozen=True, eq=False)
class Operand:
    """Frames of successive sequences, ready for the product.

    Attributes:
        raw: (·, D) frames as they were given, for exact recomputation.
        raw_starts: (n,) first raw frame of each sequence.
        rows: (R, D) centred and scaled rows, float32 (float64 for cosine).
        norms: (R,) their squared norms, summed in float64, of the dtype of `rows`.
        starts: (n,) first row of each sequence.
        lengths: (n,) its rows.
    """

    raw: NDArray[Any]
    raw_starts: NDArray[np.int64]
    rows: NDArray[Any]
    norms: NDArray[Any]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def after(self, sequences: int) -> Operand:
        """Without the first so many sequences; a view."""
        row = int(self.starts[sequences])
        kept = slice(sequences, None)
        starts, lengths = self.starts[kept] - row, self.lengths[kept]
        return Operand(self.raw, self.raw_starts[kept], self.rows[row:], self.norms[row:], starts, lengths)

    def gather(self, sequences: NDArray[np.int64]) -> Operand:
        """Some of the sequences, in the order given; rows are copied, raw frames are not."""
        lengths = self.lengths[sequences]
        starts = np.cumsum(lengths) - lengths
        picked = np.repeat(self.starts[sequences] - starts, lengths) + np.arange(int(lengths.sum()))
        return Operand(self.raw, self.raw_starts[sequences], self.rows[picked], self.norms[picked], starts, lengths)


@dataclass(frozen=True, eq=False)
class CostModel:
    """Centre, scale and rounding of one comparison.

    ``|x-y|^2 = |x|^2 + |y|^2 - 2 <x,y>`` cancels when x is near y. With `rounding` eta, the error of a product
    relative to |x| |y|, the squared distance is off by at most (eta + 5u)(|x|^2 + |y|^2); where it is below
    that over the tolerance, the kernels recompute it. The worst case eta = D u would send nearly every pair there;
    instead eta is twice the largest error measured on a sample of this very data (self-products
    included, which round worst), never below 4 u, so that a biased BLAS or constant features are seen.

    Cosine products are formed in float64 (features after a ReLU all point the same way, and float32 leaves
    nothing of 1 - cos); there the worst case is cheap, and used.

    Attributes:
        centre: (D,) float64, taken off every frame (zero for cosine).
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
    def fit(cls, options: DTWOptions, *tables: FrameTable) -> CostModel:
        """Measure centre, scale and rounding on the tables that will be compared."""
        cosine = options.metric == "cosine"
        frames = sum(len(t.values) for t in tables)
        centre = np.zeros(tables[0].features)
        if not cosine:
            # a mean in float64 could overflow only for values near 1e308
            centre = sum((t.values.sum(axis=0, dtype=np.float64) for t in tables), centre) / frames
        largest = max(
            float(np.maximum(t.values.max(axis=0) - centre, centre - t.values.min(axis=0)).max()) for t in tables
        )
        scale = 2.0 ** float(np.clip(-np.frexp(largest)[1], -120, 120))
        dtype = np.dtype(np.float64 if cosine else np.float32)
        unrounded = cls(centre, scale, 0.0, dtype)
        unit = 2.0**-53 if cosine else 2.0**-24
        eta = len(centre) * unit if cosine else max(4 * unit, 2 * max(unrounded._measured_rounding(t) for t in tables))
        return cls(centre, scale, (eta + 5 * unit) / TOLERANCE[options.metric], dtype)

    def precise(self) -> CostModel:
        """The same comparison in float64, to PRECISE; by the worst case, which is cheap there."""
        unit = 2.0**-53
        threshold = (len(self.centre) + 5) * unit / PRECISE
        return CostModel(self.centre, self.scale, threshold, np.dtype(np.float64))

    def operand(self, table: FrameTable, first: int, last: int) -> Operand:
        """Sequences first..last-1 of a table, centred and scaled."""
        start, stop = table.offsets[first], table.offsets[last]
        return self._prepared(table.values[start:stop], table.offsets[first:last] - start, table.lengths[first:last])

    def precise_operand(self, table: FrameTable, sequences: NDArray[np.int64]) -> Operand:
        """Some sequences of a table with their raw frames in float64, for `precise` costs."""
        raw = [table.values[table.offsets[i] : table.offsets[i + 1]] for i in sequences]
        lengths = table.lengths[sequences]
        return self._prepared(np.concatenate(raw).astype(np.float64), np.cumsum(lengths) - lengths, lengths)

    def _prepared(self, raw: NDArray[Any], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Operand:
        rows = np.empty(raw.shape, self.dtype)
        norms = np.empty(len(raw), self.dtype)
        for i in range(0, len(raw), 256):  # small steps keep the float64 copy in cache
            exact = (raw[i : i + 256] - self.centre) * self.scale
            rows[i : i + 256] = exact
            norms[i : i + 256] = np.einsum("td,td->t", exact, exact)
        return Operand(raw, starts, rows, norms, starts, lengths)

    def _measured_rounding(self, table: FrameTable) -> float:
        picked = np.unique(np.linspace(0, len(table.values) - 1, 128).astype(np.int64))
        exact = (table.values[picked] - self.centre) * self.scale
        rows = exact.astype(self.dtype)
        sizes = np.sqrt(np.einsum("td,td->t", exact, exact))
        wide = rows.astype(np.float64)
        error = np.abs(rows @ rows.T - wide @ wide.T)
        size = np.outer(sizes, sizes)
        return float((error[size > 0] / size[size > 0]).max(initial=0.0))

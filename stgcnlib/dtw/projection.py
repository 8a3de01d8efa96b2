"""Lower bounds of DTW distances from a few coordinates per frame.

For an orthonormal P (D, p) and residual norms r(x) = |x - P P'x|, the p + 1 numbers (P'x, r(x)) are at most as
far apart as the frames: |x - y|^2 >= |P'x - P'y|^2 + (r(x) - r(y))^2. Windows, bands and segments add up such costs,
so DTW on the short frames, by the very same kernels, never exceeds the true DTW. Which pairs to compute in
full is decided in `refine`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from stgcnlib.dtw.frames import FrameTable, on_threads
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.tiles import pair_costs

__all__ = ["RELATIVE_ERROR", "Projection", "lower_bounds"]

RELATIVE_ERROR = 1.1e-5
"""What a computed distance may be off: 1e-5 promised by `tiles`, and its float32 storage."""

SAMPLE_FRAMES = 2048
UNIT = 2.0**-53


@dataclass(frozen=True, eq=False)
class Projection:
    """The short frames of a table, and how far rounding may have moved them.

    Attributes:
        table: (sum T, p + 1) float64, coordinates and residual norm of every frame.
        slack: no two short frames are further apart than the frames by more than twice this (for cosine, as
            a share of the frame's norm).
    """

    table: FrameTable
    slack: float

    @classmethod
    def fit(cls, table: FrameTable, dimensions: int, *, centred: bool, seed: int = 0) -> Projection:
        """Project onto the leading directions of a sample of frames.

        Args:
            table: frames (sum T, D).
            dimensions: p; as many as there are features or sampled frames at most.
            centred: about the mean frame, which changes no difference of frames; not for cosine, which is about 0.
            seed: of the sample and of the randomised singular vectors. The bound holds for any of them.
        """
        values = table.values
        centre = values.mean(axis=0, dtype=np.float64) if centred else np.zeros(table.features)
        basis = _basis(values, centre, dimensions, seed)
        short = np.empty((len(values), basis.shape[1] + 1))
        squares = np.empty(len(values))

        def project(i: int) -> None:  # small steps keep the float64 copies in cache
            exact = values[i : i + 128] - centre
            squares[i : i + 128] = np.einsum("td,td->t", exact, exact)
            part = short[i : i + 128]
            np.matmul(exact, basis, out=part[:, :-1])
            exact -= part[:, :-1] @ basis.T  # explicitly: |x|^2 - |P'x|^2 would cancel
            part[:, -1] = np.sqrt(np.einsum("td,td->t", exact, exact))

        on_threads(project, range(0, len(values), 128))
        largest = float(squares.max())
        # Each coordinate is off by at most D u |x| |P_c|, hence all p by sqrt(p) D u |x|; the residual by that of
        # x - P P'x, (p + D sqrt(p)) u |x|, and of its norm, D u |x|; P is orthonormal to c p u. Four of each cover it.
        count, size = table.features, basis.shape[1]
        relative = 4 * UNIT * (count + size) * (np.sqrt(size) + 1) * 2
        slack = relative * (np.sqrt(largest) if centred else 1.0)
        return cls(FrameTable(short, table.offsets, table.temporal_stride), float(slack))


def lower_bounds(options: DTWOptions, projection: Projection, *, progress: bool | None = None) -> NDArray[np.float32]:
    """(N, N) float32, symmetric: no entry is above the DTW distance in exact arithmetic.

    `options` must not normalise by "path", for which nothing is known.
    """
    table = projection.table
    bounds = pair_costs(options, table, None, progress=progress)
    loosen(bounds, options, projection)
    return bounds


def loosen(bounds: NDArray[np.float32], options: DTWOptions, projection: Projection) -> None:
    """Take off, in place, all that rounding may have added to DTW costs of short frames.

    A path has fewer cells than n + m, and each cell is too large by s at most, s from both items. The sum of
    distances then is too large by s (n + m), which a division by n + m leaves at s. Of sums of squares the root
    is too large by s sqrt(n + m): the triangle inequality for vectors of costs. A cosine distance is half the
    square of the distance of unit windows, each moved by twice the slack at most: 2 * 2 / sqrt(2) < 3.
    """
    lengths = projection.table.lengths.astype(np.float32)
    item = 3.0 * projection.slack * np.sqrt(options.item_frames)
    shrink = np.float32(1 - 2 * RELATIVE_ERROR)
    extra = 2.0 * options.parts  # repeated frames of parts, and rounding
    for i in range(len(bounds)):
        cells = 1.0 if options.normalize == "length" else (lengths[i] + lengths + extra) * 1.001
        row = bounds[i]
        if options.metric == "euclidean":
            row[:] = np.maximum(row * shrink - np.float32(item * 1.001) * cells, 0)
        else:
            root = np.sqrt(row * shrink) - np.float32(item * 1.001) * np.sqrt(cells)
            row[:] = np.maximum(root, 0) ** 2 * shrink


def _basis(
    values: NDArray[np.floating], centre: NDArray[np.float64], dimensions: int, seed: int
) -> NDArray[np.float64]:
    """(D, p) orthonormal to float64 rounding, p >= 1."""
    rng = np.random.default_rng(seed)
    picked = np.sort(rng.choice(len(values), min(len(values), SAMPLE_FRAMES), replace=False))
    sample = values[picked] - centre
    largest = np.abs(sample).max()
    sample = (sample / (largest if largest > 0 else 1.0)).astype(np.float32)
    size = max(1, min(dimensions, *sample.shape))
    if largest == 0:
        return np.eye(values.shape[1], size)
    _, _, directions = randomized_svd(sample, size, n_iter=2, random_state=seed)
    basis, _ = np.linalg.qr(directions.T.astype(np.float64))
    return np.ascontiguousarray(basis)

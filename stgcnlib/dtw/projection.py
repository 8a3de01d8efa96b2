"""Short frames: a few coordinates per frame, never further apart than the frames themselves.

For an orthonormal P (D, p) and residual norms r(x) = |x - P P'x|, the p + 1 numbers (P'x, r(x)) are at most as
far apart as the frames: |x - y|^2 >= |P'x - P'y|^2 + (r(x) - r(y))^2. Windows, bands and segments add up such costs,
so DTW on the short frames never exceeds the true DTW (`bounds`). Which pairs to compute in full is decided in
`neighbors`, and which of their cells in `corridor`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.frames import FrameTable, on_threads
from stgcnlib.dtw.source import FrameSource

__all__ = ["RELATIVE_ERROR", "Projection", "power_of_two"]

RELATIVE_ERROR = 1.1e-5
"""Largest relative error of a computed distance: 1e-5 by `tiles`, and the rounding to float32."""

SAMPLE_FRAMES = 1024
STEP_FRAMES = 128
BLOCK_FRAMES = 2**16
UNIT, FLOAT32 = 2.0**-53, 2.0**-24


@dataclass(frozen=True, eq=False)
class Projection:
    """The short frames of a set, and how far rounding may have moved them.

    Attributes:
        table: (sum T, p + 1) coordinates and residual norm of every frame: float32 and scaled, or float64 as they are
            (for cosine).
        slack: rounding makes the distance of two short frames exceed that of the frames by at most twice this, in the
            table's units (for cosine, as a share of the frame's norm).
        scale: power of two that the short frames were multiplied by.
    """

    table: FrameTable
    slack: float
    scale: float = 1.0

    def first(self, dimensions: int) -> Projection:
        """The same frames by fewer coordinates: the others count as residual."""
        values = self.table.values
        if dimensions >= values.shape[1] - 1:
            return self
        short = np.empty((len(values), dimensions + 1), values.dtype)
        for start in range(0, len(values), BLOCK_FRAMES):
            block = values[start : start + BLOCK_FRAMES]
            short[start : start + BLOCK_FRAMES, :-1] = block[:, :dimensions]
            left = block[:, dimensions:].astype(np.float64)
            short[start : start + BLOCK_FRAMES, -1] = np.sqrt(np.einsum("td,td->t", left, left))
        return Projection(FrameTable(short, self.table.offsets, self.table.temporal_stride), self.slack, self.scale)

    def of(self, wanted: NDArray[np.int64]) -> Projection:
        """The short frames of some sequences (n,)."""
        lengths = self.table.lengths[wanted]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        frames = np.arange(offsets[-1]) + np.repeat(self.table.offsets[wanted] - offsets[:-1], lengths)
        return Projection(FrameTable(self.table.rows[frames], offsets), self.slack, self.scale)

    @classmethod
    def fit(cls, source: FrameSource, dimensions: int, *, centred: bool, seed: int = 0) -> Projection:
        """Project onto the leading directions of a sample of frames.

        Args:
            source: frames (sum T, D), read twice.
            dimensions: p; at most the number of features, and of sampled frames.
            centred: subtract the mean frame, which changes no difference of frames, and keep float32; not for cosine,
                which depends on the origin.
            seed: of the sample and of the randomised singular vectors. The bound holds for any of them.
        """
        count = int(source.offsets[-1])
        centre, largest = np.zeros(source.features), 0.0
        if centred:
            centre, least, most = source.spread
            largest = float(np.maximum(most - centre, centre - least).max())
        picked = np.sort(np.random.default_rng(seed).choice(count, min(count, SAMPLE_FRAMES), replace=False))
        basis = _basis(source.frames(picked) - centre, dimensions, seed)
        size = basis.shape[1]
        scale = power_of_two(largest * np.sqrt(source.features)) if centred else 1.0
        short = np.empty((count, size + 1), np.float32 if centred else np.float64)
        slack = 0.0
        for start, table in source.blocks():
            first = int(source.offsets[start])
            into = short[first : first + len(table.values)]
            slack = max(slack, _project(table.values, centre, basis, scale, into, relative=not centred))
        slack *= scale
        if centred:  # rounding to float32, here and in `first`, relative to the norm
            norms = max(
                float(np.einsum("td,td->t", x, x, dtype=np.float64).max())
                for x in np.split(short, range(BLOCK_FRAMES, count, BLOCK_FRAMES))
            )
            slack += 2 * FLOAT32 * np.sqrt(norms)
        return cls(FrameTable(short, source.offsets, source.temporal_stride), slack, scale)


def _project(
    values: NDArray[np.floating],
    centre: NDArray[np.float64],
    basis: NDArray[np.float64],
    scale: float,
    short: NDArray[np.floating],
    *,
    relative: bool,
) -> float:
    """Fill `short`; returns how far float64 rounding may move one frame, as a share of its norm if `relative`."""
    count, size = basis.shape
    worst: list[float] = []

    def project(i: int) -> None:  # small steps keep the float64 copies in cache
        exact = values[i : i + STEP_FRAMES] - centre
        squares = np.einsum("td,td->t", exact, exact)
        coordinates = exact @ basis
        # Each coordinate is off by at most D u |x| |P_c|, hence all p together by sqrt(p) D u |x|. |x|^2 - |P'x|^2 is
        # off by at most e = 2 (D + p) u |x|^2, hence its root r by at most e / r, or sqrt(e) where r < sqrt(e). P is
        # orthonormal to c p u. At least twice these errors is allowed for.
        doubt = 4 * UNIT * (count + size) * squares
        residuals = np.sqrt(np.maximum(squares - np.einsum("td,td->t", coordinates, coordinates), 0))
        short[i : i + STEP_FRAMES, :-1] = coordinates * scale
        short[i : i + STEP_FRAMES, -1] = residuals * scale
        lengths = np.sqrt(squares)
        wrong = 8 * UNIT * (count + size) * (np.sqrt(size) + 1) * lengths
        wrong += doubt / np.maximum(np.maximum(residuals, np.sqrt(doubt)), np.finfo(np.float64).tiny)
        worst.append(float((wrong / np.maximum(lengths, np.finfo(np.float64).tiny) if relative else wrong).max()))

    on_threads(project, range(0, len(values), STEP_FRAMES), size=values.nbytes)
    return max(worst)


def power_of_two(largest: float) -> float:
    """What brings `largest` to 0.5..1, so that squares neither overflow nor vanish."""
    return float(2.0 ** np.clip(-np.frexp(largest)[1], -120.0, 120.0))


def _basis(sample: NDArray[np.float64], dimensions: int, seed: int) -> NDArray[np.float64]:
    """(D, p) orthonormal to float64 rounding, p >= 1: leading directions of frames (n, D)."""
    from sklearn.utils.extmath import randomized_svd  # takes more than half of the time to import `stgcnlib.dtw`

    largest = np.abs(sample).max()
    size = max(1, min(dimensions, *sample.shape))
    if largest == 0:
        return np.eye(sample.shape[1], size)
    _, _, directions = randomized_svd((sample / largest).astype(np.float32), size, n_iter=1, random_state=seed)
    basis, _ = np.linalg.qr(directions.T.astype(np.float64))
    return np.ascontiguousarray(basis)

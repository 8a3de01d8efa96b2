"""Short frames: a few coordinates per frame, never further apart than the frames themselves.

For an orthonormal P (D, p) and residual norms r(x) = |x - P P'x|, the p + 1 numbers (P'x, r(x)) are at most as
far apart as the frames: |x - y|^2 >= |P'x - P'y|^2 + (r(x) - r(y))^2. Windows, bands and segments add up such costs,
so DTW on the short frames never exceeds the true DTW (`tiles.lower_bounds`). Which pairs to compute in full is decided
in `refine`, and which of their cells in `corridor`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from stgcnlib.dtw.frames import FrameTable, on_threads

__all__ = ["RELATIVE_ERROR", "Projection", "power_of_two"]

RELATIVE_ERROR = 1.1e-5
"""What a computed distance may be off: 1e-5 promised by `tiles`, and its float32 storage."""

SAMPLE_FRAMES = 1024
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

    @property
    def scale(self) -> float:
        """Power of two that brings the largest number to 0.5..1."""
        return power_of_two(float(np.abs(self.table.values).max()))

    def first(self, dimensions: int) -> Projection:
        """The same frames by fewer coordinates: the others count as residual."""
        values = self.table.values
        if dimensions >= values.shape[1] - 1:
            return self
        short = np.empty((len(values), dimensions + 1))
        short[:, :-1] = values[:, :dimensions]
        left = values[:, dimensions:]
        short[:, -1] = np.sqrt(np.einsum("td,td->t", left, left))
        return Projection(FrameTable(short, self.table.offsets, self.table.temporal_stride), self.slack)

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
            np.matmul(exact, basis, out=short[i : i + 128, :-1])

        on_threads(project, range(0, len(values), 128), size=values.nbytes)
        # Each coordinate is off by at most D u |x| |P_c|, hence all p by sqrt(p) D u |x|; |x|^2 - |P'x|^2 by
        # 2 (D + p) u |x|^2, which its root r feels as much divided by r, or as the root of it where r is less; P is
        # orthonormal to c p u. Twice that, and more, covers it.
        count, size = table.features, basis.shape[1]
        residuals = squares - np.einsum("td,td->t", short[:, :-1], short[:, :-1])
        doubt = 4 * UNIT * (count + size) * squares
        short[:, -1] = np.sqrt(np.maximum(residuals, 0))
        lengths = np.sqrt(squares)
        wrong = 8 * UNIT * (count + size) * (np.sqrt(size) + 1) * lengths
        wrong += doubt / np.maximum(np.maximum(short[:, -1], np.sqrt(doubt)), np.finfo(np.float64).tiny)
        slack = (wrong if centred else wrong / np.maximum(lengths, np.finfo(np.float64).tiny)).max()
        return cls(FrameTable(short, table.offsets, table.temporal_stride), float(slack))


def power_of_two(largest: float) -> float:
    """What brings `largest` to 0.5..1, so that squares neither overflow nor vanish."""
    return float(2.0 ** np.clip(-np.frexp(largest)[1], -120.0, 120.0))


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
    _, _, directions = randomized_svd(sample, size, n_iter=1, random_state=seed)
    basis, _ = np.linalg.qr(directions.T.astype(np.float64))
    return np.ascontiguousarray(basis)

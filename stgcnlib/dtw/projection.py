"""Short frames: a few coordinates per frame, never further apart than the frames themselves.

For an orthonormal P (D, p) and residual norms r(x) = |x - P P'x|, the p + 1 numbers (P'x, r(x)) are at most as
far apart as the frames: |x - y|^2 >= |P'x - P'y|^2 + (r(x) - r(y))^2. Windows, bands and segments add up such costs,
so DTW on the short frames never exceeds the true DTW (`bounds`). Which pairs to compute in full is decided in
`neighbors`, and which of their cells in `corridor`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.executor import Executor, HereExecutor
from stgcnlib.dtw.frames import FrameTable, on_threads
from stgcnlib.dtw.source import Block, FrameSource

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
    def fit(
        cls, source: FrameSource, dimensions: int, *, centred: bool, seed: int = 0, executor: Executor | None = None
    ) -> Projection:
        """Project onto the leading directions of a sample of frames.

        Args:
            source: frames (sum T, D), read twice.
            dimensions: p; at most the number of features, and of sampled frames.
            centred: subtract the mean frame, which changes no difference of frames, and keep float32; not for cosine,
                which depends on the origin.
            seed: of the sample and of the randomised singular vectors. The bound holds for any of them.
            executor: where the tasks run that read frames which are not in memory; None: in this process.
        """
        count = int(source.offsets[-1])
        centre, largest = np.zeros(source.features), 0.0
        if centred:
            centre, least, most = source.spread
            largest = float(np.maximum(most - centre, centre - least).max())
        picked = np.sort(np.random.default_rng(seed).choice(count, min(count, SAMPLE_FRAMES), replace=False))
        basis = _basis(source.frames(picked) - centre, dimensions, seed)
        scale = power_of_two(largest * np.sqrt(source.features)) if centred else 1.0
        short = np.empty((count, basis.shape[1] + 1), np.float32 if centred else np.float64)
        if executor is None or source.whole is not None:  # frames in memory are not sent elsewhere
            executor = HereExecutor()
        # where another machine goes on, rounding may have given it other directions
        mark = hashlib.sha256(centre.tobytes() + basis.tobytes()).hexdigest()
        slack, blocks = 0.0, [block._replace(mark=mark) for block in source.blocks()]
        onto = _Directions(source, centre, basis, scale, centred)
        for block, (rows, moved) in zip(blocks, executor.map(_project, onto, blocks), strict=True):
            short[source.offsets[block.start] : source.offsets[block.stop]] = rows
            slack = max(slack, moved)
        slack *= scale
        if centred:  # rounding to float32, here and in `first`, relative to the norm
            norms = max(
                float(np.einsum("td,td->t", x, x, dtype=np.float64).max())
                for x in np.split(short, range(BLOCK_FRAMES, count, BLOCK_FRAMES))
            )
            slack += 2 * FLOAT32 * np.sqrt(norms)
        return cls(FrameTable(short, source.offsets, source.temporal_stride), slack, scale)


class _Directions(NamedTuple):
    """What frames are projected onto."""

    source: FrameSource
    centre: NDArray[np.float64]
    basis: NDArray[np.float64]
    scale: float
    centred: bool


def _project(onto: _Directions, block: Block) -> tuple[NDArray[np.floating], float]:
    """Short frames of a block of sequences; how far float64 rounding may move one, a share of its norm if uncentred."""
    values = onto.source.block(block).values
    count, size = onto.basis.shape
    short = np.empty((len(values), size + 1), np.float32 if onto.centred else np.float64)
    worst: list[float] = []

    def project(i: int) -> None:  # small steps keep the float64 copies in cache
        exact = values[i : i + STEP_FRAMES] - onto.centre
        squares = np.einsum("td,td->t", exact, exact)
        coordinates = exact @ onto.basis
        # Each coordinate is off by at most D u |x| |P_c|, hence all p together by sqrt(p) D u |x|. |x|^2 - |P'x|^2 is
        # off by at most e = 2 (D + p) u |x|^2, hence its root r by at most e / r, or sqrt(e) where r < sqrt(e). P is
        # orthonormal to c p u. At least twice these errors is allowed for.
        doubt = 4 * UNIT * (count + size) * squares
        residuals = np.sqrt(np.maximum(squares - np.einsum("td,td->t", coordinates, coordinates), 0))
        short[i : i + STEP_FRAMES, :-1] = coordinates * onto.scale
        short[i : i + STEP_FRAMES, -1] = residuals * onto.scale
        lengths = np.sqrt(squares)
        wrong = 8 * UNIT * (count + size) * (np.sqrt(size) + 1) * lengths
        wrong += doubt / np.maximum(np.maximum(residuals, np.sqrt(doubt)), np.finfo(np.float64).tiny)
        share = 1.0 if onto.centred else np.maximum(lengths, np.finfo(np.float64).tiny)
        worst.append(float((wrong / share).max()))

    on_threads(project, range(0, len(values), STEP_FRAMES), size=values.nbytes)
    return short, max(worst)


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

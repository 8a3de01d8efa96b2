"""dtw_distances: all DTW distances within one set of sequences, or between two.

This module only checks the input; the work is in `tiles` and `kernels`, or on a GPU in `gpu` and `wavefront`.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.frames import FrameTable, frame_table
from stgcnlib.dtw.options import DTWKeywords, DTWLike, dtw_options, names_options
from stgcnlib.dtw.tiles import pair_costs
from stgcnlib.errors import SequenceError

__all__ = ["dtw_distances"]


@names_options
def dtw_distances(
    a: Any,
    b: Any = None,
    *,
    dtw: DTWLike = None,
    device: str = "cpu",
    progress: bool | None = None,
    **options: Unpack[DTWKeywords],
) -> NDArray[np.float32]:
    """Window-based DTW distances (docs/method.md, "Distance").

    Args:
        a: N sequences: a list of (T, D) or (T, V, C) arrays, a LayerActivations, or a SequenceSet. For a layer
            that keeps one of r input frames, `window` and `band` count input frames, and become ceil(window / r) and
            ceil(band / r); `stride` counts the layer's frames.
        b: N' sequences with the same features per frame, or None for distances within `a`.
        dtw: all options at once, as a `DTWOptions` or a mapping of its fields.
        device: where it is computed, "cpu" or "cuda" (see `stgcnlib.dtw.gpu`); results agree within rounding. Without a
            CUDA device the processor computes it, with a warning.
        progress: draw a progress bar; None: only on terminals and in live notebooks.
        **options: fields of `DTWOptions`, where they are defined: reading, window, stride, band, segments, metric,
            normalize.

    Returns:
        (N, N') float32 in the units of the local cost, within 1e-5 of float64 arithmetic. With ``normalize="path"``
        this holds for the cost before it is divided: of paths whose costs agree to 1e-5, any may be chosen, and their
        lengths differ. Differences below 1e-19 of the largest feature count as 0. Without `b` it is exactly symmetric,
        its diagonal is exactly 0, and each pair is computed once; sequences that are equal are at exactly 0.

    Raises:
        SequenceError: an option is out of range, or sequences are empty, not finite, or differ in D.
        DeviceError: torch knows no such device, or its memory is full.

    Examples:
        >>> import numpy as np, stgcnlib
        >>> slow, quick = np.array([[0.0], [0.0], [3.0]]), np.array([[0.0], [3.0]])
        >>> stgcnlib.dtw_distances([slow, quick, np.zeros((3, 1))], window=1).astype(float).round(2).tolist()
        [[0.0, 0.0, 0.5], [0.0, 0.0, 0.6], [0.5, 0.6, 0.0]]
    """
    chosen = dtw_options(dtw, **options)
    table, other = _tables(a, b)
    chosen = chosen.at_temporal_stride(table.temporal_stride)
    if device != "cpu":
        from stgcnlib.dtw.gpu import device_pair_costs, dtw_device

        place = dtw_device(device)
        if place is not None:
            return device_pair_costs(chosen, table, other, device=place, progress=progress)
    return pair_costs(chosen, table, other, progress=progress)


def _tables(a: Any, b: Any) -> tuple[FrameTable, FrameTable | None]:
    table = frame_table(a, "a")
    if b is None:
        return table, None
    other = frame_table(b, "b")
    if other.features != table.features:
        raise SequenceError(f"a has {table.features} features per frame, b has {other.features}; they must agree")
    if other.temporal_stride != table.temporal_stride:
        raise SequenceError(
            f"a keeps one of {table.temporal_stride} input frames, b one of {other.temporal_stride}; "
            "compare layers of equal temporal stride"
        )
    return table, other

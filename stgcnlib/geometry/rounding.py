"""What keeping features in fewer digits does to distances between recordings."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.dtw import DTWLike, dtw_distances
from stgcnlib.errors import SequenceError
from stgcnlib.progress import track

__all__ = ["rounding_error"]

COLUMNS = ["layer", "index", "title", "features", "pairs", "median", "largest"]


def rounding_error(
    store: Any, dtype: Literal["float16"] = "float16", *, dtw: DTWLike = None, progress: bool | None = None
) -> pd.DataFrame:
    """Relative error of DTW distances between rounded recordings, layer by layer.

    Source: our choice.

    Args:
        store: a LayerStore in float32 of a few recordings, or anything with `.layers` and ``store[name]``: index,
            title, and (T_i, D) float32 arrays when iterated.
        dtype: to which features are rounded.
        dtw: a `DTWOptions` or some of its fields.
        progress: draw a progress bar; None: on a terminal.

    Returns:
        One row per layer: layer, index, title, features (root mean square of their rounding errors, divided by that
        of the features), pairs (whose distance is above 0), median and largest (over these pairs, the difference of
        the distances over the distance); NaN without such pairs.

    Raises:
        SequenceError: features are too large for the dtype, or an option of DTW is out of range.
    """
    rows = []
    for name in track(list(store.layers), "rounding", total=len(store.layers), show=progress):
        layer = store[name]
        exact: list[NDArray[np.float32]] = [np.asarray(each) for each in layer]
        if max(float(np.abs(each).max()) for each in exact) > float(np.finfo(dtype).max):
            raise SequenceError(f"layer {name!r} has features above {np.finfo(dtype).max}, which {dtype} does not hold")
        rounded = [each.astype(dtype).astype(np.float32) for each in exact]
        whole, taken = np.concatenate(exact).astype(np.float64), np.concatenate(rounded)
        features = float(np.sqrt(np.square(whole - taken).sum() / max(np.square(whole).sum(), np.finfo(float).tiny)))
        given = _Sequences(exact, layer), _Sequences(rounded, layer)
        distances, other = (dtw_distances(each, dtw=dtw, progress=False).astype(np.float64) for each in given)
        first, second = np.triu_indices(len(exact), 1)
        known = distances[first, second]
        error = (np.abs(other[first, second] - known) / np.where(known > 0, known, 1.0))[known > 0]
        rows.append(
            {"layer": name, "index": int(layer.index), "title": str(layer.title), "features": features}
            | {"pairs": len(error), "median": float(np.median(error)) if len(error) else float("nan")}
            | {"largest": float(error.max(initial=0.0)) if len(error) else float("nan")}
        )
    return pd.DataFrame(rows, columns=COLUMNS)


class _Sequences(list[NDArray[np.float32]]):
    """Sequences with the stride of their layer, which decides the windows of DTW."""

    def __init__(self, sequences: list[NDArray[np.float32]], layer: Any) -> None:
        super().__init__(sequences)
        self.temporal_stride = int(getattr(layer, "temporal_stride", 1))

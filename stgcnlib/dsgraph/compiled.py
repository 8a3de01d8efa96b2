"""Compiling the numerical kernels ahead of their first use.

numba compiles a kernel when it is first called and keeps the machine code, for this processor and this version, beside
the source or in ``NUMBA_CACHE_DIR``. In a first report this takes about a minute of a processor; it can be done at
installation instead.
"""

from __future__ import annotations

import numpy as np

from stgcnlib.dsgraph.build import ds_graph, nnk_graph
from stgcnlib.dtw import dtw_distances, dtw_path

__all__ = ["compile_kernels"]

SEQUENCES = 24
WIDE, NARROW = 400, 75  # features per frame: enough for corridors, and too few for them


def compile_kernels() -> None:
    """Call distances, paths and graphs once as a study does, so that numba compiles and keeps their kernels."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(12, 30, SEQUENCES)
    wide, narrow = (
        [rng.normal(size=(length, width)).astype(np.float32) for length in lengths] for width in (WIDE, NARROW)
    )
    groups = np.arange(SEQUENCES) % 4
    dtw_distances(wide, progress=False)
    distances = dtw_distances(narrow, progress=False)
    dtw_path(narrow[0], narrow[1])
    for dtype in (np.float32, np.float64):
        nnk_graph(distances.astype(dtype), k=5, exclude=groups)
    ds_graph([frames.astype(np.float64) for frames in narrow], k=5, exclude=groups, progress=False)
    ds_graph(wide, k=5, exclude=groups, progress=False)

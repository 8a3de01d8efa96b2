"""Untrained networks beside a noise study: their smoothness on clean recordings, from a geometry.

It measures nothing; a geometry whose graphs are not those of the study is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stgcnlib.errors import StudyError
from stgcnlib.geometry import Jackknife, LayerGeometry
from stgcnlib.geometry.layers import UNTRAINED

__all__ = ["untrained_controls"]

_GRAPH = ("k", "sigma", "symmetrize", "solver")


def untrained_controls(
    geometry: LayerGeometry | None, layers: Sequence[str], jackknife: Jackknife, graph: Mapping[str, Any]
) -> pd.DataFrame:
    """Smoothness of the untrained networks, with all recordings and without each part.

    Args:
        geometry: of the study's recordings; None: no untrained network is known.
        layers: names of those that the study measured.
        jackknife: the study's.
        graph: the study's k, sigma, symmetrize and solver, as far as given.

    Returns:
        Columns member, layer, index, part (-1: all recordings) and smoothness; empty without an untrained network.

    Raises:
        StudyError: the geometry is of other recordings or parts, or its graphs were made otherwise.
    """
    columns = ["member", "layer", "index", "part", "smoothness"]
    if geometry is None:
        return pd.DataFrame(columns=columns)
    if not np.array_equal(geometry.parts, jackknife.parts):
        raise StudyError("the geometry is of other recordings than the noise study, or leaves out other parts of them")
    both = {name: (geometry.settings[name], graph[name]) for name in _GRAPH if name in graph}
    if other := [f"{name}={its!r} where the study has {ours!r}" for name, (its, ours) in both.items() if its != ours]:
        raise StudyError(
            f"the geometry's graphs have {', '.join(other)}; smoothness of graphs made otherwise is no control: make "
            "the geometry with the study's settings, or the study with the geometry's"
        )
    found = []
    for name in geometry.networks(UNTRAINED):
        curve, without = geometry.curve(name), geometry.means_without(name)
        for place, row in enumerate(curve.itertuples()):
            if row.layer in layers:
                about = {"member": name, "layer": row.layer, "index": row.index}
                parts = {"part": np.arange(-1, jackknife.count), "smoothness": [row.smoothness, *without[:, place]]}
                found.append(pd.DataFrame(about | parts))
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)

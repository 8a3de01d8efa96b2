"""Checks of distances that a caller gives by network and layer: that no layer is missing, and that sizes fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stgcnlib.dtw import LayerDistances, as_layer_distances
from stgcnlib.errors import GraphError, LayerNotFoundError, shorten

__all__ = ["by_network", "layer_of", "lacks_none"]


def by_network(distances: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Name of network -> layer name -> distances, as given.

    Raises:
        GraphError: they are not by network, or not by layer.
    """
    form = "give {'trained': {layer name: distances, …}}: by network, then by layer"
    if distances is not None and not isinstance(distances, Mapping):
        raise GraphError(f"distances: a {type(distances).__name__}; {form}")
    for name, layers in (distances or {}).items():
        if not isinstance(layers, Mapping):
            raise GraphError(f"distances[{name!r}]: a {type(layers).__name__} where a network's layers belong; {form}")
    return {network: dict(layers) for network, layers in (distances or {}).items()}


def lacks_none(distances: Mapping[str, Any], layers: Iterable[str], network: str) -> None:
    """Refuse distances by layer that lack one.

    Raises:
        LayerNotFoundError: names those that are lacking.
    """
    if missing := [name for name in layers if name not in distances]:
        raise LayerNotFoundError(
            f"distances of {network!r} lack {shorten(missing)}; give distances of every layer, or the store"
        )


def layer_of(distances: LayerDistances | ArrayLike, count: int, what: str) -> LayerDistances:
    """Distances between `count` recordings, checked; `what` names them in the error.

    Raises:
        GraphError: they are between another number of recordings.
    """
    if not isinstance(distances, LayerDistances) and np.shape(distances) != (count, count):
        raise GraphError(f"distances of {what} have shape {np.shape(distances)}; there are {count} nodes")
    known = as_layer_distances(distances)
    if known.count != count:
        raise GraphError(f"distances of {what} are between {known.count} recordings; there are {count} nodes")
    return known

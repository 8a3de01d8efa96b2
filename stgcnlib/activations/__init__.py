"""Every layer's features of every recording: `record` reads them from a network, `LayerStore` keeps them.

`observing` lends a network's layers to others (the relevance maps use it). Nothing here measures
features; that is for `stgcnlib.dtw` and what follows.
"""

from __future__ import annotations

from stgcnlib.activations.observe import Layer, find_layers, observing, temporal_stride
from stgcnlib.activations.recording import record
from stgcnlib.activations.store import LayerActivations, LayerStore

__all__ = [
    "Layer",
    "LayerActivations",
    "LayerStore",
    "find_layers",
    "observing",
    "record",
    "temporal_stride",
]

"""Every layer's features of every recording: `record` reads them from a network, `LayerStore` keeps them.

`observing` gives other modules the outputs of a network's layers (the relevance maps use it). Features are
measured elsewhere, in `stgcnlib.dtw` and the steps after it.
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

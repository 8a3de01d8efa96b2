"""The model zoo: networks that read batches (N, C, T, V, M) and name their layers.

Every network has `layout`, `classes`, `channels`, `options` and `layer_names`; the outputs of those layers are
(N*M, C, T, V), the people of one recording side by side. A network of one's own needs none of these: `own` finds it,
and axis strings (`stgcnlib.activations.axes`) say how the axes of its layers are ordered.
"""

from __future__ import annotations

from stgcnlib.networks.checkpoints import load_weights, open_checkpoint, read_checkpoint, save_checkpoint
from stgcnlib.networks.graph import adjacency
from stgcnlib.networks.loading import NETWORKS, load_network
from stgcnlib.networks.stgcn import STGCN

__all__ = [
    "NETWORKS", "STGCN", "adjacency", "load_network", "load_weights", "open_checkpoint", "read_checkpoint",
    "save_checkpoint",
]  # fmt: skip

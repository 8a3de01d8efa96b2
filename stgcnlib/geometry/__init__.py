"""What the DS-Graphs of a network's layers say about labels: smoothness, intervals, controls, a verdict.

Distances and graphs come from the rooms below; pictures are drawn in `stgcnlib.figures`.
"""

from __future__ import annotations

from stgcnlib.geometry.layers import LayerGeometry, layer_geometry
from stgcnlib.geometry.smoothness import label_smoothness
from stgcnlib.geometry.uncertainty import bootstrap_counts, paired_difference, permutation_null
from stgcnlib.geometry.verdict import Verdict

__all__ = [
    "LayerGeometry",
    "Verdict",
    "bootstrap_counts",
    "label_smoothness",
    "layer_geometry",
    "paired_difference",
    "permutation_null",
]

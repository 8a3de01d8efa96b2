"""Every picture of a report as a public function that returns a matplotlib Figure, one module per kind.

Figures belong to no pyplot state: return one from a notebook cell, or call its `savefig`. A kind is imported when one
of its pictures is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stgcnlib.figures.activations import feature_norms, layer_shapes
    from stgcnlib.figures.classes import class_mixing, class_separation_layers
    from stgcnlib.figures.comparison import compare_classes, compare_curves, compare_pairs
    from stgcnlib.figures.data import class_counts, lengths, poses
    from stgcnlib.figures.dsgraph import ds_graph_map, edge_agreement, neighbor_counts, neighbors_of
    from stgcnlib.figures.dtw import distance_matrix, dtw_alignment
    from stgcnlib.figures.embedding import embed
    from stgcnlib.figures.faithfulness import faithfulness_areas, faithfulness_curves, randomisation_decay
    from stgcnlib.figures.noise import noise_loss, noise_smoothness
    from stgcnlib.figures.player import skeleton_player
    from stgcnlib.figures.players import neighbor_player
    from stgcnlib.figures.relevance import class_joint_heatmap, joint_time_maps, relevance_by_limb, skeleton_strip
    from stgcnlib.figures.smoothness import class_heatmap, class_smoothness, smoothness_curve
    from stgcnlib.figures.statistics import layer_similarity, sensitivity_curves, statistics_curves
    from stgcnlib.figures.suspects import outlier_pictures, suspect_pictures
    from stgcnlib.figures.training import confusion, per_class_accuracy, training_curves
    from stgcnlib.figures.transfer import transfer_curve

_KINDS = {
    "activations": "feature_norms layer_shapes",
    "classes": "class_mixing class_separation_layers",
    "comparison": "compare_classes compare_curves compare_pairs",
    "data": "class_counts lengths poses",
    "dsgraph": "ds_graph_map edge_agreement neighbor_counts neighbors_of",
    "dtw": "distance_matrix dtw_alignment",
    "embedding": "embed",
    "faithfulness": "faithfulness_areas faithfulness_curves randomisation_decay",
    "noise": "noise_loss noise_smoothness",
    "player": "skeleton_player",
    "players": "neighbor_player",
    "relevance": "class_joint_heatmap joint_time_maps relevance_by_limb skeleton_strip",
    "smoothness": "class_heatmap class_smoothness smoothness_curve",
    "statistics": "layer_similarity sensitivity_curves statistics_curves",
    "suspects": "outlier_pictures suspect_pictures",
    "training": "confusion per_class_accuracy training_curves",
    "transfer": "transfer_curve",
}
_HOME = {name: kind for kind, names in _KINDS.items() for name in names.split()}

__all__ = [
    "class_counts",
    "class_heatmap",
    "class_joint_heatmap",
    "class_mixing",
    "class_separation_layers",
    "class_smoothness",
    "compare_classes",
    "compare_curves",
    "compare_pairs",
    "confusion",
    "distance_matrix",
    "ds_graph_map",
    "dtw_alignment",
    "edge_agreement",
    "embed",
    "faithfulness_areas",
    "faithfulness_curves",
    "feature_norms",
    "joint_time_maps",
    "layer_shapes",
    "layer_similarity",
    "lengths",
    "neighbor_counts",
    "neighbor_player",
    "neighbors_of",
    "noise_loss",
    "noise_smoothness",
    "outlier_pictures",
    "per_class_accuracy",
    "poses",
    "randomisation_decay",
    "relevance_by_limb",
    "sensitivity_curves",
    "skeleton_player",
    "skeleton_strip",
    "smoothness_curve",
    "statistics_curves",
    "suspect_pictures",
    "training_curves",
    "transfer_curve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stgcnlib.figures' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"stgcnlib.figures.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

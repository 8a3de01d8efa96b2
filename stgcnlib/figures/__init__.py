"""Every picture of a report as a public function that returns a matplotlib Figure, one module per kind.

Figures belong to no pyplot state: return one from a notebook cell, or call its `savefig`.
"""

from __future__ import annotations

from stgcnlib.figures.activations import feature_norms, layer_shapes
from stgcnlib.figures.classes import class_mixing, class_separation_layers
from stgcnlib.figures.comparison import compare_classes, compare_curves, compare_pairs
from stgcnlib.figures.data import class_counts, lengths, poses
from stgcnlib.figures.dsgraph import ds_graph_map, edge_agreement, neighbor_counts, neighbors_of
from stgcnlib.figures.dtw import distance_matrix, dtw_alignment
from stgcnlib.figures.embedding import embed
from stgcnlib.figures.noise import noise_loss, noise_smoothness
from stgcnlib.figures.relevance import class_joint_heatmap, joint_time_maps, relevance_by_limb, skeleton_strip
from stgcnlib.figures.smoothness import class_heatmap, class_smoothness, smoothness_curve
from stgcnlib.figures.statistics import layer_similarity, sensitivity_curves, statistics_curves
from stgcnlib.figures.suspects import outlier_pictures, suspect_pictures
from stgcnlib.figures.training import confusion, per_class_accuracy, training_curves
from stgcnlib.figures.transfer import transfer_curve

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
    "feature_norms",
    "joint_time_maps",
    "layer_shapes",
    "layer_similarity",
    "lengths",
    "neighbor_counts",
    "neighbors_of",
    "noise_loss",
    "noise_smoothness",
    "outlier_pictures",
    "per_class_accuracy",
    "poses",
    "relevance_by_limb",
    "sensitivity_curves",
    "skeleton_strip",
    "smoothness_curve",
    "statistics_curves",
    "suspect_pictures",
    "training_curves",
    "transfer_curve",
]

"""What is read off the DS-Graphs of a network's layers: label smoothness and other statistics, with intervals.

Also controls, classes and single recordings. Distances come from `stgcnlib.dtw` and graphs from `stgcnlib.dsgraph`;
`stgcnlib.verdicts` says what the numbers mean, and `stgcnlib.figures` draws them.
"""

from __future__ import annotations

from stgcnlib.geometry.baselines import baseline_distances, layer_baselines
from stgcnlib.geometry.density import smoothness_by_density
from stgcnlib.geometry.flips import Flips, flip_groups, neighbor_flips
from stgcnlib.geometry.floor import ChosenK, choose_k, rescaled, same_class_candidates, smoothness_floor
from stgcnlib.geometry.layers import LayerGeometry, merge_geometries
from stgcnlib.geometry.likeness import network_likeness
from stgcnlib.geometry.measure import layer_geometry, values_without
from stgcnlib.geometry.neighbourhoods import (
    graph_similarity,
    intrinsic_dimension,
    neighbourhood_overlap,
    polytope_diameters,
)
from stgcnlib.geometry.planes import aligned_planes, embed, turned_onto
from stgcnlib.geometry.readout import debiased_cka, knn_predictions, pooled_features, probe_predictions
from stgcnlib.geometry.rounding import rounding_error
from stgcnlib.geometry.sensitivity import sensitivity
from stgcnlib.geometry.separation import class_confusions, class_separation, class_shares
from stgcnlib.geometry.shortages import find_shortages
from stgcnlib.geometry.smoothness import label_smoothness
from stgcnlib.geometry.statistics import LayerStatistics, layer_statistics
from stgcnlib.geometry.suspects import outliers, suspect_labels
from stgcnlib.geometry.targets import knn_estimates, probe_estimates, r_squared, target_null, target_smoothness
from stgcnlib.geometry.uncertainty import Estimate, Jackknife, permutation_null

__all__ = [
    "ChosenK",
    "Estimate",
    "Flips",
    "Jackknife",
    "LayerGeometry",
    "LayerStatistics",
    "aligned_planes",
    "baseline_distances",
    "choose_k",
    "class_confusions",
    "class_separation",
    "class_shares",
    "debiased_cka",
    "embed",
    "find_shortages",
    "flip_groups",
    "graph_similarity",
    "intrinsic_dimension",
    "knn_estimates",
    "knn_predictions",
    "label_smoothness",
    "layer_baselines",
    "layer_geometry",
    "layer_statistics",
    "merge_geometries",
    "neighbor_flips",
    "neighbourhood_overlap",
    "network_likeness",
    "outliers",
    "permutation_null",
    "polytope_diameters",
    "pooled_features",
    "probe_estimates",
    "probe_predictions",
    "r_squared",
    "rescaled",
    "rounding_error",
    "same_class_candidates",
    "sensitivity",
    "smoothness_by_density",
    "smoothness_floor",
    "suspect_labels",
    "target_null",
    "target_smoothness",
    "turned_onto",
    "values_without",
]

"""stgcnlib: what did each layer of a spatio-temporal graph network learn?

The names below are the public API; they load on first use, so that importing the package is quick.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

try:
    __version__ = version("stgcnlib")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

if TYPE_CHECKING:
    from stgcnlib import figures, transforms
    from stgcnlib.activations import LayerStore, record
    from stgcnlib.demo import demo_sequences
    from stgcnlib.dsgraph import DSGraph, ds_graph, knn_graph, nnk_graph, nnk_weights
    from stgcnlib.dtw import dtw_distances, dtw_neighbors, dtw_path
    from stgcnlib.explain import RelevanceMap, grad_cam
    from stgcnlib.geometry import LayerGeometry, label_smoothness, layer_geometry
    from stgcnlib.networks import load_network
    from stgcnlib.pipeline import Study, open_study
    from stgcnlib.readers import read
    from stgcnlib.report import run_study
    from stgcnlib.sequences import SequenceSet
    from stgcnlib.skeleton import SkeletonLayout, graph_layout, layout
    from stgcnlib.studies import advise_frozen, compare_studies, noise_study, transfer_study
    from stgcnlib.summary import Summary, summarize
    from stgcnlib.training import evaluate, fine_tune, fit

_HOME = {
    "DSGraph": "dsgraph",
    "LayerGeometry": "geometry",
    "LayerStore": "activations",
    "RelevanceMap": "explain",
    "SequenceSet": "sequences",
    "SkeletonLayout": "skeleton",
    "Study": "pipeline",
    "Summary": "summary",
    "advise_frozen": "studies",
    "compare_studies": "studies",
    "demo_sequences": "demo",
    "ds_graph": "dsgraph",
    "dtw_distances": "dtw",
    "dtw_neighbors": "dtw",
    "dtw_path": "dtw",
    "evaluate": "training",
    "figures": "",
    "fine_tune": "training",
    "fit": "training",
    "grad_cam": "explain",
    "graph_layout": "skeleton",
    "knn_graph": "dsgraph",
    "label_smoothness": "geometry",
    "layer_geometry": "geometry",
    "layout": "skeleton",
    "load_network": "networks",
    "nnk_graph": "dsgraph",
    "nnk_weights": "dsgraph",
    "noise_study": "studies",
    "open_study": "pipeline",
    "read": "readers",
    "record": "activations",
    "run_study": "report",
    "summarize": "summary",
    "transfer_study": "studies",
    "transforms": "",
}

__all__ = [
    "DSGraph",
    "LayerGeometry",
    "LayerStore",
    "RelevanceMap",
    "SequenceSet",
    "SkeletonLayout",
    "Study",
    "Summary",
    "__version__",
    "advise_frozen",
    "compare_studies",
    "demo_sequences",
    "ds_graph",
    "dtw_distances",
    "dtw_neighbors",
    "dtw_path",
    "evaluate",
    "figures",
    "fine_tune",
    "fit",
    "grad_cam",
    "graph_layout",
    "knn_graph",
    "label_smoothness",
    "layer_geometry",
    "layout",
    "load_network",
    "nnk_graph",
    "nnk_weights",
    "noise_study",
    "open_study",
    "read",
    "record",
    "run_study",
    "summarize",
    "transfer_study",
    "transforms",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stgcnlib' has no attribute {name!r}")
    home = _HOME[name]
    value = (
        getattr(importlib.import_module(f"stgcnlib.{home}"), name)
        if home
        else importlib.import_module(f"stgcnlib.{name}")
    )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

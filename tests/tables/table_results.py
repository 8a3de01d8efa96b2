"""Small results made by hand, whose every number is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from stgcnlib.explain import MapEvaluation, RelevanceMap
from stgcnlib.geometry import LayerGeometry
from stgcnlib.sequences import SequenceSet

LAYERS: list[dict[str, Any]] = [
    {"name": "input", "title": "input", "index": 0},
    {"name": "blocks.0", "title": "layer 1", "index": 1},
    {"name": "blocks.1", "title": "layer 2", "index": 2},
]


def recordings() -> SequenceSet:
    """Six recordings of two classes by three subjects, 4 to 9 frames; the last has two people."""
    rng = np.random.default_rng(0)
    coords = [rng.normal(size=(frames, 20, 3)) for frames in range(4, 9)] + [rng.normal(size=(2, 9, 20, 3))]
    return SequenceSet(
        coords,
        labels=[0, 0, 0, 1, 1, 1],
        class_names=["wave", "kick"],
        groups={"subject": [1, 2, 3, 1, 2, 3]},
        layout="kinect-v1",
        names=list("abcdef"),
    )


def geometry(*, subjects: bool = True, untrained: bool = True) -> LayerGeometry:
    """S falls from 0.5 by 0.1 per layer; neighbours of all subjects take 0.05 off, no training adds 0.2."""
    rows, nodes, graphs = [], [], {}
    for network in ("trained", "untrained") if untrained else ("trained",):
        for layer in reversed(LAYERS):
            for neighbours in ("other subjects", "all") if subjects else ("all",):
                value = 0.5 - 0.1 * layer["index"] + 0.2 * (network == "untrained") - 0.05 * (neighbours == "all")
                where = {"layer": layer["name"], "index": layer["index"], "network": network, "neighbours": neighbours}
                rows.append(
                    where
                    | {"title": layer["title"], "smoothness": value, "low": value - 0.01, "high": value + 0.01}
                    | {
                        "null_mean": 0.6,
                        "null_low": 0.55,
                        "null_high": 0.65,
                        "floor": 0.1,
                        "rescaled": 0.5,
                        "rmse": 0.25,
                        "knn_smoothness": 0.45,
                    }
                    | {"neighbor_count": 3.14159, "kkt_residual": 2e-9, "sigma": 0.123456, "n": 6}
                )
                own = [value + step for step in (0.3, -0.1, 0.0, 0.2, -0.2, 0.1)]
                nodes += [where | {"node": i, "smoothness": s, "neighbor_count": 3} for i, s in enumerate(own)]
                graphs[(layer["name"], network, neighbours)] = (layer["name"], network, neighbours)
    made: Any = graphs  # nothing looks into them
    groups = np.array([0, 1, 2, 0, 1, 2]) if subjects else None
    settings = {"k": 4}
    labels = np.array([0, 0, 0, 1, 1, 1])
    return LayerGeometry(pd.DataFrame(rows), pd.DataFrame(), pd.DataFrame(nodes), made, labels, groups, settings)


def relevance(nodes: SequenceSet, explained: list[int]) -> list[dict[str, RelevanceMap]]:
    """At layer 1 all relevance lies on joint 7 for waves, on joint 0 for kicks; at layer 2 all joints have the same."""
    maps = []
    for node in explained:
        shape = nodes.people(node).shape[:3]
        focused, even = np.zeros(shape, np.float32), np.ones(shape, np.float32)
        focused[..., 7 if nodes.labels[node] == 0 else 0] = 2
        target = int(nodes.labels[node])
        pair = zip(LAYERS[1:], (focused, even), strict=True)
        maps.append({a["name"]: RelevanceMap(v, v, a["name"], a["index"], a["title"], target) for a, v in pair})
    return maps


def evaluation(*, arms: bool = True) -> MapEvaluation:
    """Layer 1 beats random maps in deletion, layer 2 doesn't."""
    summary, checks = [], []
    for index, area in ((2, 0.5), (1, 0.2)):
        about = {"layer": f"blocks.{index - 1}", "title": f"layer {index}", "index": index}
        for mode in ("deletion", "insertion"):
            numbers = {"area": area, "low": area - 0.1, "high": area + 0.1}
            for end, add in (("", 0), ("_low", -0.1), ("_high", 0.1)):
                numbers |= {f"random{end}": 0.5 + add / 2, f"beats_random{end}": 0.5 - area + add}
                numbers |= {f"motion{end}": 0.3 + add, f"beats_motion{end}": 0.3 - area + add}
            summary.append(about | numbers | {"unit": "joints", "mode": mode})
        checks.append(about | {"correlation": -0.25, "low": -0.5, "high": 0.0})
    table = pd.DataFrame(checks)
    smooth = table.assign(maps=0.3, maps_low=0.2, maps_high=0.4, features=0.1, features_low=np.nan, features_high=0.2)
    shares = [
        {"class": name, "label": label, "limb": limb, "index": index, "share": share, "even": 0.2}
        for name, label, limb, first in (("throw", 1, "left arm", 0.4), ("wave", 0, "right arm", 0.25))
        for index, share in ((1, first), (2, 0.5))
    ]
    found = pd.DataFrame(shares if arms else [])
    nothing = pd.DataFrame()
    return MapEvaluation(nothing, nothing, pd.DataFrame(summary), table, nothing, table, smooth, found)

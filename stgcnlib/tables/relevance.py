"""Tables of relevance maps: which joints they look at, and how far they may be trusted.

A set of maps is a list with one dictionary (layer -> RelevanceMap) per explained node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import LayerNotFoundError, suggest
from stgcnlib.groups import strata
from stgcnlib.sequences import SequenceSet
from stgcnlib.tables.words import changes, spans
from stgcnlib.verdicts.outcome import BETTER

if TYPE_CHECKING:
    from stgcnlib.explain import MapEvaluation, RelevanceMap

__all__ = ["arms_table", "checks_table", "class_joint_relevance", "faithfulness_table", "kinds", "limb_relevance"]

STRONGEST = 5
"""Joints that stand for the parts of a graph that names none."""


# -- where relevance lies ----------------------------------------------------------------------


def class_joint_relevance(
    nodes: SequenceSet, explained: ArrayLike, maps: Sequence[Mapping[str, RelevanceMap]], *, layer: str
) -> NDArray[np.float64] | None:
    """(classes, V) mean relevance over frames, people and recordings of a class; rows sum to 1.

    Where there are no classes, rows are the quarters of the recordings by their target (`stgcnlib.groups.strata`).
    `None` for the input where it has no map; rows of classes without a recording are NaN.

    Args:
        nodes: N recordings.
        explained: (n,) indices of the nodes with maps.
        maps: of the explained nodes.
        layer: name of the layer.

    Raises:
        LayerNotFoundError: the maps have no such layer; suggests the nearest names.
    """
    if layer not in maps[0]:
        if layer == "input":
            return None
        raise LayerNotFoundError(f"no map of layer {layer!r}; {suggest(layer, maps[0])}")
    codes, kinds = strata(nodes)
    labels = codes[np.asarray(explained)]
    total = np.full((len(kinds), len(nodes.layout)), np.nan)
    joints = np.stack([each[layer].values.mean(axis=(0, 1), dtype=np.float64) for each in maps])
    for c in np.unique(labels):
        mean = joints[labels == c].mean(axis=0)
        total[c] = mean / mean.sum() if mean.sum() > 0 else 0.0
    return total


def kinds(nodes: SequenceSet) -> list[str]:
    """Names of the rows of `class_joint_relevance`: the classes, or the quarters of the target."""
    return list(strata(nodes)[1])


def limb_relevance(
    nodes: SequenceSet, explained: ArrayLike, maps: Sequence[Mapping[str, RelevanceMap]]
) -> pd.DataFrame:
    """Share of relevance per body part and layer: columns title, index, limb, share, even.

    `even` is the part's share of the joints. On a layout that names no parts, the joints that have most relevance over
    all layers take their place.

    Args:
        nodes: N recordings.
        explained: (n,) indices of the nodes with maps.
        maps: of the explained nodes.
    """
    layout = nodes.layout
    known = {}
    for name in maps[0]:
        classes = class_joint_relevance(nodes, explained, maps, layer=name)
        assert classes is not None
        known[name] = np.nanmean(classes, axis=0)
    strongest = np.argsort(-np.sum(list(known.values()), axis=0), kind="stable")[:STRONGEST]
    limbs = layout.limbs or {layout.joints[j]: (int(j),) for j in strongest}
    rows = []
    for name, joints in known.items():
        where = {"title": maps[0][name].title, "index": maps[0][name].index}
        for limb, members in limbs.items():
            share = float(joints[list(members)].sum() / max(joints.sum(), np.finfo(float).tiny))
            rows.append(where | {"limb": limb, "share": share, "even": len(members) / len(layout)})
    return pd.DataFrame(rows)


# -- how far it may be trusted -----------------------------------------------------------------


def faithfulness_table(evaluation: MapEvaluation, *, unit: str, mode: str) -> pd.DataFrame:
    """Areas under the curves against layer, with intervals, beside random maps and motion energy.

    "better by" is paired by recording: by how much the layer's maps are better than that comparison, or worse.

    Args:
        evaluation: of `stgcnlib.explain.evaluate_maps`.
        unit: "joints", "frames" or "joint-frames".
        mode: "deletion" or "insertion".
    """
    table = evaluation.summary
    rows = table[(table["unit"] == unit) & (table["mode"] == mode)].sort_values("index")
    return pd.DataFrame(
        {
            "layer": rows["title"],
            "area": spans(rows, "area", "low", "high", "{:.3f}"),
            "random maps": spans(rows, "random", "random_low", "random_high", "{:.3f}"),
            "better by": changes(rows, "beats_random", *_ends("beats_random"), "{:z.3f}", BETTER),
            "motion energy": spans(rows, "motion", "motion_low", "motion_high", "{:.3f}"),
            "better than it by": changes(rows, "beats_motion", *_ends("beats_motion"), "{:z.3f}", BETTER),
        }
    ).set_index("layer")


def _ends(name: str) -> tuple[str, str]:
    return f"{name}_low", f"{name}_high"


def checks_table(evaluation: MapEvaluation) -> pd.DataFrame:
    """Contrast between two classes, stability under jitter, and label smoothness of the maps, against layer.

    Label smoothness of the features is beside it where `evaluate_maps` was given their distances.

    Args:
        evaluation: of `stgcnlib.explain.evaluate_maps`.
    """

    def column(table: pd.DataFrame, value: str, low: str, high: str) -> pd.Series[str]:
        return pd.Series(spans(table, value, low, high, "{:.2f}"), index=table["title"])

    columns = {
        "two classes' maps correlate": column(evaluation.contrast, "correlation", "low", "high"),
        "under jitter": column(evaluation.stable, "correlation", "low", "high"),
        "label smoothness of maps": column(evaluation.smoothness, "maps", "maps_low", "maps_high"),
    }
    if "features" in evaluation.smoothness:
        columns["of features"] = column(evaluation.smoothness, "features", "features_low", "features_high")
    return pd.DataFrame(columns).rename_axis("layer")


def arms_table(evaluation: MapEvaluation) -> pd.DataFrame | None:
    """Share of relevance on the acting arm: one-armed actions by layers; `None` where no action is one-armed."""
    table = evaluation.arms
    if not len(table):
        return None
    named = table.assign(action=table["class"] + " (" + table["limb"] + ")", order=table["label"] % 10**6)
    shown = named.pivot(index=["order", "action"], columns="index", values="share").droplevel("order")
    even = named.drop_duplicates("action").set_index("action")["even"]
    shown.columns = [str(c) for c in shown.columns]
    shown["of the joints"] = even
    return shown.map("{:.0%}".format).rename_axis("action; at layer")

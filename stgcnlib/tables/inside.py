"""Facts about the origin of a layer's features: its receptive field, and the topology of its graph convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from stgcnlib.networks.graph import hop_distance
from stgcnlib.skeleton import SkeletonLayout

if TYPE_CHECKING:
    from stgcnlib.explain import ReceptiveField, Topology

__all__ = ["field_facts", "topology_facts"]


def field_facts(fields: Mapping[str, ReceptiveField], *, layer: str) -> pd.DataFrame | None:
    """On what part of the input a layer's features depend, one fact per row; `None` where it has no field (input).

    Args:
        fields: of `stgcnlib.explain.receptive_fields`.
        layer: name of the layer.
    """
    if layer not in fields:
        return None
    found = fields[layer]
    share = f"{found.share:.0%} of the influence comes from"
    count = found.joints.shape[1]
    frames = f"{found.frames}" if found.frames else f"all (more than half of {found.tried}, in both directions)"
    return pd.DataFrame(
        {
            "value": {
                "input frames per frame of the layer": f"{found.stride}",
                "input frames that can change a feature": frames,
                f"{share} frames": f"{found.effective_frames}",
                "input joints that can change a joint's feature": f"{_span(found.reach)} of {count}",
                f"{share} joints": _span(found.effective_joints),
            }
        }
    )


def topology_facts(topologies: Mapping[str, Topology], layout: SkeletonLayout, *, layer: str) -> pd.DataFrame | None:
    """From which joints a layer computes each joint, one fact per row; `None` for a layer without topology.

    Args:
        topologies: of `stgcnlib.explain.learned_topologies`.
        layout: whose bones they are compared with.
        layer: name of the layer.
    """
    if layer not in topologies:
        return None
    found, hops = topologies[layer], hop_distance(layout)
    count = max(int((found.used.sum(axis=0) > 0).sum()), 1)
    shares = {
        "from the joint itself": found.used[hops == 0].sum() / count,
        "along bones": found.used[hops == 1].sum() / count,
        "from two bones away": found.used[hops == 2].sum() / count,
        "from further away": found.used[hops > 2].sum() / count,
    }
    facts = {key: f"{value:.0%}" for key, value in shares.items()}
    others = np.where(hops > 1, found.used, 0)
    source, target = np.unravel_index(int(others.argmax()), others.shape)
    if others[source, target] > 0:
        link = f"{layout.joints[target]} takes {others[source, target]:.0%} from {layout.joints[source]}"
        facts["largest share between joints without a bone"] = link
    if found.varies > 0:
        facts["share of weight that changes between recordings"] = f"{found.varies:.0%}"
    return pd.DataFrame({"value": facts})


def _span(values: np.ndarray) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low}" if low == high else f"{low} to {high}"

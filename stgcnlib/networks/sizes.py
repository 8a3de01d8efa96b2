"""What the shapes of a published state dict tell: the constructor arguments that its network was built with.

Shapes come under the names of the authors' code, or of MMAction2's and PYSKL's below ``backbone.``. What they don't
tell is `None` or left out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from stgcnlib.networks.recognizer import block_plan, halving_blocks

__all__ = [
    "Shapes",
    "block_gcn",
    "by_first_block",
    "de_gcn",
    "efficient_gcn",
    "hd_gcn",
    "hyperformer",
    "ms_g3d",
    "proto_gcn",
    "shift_gcn",
    "st_gcn",
]

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


def _size(shapes: Shapes, pattern: str, axis: int = 0) -> int | None:
    """Size along one axis of the first key that a regular expression fits, or `None`."""
    return next((shape[axis] for key, shape in shapes.items() if re.fullmatch(pattern, key)), None)


def _common(shapes: Shapes, *, joints: int | None, channels: int | None) -> dict[str, Any]:
    """What all families share: the head's size gives the classes, the first batch norm's size the people."""
    norm = _size(shapes, r"data_bn\.weight")
    people = norm // (joints * channels) if norm and joints and channels else None
    classes = _size(shapes, r"(classifier\.)?(fc|fcn|fc_cls)\.weight")
    return {"classes": classes, "joints": joints, "channels": channels, "people": people}


def _blocks_told(shapes: Shapes, block: str, width: str, axis: int = 0) -> dict[str, Any]:
    """Width, depth and halvings, from the keys that the expressions fit; `widths` where no such blocks are built.

    The published halvings are left out. Frames are assumed to halve where channels double. A shortcut with weights
    between equal channels shows that frames halve where channels do not double; such networks are not built.
    """
    found = {int(m[1]): shape[axis] for key, shape in shapes.items() if (m := re.fullmatch(block + width, key))}
    widths = [found[number] for number in sorted(found)]
    if not widths:
        return {}
    told: dict[str, Any] = {"width": widths[0], "depth": len(widths)}
    if widths == [plan.channels_out for plan in block_plan(1, widths[0], len(widths))]:
        return told
    grown = [later / before for before, later in itertools.pairwise(widths)]
    shortcuts = {int(m[1]) for key in shapes if (m := re.match(block + r"\.residual\.", key))}
    steps = zip(sorted(found)[1:], grown, strict=True)
    if any(growth not in (1, 2) or (growth == 1 and number in shortcuts) for number, growth in steps):
        return {**told, "widths": tuple(widths)}
    return {**told, "halvings": tuple(number for number, growth in enumerate(grown, start=2) if growth == 2)}


def st_gcn(shapes: Shapes) -> dict[str, Any]:
    """ST-GCN and ST-GCN++: partitions of the graph, width and depth, and whether edges have weights."""
    graph, first = r"A|edge_importance\.0|gcn\.0\.gcn\.(PA|A)", r"(st_gcn_networks|gcn)\.0\.gcn\.conv\.weight"
    sizes = _common(shapes, joints=_size(shapes, graph, -1), channels=_size(shapes, first, 1))
    sizes |= _blocks_told(shapes, r"(?:st_gcn_networks|gcn)\.(\d+)", r"\.(?:tcn\.0|gcn\.bn)\.weight")
    if "st_gcn_networks.0.gcn.conv.weight" in shapes:
        sizes["edge_importance"] = "edge_importance.0" in shapes
        # Three partitions may also be distances up to 2 hops; the published networks are spatial.
        named = {1: ("uniform", 1), 2: ("distance", 1), 3: ("spatial", 1), 5: ("spatial", 2)}
        sizes["strategy"], sizes["max_hop"] = named.get(_size(shapes, graph) or 0, (None, None))
    return sizes


def by_first_block(shapes: Shapes, *, first: str) -> dict[str, Any]:
    """AGCN, AAGCN, CTR-GCN: the first graph convolution (width, channels, 1, 1), and the graph (K, V, V)."""
    sizes = _common(shapes, joints=_size(shapes, r".*\.(PA|A)", -1), channels=_size(shapes, first, 1))
    return {**sizes, **_blocks_told(shapes, r"(?:l|gcn\.|net\.)(\d+)", r"\.gcn1?\.bn\.weight")}


def ms_g3d(shapes: Shapes) -> dict[str, Any]:
    """MS-G3D: one graph per scale, stacked (scales * V, V), and one multilayer perceptron over all scales."""
    graph, first = r"sgcn1\.0\.A_res", r"sgcn1\.0\.mlp\.layers\.0\.weight"
    stacked, joints, features = _size(shapes, graph), _size(shapes, graph, 1), _size(shapes, first, 1)
    if not joints or not stacked or not features:
        return {}
    scales = stacked // joints
    sizes = _common(shapes, joints=joints, channels=features // scales)
    return {**sizes, "width": _size(shapes, first), "gcn_scales": scales}


def shift_gcn(shapes: Shapes) -> dict[str, Any]:
    """Shift-GCN: a mask per joint and channel, and a linear map (channels, width)."""
    joints, first = _size(shapes, r"l1\.gcn1\.Feature_Mask", 1), r"l1\.gcn1\.Linear_weight"
    sizes = _common(shapes, joints=joints, channels=_size(shapes, first))
    return {**sizes, **_blocks_told(shapes, r"l(\d+)", r"\.gcn1\.Linear_weight", axis=1)}


def hd_gcn(shapes: Shapes) -> dict[str, Any]:
    """HD-GCN: graphs (L, 3, V, V) of L levels; no shape tells the centre of mass."""
    sizes = by_first_block(shapes, first=r"l1\.gcn1\.conv_down\.0\.0\.weight")
    return {**sizes, "levels": _size(shapes, r"l1\.gcn1\.PA")}


def hyperformer(shapes: Shapes) -> dict[str, Any]:
    """Hyperformer: attention of some heads."""
    query, outer = r"l1\.vit1\.attn\.q\.weight", r"l1\.vit1\.attn\.outer"
    sizes = _common(shapes, joints=_size(shapes, outer, -1), channels=_size(shapes, query, 1))
    sizes |= {"width": _size(shapes, query), "heads": _size(shapes, outer)}
    return sizes | _halvings_told(shapes, r"l\d+\.vit1\.attn\.q\.weight")


def block_gcn(shapes: Shapes) -> dict[str, Any]:
    """BlockGCN: an embedding (width, channels), and graphs (3, heads, V, V)."""
    embedding, graph = r"to_joint_embedding\.weight", r"l1\.gcn1\.fc1"
    width, channels, joints = _size(shapes, embedding), _size(shapes, embedding, 1), _size(shapes, graph, -1)
    sizes = {**_common(shapes, joints=joints, channels=width), "channels": channels}
    sizes |= {"width": width, "heads": _size(shapes, graph, 1)}
    return sizes | _halvings_told(shapes, r"l\d+\.gcn1\.fc1")


def de_gcn(shapes: Shapes) -> dict[str, Any]:
    """DeGCN: streams, a head each, and places that each frame reads."""
    first = r"streams\.0\.block-0_tcngcn\.gcn\."
    sizes = _common(shapes, joints=_size(shapes, first + "A", -1), channels=_size(shapes, first + r"conv\.weight", 1))
    sizes |= _blocks_told(shapes, r"streams\.0\.block-(\d+)_tcngcn", r"\.gcn\.bn\.weight")
    heads = [shape for key, shape in shapes.items() if re.fullmatch(r"fc\.\d+\.weight", key)]
    sizes |= {"streams": len(heads) or None, "classes": heads[0][0] if heads else None}
    return {**sizes, "places": _size(shapes, r"streams\.0\.block-0_tcngcn\.tcn\.tcn1\.2\.tr")}


def proto_gcn(shapes: Shapes) -> dict[str, Any]:
    """ProtoGCN: graphs (8, V, V), and queries (prototypes, channels)."""
    first = r"gcn\.0\.gcn\.conv1\.weight"
    sizes = _common(shapes, joints=_size(shapes, r"gcn\.0\.gcn\.A", -1), channels=_size(shapes, first, 1))
    sizes |= _blocks_told(shapes, r"gcn\.(\d+)", r"\.gcn\.bn\.weight")
    return {**sizes, "prototypes": _size(shapes, r"prn\.query_matrix\.weight")}


def _halvings_told(shapes: Shapes, block: str) -> dict[str, Any]:
    """Depth, and the blocks after the first whose shortcut has weights, where they are not the published ones."""
    depth = sum(re.fullmatch(block, key) is not None for key in shapes)
    halvings = tuple(number for number in range(2, depth + 1) if f"l{number}.residual.conv.weight" in shapes)
    told: dict[str, Any] = {"depth": depth or None}
    return told if halvings == halving_blocks(depth) else {**told, "halvings": halvings}


def efficient_gcn(shapes: Shapes) -> dict[str, Any]:
    """EfficientGCN: branches that read two kinds of features each."""
    joints = _size(shapes, r"input_branches\.0\..*\.A", -1)
    features = _size(shapes, r"input_branches\.0\.init_bn\.weight")
    # Each branch reads two kinds of features side by side, such as positions about the frame and about the body.
    sizes = _common(shapes, joints=joints, channels=features // 2 if features else None)
    return {**sizes, "width": _size(shapes, r"input_branches\.0\.stem_scn\.bn\.weight")}

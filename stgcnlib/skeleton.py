"""Layouts: which joints a body has, in which order, and how bones join them; or the vertices and edges of any graph.

A layout is data, not behaviour: readers name one, networks build their graph from it, figures draw
its bones. Motion lives in `stgcnlib.sequences`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from stgcnlib.errors import LayoutError, shorten, suggest

__all__ = ["LAYOUTS", "SkeletonLayout", "graph_layout", "layout"]


@dataclass(frozen=True)
class SkeletonLayout:
    """Joints, bones and landmarks of one kind of skeleton; `graph_layout` makes one of any other graph.

    Attributes:
        name: what `layout()` finds it by.
        joints: joint names in the order of the data's joint axis (V names).
        bones: pairs ``(child, parent)`` of joint indices; V - 1 of them for a tree.
        centre: the joint that spatial partitions are measured from (ST-GCN, section 3.3); `None` without one.
        mirror: pairs ``(left, right)`` of joint indices; joints of no pair lie on the midline.
        spine: ``(lower, upper)`` joints of the trunk axis, used to set the body upright.
        shoulders: ``(left, right)`` joints whose line gives the facing direction.
        limbs: names of body parts -> their joints, for grouping in figures.
        dimensions: 3 for positions in metres, 2 for image coordinates, 0 for a graph whose joints carry signals
            instead of moving: nothing can then be centred, turned or mirrored.
        positions: where to draw the joints of such a graph, one (x, y) or (x, y, z) each; `None` lets figures choose.

    Raises:
        LayoutError: if an index is out of range, a joint name repeats, a bone is a loop, or positions do not fit.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    centre: int | None = None
    mirror: tuple[tuple[int, int], ...] = ()
    spine: tuple[int, int] | None = None
    shoulders: tuple[int, int] | None = None
    limbs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dimensions: int = 3
    positions: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        count = len(self.joints)
        if len(set(self.joints)) != count:
            repeated = sorted({j for j in self.joints if self.joints.count(j) > 1})
            raise LayoutError(f"layout {self.name!r}: joint names repeat ({', '.join(repeated)}); name each once")
        pairs = [*self.bones, *self.mirror]
        pairs += [pair for pair in (self.spine, self.shoulders) if pair is not None]
        used = [] if self.centre is None else [self.centre]
        used += [j for members in (*pairs, *self.limbs.values()) for j in members]
        wrong = sorted({j for j in used if not 0 <= j < count})
        if wrong:
            raise LayoutError(
                f"layout {self.name!r}: joint indices {wrong} do not exist; it has joints 0 to {count - 1}"
            )
        if loops := [bone for bone in self.bones if bone[0] == bone[1]]:
            raise LayoutError(f"layout {self.name!r}: bone {loops[0]} joins a joint to itself; give (child, parent)")
        sizes = {len(place) for place in self.positions or ()}
        if self.positions is not None and (len(self.positions) != count or sizes not in ({2}, {3})):
            raise LayoutError(
                f"layout {self.name!r}: positions hold {len(self.positions)} places of {sorted(sizes)} numbers for "
                f"{count} joints; give each (x, y) or (x, y, z)"
            )

    def __len__(self) -> int:
        """Number of joints V."""
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Index of a joint by name; `LayoutError` with the nearest names if there is none."""
        try:
            return self.joints.index(joint)
        except ValueError:
            raise LayoutError(f"layout {self.name!r} has no joint {joint!r}; {suggest(joint, self.joints)}") from None

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` makes this layout of again, fit for JSON."""
        fields = {**asdict(self), "limbs": {name: list(joints) for name, joints in self.limbs.items()}}
        if self.positions is None:
            del fields["positions"]  # as files of version 0.1 have it
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> SkeletonLayout:
        """The layout of plain values, as `to_dict` gives them.

        Raises:
            LayoutError: as the class.
            KeyError, TypeError, ValueError: if a field is missing or of another kind.
        """

        def pairs(key: str) -> tuple[tuple[int, int], ...]:
            return tuple((int(a), int(b)) for a, b in fields[key])

        def pair(key: str) -> tuple[int, int] | None:
            return None if fields[key] is None else (int(fields[key][0]), int(fields[key][1]))

        places = fields.get("positions")
        return cls(
            name=fields["name"],
            joints=tuple(fields["joints"]),
            bones=pairs("bones"),
            centre=None if fields["centre"] is None else int(fields["centre"]),
            mirror=pairs("mirror"),
            spine=pair("spine"),
            shoulders=pair("shoulders"),
            limbs={name: tuple(joints) for name, joints in fields["limbs"].items()},
            dimensions=int(fields["dimensions"]),
            positions=None if places is None else tuple(tuple(float(x) for x in place) for place in places),
        )


def graph_layout(
    name: str,
    edges: Iterable[Sequence[int]],
    *,
    names: Sequence[str] | None = None,
    positions: Iterable[Sequence[float]] | None = None,
    groups: Mapping[str, Sequence[int]] | None = None,
) -> SkeletonLayout:
    """The layout of a graph that is no body: sensors, roads, brain regions.

    Its vertices are called joints and its edges bones, as a body's; they carry signals, so nothing is centred, turned
    or mirrored (`transforms.standardize` prepares such data). Networks that part neighbours by their distance to a
    centre need strategy "uniform" or "distance" on it.

    Args:
        name: for messages and figures.
        edges: pairs of joint indices, undirected; one of each pair of joints.
        names: of the V joints, in the data's order; `None` numbers them "joint 0", … up to the largest index in `edges`
            or the last of `positions`.
        positions: (V, 2) or (V, 3) where figures draw the joints; `None` lets figures lay the graph out by its edges.
        groups: names of regions -> their joints, for grouping in figures.

    Raises:
        LayoutError: if an edge or a group names a joint that is not there, a name repeats, an edge is given twice, or
            positions do not fit.
    """
    try:
        pairs = [(int(a), int(b)) for a, b in edges]
        places = None if positions is None else tuple(tuple(float(x) for x in place) for place in positions)
    except (TypeError, ValueError) as error:
        raise LayoutError(
            f"layout {name!r}: edges are pairs of joint indices and positions are (x, y) per joint ({error})"
        ) from None
    known = {frozenset(pair) for pair in pairs}
    if len(known) < len(pairs):
        twice = sorted({pair for pair in pairs if pairs.count(pair) + (pairs.count(pair[::-1])) > 1})
        raise LayoutError(f"layout {name!r}: edges {shorten(twice, 4)} are given twice; give each pair of joints once")
    count = len(places) if places is not None else 1 + max((joint for pair in pairs for joint in pair), default=-1)
    return SkeletonLayout(
        name=name,
        joints=tuple(str(n) for n in names) if names is not None else tuple(f"joint {j}" for j in range(count)),
        bones=tuple(pairs),
        limbs={region: tuple(int(j) for j in members) for region, members in (groups or {}).items()},
        dimensions=0,
        positions=places,
    )


_NTU = SkeletonLayout(
    name="ntu-rgb+d",
    joints=(
        "spine base", "spine mid", "neck", "head",
        "left shoulder", "left elbow", "left wrist", "left hand",
        "right shoulder", "right elbow", "right wrist", "right hand",
        "left hip", "left knee", "left ankle", "left foot",
        "right hip", "right knee", "right ankle", "right foot",
        "spine shoulder", "left hand tip", "left thumb", "right hand tip", "right thumb",
    ),
    bones=(
        (0, 1), (1, 20), (2, 20), (3, 2), (4, 20), (5, 4), (6, 5), (7, 6), (8, 20), (9, 8), (10, 9), (11, 10),
        (12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18),
        (21, 22), (22, 7), (23, 24), (24, 11),
    ),
    centre=20,
    mirror=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19), (21, 23), (22, 24)),
    spine=(0, 20),
    shoulders=(4, 8),
    limbs={
        "trunk": (0, 1, 20, 2, 3),
        "left arm": (4, 5, 6, 7, 21, 22),
        "right arm": (8, 9, 10, 11, 23, 24),
        "left leg": (12, 13, 14, 15),
        "right leg": (16, 17, 18, 19),
    },
)  # fmt: skip

# The order of UTD-MHAD's `d_skel`.
_KINECT_V1 = SkeletonLayout(
    name="kinect-v1",
    joints=(
        "head", "shoulder centre", "spine", "hip centre",
        "left shoulder", "left elbow", "left wrist", "left hand",
        "right shoulder", "right elbow", "right wrist", "right hand",
        "left hip", "left knee", "left ankle", "left foot",
        "right hip", "right knee", "right ankle", "right foot",
    ),
    bones=(
        (0, 1), (2, 1), (3, 2), (4, 1), (5, 4), (6, 5), (7, 6), (8, 1), (9, 8), (10, 9), (11, 10),
        (12, 3), (13, 12), (14, 13), (15, 14), (16, 3), (17, 16), (18, 17), (19, 18),
    ),
    centre=1,
    mirror=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19)),
    spine=(3, 1),
    shoulders=(4, 8),
    limbs={
        "trunk": (0, 1, 2, 3),
        "left arm": (4, 5, 6, 7),
        "right arm": (8, 9, 10, 11),
        "left leg": (12, 13, 14, 15),
        "right leg": (16, 17, 18, 19),
    },
)  # fmt: skip

# The same sensor in the order of Northwestern-UCLA: from the hip centre up, then the limbs.
_NW_UCLA = SkeletonLayout(
    name="nw-ucla",
    joints=(
        "hip centre", "spine", "shoulder centre", "head",
        "left shoulder", "left elbow", "left wrist", "left hand",
        "right shoulder", "right elbow", "right wrist", "right hand",
        "left hip", "left knee", "left ankle", "left foot",
        "right hip", "right knee", "right ankle", "right foot",
    ),
    bones=(
        (0, 1), (1, 2), (3, 2), (4, 2), (5, 4), (6, 5), (7, 6), (8, 2), (9, 8), (10, 9), (11, 10),
        (12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18),
    ),
    centre=2,
    mirror=_KINECT_V1.mirror,
    spine=(0, 2),
    shoulders=(4, 8),
    limbs=_KINECT_V1.limbs,
)  # fmt: skip

_OPENPOSE_18 = SkeletonLayout(
    name="openpose-18",
    joints=(
        "nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist",
        "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle",
        "right eye", "left eye", "right ear", "left ear",
    ),
    bones=(
        (4, 3), (3, 2), (7, 6), (6, 5), (13, 12), (12, 11), (10, 9), (9, 8), (11, 5), (8, 2),
        (5, 1), (2, 1), (0, 1), (15, 0), (14, 0), (17, 15), (16, 14),
    ),
    centre=1,
    mirror=((5, 2), (6, 3), (7, 4), (11, 8), (12, 9), (13, 10), (15, 14), (17, 16)),
    spine=None,
    shoulders=(5, 2),
    limbs={
        "head": (0, 1, 14, 15, 16, 17),
        "left arm": (5, 6, 7),
        "right arm": (2, 3, 4),
        "left leg": (11, 12, 13),
        "right leg": (8, 9, 10),
    },
    dimensions=2,
)  # fmt: skip

_COCO_17 = SkeletonLayout(
    name="coco-17",
    joints=(
        "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder",
        "left elbow", "right elbow", "left wrist", "right wrist", "left hip", "right hip",
        "left knee", "right knee", "left ankle", "right ankle",
    ),
    bones=(
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 5), (12, 6), (9, 7), (7, 5), (10, 8), (8, 6),
        (5, 0), (6, 0), (1, 0), (3, 1), (2, 0), (4, 2),
    ),
    centre=0,
    mirror=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    spine=None,
    shoulders=(5, 6),
    limbs={
        "head": (0, 1, 2, 3, 4),
        "left arm": (5, 7, 9),
        "right arm": (6, 8, 10),
        "left leg": (11, 13, 15),
        "right leg": (12, 14, 16),
    },
    dimensions=2,
)  # fmt: skip

# OpenPose's BODY_25.
_OPENPOSE_25 = SkeletonLayout(
    name="openpose-25",
    joints=(
        "nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist",
        "mid hip", "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle",
        "right eye", "left eye", "right ear", "left ear",
        "left big toe", "left small toe", "left heel", "right big toe", "right small toe", "right heel",
    ),
    bones=(
        (0, 1), (2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 6), (8, 1), (9, 8), (10, 9), (11, 10), (12, 8), (13, 12),
        (14, 13), (15, 0), (16, 0), (17, 15), (18, 16), (19, 14), (20, 19), (21, 14), (22, 11), (23, 22), (24, 11),
    ),
    centre=1,
    mirror=((5, 2), (6, 3), (7, 4), (12, 9), (13, 10), (14, 11), (16, 15), (18, 17), (19, 22), (20, 23), (21, 24)),
    spine=(8, 1),
    shoulders=(5, 2),
    limbs={
        "head": (0, 15, 16, 17, 18),
        "trunk": (1, 8),
        "left arm": (5, 6, 7),
        "right arm": (2, 3, 4),
        "left leg": (12, 13, 14, 19, 20, 21),
        "right leg": (9, 10, 11, 22, 23, 24),
    },
    dimensions=2,
)  # fmt: skip

# MediaPipe (BlazePose): x, y and z. Its drawing has cycles; these bones are a tree of it, from the nose out.
_MEDIAPIPE_33 = SkeletonLayout(
    name="mediapipe-33",
    joints=(
        "nose", "left eye inner", "left eye", "left eye outer", "right eye inner", "right eye", "right eye outer",
        "left ear", "right ear", "mouth left", "mouth right", "left shoulder", "right shoulder",
        "left elbow", "right elbow", "left wrist", "right wrist", "left pinky", "right pinky",
        "left index", "right index", "left thumb", "right thumb", "left hip", "right hip", "left knee", "right knee",
        "left ankle", "right ankle", "left heel", "right heel", "left foot index", "right foot index",
    ),
    bones=(
        (1, 0), (2, 1), (3, 2), (4, 0), (5, 4), (6, 5), (7, 3), (8, 6), (9, 0), (10, 0), (11, 0), (12, 0),
        (13, 11), (14, 12), (15, 13), (16, 14), (17, 15), (18, 16), (19, 15), (20, 16), (21, 15), (22, 16),
        (23, 11), (24, 12), (25, 23), (26, 24), (27, 25), (28, 26), (29, 27), (30, 28), (31, 29), (32, 30),
    ),
    centre=0,
    mirror=(
        (1, 4), (2, 5), (3, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16), (17, 18), (19, 20), (21, 22), (23, 24),
        (25, 26), (27, 28), (29, 30), (31, 32),
    ),
    spine=None,
    shoulders=(11, 12),
    limbs={
        "head": (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        "left arm": (11, 13, 15, 17, 19, 21),
        "right arm": (12, 14, 16, 18, 20, 22),
        "left leg": (23, 25, 27, 29, 31),
        "right leg": (24, 26, 28, 30, 32),
    },
)  # fmt: skip

LAYOUTS: Mapping[str, SkeletonLayout] = {
    known.name: known for known in (_NTU, _KINECT_V1, _NW_UCLA, _OPENPOSE_18, _OPENPOSE_25, _COCO_17, _MEDIAPIPE_33)
}


def layout(name: str | SkeletonLayout) -> SkeletonLayout:
    """The layout of that name; a `SkeletonLayout` is returned as it is.

    Raises:
        LayoutError: if no layout has that name; the nearest names are suggested.
    """
    if isinstance(name, SkeletonLayout):
        return name
    if name not in LAYOUTS:
        raise LayoutError(f"no layout is named {name!r}; {suggest(name, LAYOUTS)} or pass your own SkeletonLayout")
    return LAYOUTS[name]

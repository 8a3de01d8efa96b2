"""Layouts: every known one is a sound tree with true mirror pairs; wrong ones are refused by name."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stgcnlib.errors import LayoutError
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout, layout


@pytest.mark.parametrize("known", LAYOUTS.values(), ids=lambda known: known.name)
def test_known_layouts_are_sound(known: SkeletonLayout) -> None:
    V = len(known)
    assert len(known.bones) == V - 1
    graph = coo_array((np.ones(V - 1), np.array(known.bones).T), shape=(V, V))
    assert connected_components(graph, directed=False)[0] == 1
    palm = [0] if known.name == "hand-21" else []  # the wrist is of no finger
    assert sorted(palm + [j for joints in known.limbs.values() for j in joints]) == list(range(V))
    paired = [j for pair in known.mirror for j in pair]
    assert len(set(paired)) == len(paired)
    for left, right in known.mirror:
        assert known.joints[left].replace("left", "right") == known.joints[right] != known.joints[left]
    assert set(paired) == {j for j, name in enumerate(known.joints) if "left" in name or "right" in name}
    assert known.shoulders in known.mirror or (known.name == "hand-21" and known.shoulders is None)


@pytest.mark.parametrize("known", LAYOUTS.values(), ids=lambda known: known.name)
def test_mirror_maps_bones_onto_bones(known: SkeletonLayout) -> None:
    other = {a: b for left, right in known.mirror for a, b in ((left, right), (right, left))}
    bones = {frozenset(bone) for bone in known.bones}
    mirrored = {frozenset(other.get(j, j) for j in bone) for bone in known.bones}
    assert mirrored == bones


def test_joint_counts() -> None:
    assert {name: len(known) for name, known in LAYOUTS.items()} == {
        "ntu-rgb+d": 25,
        "kinect-v1": 20,
        "nw-ucla": 20,
        "openpose-18": 18,
        "openpose-25": 25,
        "mediapipe-33": 33,
        "coco-17": 17,
        "halpe-26": 26,
        "coco-wholebody-133": 133,
        "hand-21": 21,
        "openni-15": 15,
        "human3.6m-17": 17,
        "human3.6m-32": 32,
        "smpl-24": 24,
        "lcr-net-13": 13,
    }


def test_names() -> None:
    known = layout("kinect-v1")
    assert layout(known) is known
    assert known.index("left hip") == 12
    with pytest.raises(LayoutError, match=r"no joint 'left hipp'; did you mean 'left hip'"):
        known.index("left hipp")
    with pytest.raises(LayoutError, match=r"no layout is named 'kinect-v2'; did you mean 'kinect-v1'.*your own"):
        layout("kinect-v2")
    with pytest.raises(LayoutError, match="known names: 'ntu-rgb"):
        layout("qqqq")
    assert pickle.loads(pickle.dumps(known)) == known


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joints": ("a", "b", "a")}, r"'mine': joint names repeat \(a\)"),
        ({"bones": ((1, 0), (3, 1))}, r"joint indices \[3\] do not exist; it has joints 0 to 2"),
        ({"bones": ((1, 0), (2, 2))}, r"bone \(2, 2\) joins a joint to itself"),
        ({"centre": 3}, r"\[3\] do not exist"),
        ({"mirror": ((-1, 1),)}, r"\[-1\] do not exist"),
        ({"spine": (0, 9)}, r"\[9\] do not exist"),
        ({"shoulders": (7, 1)}, r"\[7\] do not exist"),
        ({"limbs": {"arm": (2, 5)}}, r"\[5\] do not exist"),
    ],
)
def test_wrong_layouts(changes: dict[str, Any], message: str) -> None:
    sound: dict[str, Any] = {"name": "mine", "joints": ("a", "b", "c"), "bones": ((1, 0), (2, 1)), "centre": 0}
    assert len(SkeletonLayout(**sound)) == 3
    with pytest.raises(LayoutError, match=message):
        SkeletonLayout(**{**sound, **changes})

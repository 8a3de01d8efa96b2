"""Some joints, or those of another layout: each is what its name says, and bones lead past what is gone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgcnlib.errors import LayoutError, SequenceError
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import LAYOUTS, graph_layout, layout
from stgcnlib.transforms import keep_joints, to_layout


def recordings(name: str, channels: int | None = None) -> SequenceSet:
    body = layout(name)
    rng = np.random.default_rng(len(body))
    shape = (4, len(body), channels or body.dimensions)
    return SequenceSet(
        [rng.uniform(1, 2, shape), rng.uniform(1, 2, (2, *shape))],
        labels=[1, 0],
        groups={"subject": [3, 4]},
        layout=body,
        names=["a", "b"],
    )


def test_kept_joints_bones_and_landmarks() -> None:
    data = recordings("ntu-rgb+d")
    part = keep_joints(data, ["head", "spine base", "left shoulder", "right shoulder", 7])
    assert part.layout.joints == ("head", "spine base", "left shoulder", "right shoulder", "left hand")
    # To the spine's lower end leads nothing that is kept; the hand hangs from the shoulder.
    assert set(part.layout.bones) == {(4, 2)}
    assert (part.layout.shoulders, part.layout.spine, part.layout.centre) == ((2, 3), None, None)
    assert part.layout.mirror == ((2, 3),)
    assert dict(part.layout.limbs) == {"trunk": (1, 0), "left arm": (2, 4), "right arm": (3,)}
    for old, new in zip(data.coords, part.coords, strict=True):
        np.testing.assert_array_equal(new, old[..., [3, 0, 4, 8, 7], :])
    assert (part.names, part.labels.tolist(), part.groups["subject"].tolist()) == (("a", "b"), [1, 0], [3, 4])


@given(st.sampled_from(sorted(LAYOUTS)), st.data())
def test_bones_lead_to_the_nearest_kept_joint(name: str, data: st.DataObject) -> None:
    body = layout(name)
    kept = data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, unique=True))
    part = keep_joints(recordings(name), kept)
    parents = dict(body.bones)
    found = {kept[child]: kept[parent] for child, parent in part.layout.bones}
    for joint in kept:
        above = parents.get(joint)
        while above is not None and above not in kept:
            above = parents.get(above)
        assert found.get(joint) == above


def test_all_joints_are_the_same_layout() -> None:
    for body in LAYOUTS.values():
        part = keep_joints(recordings(body.name), body.joints, name=body.name)
        assert set(part.layout.bones) == set(body.bones)
        assert part.layout.mirror == body.mirror
        assert part.layout.centre == body.centre


def test_edges_of_a_graph_are_kept_between_its_joints() -> None:
    ring = graph_layout("ring", [(0, 1), (1, 2), (2, 3), (3, 0)], positions=[(0, 0), (1, 0), (1, 1), (0, 1)])
    data = SequenceSet([np.ones((5, 4, 1))], layout=ring)
    part = keep_joints(data, [3, 0, 1]).layout
    assert set(part.bones) == {(0, 1), (1, 2)}
    assert part.positions == ((0, 1), (0, 0), (1, 0))


def test_wrong_joints() -> None:
    data = recordings("coco-17")
    with pytest.raises(LayoutError, match="has no joint 'tail'"):
        keep_joints(data, ["tail"])
    with pytest.raises(LayoutError, match="has no joint 17; it has joints 0 to 16"):
        keep_joints(data, [17])
    with pytest.raises(SequenceError, match="2 joints, 1 of them different"):
        keep_joints(data, ["nose", 0])
    with pytest.raises(SequenceError, match="0 joints"):
        keep_joints(data, [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("coco-wholebody-133", "coco-17"), ("halpe-26", "coco-17"), ("mediapipe-33", "coco-17"),
        ("openpose-25", "coco-17"), ("openpose-18", "coco-17"), ("coco-17", "openpose-18"),
        ("human3.6m-32", "human3.6m-17"), ("ntu-rgb+d", "kinect-v1"),
        ("kinect-v1", "nw-ucla"), ("nw-ucla", "kinect-v1"), ("openpose-25", "openpose-18"), ("halpe-26", "openpose-18"),
    ],
)  # fmt: skip
def test_joints_of_the_same_name_keep_their_places(old: str, new: str) -> None:
    data = recordings(old, channels=4 if old == "mediapipe-33" else None)
    moved = to_layout(data, new)
    assert moved.layout is layout(new)
    axes = [0, 1, 3] if old == "mediapipe-33" else slice(None)
    for before, after in zip(data.coords, moved.coords, strict=True):
        for v, joint in enumerate(layout(new).joints):
            if joint in layout(old).joints:
                np.testing.assert_array_equal(after[..., v, :], before[..., layout(old).index(joint), :][..., axes])


def test_joints_of_other_names_and_in_the_middle() -> None:
    ntu = recordings("ntu-rgb+d")
    kinect = to_layout(ntu, "kinect-v1")
    for new, old in (("hip centre", "spine base"), ("spine", "spine mid"), ("shoulder centre", "spine shoulder")):
        np.testing.assert_array_equal(
            kinect.coords[0][:, kinect.layout.index(new)], ntu.coords[0][:, ntu.layout.index(old)]
        )
    coco = recordings("coco-17", 3)
    coco.coords[0][1, coco.layout.index("left shoulder")] = 0
    neck = to_layout(coco, "openpose-18").coords[0][:, 1]
    left, right = (coco.coords[0][:, coco.layout.index(f"{side} shoulder")] for side in ("left", "right"))
    np.testing.assert_allclose(neck[2, :2], (left[2, :2] + right[2, :2]) / 2, rtol=1e-6)
    assert neck[2, 2] == min(left[2, 2], right[2, 2])
    assert neck[1].tolist() == [0, 0, 0]


def test_what_has_no_counterpart_is_named() -> None:
    with pytest.raises(SequenceError, match="'kinect-v1' has nothing for 'neck', 'left hand tip'"):
        to_layout(recordings("kinect-v1"), "ntu-rgb+d")
    with pytest.raises(SequenceError, match="'kinect-v1' has 3 dimensions, 'coco-17' has 2"):
        to_layout(recordings("kinect-v1"), "coco-17")

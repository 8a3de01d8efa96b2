"""How far limbs swing, against the root mean square of a planted motion."""

from __future__ import annotations

import numpy as np
import pytest

from stgcnlib.explain.limbs import acting_limbs, one_armed
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import layout

KINECT = layout("kinect-v1")


def waving(sizes: list[tuple[str, float]], *, walk: float = 0.0) -> SequenceSet:
    """One recording per (limb, size): the limb's joints swing by a sine of that size, the whole body walks."""
    time = np.sin(2 * np.pi * np.arange(16) / 16)[:, None]
    body, coords = np.random.default_rng(0).normal(size=(20, 3)), []
    for limb, size in sizes:
        points = np.repeat(body[None], 16, axis=0) + walk * np.arange(16)[:, None, None]
        points[:, list(KINECT.limbs[limb]), 1] += size * time
        coords.append(points)
    return SequenceSet(
        coords, labels=np.arange(len(sizes)) // 2, layout="kinect-v1", class_names=["first", "second", "third"]
    )


@pytest.mark.parametrize("walk", [0.0, 0.3])
def test_swing_is_the_root_mean_square_seen_from_the_body(walk: float) -> None:
    data = waving([("right arm", 1.0), ("right arm", 3.0), ("left arm", 2.0), ("left arm", 2.0)], walk=walk)
    table = acting_limbs(data)
    assert list(table.columns) == ["label", "class", "limb", "swing"]
    assert len(table) == 2 * len(KINECT.limbs)
    assert table["class"].tolist() == [["first", "second"][label] for label in table["label"]]
    swing = table.set_index(["class", "limb"])["swing"]
    assert swing["first", "right arm"] == pytest.approx(2 / np.sqrt(2), rel=1e-5)  # mean of the class's recordings
    assert swing["second", "left arm"] == pytest.approx(2 / np.sqrt(2), rel=1e-5)
    others = swing.drop([("first", "right arm"), ("second", "left arm")])
    np.testing.assert_allclose(others, 0, atol=1e-5)


def test_one_arm_must_swing_far_more_than_the_other() -> None:
    assert one_armed(waving([("right arm", 1.0), ("right arm", 1.0), ("left leg", 1.0), ("left leg", 1.0)])) == {
        0: "right arm"
    }
    assert one_armed(waving([("right arm", 1.0), ("left arm", 1.0)])) == {}
    assert one_armed(waving([("right arm", 1.0), ("left arm", 0.1)])) == {0: "right arm"}

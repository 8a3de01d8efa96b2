"""Left and right: a standing figure in every layout, turned, mirrored and with its sides swapped; and the real sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from stgcnlib.demo import demo_sequences
from stgcnlib.readers import read
from stgcnlib.sequences import SequenceSet
from stgcnlib.sides import handedness
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout
from stgcnlib.summary import summarize

# Heights, and ways to the front, of the joints that tell; (left is x > 0 for who looks towards -z, y up).
PLACES = {
    "shoulder": (0.2, 1.4, 0.0), "hip": (0.12, 0.9, 0.0), "knee": (0.12, 0.5, 0.1), "ankle": (0.12, 0.1, 0.0),
    "heel": (0.12, 0.02, -0.05), "foot": (0.12, 0.05, 0.12), "toe": (0.12, 0.0, 0.2), "eye": (0.03, 1.7, 0.1),
}  # fmt: skip


def figure(layout: SkeletonLayout) -> NDArray[np.float64]:
    """(V, 3): a person with bent knees who looks to +z, y up; right-handed, so its left is x > 0."""
    pose = np.random.default_rng(3).normal(0, 0.01, (len(layout), 3)) + np.array([0, 1.2, 0])
    for v, name in enumerate(layout.joints):
        kind = next((kind for kind in reversed(PLACES) if kind in name), None)
        side = 1 if "left" in name else -1 if "right" in name else 0
        if kind is not None and side:
            x, y, z = PLACES[kind]
            pose[v] = side * x, y, z
    if layout.spine is not None:
        pose[layout.spine[0]], pose[layout.spine[1]] = (0, 0.9, 0), (0, 1.45, 0)
    return pose


def swapped(layout: SkeletonLayout) -> NDArray[np.int64]:
    order = np.arange(len(layout))
    for left, right in layout.mirror:
        order[[left, right]] = right, left
    return order


IN_SPACE = [known for known in LAYOUTS.values() if known.dimensions == 3 and known.shoulders is not None]
IN_PICTURES = [known for known in LAYOUTS.values() if known.dimensions == 2 and "nose" in known.joints]


@pytest.mark.parametrize("layout", IN_SPACE, ids=lambda known: known.name)
def test_every_layout_in_space_tells_its_sides(layout: SkeletonLayout) -> None:
    pose = np.tile(figure(layout), (1, 5, 1, 1)).astype(np.float32)
    assert handedness(pose, layout) == pytest.approx(1)
    assert handedness(pose[:, :, swapped(layout)], layout) == pytest.approx(-1)
    assert handedness(pose * np.float32([-1, 1, 1]), layout) == pytest.approx(-1)
    lost = pose.copy()
    lost[:, 1:, layout.shoulders[0] if layout.shoulders else 0] = 0
    assert handedness(lost, layout) == pytest.approx(1)


@given(st.integers(0, 2**31), st.sampled_from(IN_SPACE))
@settings(max_examples=40, deadline=None)
def test_turning_and_moving_change_nothing(seed: int, layout: SkeletonLayout) -> None:
    rng = np.random.default_rng(seed)
    poses = figure(layout) + rng.normal(0, 0.01, (1, 6, len(layout), 3))
    turned = poses @ Rotation.random(random_state=seed % 2**31).as_matrix().T * rng.uniform(0.5, 900) + rng.normal(
        size=3
    )
    told = handedness(poses.astype(np.float32), layout)
    assert handedness(turned.astype(np.float32), layout) == pytest.approx(told, abs=1e-2)
    assert handedness(turned[:, :, swapped(layout)].astype(np.float32), layout) == pytest.approx(-told, abs=1e-2)


@pytest.mark.parametrize("layout", IN_PICTURES, ids=lambda known: known.name)
def test_pictures_tell_by_the_face(layout: SkeletonLayout) -> None:
    pose = np.concatenate([figure(layout)[:, :2] * [1, -1], np.full((len(layout), 1), 0.9)], axis=1)
    people = np.tile(pose, (1, 4, 1, 1)).astype(np.float32)
    assert handedness(people, layout) == 1
    assert handedness(people[:, :, swapped(layout)], layout) == -1
    unseen = people.copy()
    unseen[..., layout.index("nose"), 2] = 0.3
    assert np.isnan(handedness(unseen, layout))
    assert np.isnan(handedness(people[..., :2], layout))


def test_graphs_hands_and_straight_legs_tell_nothing() -> None:
    assert np.isnan(handedness(np.ones((1, 3, 21, 2), np.float32), LAYOUTS["hand-21"]))
    layout = LAYOUTS["human3.6m-17"]
    straight = figure(layout)
    for side in ("left", "right"):
        straight[layout.index(f"{side} knee"), 2] = 0
    assert np.isnan(handedness(np.tile(straight, (1, 3, 1, 1)).astype(np.float32), layout))


@pytest.mark.parametrize("name", ["utd_mhad", "nw_ucla", "ntu_samples", "kinetics_samples"])
def test_published_recordings_have_their_sides(data_folder: Path, name: str) -> None:
    data = read(data_folder / name)
    data = data.select(np.arange(0, len(data), max(1, len(data) // 40)))
    told = np.array([handedness(data.people(i), data.layout) for i in range(len(data))])
    clear = told[np.abs(told) > 0.5]
    assert len(clear) > 0
    assert (clear > 0).mean() > 0.95
    assert not any("left and right" in line for line in summarize(data).warnings)
    other = data.with_coords([c[..., swapped(data.layout), :] for c in data.coords])
    assert any("left and right look swapped" in line for line in summarize(other).warnings)


def test_the_demo_has_its_sides() -> None:
    data = demo_sequences()
    assert not any("left and right" in line for line in summarize(data).warnings)
    mirrored = data.with_coords([c * np.float32([-1, 1, 1]) for c in data.coords])
    assert any("or an axis is mirrored" in line for line in summarize(mirrored).warnings)


def test_a_few_swapped_recordings_are_no_warning() -> None:
    layout = LAYOUTS["kinect-v1"]
    pose = np.tile(figure(layout), (4, 1, 1)) + np.random.default_rng(0).normal(0, 0.02, (4, 20, 3))
    data = SequenceSet([pose, pose + 0.1, pose[:, swapped(layout)]], layout=layout)
    assert not any("left and right" in line for line in summarize(data).warnings)
    data = SequenceSet([pose, *(pose[:, swapped(layout)] + 0.1 * k for k in range(3))], layout=layout)
    assert any(
        "swapped in 3 of the 4 recordings that tell: the right shoulder" in line for line in summarize(data).warnings
    )

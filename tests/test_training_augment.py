"""What is varied in training: each kind alone, measured on many copies of one recording."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from stgcnlib.errors import StudyError
from stgcnlib.networks import load_network
from stgcnlib.sequences import SequenceSet
from stgcnlib.training import Augmentation, fit
from stgcnlib.training.augment import TrainingBatches

COPIES = 300
NOTHING = Augmentation(crop=1, tempo=1, rotation=0, tilt=0, scale=0, jitter=0)


def varied(sequence: NDArray[Any], layout: str = "kinect-v1", **how: Any) -> list[NDArray[Any]]:
    """(T, V, C) copies of a recording, varied in these ways alone; batches of one are not resampled."""
    data = SequenceSet([sequence] * COPIES, layout=layout)
    batches = TrainingBatches(data, batch_size=1, frames=None, augment=replace(NOTHING, **how), seed=0)
    return [x[0, ..., 0].permute(1, 2, 0).numpy() for x, _ in batches]


def pose(frames: int = 1) -> NDArray[Any]:
    return np.repeat(np.random.default_rng(0).normal(size=(1, 20, 3)), frames, axis=0)


def matrices(**how: Any) -> NDArray[np.float64]:
    """(COPIES, 3, 3) that turn the pose into its copies."""
    before = pose()[0]
    return np.array([np.linalg.lstsq(before, after[0], rcond=None)[0].T for after in varied(pose(), **how)])


def test_nothing_is_varied_where_nothing_is_asked_for() -> None:
    for copy in varied(pose(5)):
        np.testing.assert_allclose(copy, pose(5), atol=1e-6)


@pytest.mark.parametrize(("name", "axes", "limit"), [("rotation", [2], 30.0), ("tilt", [0, 1], 10.0)])
def test_turns_fill_their_range_about_their_axes_alone(name: str, axes: list[int], limit: float) -> None:
    found = matrices(**{name: limit})
    np.testing.assert_allclose(found @ found.transpose(0, 2, 1), np.broadcast_to(np.eye(3), found.shape), atol=1e-4)
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-4)  # turned, not mirrored
    turns = np.rad2deg(Rotation.from_matrix(found).as_rotvec())
    others = [axis for axis in range(3) if axis not in axes]
    np.testing.assert_allclose(turns[:, others], 0, atol=1e-2)
    for axis in axes:
        assert np.abs(turns[:, axis]).max() <= limit + 1e-2
        assert turns[:, axis].min() < -0.95 * limit
        assert turns[:, axis].max() > 0.95 * limit
        assert turns[:, axis].std() == pytest.approx(limit / np.sqrt(3), rel=0.1)  # as of a uniform draw


def test_sizes_fill_their_range() -> None:
    found = matrices(scale=0.2)
    sizes = found[:, 0, 0]
    np.testing.assert_allclose(found, sizes[:, None, None] * np.eye(3), atol=1e-4)
    assert 0.8 <= sizes.min() < 0.81
    assert 1.19 < sizes.max() <= 1.2
    assert sizes.std() == pytest.approx(0.2 / np.sqrt(3), rel=0.1)


def test_jitter_is_noise_on_every_coordinate() -> None:
    noise = np.array(varied(pose(4), jitter=0.05)) - pose(4)
    assert noise.std() == pytest.approx(0.05, rel=0.02)
    np.testing.assert_allclose(noise.std(axis=0), 0.05, rtol=0.25)  # each frame, joint and axis
    assert abs(np.corrcoef(noise[:, 0, 0, 0], noise[:, 1, 0, 0])[0, 1]) < 0.2


@pytest.mark.parametrize("crop", [0.4, 0.9])
def test_pieces_are_as_short_as_crop_says_and_lie_anywhere(crop: float) -> None:
    """A ramp of 101 frames tells which piece it was; a piece plays at the recording's own tempo."""
    ramp = np.arange(101.0)[:, None, None] * np.ones((1, 20, 3))
    pieces = [copy[:, 0, 0] for copy in varied(ramp, crop=crop)]
    spans = np.array([len(piece) for piece in pieces])
    assert spans.min() >= 100 * crop
    assert spans.min() < 101 * crop + 3
    assert spans.max() > 98
    starts, ends = (np.array([piece[place] for piece in pieces]) for place in (0, -1))
    assert starts.min() >= 0
    assert ends.max() <= 100
    assert starts.max() > 0.8 * 100 * (1 - crop)
    np.testing.assert_allclose((ends - starts) / (spans - 1), 1, atol=0.03)


def test_tempo_slows_and_hurries_by_up_to_its_factor() -> None:
    ramp = np.arange(101.0)[:, None, None] * np.ones((1, 20, 3))
    copies = varied(ramp, tempo=1.5)
    counts = np.array([len(copy) for copy in copies])
    assert 67 <= counts.min() <= 69
    assert 149 <= counts.max() <= 152
    for copy in copies:
        np.testing.assert_allclose(copy[[0, -1], 0, 0], [0, 100], atol=1e-3)  # all of it, from end to end
    assert np.median(counts) == pytest.approx(101, rel=0.06)  # as often slowed as hurried


def test_flat_skeletons_are_scaled_and_jittered_but_not_turned() -> None:
    flat = np.concatenate([np.random.default_rng(0).normal(size=(1, 18, 2)), np.full((1, 18, 1), 0.5)], axis=2)
    for copy in varied(flat, "openpose-18", rotation=90, tilt=90, scale=0.2):
        size = copy[0, 0, 0] / flat[0, 0, 0]
        np.testing.assert_allclose(copy[..., :2], size * flat[..., :2], atol=1e-5)
        np.testing.assert_array_equal(copy[..., 2], 0.5)


def test_a_mapping_names_fields_of_the_augmentation() -> None:
    data = SequenceSet(
        [np.random.default_rng(i).normal(size=(20, 20, 3)) for i in range(6)],
        labels=[0, 1] * 3,
        class_names=["a", "b"],
        layout="kinect-v1",
    )
    weights = []
    for how in ({"mirror": True, "crop": 0.9}, Augmentation(mirror=True, crop=0.9), {"mirror": True}):
        network = load_network("st-gcn", layout="kinect-v1", classes=2, width=4, depth=1, seed=0)
        fit(network, data, epochs=4, augment=how, progress=False)
        weights.append(network.fcn.weight.detach().numpy().copy())
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    with pytest.raises(StudyError, match=r"augment has no field 'crp'; did you mean 'crop'"):
        fit(network, data, epochs=1, augment={"crp": 0.9}, progress=False)

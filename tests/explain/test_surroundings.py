"""Maps and features do not depend on the mode in which they are asked for, nor on branches without gradient."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stgcnlib.activations import record
from stgcnlib.errors import SequenceError
from stgcnlib.explain import attributions, grad_cam
from stgcnlib.networks import load_network
from stgcnlib.sequences import SequenceSet
from stgcnlib.training import evaluate, fit

MODES: dict[str, Any] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "set_grad_enabled": lambda: torch.set_grad_enabled(False),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}
modes = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def network() -> nn.Module:
    return load_network("st-gcn", layout="kinect-v1", classes=4, width=4, depth=3, seed=0)


def block(mode: str) -> AbstractContextManager[Any]:
    made: AbstractContextManager[Any] = MODES[mode]()
    return made


@modes
@pytest.mark.parametrize("method", ["grad-cam", "integrated-gradients", "gradient-x-activation"])
def test_maps_are_the_same_in_every_mode(network: nn.Module, small_set: SequenceSet, mode: str, method: Any) -> None:
    expected = attributions(network, small_set.select([0]), method=method, progress=False)[0]
    with block(mode):
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
        found = attributions(network, small_set.select([0]), method=method, progress=False)[0]
        after = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    assert before == after
    assert any(map_.values.any() for map_ in expected.values())
    for name, map_ in expected.items():
        np.testing.assert_array_equal(found[name].values, map_.values)


@modes
def test_features_are_the_same_in_every_mode(network: nn.Module, small_set: SequenceSet, mode: str) -> None:
    expected = record(network, small_set, progress=False)
    with block(mode):
        found = record(network, small_set, progress=False)
    for name in expected.layers:
        np.testing.assert_array_equal(found[name].sequence(0), expected[name].sequence(0))


@modes
def test_training_and_measuring_are_the_same_in_every_mode(small_set: SequenceSet, mode: str) -> None:
    scores = []
    for surrounding in (None, mode):
        network = load_network("st-gcn", layout="kinect-v1", classes=2, width=4, depth=2, seed=0)
        with block(surrounding) if surrounding else nullcontext():
            fit(network, small_set, epochs=1, seed=3)
            scores.append(evaluate(network, small_set).logits)
    np.testing.assert_array_equal(scores[0], scores[1])


def test_a_network_loaded_in_inference_mode_can_be_explained(network: nn.Module, small_set: SequenceSet) -> None:
    with torch.inference_mode():
        loaded = load_network("st-gcn", layout="kinect-v1", classes=4, width=4, depth=3, seed=0)
    one, other = (grad_cam(net, small_set.people(0)) for net in (network, loaded))
    for name, map_ in one.items():
        np.testing.assert_array_equal(other[name].values, map_.values)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_explained_in_single(network: nn.Module, small_set: SequenceSet, dtype: torch.dtype) -> None:
    half = copy.deepcopy(network).to(dtype)
    rounded = copy.deepcopy(half).float()
    before = {key: value.clone() for key, value in half.state_dict().items()}
    maps, expected = (grad_cam(net, small_set.people(0)) for net in (half, rounded))
    features, rounded_features = (record(net, small_set, progress=False) for net in (half, rounded))
    for name, map_ in expected.items():
        np.testing.assert_array_equal(maps[name].values, map_.values)
        np.testing.assert_array_equal(features[name].sequence(1), rounded_features[name].sequence(1))
    after = half.state_dict()
    assert all(after[key].dtype == value.dtype and torch.equal(after[key], value) for key, value in before.items())
    assert before["fcn.weight"].dtype == dtype
    scores, exact = (evaluate(net, small_set).logits for net in (half, rounded))
    np.testing.assert_allclose(scores, exact, atol=0.05 * np.abs(exact).max())


class Branches(nn.Module):
    """Two branches, of which the second reads ones instead of the recording."""

    layer_names = ("seen", "blind")
    layer_axes = "NCTV"

    def __init__(self, *, detached: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.seen, self.blind = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
        self.fc = nn.Linear(4, 3)
        self.detached = detached

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean(-1)
        x = x.detach() if self.detached else x
        scores: Tensor = self.fc((self.seen(x) + self.blind(torch.ones_like(x))).mean((2, 3)))
        return scores


def test_a_branch_without_gradient_has_a_map_of_zeros(rng: np.random.Generator) -> None:
    recording = rng.normal(size=(9, 20, 3)).astype(np.float32)
    both = grad_cam(Branches(), recording, signed=True)
    assert both["seen"].values.any()
    assert not both["blind"].values.any()
    alone = grad_cam(Branches(), recording, signed=True, layers="seen")
    np.testing.assert_array_equal(both["seen"].values, alone["seen"].values)
    assert not grad_cam(Branches(), recording, layers="blind")["blind"].values.any()
    with pytest.raises(SequenceError, match=r"no gradient by its input.*no_grad"):
        grad_cam(Branches(detached=True), recording)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_velocities_of_few_frames_are_no_error(rng: np.random.Generator, frames: int) -> None:
    network = load_network("efficientgcn-b0", layout="ntu-rgb+d", classes=4, width=8, seed=0)
    maps = grad_cam(network, rng.normal(size=(frames, 25, 3)).astype(np.float32))
    assert list(maps) == list(network.layer_names)  # type: ignore[arg-type]
    assert all(np.isfinite(map_.values).all() for map_ in maps.values())

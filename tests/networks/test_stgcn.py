"""Shapes, options and symmetries of ST-GCN; its numbers are held against the published ones in tests/golden."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stgcnlib.errors import StudyError
from stgcnlib.networks import STGCN, load_network


def batch(people: int = 2, frames: int = 13, joints: int = 20) -> torch.Tensor:
    return torch.randn(3, 3, frames, joints, people, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("depth", "channels", "strides"),
    [
        (10, [8] * 4 + [16] * 3 + [32] * 3, {4, 7}),
        (3, [8, 16, 32], {1, 2}),
        (5, [8, 8, 16, 32, 32], {2, 3}),
        (1, [8], set()),
    ],
)
def test_width_doubles_where_frames_halve(depth: int, channels: list[int], strides: set[int]) -> None:
    network = load_network("st-gcn", layout="kinect-v1", classes=5, width=8, depth=depth, seed=0)
    assert network.layer_names == tuple(f"st_gcn_networks.{i}" for i in range(depth))
    shapes = []
    for name in network.layer_names:
        network.get_submodule(name).register_forward_hook(lambda m, i, output: shapes.append(tuple(output.shape)))
    assert network(batch()).shape == (3, 5)
    frames = 13
    for index, shape in enumerate(shapes):
        frames = -(-frames // 2) if index in strides else frames
        assert shape == (6, channels[index], frames, 20)


def test_state_dict_has_the_published_keys_and_shapes(golden_folder: Path) -> None:
    with np.load(golden_folder / "stgcn.npz", allow_pickle=False) as golden:
        published = json.loads(str(golden["shapes"]))
    state = STGCN("ntu-rgb+d", 60).state_dict()
    own = {k: list(v.shape) for k, v in state.items() if v.is_floating_point()}
    assert own.pop("A") == [3, 25, 25]
    assert own == published


@pytest.mark.parametrize("options", [{"strategy": "uniform"}, {"strategy": "distance", "max_hop": 2}])
def test_options_rebuild_the_network(options: dict[str, object]) -> None:
    first = load_network("st-gcn", layout="nw-ucla", classes=4, width=4, depth=2, edge_importance=False, **options)
    again = load_network("st-gcn", layout=first.layout, classes=first.classes, channels=first.channels, **first.options)
    again.load_state_dict(first.state_dict())
    x = batch()
    torch.testing.assert_close(again(x), first(x), rtol=0, atol=0)


def test_order_of_people_and_recordings_does_not_matter() -> None:
    network = load_network("st-gcn", layout="kinect-v1", classes=5, width=8, depth=4, seed=3).double()
    x = batch().double()
    torch.testing.assert_close(network(x.flip(4)), network(x), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(network(x.flip(0)), network(x).flip(0), rtol=1e-9, atol=1e-10)


def test_seed_repeats_the_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, two, other = (
        load_network("st-gcn", layout="kinect-v1", classes=2, width=4, depth=1, seed=s) for s in (1, 1, 2)
    )
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one.fcn.weight, two.fcn.weight)
    assert not torch.equal(one.fcn.weight, other.fcn.weight)


def test_block_outputs_are_not_changed_after_they_are_seen() -> None:
    network = load_network("st-gcn", layout="kinect-v1", classes=2, width=4, depth=3, seed=1)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    for name in network.layer_names:
        network.get_submodule(name).register_forward_hook(lambda m, i, output: seen.append((output, output.clone())))
    network(batch())
    assert len(seen) == 3
    assert all(torch.equal(later, then) for later, then in seen)


def test_wrong_names_and_options_are_refused() -> None:
    with pytest.raises(StudyError, match="st-gcn"):
        load_network("stgcn", layout="kinect-v1", classes=2)
    with pytest.raises(StudyError, match="widht"):
        load_network("st-gcn", layout="kinect-v1", classes=2, widht=4)
    with pytest.raises(StudyError, match="width"):
        load_network("st-gcn", layout="kinect-v1", classes=2, width=0)
    with pytest.raises(StudyError, match="depth"):
        load_network("st-gcn", layout="kinect-v1", classes=2, depth=0)

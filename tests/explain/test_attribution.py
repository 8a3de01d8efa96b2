"""Attributions beside Grad-CAM against captum and by their axioms, and contrasts of two classes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from rounding import in_double
from tiny_network import TinyNetwork

from stgcnlib.errors import LayerNotFoundError, SequenceError
from stgcnlib.explain import attributions, grad_cam, grad_cam_set, load_relevance, save_relevance
from stgcnlib.explain.baseline import mean_pose
from stgcnlib.sequences import SequenceSet

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from captum.attr import LayerGradientXActivation


@pytest.fixture
def network() -> TinyNetwork:
    return in_double(TinyNetwork())


@pytest.fixture
def data(rng: np.random.Generator) -> SequenceSet:
    coords = [rng.normal(size=(2, T, 20, 3)).astype(np.float32) for T in (12, 16, 12)]
    return SequenceSet(coords, labels=[0, 1, 2], layout="kinect-v1")


def batch(data: SequenceSet, i: int) -> torch.Tensor:
    return torch.from_numpy(data.people(i).transpose(3, 1, 2, 0)[None].copy())


def state(network: TinyNetwork) -> list[object]:
    return [(len(m._forward_hooks), len(m._forward_pre_hooks), m.training) for m in network.modules()]


def test_gradient_x_activation_is_captums_for_every_person(network, data):
    maps = attributions(network, data, method="gradient-x-activation", target=1, signed=True)
    network.eval()
    for i in range(len(data)):
        for name, each in maps[i].items():
            module = network.get_submodule(name)
            peer = LayerGradientXActivation(network, module).attribute(batch(data, i).requires_grad_(), target=1)
            expected = peer.detach().numpy().sum(axis=1)
            np.testing.assert_allclose(each.raw, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


def test_integrated_gradients_add_up_to_the_change_from_the_mean_pose(network, data):
    maps = attributions(network, data, method="integrated-gradients", target="true", signed=True, steps=200)
    network.eval()
    with torch.no_grad():
        for i in range(len(data)):
            people = data.people(i)
            pose = torch.from_numpy(mean_pose(data, *people.shape[:2]).transpose(3, 1, 2, 0)[None].copy())
            change = (network(batch(data, i)) - network(pose))[0, int(data.labels[i])]
            total = maps[i]["input"].values.sum()
            assert maps[i]["input"].values.shape == people.shape[:3]
            assert total == pytest.approx(float(change), rel=0.03, abs=0.01)


def test_a_contrast_is_the_difference_of_the_signed_maps(network, data):
    first, second, both = (grad_cam(network, data.coords[0], target=t, signed=True) for t in (0, 2, (0, 2)))
    for name in both:
        expected = first[name].raw - second[name].raw
        np.testing.assert_allclose(both[name].raw, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())
        assert (both[name].target, both[name].versus) == (0, 2)
    with pytest.raises(SequenceError, match="no class 7"):
        grad_cam(network, data.coords[0], target=(0, 7))
    with pytest.raises(SequenceError, match="target='first' is unknown"):
        grad_cam(network, data.coords[0], target="first")


def test_contrasts_come_back_from_a_file(network, data, tmp_path):
    maps = grad_cam_set(network, data, target=(1, 0))
    save_relevance(tmp_path / "maps.npz", maps)
    back = load_relevance(tmp_path / "maps.npz")
    assert {m.versus for each in back for m in each.values()} == {0}
    save_relevance(tmp_path / "maps.npz", grad_cam_set(network, data))
    assert {m.versus for each in load_relevance(tmp_path / "maps.npz") for m in each.values()} == {None}


@pytest.mark.parametrize("method", ["gradient-x-activation", "integrated-gradients"])
@pytest.mark.parametrize("fail", [False, True])
def test_the_network_is_left_as_it_was(network, data, method, fail):
    network.train()
    network.blocks[1].eval()
    network.head.bias.requires_grad_(False)
    before = state(network), [(p.requires_grad, p.grad is None) for p in network.parameters()]
    if fail:
        network.fail = True
        with pytest.raises(RuntimeError, match="no forward today"):
            attributions(network, data, method=method)
    else:
        maps = attributions(network, data, method=method)
        assert min(m.values.min() for each in maps for m in each.values()) == 0
    assert before == (state(network), [(p.requires_grad, p.grad is None) for p in network.parameters()])


def test_grad_cam_is_a_method_and_others_are_named(network, data):
    ours, same = attributions(network, data), grad_cam_set(network, data)
    np.testing.assert_array_equal(ours[1]["blocks.2"].values, same[1]["blocks.2"].values)
    with pytest.raises(SequenceError, match="method='lime' is unknown"):
        attributions(network, data, method="lime")
    with pytest.raises(LayerNotFoundError, match="input's joints"):
        attributions(network, data, method="integrated-gradients", layers=["blocks.1"])
    with pytest.raises(LayerNotFoundError, match="not of 'input'"):
        attributions(network, data, method="gradient-x-activation", layers="input")


@pytest.mark.parametrize("method", ["gradient-x-activation", "integrated-gradients"])
def test_nobody_has_no_relevance_by_other_attributions(network, data, method):
    people = data.people(0).copy()
    people[1] = 0
    people[:, 9:] = 0
    maps = attributions(network, SequenceSet([people], layout="kinect-v1"), method=method, reference=data, signed=True)
    for each in maps[0].values():
        assert not each.raw[1].any()
        assert not each.values[1].any()
        assert not each.values[0, 9:].any()
        assert each.values[0, :9].any(axis=1).all()


def test_integrated_gradients_start_where_deletion_ends(network, data):
    """People who are not there stay absent, so that the sum is the change from everybody who is there in mean pose."""
    data = data.with_coords([each + 2 for each in data.coords])
    people = data.people(0).copy()
    people[1] = 0
    some = SequenceSet([people], layout="kinect-v1")
    maps = attributions(network, some, method="integrated-gradients", reference=data, target=1, signed=True, steps=60)
    pose = mean_pose(data, 2, 12)
    start = pose.copy()
    start[1] = 0
    with torch.no_grad():
        scores = [float(network.eval()(batch(some.with_coords([each]), 0))[0, 1]) for each in (people, start, pose)]
    change = scores[0] - scores[1]
    assert maps[0]["input"].values.sum() == pytest.approx(change, abs=0.05 * abs(change))
    assert abs(scores[1] - scores[2]) > abs(change)  # from the mean pose of two people it would be another sum


@pytest.mark.parametrize("method", ["grad-cam", "gradient-x-activation", "integrated-gradients"])
def test_several_targets_need_the_number_of_one(network, data, method):
    several = SequenceSet(data.coords, layout="kinect-v1", targets=np.eye(3))
    with pytest.raises(SequenceError, match="no classes; give the number of the network's output"):
        attributions(network, several, method=method)
    assert attributions(network, several, method=method, target=2)[0].popitem()[1].target == 2

"""Receptive fields against what kernels and strides say, and against inputs that are changed frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
import small_zoo
import torch
from torch import Tensor, nn

from stgcnlib.errors import LayerNotFoundError, SequenceError, StudyError
from stgcnlib.explain import receptive_fields
from stgcnlib.networks.graph import hop_distance
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import layout


def recordings(name: str = "kinect-v1", people: int = 1, T: int = 11) -> SequenceSet:
    rng = np.random.default_rng(3)
    shape = (people, T, len(layout(name)), 3)
    return SequenceSet([rng.normal(size=shape) for _ in range(3)], layout=name)


def by_arithmetic(kernels: list[int], strides: list[int]) -> list[int]:
    """Frames that convolutions one after another see: each adds (kernel - 1) times the strides before it."""
    fields, field, jump = [], 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field += (kernel - 1) * jump
        jump *= stride
        fields.append(field)
    return fields


def test_frames_of_the_published_depth() -> None:
    network = small_zoo.make("st-gcn", width=4, depth=10)
    fields = receptive_fields(network, recordings())
    strides = [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]
    assert [field.frames for field in fields.values()] == by_arithmetic([9] * 10, strides)
    assert [field.stride for field in fields.values()] == np.cumprod(strides).tolist()
    assert [field.index for field in fields.values()] == list(range(1, 11))
    for field in fields.values():
        assert field.profile.sum() == pytest.approx(1)
        assert len(field.profile) == field.frames
        assert 1 <= field.effective_frames < field.frames
        np.testing.assert_allclose(field.joints.sum(axis=1), 1)
    assert fields["st_gcn_networks.3"].first == -16  # as far back as forth, where no stride is before


@pytest.mark.parametrize("family", ["st-gcn++", "ctr-gcn"])
def test_frames_of_dilated_branches(family: str) -> None:
    """Of branches side by side the widest counts: 3 frames 4 apart, and 5 frames 2 apart; alpha is 0 at first."""
    fields = receptive_fields(small_zoo.make(family, width=48), recordings())
    assert [field.frames for field in fields.values()] == by_arithmetic([9] * 4, [1, 2, 2, 1])


def test_joints_are_as_far_as_hops() -> None:
    fields = receptive_fields(small_zoo.make("st-gcn"), recordings())
    hops = hop_distance("kinect-v1")
    for depth, field in enumerate(fields.values(), start=1):
        np.testing.assert_array_equal(field.joints > 0, hops <= depth)
        np.testing.assert_array_equal(field.reach, (hops <= depth).sum(axis=1))
        assert (field.effective_joints <= field.reach).all()


@pytest.mark.parametrize("family", ["agcn", "aagcn", "ctr-gcn"])
def test_a_graph_of_the_data_sees_all_frames_and_joints(family: str) -> None:
    field = next(iter(receptive_fields(small_zoo.lively(small_zoo.make(family)), recordings()).values()))
    assert (field.frames, field.tried) == (0, 256)
    assert (field.reach == 20).all()
    assert 0 < field.effective_frames < 256


@pytest.mark.parametrize("family", list(small_zoo.SMALL))
def test_what_lies_outside_changes_nothing_and_what_lies_inside_does(family: str) -> None:
    """By changing the input: every frame inside changes the feature, those outside do not."""
    wider = {"width": 48} if family == "st-gcn++" else {}  # with few channels, whole branches are 0 behind a ReLU
    network, data = small_zoo.lively(small_zoo.make(family, **wider)), recordings(T=160)
    layer = network.layer_names[0]
    field = receptive_fields(network, SequenceSet(data.coords, layout=data.layout), layers=[layer], frames=[160])[layer]
    if family in ("agcn", "aagcn", "ctr-gcn", "efficientgcn-b0", "hd-gcn"):  # means over time decide
        assert field.frames == 0
    elif family in ("st-gcn", "st-gcn++", "ms-g3d", "shift-gcn", "hyperformer"):
        assert 3 <= field.frames <= 17
    x = torch.from_numpy(data.people(0)).permute(3, 1, 2, 0)[None]
    outputs: list[Tensor] = []
    handle = network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: outputs.append(out))
    with torch.no_grad():
        network(x)
        middle = outputs[0].shape[2] // 2
        around = range(field.first - 2, field.first + field.frames + 2) if field.frames else (-80, -41, 0, 79)
        for offset in around:
            changed = x.clone()
            changed[:, :, middle * field.stride + offset] += 5 * torch.randn(20, 1, generator=torch.manual_seed(0))
            network(changed)
            differs = bool((outputs[-1][:, :, middle] != outputs[0][:, :, middle]).any())
            place = offset - field.first
            assert differs == (0 <= place < len(field.profile) and field.profile[place] > 0)
    handle.remove()


class Pooled(nn.Module):
    """A layer without joints, and one that nothing of the input reaches."""

    layer_names = ("mean", "constant")
    layer_axes = {"mean": "(NM)CT", "constant": "(NM)CTV"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.constant = nn.Conv1d(3, 4, 3, padding=1), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        N, _, T, V, M = x.shape
        people = x.permute(0, 4, 1, 2, 3).flatten(0, 1)
        self.constant(torch.ones(N * M, 2, T, V))
        return self.mean(people.mean(dim=3)).mean(dim=2).view(N, M, 4).mean(dim=1)


def test_layers_without_joints_and_without_influence() -> None:
    fields = receptive_fields(Pooled(), recordings(people=2))
    assert fields["mean"].frames == 3
    np.testing.assert_allclose(fields["mean"].joints, np.full((1, 20), 1 / 20), atol=1e-6)
    assert (fields["constant"].frames, fields["constant"].effective_frames) == (0, 0)
    assert not fields["constant"].joints.any()


def test_the_network_is_left_as_it_was() -> None:
    network = small_zoo.make("agcn").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    one, other = receptive_fields(network, recordings()), receptive_fields(network, recordings())
    assert network.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    for name, field in one.items():
        np.testing.assert_array_equal(field.joints, other[name].joints)


def test_what_is_out_of_range_is_refused() -> None:
    network, data = small_zoo.make("st-gcn"), recordings()
    with pytest.raises(SequenceError, match=r"share is 1\.5"):
        receptive_fields(network, data, share=1.5)
    with pytest.raises(SequenceError, match="lengths of at least 1"):
        receptive_fields(network, data, frames=[])
    with pytest.raises(LayerNotFoundError):
        receptive_fields(network, data, layers=["l9"])


class Lengths(nn.Module):
    """Distances from the first joint, whose own distance is a root at 0: its derivative is NaN."""

    layer_names = ("lift", "last")

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.last = nn.Conv2d(3, 2, 1), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        z = self.lift(x.mean(-1))
        return self.last(((z - z[..., :1]) ** 2).sum(1, keepdim=True).sqrt()).mean((2, 3))


def test_influence_that_is_no_number_is_an_error() -> None:
    assert receptive_fields(Lengths(), recordings(), layers="lift", axes="NCTV")["lift"].effective_frames == 1
    with pytest.raises(StudyError, match="influence on layer 'last' is NaN or infinite: a gradient is"):
        receptive_fields(Lengths(), recordings(), axes="NCTV")

"""What holds for every network of the zoo: interface, layouts, lengths, people, training, recording."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small_zoo import SMALL, batch, lively, make
from torch import nn

from stgcnlib import record
from stgcnlib.errors import SequenceError, StudyError
from stgcnlib.networks import NETWORKS, load_network
from stgcnlib.networks.degcn import LearnedPlaces
from stgcnlib.networks.hyperformer import joint_groups
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout

STRIDES: dict[str, list[int]] = {
    "ms-g3d": [1, 1, 1, 2, 2, 2, 4, 4, 4],
    "efficientgcn-b0": [1, 1, 1, 1, 2, 2, 2, 4, 4],
}
families = pytest.mark.parametrize("family", list(NETWORKS))


@families
def test_interface_and_layer_shapes(family: str) -> None:
    network = make(family)
    assert (len(network.layout), network.classes, network.channels) == (20, 4, 3)
    shapes: list[tuple[int, ...]] = []
    order: list[str] = []
    for name in network.layer_names:
        network.get_submodule(name).register_forward_hook(
            lambda m, i, output, name=name: (shapes.append(tuple(output.shape)), order.append(name))[0]
        )
    assert network(batch()).shape == (2, 4)
    assert tuple(order) == network.layer_names
    strides = STRIDES.get(family, [1, 2, 4, 4])
    assert [s[2] for s in shapes] == [-(-11 // r) for r in strides]
    assert all(s[0] == 4 and s[3] == 20 for s in shapes)


@families
def test_options_rebuild_the_network(family: str) -> None:
    first = make(family)
    again = load_network(family, layout=first.layout, classes=4, channels=first.channels, **first.options)
    again.load_state_dict(first.state_dict())
    torch.testing.assert_close(again(batch()), first(batch()), rtol=0, atol=0)


@families
def test_a_few_frames_are_enough(family: str) -> None:
    network = make(family)
    for frames in range(1, 9):
        scores = network(batch(N=1, T=frames, M=1))
        assert scores.shape == (1, 4)
        assert torch.isfinite(scores).all()


@families
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_every_layout_with_two_channels(family: str, layout: str) -> None:
    network = load_network(family, layout=layout, classes=3, channels=2, seed=0, **SMALL[family])
    scores = network(batch(V=len(network.layout), C=2))
    assert scores.shape == (2, 3)
    assert torch.isfinite(scores).all()


@families
def test_a_graph_with_a_ring_and_a_lone_node(family: str) -> None:
    ring = SkeletonLayout(
        name="ring", joints=("a", "b", "c", "d", "e"), bones=((0, 1), (1, 2), (2, 3), (3, 0)), centre=1
    )
    assert torch.isfinite(make(family, ring)(batch(V=5))).all()


@families
def test_rows_of_a_batch_are_recordings_then_people(family: str) -> None:
    # In double, since a batch of another size is summed in another order.
    network = lively(make(family)).double()
    x = batch(N=3).double()
    seen: dict[str, torch.Tensor] = {}
    last = network.layer_names[-1]
    network.get_submodule(last).register_forward_hook(lambda m, i, output: seen.__setitem__("out", output.detach()))
    scores = network(x)
    together = seen["out"]
    for n in range(3):
        torch.testing.assert_close(network(x[n : n + 1]), scores[n : n + 1], rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(seen["out"], together[2 * n : 2 * n + 2], rtol=1e-9, atol=1e-10)
    if family != "blockgcn":  # the shape that it adds is that of all people together
        network(x[..., :1])
        torch.testing.assert_close(seen["out"], together[0::2], rtol=1e-9, atol=1e-10)


@families
def test_more_people_than_statistics_are_refused(family: str) -> None:
    network = make(family)
    if network.options.get("people") is None:
        assert network(batch(M=3)).shape == (2, 4)
        return
    with pytest.raises(SequenceError, match=r"people=3"):
        network(batch(M=3))
    assert make(family, people=3)(batch(M=3)).shape == (2, 4)


@families
def test_statistics_of_absent_people_rest(family: str) -> None:
    network = make(family)
    if network.options.get("people") is None:
        pytest.skip("people share their statistics")
    norm = network.data_bn
    half = norm.num_features // 2
    network.train()(batch(M=1) + 3)
    assert (norm.running_mean[:half].abs() > 1e-3).all()
    assert (norm.running_mean[half:] == 0).all()


@families
def test_every_parameter_gets_a_gradient(family: str) -> None:
    network = lively(make(family)).train()
    network(batch()).square().sum().backward()
    for name, parameter in network.named_parameters():
        if family == "protogcn" and name.startswith(("prn.", "post.", "bn.")):  # of a loss that is not here
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@families
def test_gradients_are_finite_where_joints_coincide(family: str) -> None:
    network = make(family)
    x = torch.zeros(1, 3, 6, 20, 2, requires_grad=True)
    network(x).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@families
def test_two_steps_of_training_lower_the_loss(family: str) -> None:
    network = make(family).train()
    x, labels = batch(N=4), torch.tensor([0, 1, 2, 3])
    optimiser = torch.optim.SGD(network.parameters(), lr=0.02)
    losses = []
    for _ in range(3):
        loss = nn.functional.cross_entropy(network(x), labels)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[2] < losses[0]


@families
def test_recordings_show_stride_and_joints(family: str, small_set: SequenceSet) -> None:
    network = make(family)
    store = record(network, small_set, progress=False)
    strides = STRIDES.get(family, [1, 2, 4, 4])
    for name, stride in zip(network.layer_names, strides, strict=True):
        layer = store[name]
        assert layer.temporal_stride == stride
        assert layer.joints == 20
        lengths = [layer.sequence(i).shape[0] for i in range(len(small_set))]
        np.testing.assert_array_equal(lengths, -(-small_set.lengths // stride))


@families
def test_the_head_can_be_replaced(family: str) -> None:
    network = make(family)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    network.reset_head(9)
    assert network.classes == 9
    assert network(batch()).shape == (2, 9)
    changed = {k for k, v in network.state_dict().items() if v.shape != before[k].shape}
    assert len(changed) == (4 if family == "degcn" else 2)  # a head for each of two streams
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items() if k not in changed)


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("ctr-gcn", {"width": 6}, "4 branches"),
        ("ms-g3d", {"width": 8}, "6 branches"),
        ("st-gcn++", {"width": 5}, "at least 6"),
        ("efficientgcn-b0", {"width": 6}, "multiple of 4"),
        ("hyperformer", {"width": 24, "heads": 5}, "multiple of 12 and of the 5 heads"),
        ("blockgcn", {"width": 12, "heads": 5}, "multiple of the 5 heads"),
        ("degcn", {"width": 6}, "4 branches"),
        ("hd-gcn", {"width": 6}, "4 branches"),
        ("hd-gcn", {"centre": 20}, "joints 0 to 19"),
        ("agcn", {"width": 0}, "width is 0"),
        ("shift-gcn", {"depth": 0}, "depth is 0"),
        ("aagcn", {"people": 0}, "people is 0"),
    ],
)
def test_unfit_options_are_named(family: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        make(family, **options)


def test_shift_gcn_moves_channels_by_whole_and_broken_frames() -> None:
    from stgcnlib.networks.shiftgcn import FrameShift

    shift = FrameShift(3)
    with torch.no_grad():
        shift.ypos.copy_(torch.tensor([0.0, 2.0, -0.25]))
    x = torch.arange(6.0)[None, None, :, None].expand(1, 3, 6, 1).clone() + 1
    out = shift(x)[0, :, :, 0].detach().numpy()
    np.testing.assert_allclose(out[0], [1, 2, 3, 4, 5, 6])
    np.testing.assert_allclose(out[1], [3, 4, 5, 6, 0, 0])
    np.testing.assert_allclose(out[2], [0.75, 1.75, 2.75, 3.75, 4.75, 5.75])


def test_efficientgcn_inputs_by_hand() -> None:
    network = make("efficientgcn-b0", "ntu-rgb+d").double()
    x = batch(N=1, T=5, V=25, M=1)[..., 0].double()
    joints, velocities, bones = (part[0].numpy() for part in network.inputs(x))
    a = x[0].numpy()
    np.testing.assert_allclose(joints[3:, :, 0], a[:, :, 0] - a[:, :, 1], rtol=1e-12)
    np.testing.assert_allclose(velocities[:3, 1], a[:, 2] - a[:, 1], rtol=1e-12)
    np.testing.assert_allclose(velocities[3:, 2], a[:, 4] - a[:, 2], rtol=1e-12)
    assert not velocities[:, 3:].any()
    wrist = a[:, :, 6] - a[:, :, 5]
    np.testing.assert_allclose(bones[:3, :, 6], wrist, rtol=1e-12)
    length = np.linalg.norm(wrist, axis=0) + 1e-4  # as published
    np.testing.assert_allclose(bones[3:, :, 6], np.arccos(wrist / length), rtol=1e-12)
    np.testing.assert_allclose(bones[3:, :, 1], np.pi / 2, rtol=1e-12)


def test_hyperformer_groups_are_published_or_limbs_or_given() -> None:
    assert joint_groups(LAYOUTS["nw-ucla"])[:5] == (0, 0, 0, 0, 1)
    assert joint_groups(LAYOUTS["openpose-18"]) == (0, 0, 2, 2, 2, 1, 1, 1, 4, 4, 4, 3, 3, 3, 0, 0, 0, 0)
    assert joint_groups(SkeletonLayout("bare", ("a", "b"), ((0, 1),))) == (0, 0)
    network = make("hyperformer", groups=[0] * 19 + [1])
    assert network.options["groups"] == (0,) * 19 + (1,)
    lone = network.get_submodule("l1.vit1").same_group[19]
    assert lone.sum() == lone[19] == 1
    with pytest.raises(StudyError, match="a number from 0 for each of 20 joints"):
        make("hyperformer", groups=[0, 1])


def test_degcn_reads_between_frames_and_repeats_the_ends(rng: np.random.Generator) -> None:
    x = torch.from_numpy(rng.normal(size=(2, 3, 7, 4)))
    for stride in (1, 2):
        layer = LearnedPlaces(3, places=4, stride=stride, dilation=2).double().eval()
        with torch.no_grad():
            layer.tr.copy_(torch.tensor([-2.25, 0.0, 0.5, 9.0]))
        kernel, bias = (part.detach().numpy() for part in (layer.conv_out[0].weight, layer.conv_out[0].bias))
        found = layer(x).detach().numpy() * (1 + 1e-5) ** 0.5  # what batch norm divides by
        for t, start in enumerate(range(0, 7, stride)):
            expected = bias[None, :, None] * np.ones((2, 3, 4))
            for place, shift in enumerate((-2.25, 0.0, 0.5, 9.0)):
                at = np.clip(start + shift, 0, 6)
                low, share = int(at), at - int(at)
                read = (1 - share) * x[:, :, low].numpy() + share * x[:, :, min(low + 1, 6)].numpy()
                expected += np.einsum("oc,ncv->nov", kernel[:, :, place, 0, 0], read)
            np.testing.assert_allclose(found[:, :, t], expected, rtol=1e-10, atol=1e-12)

"""L-STG-GradCAM against captum, against finite differences, and by its properties."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rounding import UNIT, in_double
from tiny_network import TinyNetwork
from torch import Tensor, nn

from stgcnlib.activations import record
from stgcnlib.errors import LayerNotFoundError, LayoutError, SequenceError, SkeletonFormatError, StudyError
from stgcnlib.explain import grad_cam, grad_cam_set, load_relevance, save_relevance
from stgcnlib.explain.relevance import at_input_frames
from stgcnlib.networks import NETWORKS, load_network
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from captum.attr import LayerGradCam


@pytest.fixture
def network() -> TinyNetwork:
    return in_double(TinyNetwork())


@pytest.fixture
def single(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(17, 20, 3)).astype(np.float32)


@pytest.fixture
def couple(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(2, 12, 20, 3)).astype(np.float32)


def network_input(people: np.ndarray) -> Tensor:
    return torch.from_numpy(people.transpose(3, 1, 2, 0)[None].copy())


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))


# -- against others -----------------------------------------------------------------------------


SMALL: dict[str, dict[str, int]] = {
    "ms-g3d": {"width": 12, "gcn_scales": 4, "g3d_scales": 3},
    "st-gcn++": {"width": 12, "depth": 4},
    "efficientgcn-b0": {"width": 8},
    "hyperformer": {"width": 12, "depth": 4},
    "protogcn": {"width": 12, "depth": 4, "prototypes": 7},
}


def zoo_network(name: str) -> nn.Module:
    """A network of the zoo, narrow where it can be."""
    return load_network(name, layout="kinect-v1", classes=5, seed=3, **SMALL.get(name, {"width": 8, "depth": 4}))


@pytest.mark.parametrize("name", ["tiny", *NETWORKS])
@pytest.mark.parametrize("signed", [False, True])
def test_one_person_agrees_with_captum_at_every_layer(name, signed, single):
    network = in_double(TinyNetwork() if name == "tiny" else zoo_network(name)).eval()
    maps = grad_cam(network, single, target=1, signed=signed)
    assert tuple(maps) == tuple(network.layer_names)
    for name, each in maps.items():
        module = network.get_submodule(name)
        x = network_input(single[None]).requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer = LayerGradCam(network, module).attribute(x, target=1, relu_attributions=not signed)
        expected = peer[0].detach().numpy()
        assert each.raw.shape == expected.shape
        assert relative_error(each.raw, expected) < 1e-10


class Rest(nn.Module):
    """The tiny network after its first block, so that a test can nudge that block's output."""

    def __init__(self, network: TinyNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, activation: Tensor, people: int) -> Tensor:
        y = activation.clamp(0, 6)
        for block in list(self.network.blocks)[1:]:
            y = block(y).clamp(0, 6)
        return self.network.head(y.mean(dim=(2, 3)).view(1, people, -1).mean(dim=1))


def test_weights_are_mean_finite_differences(network, couple):
    # In double precision, nudging all of a channel of one person by h changes the logit by h * sum of gradients.
    network.eval()
    rest = Rest(network)
    with torch.no_grad():
        x = network_input(couple).double()
        _, C, T, V, M = x.shape
        y = x.permute(0, 4, 3, 1, 2).reshape(M, V * C, T)
        y = network.data_bn(y).view(M, V, C, T).permute(0, 2, 3, 1)
        A = network.blocks[0](y).clone()
        h = 1e-7
        expected = np.zeros((M, T, V))
        for m in range(M):
            for k in range(A.shape[1]):
                up, down = A.clone(), A.clone()
                up[m, k] += h
                down[m, k] -= h
                slope = (rest(up, M) - rest(down, M))[0, 2] / (2 * h)
                expected[m] += (slope / (T * V) * A[m, k]).numpy()
    got = grad_cam(network, couple, target=2, signed=True)["blocks.0"].raw
    # A nudge crosses a kink of ReLU now and then, so this is looser than the comparison with captum.
    assert relative_error(got, expected) < 1e-4


def test_pooled_people_share_the_mean_of_the_weights(network, couple):
    each = grad_cam(network, couple, target=0, signed=True)
    mean = grad_cam(network, couple, target=0, signed=True, pool_people="mean")
    with torch.no_grad():
        kept: list[Tensor] = []
        handle = network.blocks[2].register_forward_hook(lambda m, i, o: kept.append(o.clone()))
        network.eval()(network_input(couple))
        handle.remove()
    A = kept[0].numpy()
    M, _, T, V = A.shape
    # The logit is linear in the last block's output where ReLU6 lets it through.
    slopes = network.head.weight[0].detach().numpy()[None, :, None, None] / (M * T * V) * ((A > 0) & (A < 6))
    alpha = slopes.mean(axis=(2, 3))
    assert relative_error(each["blocks.2"].raw, np.einsum("mk,mktv->mtv", alpha, A)) < 1e-10
    assert relative_error(mean["blocks.2"].raw, np.einsum("k,mktv->mtv", alpha.mean(axis=0), A)) < 1e-10
    assert relative_error(mean["blocks.2"].raw, each["blocks.2"].raw) > 1e-3


def test_the_input_is_a_layer_when_asked_for(network, single):
    maps = grad_cam(network, single, layers=["input", "blocks.2"], target=1, signed=True)
    assert [m.index for m in maps.values()] == [0, 3]
    x = network_input(single[None]).requires_grad_()
    network.eval()(x)[0, 1].backward()
    assert x.grad is not None
    # Gradients at the input are float32 as the input is; each of the terms of a mean may be rounded, in any order.
    slopes = x.grad[0, :, :, :, 0].double().numpy()
    expected = np.einsum("k,tvk->tv", slopes.mean(axis=(1, 2)), single)
    most = np.einsum("k,tvk->tv", np.abs(slopes).mean(axis=(1, 2)), np.abs(single)) * UNIT * (slopes[0].size + 8)
    assert (np.abs(maps["input"].values[0] - expected) <= most).all()
    assert most.max() < 1e-2 * np.abs(expected).max()


# -- properties ---------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(factor=st.floats(0.1, 10), seed=st.integers(0, 5))
def test_maps_scale_with_the_logits(factor, seed):
    sequence = np.random.default_rng(seed).normal(size=(9, 20, 3))
    network = in_double(TinyNetwork(seed=seed))
    before = grad_cam(network, sequence, target=0)
    with torch.no_grad():
        network.head.weight.mul_(factor)
    after = grad_cam(network, sequence, target=0)
    for name in before:
        np.testing.assert_allclose(after[name].values, factor * before[name].values, rtol=1e-9, atol=1e-12)


def test_maps_are_zero_where_nothing_is_active(network, single):
    def silence(_module: nn.Module, _arguments: object, output: Tensor) -> Tensor:
        output = output.clone()
        output[:, :, 3:5] = 0
        output[..., 7] = 0
        return output

    network.blocks[1].register_forward_hook(silence)
    raw = grad_cam(network, single, target=1, signed=True)["blocks.1"].raw
    assert not raw[:, 3:5].any()
    assert not raw[..., 7].any()
    assert raw[:, :3, :7].any()


def test_unsigned_maps_are_the_positive_part(network, couple):
    signed, plain = (grad_cam(network, couple, target=1, signed=flag) for flag in (True, False))
    for name in signed:
        np.testing.assert_array_equal(plain[name].raw, np.maximum(signed[name].raw, 0))
    assert min(m.raw.min() for m in signed.values()) < 0


def test_layer_frames_lie_at_their_input_frames(network, single):
    each = grad_cam(network, single, target=1)["blocks.2"]
    assert each.raw.shape == (1, 9, 20)
    assert each.values.shape == (1, 17, 20)
    np.testing.assert_array_equal(each.values[:, ::2], each.raw)
    np.testing.assert_allclose(each.values[:, 1::2], (each.raw[:, 1:] + each.raw[:, :-1]) / 2, atol=1e-12)
    usual = grad_cam(TinyNetwork(), single, target=1)["blocks.2"]
    assert usual.values.dtype == usual.raw.dtype == np.float32
    even = grad_cam(network, single[:16], target=1)["blocks.2"]
    np.testing.assert_array_equal(even.values[:, -1], even.raw[:, -1])


# -- people and frames that are not there --------------------------------------------------------


def padded(couple: np.ndarray) -> np.ndarray:
    """As a published feeder pads: a second person of zeros, and zeros after frame 8."""
    people = couple.copy()
    people[1] = 0
    people[:, 8:] = 0
    return people


@pytest.mark.parametrize("pool_people", ["each", "mean"])
def test_nobody_has_no_relevance(network, couple, pool_people):
    people = padded(couple)
    data = SequenceSet([people], layout="kinect-v1", labels=[0])
    for maps in (
        grad_cam(network, people, signed=True, pool_people=pool_people),
        grad_cam_set(network, data, signed=True, pool_people=pool_people, progress=False)[0],
    ):
        for each in maps.values():
            assert not each.raw[1].any()
            assert not each.values[1].any()
            assert not each.values[0, 8:].any()
            assert each.values[0, :8].any(axis=1).all()
            assert each.values.dtype == each.raw.dtype
    # What is there keeps its relevance: at its own frames a layer knows nothing of who is in which.
    one, two = (grad_cam(network, p, signed=True)["blocks.0"].raw for p in (people, people[:1]))
    np.testing.assert_allclose(one[0], two[0] / 2, rtol=1e-9, atol=1e-12)  # scores are a mean over people


def test_a_zero_of_a_signal_is_a_value(rng):
    signals = SkeletonLayout("signals", ("a", "b", "c"), ((1, 0), (2, 1)), centre=0, dimensions=0)
    network = load_network("st-gcn", layout=signals, channels=1, classes=2, width=4, depth=2, seed=1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.bias, 0.1, 0.3)
    values = rng.normal(size=(10, 3, 1)).astype(np.float32)
    values[4:7] = 0
    maps = grad_cam(network, values, target=0, signed=True)
    assert all(each.values[:, 4:7].any(axis=(0, 2)).all() for each in maps.values())


# -- scores and gradients that are no numbers ----------------------------------------------------


class Bones(nn.Module):
    """Lengths from the first joint, whose own length is a root at 0: its derivative is infinite."""

    layer_names = ("lift",)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lift, self.head = nn.Conv2d(3, 4, 1), nn.Linear(1, 3)

    def forward(self, x: Tensor) -> Tensor:
        N, C, T, V, M = x.shape
        z = self.lift(x.permute(0, 4, 1, 2, 3).reshape(N * M, C, T, V))
        length = ((z - z[..., :1]) ** 2).sum(1).sqrt()
        scores: Tensor = self.head(length.mean((1, 2)).view(N, M).mean(1, keepdim=True))
        return scores


def test_relevance_that_is_no_number_is_an_error(small_set):
    assert np.isfinite(record(Bones(), small_set, progress=False).scores).all()
    with pytest.raises(StudyError, match=r"relevance of layer 'lift' for 'recording \d' is NaN.*sqrt\(x \+ 1e-12\)"):
        grad_cam_set(Bones(), small_set, progress=False)
    with pytest.raises(StudyError, match="relevance of layer 'lift' for 'sequence' is NaN"):
        grad_cam(Bones(), small_set.coords[0])


def test_scores_that_are_no_numbers_are_an_error(network, small_set):
    with torch.no_grad():
        network.head.weight[1, 0] = float("nan")
    message = r"the network's outputs of 'recording \d' are NaN or infinite"
    with pytest.raises(StudyError, match=message):
        grad_cam_set(network, small_set, progress=False)
    with pytest.raises(StudyError, match=message):
        record(network, small_set, progress=False)
    with pytest.raises(StudyError, match="the network's outputs of 'sequence' are NaN"):
        grad_cam(network, small_set.coords[0], target=0)


def test_a_network_in_double_is_explained_and_recorded(small_set):
    plain = load_network("st-gcn", layout="kinect-v1", classes=3, width=4, depth=2, seed=0)
    double = load_network("st-gcn", layout="kinect-v1", classes=3, width=4, depth=2, seed=0).double()
    for one, other in zip(
        grad_cam(plain, small_set.coords[0]).values(), grad_cam(double, small_set.coords[0]).values(), strict=True
    ):
        np.testing.assert_allclose(other.values, one.values, atol=1e-3 * np.abs(one.values).max())
    np.testing.assert_allclose(
        record(double, small_set, progress=False).scores, record(plain, small_set, progress=False).scores, atol=1e-4
    )
    assert all(parameter.dtype == torch.float64 for parameter in double.parameters())


def test_one_parameter_in_double_does_not_change_the_input(small_set):
    network = load_network("st-gcn", layout="kinect-v1", classes=3, width=4, depth=2, seed=0)
    expected = grad_cam(network, small_set.coords[0])
    network.register_parameter("scale", torch.nn.Parameter(torch.ones((), dtype=torch.float64)))
    for name, each in grad_cam(network, small_set.coords[0]).items():
        np.testing.assert_array_equal(each.values, expected[name].values)


# -- sets and targets ---------------------------------------------------------------------------


def test_a_set_gives_what_each_recording_gives(network, small_set, couple):
    data = SequenceSet(
        [*small_set.coords, couple, small_set.coords[2]], labels=[0, 1] * 5, class_names=["a", "b"], layout="kinect-v1"
    )
    together = grad_cam_set(network, data)
    assert len(together) == len(data)
    for i, maps in enumerate(together):
        for name, alone in grad_cam(network, data.coords[i]).items():
            assert maps[name].target == alone.target
            assert (maps[name].title, maps[name].index) == (alone.title, alone.index)
            np.testing.assert_allclose(maps[name].values, alone.values, rtol=1e-9, atol=1e-12)


def test_targets(network, small_set):
    network.eval()
    predicted = [int(network(network_input(small_set.people(i))).argmax()) for i in range(len(small_set))]
    for target, expected in [(None, predicted), ("predicted", predicted), ("true", small_set.labels), (2, [2] * 8)]:
        maps = grad_cam_set(network, small_set, target=target, layers="blocks.2")
        assert [m["blocks.2"].target for m in maps] == list(expected)
    with pytest.raises(SequenceError, match="no class 3; the network has 3 classes"):
        grad_cam(network, small_set.coords[0], target=3)
    with pytest.raises(SequenceError, match="needs labels"):
        grad_cam(network, small_set.coords[0], target="true")


def test_bad_input_is_named(network, small_set):
    with pytest.raises(LayerNotFoundError, match=r"no layer 'blok\.1'; did you mean"):
        grad_cam(network, small_set.coords[0], layers=["blok.1"])
    with pytest.raises(LayerNotFoundError, match=r"\(1, 3\), which is not '\(NM\)CTV'"):
        grad_cam(network, small_set.coords[0], layers=["head"])
    with pytest.raises(SequenceError, match="19 joints, layout 'kinect-v1' has 20"):
        grad_cam(network, small_set.coords[0][:, :19])
    with pytest.raises(SequenceError, match="pool_people='maen' is unknown; did you mean 'mean'"):
        grad_cam(network, small_set.coords[0], pool_people="maen")
    with pytest.raises(SequenceError, match="at least one frame"):
        grad_cam(Bones(), np.zeros((0, 20, 3)))
    with pytest.raises(LayoutError, match="nw-ucla"):
        grad_cam_set(network, SequenceSet(small_set.coords, layout="nw-ucla"))


@pytest.mark.parametrize("fail", [False, True])
def test_the_network_is_left_as_it_was(network, single, fail):
    network.train()
    network.blocks[1].eval()
    network.head.bias.requires_grad_(False)
    network.fail = fail

    def state() -> list[object]:
        hooks = [(len(m._forward_hooks), m.training) for m in network.modules()]
        return [hooks, [(p.requires_grad, p.grad is None) for p in network.parameters()]]

    before, weights = state(), {k: v.clone() for k, v in network.state_dict().items()}
    if fail:
        with pytest.raises(RuntimeError, match="no forward today"):
            grad_cam(network, single)
    else:
        grad_cam(network, single)
        with pytest.raises(SequenceError):
            grad_cam(network, single, target=99)
    assert state() == before
    assert all(torch.equal(v, weights[k]) for k, v in network.state_dict().items())
    assert network.act.inplace


# -- files --------------------------------------------------------------------------------------


def test_maps_come_back_from_a_file(network, small_set, couple, tmp_path):
    data = SequenceSet([*small_set.coords[:3], couple], layout="kinect-v1")
    maps = grad_cam_set(network, data)
    save_relevance(tmp_path / "maps.npz", maps)
    back = load_relevance(tmp_path / "maps.npz")
    assert [list(m) for m in back] == [list(m) for m in maps]
    for a, b in zip(maps, back, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name].values, b[name].values)
            np.testing.assert_array_equal(a[name].raw, b[name].raw)
            for field in ("layer", "index", "title", "target"):
                assert getattr(a[name], field) == getattr(b[name], field)


def test_a_damaged_file_is_named(network, small_set, tmp_path):
    file = tmp_path / "maps.npz"
    with pytest.raises(SkeletonFormatError, match=r"maps\.npz: no such file"):
        load_relevance(file)
    save_relevance(file, grad_cam_set(network, small_set.select([0, 1]), layers="blocks.1"))
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(SkeletonFormatError, match=r"maps\.npz: not a readable relevance file"):
        load_relevance(file)
    small_set.save(file)
    with pytest.raises(SkeletonFormatError, match="not a readable relevance file"):
        load_relevance(file)
    with pytest.raises(SequenceError, match="no maps"):
        save_relevance(file, [])
    mixed = [grad_cam(network, small_set.coords[0], layers=name) for name in ("blocks.0", "blocks.1")]
    with pytest.raises(SequenceError, match="recording 1 has layers"):
        save_relevance(file, mixed)


# -- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("frames", [1, 2, 7, 16, 17, 18])
def test_layer_frame_j_lies_at_input_frame_j_times_the_stride(frames, stride, rng):
    """Also where the last layer frame comes before the last input frame, from where on the map is constant."""
    layer_frames = (frames - 1) // stride + 1  # of a convolution with padding
    raw = rng.random((2, layer_frames, 3)).astype(np.float32)
    values = at_input_frames(raw, frames, stride)
    assert values.dtype == np.float32
    places = np.arange(layer_frames) * stride
    np.testing.assert_array_equal(values[:, places], raw)
    for m in range(2):
        for v in range(3):
            expected = np.interp(np.arange(frames), places, raw[m, :, v])
            np.testing.assert_allclose(values[m, :, v], expected, rtol=0, atol=1e-6)


def test_maps_of_an_even_number_of_frames_are_not_stretched(network, single):
    each = grad_cam(network, single[:16], target=1)["blocks.2"]
    assert each.raw.shape == (1, 8, 20)
    np.testing.assert_array_equal(each.values[:, ::2], each.raw)
    np.testing.assert_allclose(each.values[:, 1:15:2], (each.raw[:, 1:] + each.raw[:, :-1]) / 2, atol=1e-7)
    np.testing.assert_array_equal(each.values[:, 15], each.raw[:, 7])

"""Learned topologies against derivatives of the modules themselves, which know nothing of graphs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import small_zoo
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stgcnlib.errors import LayerNotFoundError
from stgcnlib.explain import Topology, learned_topologies
from stgcnlib.networks.agcn import AdaptiveGraph
from stgcnlib.networks.graph import hop_distance
from stgcnlib.networks.hdgcn import HierarchicalGraph
from stgcnlib.networks.shiftgcn import SpatialShift
from stgcnlib.networks.temporal import NoShortcut
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import layout

V = 20
FIXED = {"st-gcn", "ms-g3d", "st-gcn++", "shift-gcn", "efficientgcn-b0", "hd-gcn", "blockgcn"}
OF_INPUT = {"agcn", "aagcn", "ctr-gcn", "hyperformer", "protogcn", "degcn"}
KNOWN = FIXED | OF_INPUT


def recordings(count: int = 3, people: int = 1) -> SequenceSet:
    rng = np.random.default_rng(3)
    return SequenceSet([rng.normal(size=(people, 9, V, 3)) for _ in range(count)], layout="kinect-v1")


def mixed_joints(module: nn.Module, x: Tensor) -> NDArray[np.bool_]:
    """(V, V) whether joint v of the input changes joint w of the output, by derivatives."""
    x = x.detach().clone().requires_grad_()
    output = module(x)
    result = np.zeros((V, V), dtype=bool)
    for w in range(V):
        signs = torch.randn(output[..., w].shape, generator=torch.Generator().manual_seed(w))
        (gradient,) = torch.autograd.grad((output[..., w] * signs).sum(), x, retain_graph=True)
        result[:, w] = gradient.abs().sum(dim=(0, 1, 2)).numpy() > 0
    return result


@pytest.mark.parametrize("family", list(small_zoo.SMALL))
def test_every_family_tells_its_graphs(family: str) -> None:
    network = small_zoo.lively(small_zoo.make(family))
    found = learned_topologies(network, recordings())
    if family not in KNOWN and not found:
        pytest.skip("its modules do not say their weights")
    graphs = [name for name in network.layer_names if not re.search(r"^tcn|_tcn-|_att", name)]
    assert list(found) == graphs
    for name, topology in found.items():
        assert topology.layer == name
        for shares in (topology.fixed, topology.used):
            np.testing.assert_allclose(shares.sum(axis=0), 1)
            assert (shares >= 0).all()
    if family in KNOWN:
        assert any(t.varies > 0 for t in found.values()) == (family in OF_INPUT)
    assert all(t.varies < 1 for t in found.values())


@pytest.mark.parametrize("family", ["st-gcn", "efficientgcn-b0", "hd-gcn"])
def test_before_training_it_is_the_bones(family: str) -> None:
    network, hops = small_zoo.make(family), hop_distance("kinect-v1")
    for topology in learned_topologies(network, recordings()).values():
        if family == "hd-gcn":  # a joint, and all joints of the next group
            assert (topology.fixed[hops <= 1] > 0).all()
        else:
            np.testing.assert_array_equal(topology.fixed > 0, hops <= (2 if family == "efficientgcn-b0" else 1))
        np.testing.assert_array_equal(topology.used, topology.fixed)


def test_edge_importance_counts() -> None:
    network: Any = small_zoo.make("st-gcn")
    with torch.no_grad():
        network.edge_importance[1][:, 5, 4] = -30.0  # the elbow, for the shoulder
    before = learned_topologies(small_zoo.make("st-gcn"), recordings())["st_gcn_networks.1"]
    after = learned_topologies(network, recordings())["st_gcn_networks.1"]
    assert after.fixed[5, 4] > 0.8 > before.fixed[5, 4]
    others = [w for w in range(V) if w != 4]
    np.testing.assert_array_equal(after.fixed[:, others], before.fixed[:, others])


@pytest.mark.parametrize("family", ["st-gcn++", "ms-g3d"])
def test_columns_are_what_goes_in(family: str) -> None:
    """One entry of the learned graph is made large, and the derivative of the module says where it leads."""
    network: Any = small_zoo.make(family)
    module, layer = (network.gcn[0].gcn, "gcn.0") if family == "st-gcn++" else (network.sgcn1[0], "sgcn1")
    with torch.no_grad():
        if family == "st-gcn++":
            module.A.zero_()
            module.A[1, 7, 3] = 1.0
        else:
            module.A.zero_()
            module.A_res.zero_()
            module.A_res[V + 3, 7] = 1.0
    topology = learned_topologies(network, recordings(), layers=[layer])[layer]
    expected = np.zeros((V, V))
    expected[7, 3] = 1
    np.testing.assert_array_equal(topology.used, expected)
    if family == "ms-g3d":
        x = torch.randn(2, 3, 4, V, generator=torch.Generator().manual_seed(0))
        np.testing.assert_array_equal(mixed_joints(module, x), expected > 0)


def test_windows_of_frames_are_folded() -> None:
    """What joint v of any frame of the window gives to joint w."""
    network: Any = small_zoo.make("ms-g3d")
    for window, size in zip(network.gcn3d1.gcn3d, (3, 5), strict=True):
        module = window.gcn3d[1]
        with torch.no_grad():
            module.A.zero_()
            module.A_res.zero_()
            module.A_res[(size - 1) * V + 3, 1 * V + 7] = -2.0
    topology = learned_topologies(network, recordings(), layers=["gcn3d1"])["gcn3d1"]
    assert np.argwhere(topology.used).tolist() == [[7, 3]]


def test_the_graph_of_the_data_is_the_mean_over_recordings() -> None:
    network: Any = small_zoo.lively(small_zoo.make("agcn"))
    data = recordings(4)
    module, inputs = network.l2.gcn1, []
    assert isinstance(module, AdaptiveGraph)
    handle = module.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.no_grad():
        for i in range(len(data)):
            network(torch.from_numpy(data.people(i)).permute(3, 1, 2, 0)[None])
        handle.remove()
        shares = []
        for x in inputs:
            total = np.zeros((V, V))
            for a, b, A, B in zip(module.conv_a, module.conv_b, module.A, module.PA, strict=True):
                left, right = a(x).flatten(1, 2)[0].numpy(), b(x).flatten(1, 2)[0].numpy()
                alike = left.T @ right / len(left)
                alike = np.exp(alike - alike.max(axis=0)) / np.exp(alike - alike.max(axis=0)).sum(axis=0)
                total += np.abs(alike + A.numpy() + B.numpy())
            shares.append(total / total.sum(axis=0))
    found = learned_topologies(network, data, layers=["l2"])["l2"]
    np.testing.assert_allclose(found.used, np.mean(shares, axis=0), atol=1e-5)
    away = np.mean([np.abs(each - np.mean(shares, axis=0)).sum(axis=0) / 2 for each in shares])
    assert found.varies == pytest.approx(away, abs=1e-5)
    fixed = np.abs((module.A + module.PA).detach().numpy()).sum(axis=0)
    np.testing.assert_allclose(found.fixed, fixed / fixed.sum(axis=0), atol=1e-6)


def test_refined_graphs_lead_the_right_way() -> None:
    network: Any = small_zoo.make("ctr-gcn")
    with torch.no_grad():
        network.l1.gcn1.PA.zero_()
        network.l1.gcn1.PA[0, 3, 7] = 1.0  # joint 7 goes into joint 3
    found = learned_topologies(network, recordings(), layers=["l1"])["l1"]
    assert np.argwhere(found.used).tolist() == [[7, 3]]
    graph = network.l1.gcn1
    plain = nn.Sequential()
    plain.forward = lambda x: sum(conv(x, A, graph.alpha) for conv, A in zip(graph.convs, graph.PA, strict=True))  # type: ignore[method-assign]
    assert np.argwhere(mixed_joints(plain, torch.randn(1, 3, 4, V))).tolist() == [[7, 3]]


def test_attention_leads_the_right_way() -> None:
    network: Any = small_zoo.make("hyperformer")
    module = network.l1.vit1.attn
    with torch.no_grad():
        module.outer.zero_()
        module.outer[1, 3, 7] = 2.0
    found = learned_topologies(network, recordings(), layers=["l1"])["l1"]
    assert np.argwhere(found.used).tolist() == [[7, 3]]
    with torch.no_grad():
        module.alpha.fill_(1.0)
    attended = learned_topologies(network, recordings(), layers=["l1"])["l1"]
    assert (attended.used > 0).all()
    np.testing.assert_array_equal(attended.fixed, found.fixed)
    plain = nn.Sequential()
    plain.forward = lambda x: module(x, torch.zeros(1, 12, 4, V))  # type: ignore[method-assign]
    with torch.no_grad():
        module.alpha.zero_()
    assert np.argwhere(mixed_joints(plain, torch.randn(1, 3, 4, V))).tolist() == [[7, 3]]


@pytest.mark.parametrize("family", ["blockgcn", "protogcn", "degcn"])
def test_newer_graphs_lead_the_right_way(family: str) -> None:
    """One entry of a learned graph, and the derivatives of the module say where it leads."""
    network: Any = small_zoo.make(family)
    layer = network.layer_names[-1]
    module = network.get_submodule(layer).gcn if family != "blockgcn" else network.get_submodule(layer).gcn1
    with torch.no_grad():
        graph = module.fc1 if family == "blockgcn" else module.A
        graph.zero_()
        row, column = (3, 7) if family == "degcn" else (7, 3)
        graph.view(-1, V, V)[0, row, column] = 1.0
        for name in ("down", "bn", "residual"):
            if isinstance(getattr(module, name, None), nn.Module):
                setattr(module, name, NoShortcut() if name != "bn" else nn.Identity())
    found = learned_topologies(network, recordings(), layers=[layer])[layer]
    assert np.argwhere(found.used).tolist() == [[7, 3]]
    channels = next(m.in_channels for m in module.modules() if isinstance(m, nn.Conv2d))
    x = torch.randn(1, channels, 4, V, generator=torch.Generator().manual_seed(0))
    assert [7, 3] in np.argwhere(mixed_joints(module, x)).tolist()


def test_hierarchical_graphs_lead_the_right_way() -> None:
    network: Any = small_zoo.make("hd-gcn")
    module = network.l1.gcn1
    assert isinstance(module, HierarchicalGraph)
    with torch.no_grad():
        module.PA.zero_()
        module.PA[1, 2, 3, 7] = -1.0
    found = learned_topologies(network, recordings(), layers=["l1"])["l1"]
    assert np.argwhere(found.used).tolist() == [[7, 3]]
    x = torch.randn(1, 8, 4, V)
    assert np.argwhere((x[0, 0, 0] @ module.PA[1, 2].T).detach().numpy()).tolist() == [[3]]


def test_shifts_are_what_the_derivatives_say() -> None:
    network: Any = small_zoo.lively(small_zoo.make("shift-gcn"))
    module = network.l2.gcn1
    assert isinstance(module, SpatialShift)
    found = learned_topologies(network, recordings(), layers=["l2"])["l2"]
    module.bn, module.down = nn.Identity(), NoShortcut()
    channels = module.Linear_weight.shape[0]

    def linear(flat: Tensor) -> Tensor:
        """Of one frame, before the ReLU: far above 0."""
        x = flat.view(1, channels, 1, V)
        with torch.no_grad():
            module.Linear_bias.fill_(1e4)
        return module(x).flatten()

    jacobian = torch.autograd.functional.jacobian(linear, torch.zeros(channels * V))
    strength = jacobian.abs().view(-1, V, channels, V).sum(dim=(0, 2)).T.numpy()  # [v, w]
    np.testing.assert_allclose(found.used, strength / strength.sum(axis=0), atol=1e-5)


def test_people_who_are_absent_do_not_count() -> None:
    network = small_zoo.lively(small_zoo.make("agcn"))
    both = recordings(2, people=2)
    for coords in both.coords:
        coords[1] = 0
    alone = both.with_coords([coords[:1] for coords in both.coords])
    one, other = learned_topologies(network, both), learned_topologies(network, alone)
    for name in one:
        np.testing.assert_allclose(one[name].used, other[name].used, atol=1e-6)


class Own(nn.Module):
    """A module of one's own that says its graph, fixed or of the input."""

    layer_names = ("mix", "head")

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.layout = layout("kinect-v1")
        self.mix, self.head = Mix(result), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        N, _, _, _, M = x.shape
        y = self.mix(x.permute(0, 4, 1, 2, 3).flatten(0, 1))
        return self.head(y).mean(dim=(2, 3)).view(N, M, -1).mean(dim=1)


class Mix(nn.Module):
    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result

    def joint_graph(self, x: Tensor) -> Any:
        return self.result(x)

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_modules_of_ones_own_are_asked() -> None:
    fixed = learned_topologies(Own(lambda x: torch.eye(V)[None]), recordings())
    assert list(fixed) == ["mix"]
    np.testing.assert_array_equal(fixed["mix"].used, np.eye(V))
    of_input = learned_topologies(Own(lambda x: x[:, :1].transpose(2, 3) @ x[:, :1]), recordings())["mix"]
    assert isinstance(of_input, Topology)
    assert of_input.varies > 0
    with pytest.raises(LayerNotFoundError, match=r"module 'mix': its graph is \(20, 20\); joint_graph returns"):
        learned_topologies(Own(lambda x: torch.eye(V)), recordings())


def test_hooks_are_gone_afterwards() -> None:
    network = Own(lambda x: torch.eye(V))
    with pytest.raises(LayerNotFoundError):
        learned_topologies(network, recordings())
    assert not network.mix._forward_pre_hooks
    network.train()
    network.mix.result = lambda x: torch.eye(V)[None]
    learned_topologies(network, recordings())
    assert network.training
    assert not network.mix._forward_pre_hooks

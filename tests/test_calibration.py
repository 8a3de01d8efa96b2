"""Batch-norm statistics of recordings: against sums written out, and nothing else may change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_network import TinyNetwork
from torch import Tensor, nn

from stgcnlib.errors import LayoutError, StudyError
from stgcnlib.networks import load_network
from stgcnlib.sequences import SequenceSet
from stgcnlib.training import calibrate_batch_norm, evaluate


def recordings(count: int = 7, *, layout: str = "kinect-v1", joints: int = 20) -> SequenceSet:
    rng = np.random.default_rng(0)
    coords = [rng.normal(3, 2, (9, joints, 3)) * (1 + n) for n in range(count)]
    return SequenceSet(coords, labels=[n % 2 for n in range(count)], class_names=["a", "b"], layout=layout)


class Scaled(nn.Module):
    """Batch norm of the coordinates, a second one of three times its output, and dropout, which has to stay out."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.BatchNorm1d(3, momentum=0.3), nn.BatchNorm1d(3, affine=False)
        self.drop = nn.Dropout(0.9)
        self.free = nn.BatchNorm1d(3, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.permute(0, 2, 3, 4, 1).reshape(-1, x.shape[1])
        y = self.free(self.second(3 * self.drop(self.first(flat))))
        return y.view(len(x), -1, 3).mean(dim=1)[:, :2]


def test_statistics_are_means_over_batches_of_the_batches_own() -> None:
    data, network = recordings(), Scaled()
    with torch.no_grad():
        network.first.weight.fill_(0.5)
        network.first.bias.fill_(-2.0)
    # Recordings of one length pass unchanged; which are together in a batch is the one thing taken from the code.
    together: list[Tensor] = []
    network.first.register_forward_pre_hook(lambda _, inputs: together.append(inputs[0].double()))
    assert calibrate_batch_norm(network, data, batch_size=3) == 2
    values = torch.cat(together).numpy()
    every = np.concatenate([c.reshape(-1, 3) for c in data.coords])
    np.testing.assert_allclose(np.sort(values, axis=0), np.sort(every, axis=0), rtol=1e-5)
    assert len(together) == 3
    means = [batch.numpy().mean(axis=0) for batch in together]
    variances = [batch.numpy().var(axis=0, ddof=1) for batch in together]
    np.testing.assert_allclose(network.first.running_mean, np.mean(means, axis=0), rtol=1e-4)
    np.testing.assert_allclose(network.first.running_var, np.mean(variances, axis=0), rtol=1e-4)
    # The second sees 3 (0.5 z - 2) of values z with mean 0 and variance 1 in each batch: dropout does nothing.
    np.testing.assert_allclose(network.second.running_mean, [-6.0] * 3, atol=1e-4)
    np.testing.assert_allclose(network.second.running_var, [2.25] * 3, rtol=0.01)


def test_weights_modes_and_momentum_stay_also_after_a_failure() -> None:
    network = TinyNetwork(classes=2).train()
    network.blocks[0].eval()
    modes = {name: module.training for name, module in network.named_modules()}
    before = {name: value.clone() for name, value in network.state_dict().items()}
    drawn = torch.get_rng_state()
    assert calibrate_batch_norm(network, recordings()) == 4
    after = network.state_dict()
    for name, value in before.items():
        assert torch.equal(value, after[name]) == ("running" not in name and "tracked" not in name), name
    network.fail = True
    with pytest.raises(RuntimeError, match="no forward today"):
        calibrate_batch_norm(network, recordings())
    assert {name: module.training for name, module in network.named_modules()} == modes
    assert all(m.momentum == 0.1 for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d))
    assert torch.equal(torch.get_rng_state(), drawn)


def test_an_untrained_network_of_the_zoo_then_normalises_its_layers() -> None:
    data = recordings()
    network = load_network("st-gcn", layout="kinect-v1", classes=2, seed=1, width=4, depth=3)
    seen: dict[str, Tensor] = {}
    bn = network.st_gcn_networks[1].tcn[0]
    bn.register_forward_hook(lambda module, inputs, output: seen.update(x=output))

    def variance() -> float:
        evaluate(network, data)
        return float(seen["x"].var())

    assert abs(np.log(variance())) > 0.5
    calibrate_batch_norm(network, data)
    assert abs(np.log(variance())) < 0.5
    first = {name: value.clone() for name, value in network.state_dict().items()}
    calibrate_batch_norm(network, data)  # from the start again, not on top
    assert all(torch.equal(value, first[name]) for name, value in network.state_dict().items())


def test_a_network_without_batch_norm_is_left_alone() -> None:
    class Plain(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError("no pass is needed")

    assert calibrate_batch_norm(Plain(), recordings()) == 0


def test_what_cannot_be_calibrated_is_refused() -> None:
    with pytest.raises(LayoutError, match="kinect-v1"):
        calibrate_batch_norm(TinyNetwork(classes=2), recordings(layout="ntu-rgb+d", joints=25))

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(x.mean(dim=(2, 3, 4)))

    with pytest.raises(StudyError, match=r"Pooled: batch norm saw a single value .*\(1 were given\)"):
        calibrate_batch_norm(Pooled(), recordings(1))


@pytest.mark.parametrize("family", ["agcn", "ctr-gcn"])
def test_statistics_of_people_who_are_there_are_calibrated_where_a_network_is_for_more(family: str) -> None:
    data = recordings()
    network = load_network(family, layout="kinect-v1", classes=2, width=8, depth=2, people=2)
    norm = network.data_bn
    before = norm.running_mean.clone()
    calibrate_batch_norm(network, data)
    own = slice(0, norm.features)
    assert not torch.allclose(norm.running_mean[own], before[own])
    mean = np.mean([each.reshape(-1, 20, 3).mean(axis=0) for each in data.coords], axis=0)
    assert norm.running_mean[own].mean().item() == pytest.approx(mean.mean(), rel=0.5)
    assert torch.equal(norm.running_mean[norm.features :], before[norm.features :])

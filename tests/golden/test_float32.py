"""Float32 results of the zoo against double, with a model of what rounding may do instead of a number per network.

The model (`rounding.py`) draws the errors of single operations and lets the network carry them on, so that a softmax
near ties is allowed what it makes of them, and the bound is the same on every machine.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_case import check_keys, load_case
from rounding import allowed, bfloat16, relative_error, tf32, without_precision
from small_zoo import batch, lively, make
from torch import Tensor, nn

from stgcnlib.networks import NETWORKS, load_network

PUBLISHED = {
    "stgcn": "st-gcn",
    "agcn": "agcn",  # its softmax has near ties, which make 1e-4 of float32's 1e-7 from the 8th layer on
    "aagcn": "aagcn",
    "ctrgcn": "ctr-gcn",
    "msg3d": "ms-g3d",
    "mm_stgcnpp": "st-gcn++",
    "mm_aagcn": "aagcn",
}


def published(name: str, folder: Path) -> tuple[nn.Module, Tensor]:
    """A network with the weights of a golden file, and the file's input."""
    golden, state = load_case(folder, name)
    backbone = name.startswith("mm_")
    network = load_network(PUBLISHED[name], layout="ntu-rgb+d", classes=60).eval()
    check_keys(network, state, head=not backbone)
    x = torch.from_numpy(golden["input"])
    return network, x.permute(0, 4, 2, 3, 1).contiguous() if backbone else x


def outputs(network: nn.Module, x: Tensor) -> list[Tensor]:
    """Every layer's output, then the scores."""
    seen: list[Tensor] = []
    hooks = [
        network.get_submodule(layer).register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
        for layer in network.layer_names
    ]
    with torch.no_grad():
        scores = network(x)
    for hook in hooks:
        hook.remove()
    return [*seen, scores]


class Judge:
    """The results of a network in double, and the float32 errors it is allowed."""

    def __init__(self, network: nn.Module, x: Tensor) -> None:
        self.x = x
        double = copy.deepcopy(network).double()
        self.exact = outputs(double, x.double())
        self.allowed = allowed(lambda: outputs(double, x.double()), self.exact)

    def excess(self, network: nn.Module) -> list[float]:
        """The error of each result as a share of what is allowed."""
        found = outputs(network, self.x)
        assert {y.dtype for y in found} == {torch.float32}
        return [relative_error(a, b) / most for a, b, most in zip(found, self.exact, self.allowed, strict=True)]


def check(network: nn.Module, x: Tensor, layers: Sequence[str]) -> None:
    """Float32 stays within the model, and a layer in a coarser format does not."""
    judge = Judge(network, x)
    assert max(judge.excess(network)) < 1
    for layer in layers:
        for coarse in (tf32, bfloat16):
            assert max(judge.excess(without_precision(network, layer, coarse))) > 4, (layer, coarse.__name__)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights(name: str, golden_folder: Path) -> None:
    network, x = published(name, golden_folder)
    check(network, x, network.layer_names[:: len(network.layer_names) - 1])  # the first and the last


@pytest.mark.parametrize("family", NETWORKS)
def test_every_family(family: str) -> None:
    network = lively(make(family)).eval()
    check(network, batch(), network.layer_names)


def test_an_operation_without_a_model_is_refused() -> None:
    x = torch.ones(3, dtype=torch.float64)
    with pytest.raises(NotImplementedError, match=r"aten\.erfinv"):
        allowed(lambda: [torch.erfinv(x / 2)], [x])


def test_the_model_knows_what_a_sum_loses() -> None:
    """One after the other, the longest way to sum: float32 stays within the model and float16 does not."""
    x = torch.rand(1000, generator=torch.Generator().manual_seed(2), dtype=torch.float64).float()
    for values in (x, x - 0.5):
        exact = [values.double().sum().view(1)]
        (most,) = allowed(lambda values=values: [values.double().sum().view(1)], exact)
        totals = {kind: kind(0) for kind in (np.float32, np.float16)}
        for value in values.numpy():
            totals = {kind: kind(total + kind(value)) for kind, total in totals.items()}
        errors = [relative_error(torch.tensor([float(total)]), exact[0]) for total in totals.values()]
        assert errors[0] < most < errors[1] / 10

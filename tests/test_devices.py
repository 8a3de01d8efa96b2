"""Which device is used where a GPU is named, and that everything which runs a network asks."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from stgcnlib.activations import record
from stgcnlib.devices import usable_device
from stgcnlib.errors import DeviceError
from stgcnlib.explain import attributions, grad_cam_set
from stgcnlib.networks import load_network
from stgcnlib.training import calibrate_batch_norm, evaluate, fit


def machine(monkeypatch, kind, count=0):
    found = None if kind is None else torch.device(kind)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: found)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: count)


def test_a_device_that_is_there_is_used(monkeypatch):
    machine(monkeypatch, "cuda", 2)
    assert usable_device("cpu") == torch.device("cpu")
    assert usable_device("cuda") == torch.device("cuda")
    assert usable_device("cuda:1") == usable_device(torch.device("cuda", 1)) == torch.device("cuda", 1)
    with pytest.raises(DeviceError, match="device='cuda:2': this machine has 2 of them"):
        usable_device("cuda:2")


@pytest.mark.parametrize(
    ("kind", "named", "reason"),
    [
        (None, "mps", "torch finds none here"),
        ("mps", "xpu:0", "torch finds 'mps' here"),
        (None, "cuda", "torch finds none here|this torch is built without it"),
    ],
)
def test_the_processor_stands_in_for_one_that_is_not(monkeypatch, kind, named, reason):
    machine(monkeypatch, kind, 1)
    with pytest.warns(UserWarning, match=f"device='{named}': ({reason}).*; the processor is used instead"):
        assert usable_device(named) == torch.device("cpu")


def test_it_is_said_once_per_process(monkeypatch):
    machine(monkeypatch, None)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(3):
            usable_device("cuda")
    assert len(told) == 1


def test_a_name_that_torch_does_not_know_is_refused():
    with pytest.raises(DeviceError, match="device='gpu' is no device of torch; give 'cpu', 'cuda', or 'cuda:1'"):
        usable_device("gpu")


def relevance(found):
    return np.concatenate([each.values.ravel() for one in found for each in one.values()])


RUNS = {
    "evaluate": lambda network, data, **where: evaluate(network, data, **where).logits,
    "fit": lambda network, data, **where: (
        fit(network, data, epochs=1, augment=False, progress=False, **where).history["train_loss"].to_numpy()
    ),
    "calibrate": lambda network, data, **where: calibrate_batch_norm(network, data, **where),
    "record": lambda network, data, **where: record(network, data, progress=False, **where).scores,
    "grad-cam": lambda network, data, **where: relevance(grad_cam_set(network, data, progress=False, **where)),
    "integrated gradients": lambda network, data, **where: relevance(
        attributions(network, data, method="integrated-gradients", steps=2, progress=False, **where)
    ),
}


@pytest.mark.parametrize("run", RUNS)
def test_what_runs_a_network_runs_it_on_the_processor_where_there_is_no_gpu(monkeypatch, small_set, run):
    machine(monkeypatch, None)

    def network():
        return load_network("st-gcn", layout=small_set.layout, classes=2, seed=0, width=4, depth=2)

    with pytest.warns(UserWarning, match="device='cuda:3': .*; the processor is used instead"):
        found = RUNS[run](network(), small_set, device="cuda:3")
    np.testing.assert_array_equal(found, RUNS[run](network(), small_set))

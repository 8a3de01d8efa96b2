"""ST-GCN computes what the published implementation computes, layer by layer."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stgcnlib.networks import load_network


@pytest.fixture(scope="module")
def fill(golden_folder: Path) -> Callable[..., np.ndarray]:
    spec = importlib.util.spec_from_file_location("golden_fill", golden_folder / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[..., np.ndarray] = module.fill
    return function


@pytest.mark.parametrize(("name", "layout"), [("stgcn", "ntu-rgb+d"), ("stgcn_kinetics", "openpose-18")])
def test_every_layer_agrees_with_the_published_network(
    name: str, layout: str, golden_folder: Path, fill: Callable[..., np.ndarray]
) -> None:
    with np.load(golden_folder / f"{name}.npz", allow_pickle=False) as file:
        golden: dict[str, Any] = {key: file[key] for key in file.files}
    shapes, salt = json.loads(str(golden["shapes"])), str(golden["salt"])
    network = load_network("st-gcn", layout=layout, classes=golden["logits"].shape[1], channels=3).eval()
    own = {k: list(v.shape) for k, v in network.state_dict().items() if v.is_floating_point() and k != "A"}
    assert own == {k: v for k, v in shapes.items() if k != "A"}
    state = {key: torch.from_numpy(np.asarray(fill(key, shape, salt))) for key, shape in shapes.items()}
    network.load_state_dict(state, strict=False)

    captured: dict[str, torch.Tensor] = {}
    hooks = [
        network.get_submodule(layer).register_forward_hook(
            lambda module, inputs, output, layer=layer: captured.__setitem__(layer, output.clone())
        )
        for layer in network.layer_names
    ]
    with torch.no_grad():
        logits = network(torch.from_numpy(golden["input"])).numpy()
    for hook in hooks:
        hook.remove()

    assert np.abs(logits - golden["logits"]).max() / np.abs(golden["logits"]).max() < 1e-5
    for layer in network.layer_names:
        ours, theirs = captured[layer].numpy()[:, ::8], golden[f"act/{layer}"]
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() / np.abs(theirs).max() < 1e-5, layer

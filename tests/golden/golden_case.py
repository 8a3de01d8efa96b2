"""What golden tests share: a file of published activations, and weights filled by its rule."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stgcnlib.networks.keys import translate


def load_case(folder: Path, name: str, *, doubles: bool = False) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The arrays of a golden file, in float32 or computed in float64, and its state dict under the published names."""
    spec = importlib.util.spec_from_file_location("golden_fill", folder / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = folder / "float64" / f"{name}.npz" if doubles else folder / f"{name}.npz"
    if doubles and not path.is_file():
        pytest.skip(f"{path} is not there")
    with np.load(path, allow_pickle=False) as file:
        golden = {key: file[key] for key in file.files}
    shapes, salt = json.loads(str(golden["shapes"])), str(golden["salt"])
    state = {key: torch.from_numpy(np.asarray(module.fill(key, shape, salt))) for key, shape in shapes.items()}
    return golden, state


def load_doubles(folder: Path, name: str) -> dict[str, Any]:
    """The arrays of the same case computed in float64 by the published code, beside its float32 file."""
    file = folder / "float64" / f"{name}.npz"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    with np.load(file, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def check_keys(network: nn.Module, state: dict[str, torch.Tensor], *, head: bool = True) -> None:
    """The published keys, translated, are ours one to one, with the same shapes; then the weights are loaded."""
    own = {k: tuple(v.shape) for k, v in network.state_dict().items() if v.is_floating_point()}
    if not head:
        own = {k: v for k, v in own.items() if not k.startswith(("fc.", "fcn."))}
    theirs = translate(state)
    if "A" not in theirs:  # ST-GCN's graph is a buffer that the network defines
        own.pop("A", None)
    assert own == {k: tuple(v.shape) for k, v in theirs.items()}
    network.load_state_dict(theirs, strict=False)


def layer_outputs(network: nn.Module, x: torch.Tensor) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Logits and the outputs of all named layers."""
    captured: dict[str, np.ndarray] = {}
    hooks = [
        network.get_submodule(layer).register_forward_hook(
            lambda module, inputs, output, layer=layer: captured.__setitem__(layer, output.numpy().copy())
        )
        for layer in network.layer_names
    ]
    with torch.no_grad():
        logits = network(x).numpy()
    for hook in hooks:
        hook.remove()
    return logits, captured


def error(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())

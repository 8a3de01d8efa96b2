"""Checkpoints: plain tensors on disk, loaded without ever running code from the file.

Understands stgcnlib's own files and bare state dicts, also wrapped in ``state_dict`` or ``model`` or
prefixed with ``module.``.
"""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stgcnlib.artefacts import atomic_path
from stgcnlib.errors import CheckpointError, shorten

__all__ = ["describe_checkpoint", "load_weights", "read_checkpoint", "save_checkpoint"]

WRAPPERS = ("state_dict", "model", "model_state_dict")


def save_checkpoint(network: nn.Module, path: str | os.PathLike[str], **extra: Any) -> None:
    """Write a network's weights and what rebuilds it, atomically.

    The file holds only tensors and plain values, so `torch.load(weights_only=True)` reads it: `state_dict`,
    `network` (class, classes, channels, layout, options), and `extra` (plain values of your own).
    """
    skeleton = getattr(network, "layout", None)
    content = {
        "state_dict": {key: value.detach().cpu() for key, value in network.state_dict().items()},
        "network": {
            "class": type(network).__name__,
            "classes": getattr(network, "classes", None),
            "channels": getattr(network, "channels", None),
            "layout": None if skeleton is None else skeleton.name,
            "options": dict(getattr(network, "options", {})),
        },
        "extra": extra,
    }
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state dict in a checkpoint file: parameter name -> tensor, wrappers and prefixes taken off.

    Raises:
        CheckpointError: if the file is missing, damaged, holds code, or holds no tensors.
    """
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"{file}: no such checkpoint file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols, while the file is being judged
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{file}: refused, since it is damaged or holds Python objects besides tensors ({_first_line(error)}); "
            "where you trust it, save only its state dict: torch.save(network.state_dict(), 'weights.pt')"
        ) from None
    except Exception as error:  # damaged bytes surface as nearly any exception of the unpickler
        raise CheckpointError(
            f"{file}: not a readable checkpoint ({_first_line(error)}); copy or save it again"
        ) from None
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not any(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(f"{file}: holds no state dict (parameter names and tensors); save network.state_dict()")
    return {str(k).removeprefix("module."): v for k, v in content.items() if isinstance(v, Tensor)}


def describe_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `save_checkpoint` wrote of the network: class, classes, channels, layout, options; {} for other files.

    Raises:
        CheckpointError: as `read_checkpoint`.
    """
    read_checkpoint(path)
    content = torch.load(Path(path), map_location="cpu", weights_only=True)
    known = content.get("network") if isinstance(content, Mapping) else None
    return dict(known) if isinstance(known, Mapping) else {}


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Put a checkpoint's weights into a network of the same shape; on an error the network stays as it was.

    Buffers that the network defines itself (a graph's adjacency) may be missing from the file.

    Raises:
        CheckpointError: if a parameter is missing, unknown, or of another shape; names the first.
    """
    state, own = read_checkpoint(path), network.state_dict()
    optional = {name for name, _ in network.named_buffers() if "running_" not in name}
    missing = [key for key in own if key not in state and key not in optional]
    unknown = [key for key in state if key not in own]
    wrong = [key for key in own if key in state and state[key].shape != own[key].shape]
    kind = type(network).__name__
    if missing or unknown:
        detail = f"lacks {shorten(missing, 3)}" if missing else f"has {shorten(unknown, 3)}, which {kind} does not know"
        raise CheckpointError(
            f"{path}: {detail}; it belongs to another kind or depth of network: load_network with the name and the "
            "options that it was trained with"
        )
    if wrong:
        first = wrong[0]
        raise CheckpointError(
            f"{path}: {first!r} has shape {tuple(state[first].shape)}, this {kind} needs {tuple(own[first].shape)} "
            f"({len(wrong)} keys differ): load_network with the layout, classes, channels and width that the "
            "checkpoint was trained with"
        )
    network.load_state_dict(state, strict=False)


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:160] if text else type(error).__name__

"""Checkpoints: plain tensors on disk, read without ever running code from the file.

It reads stgcnlib's own files, safetensors, and state dicts in wrappers or with prefixes. `families` tells which
network a state dict belongs to.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stgcnlib.errors import CheckpointError, shorten
from stgcnlib.files import atomic_path, mistaken
from stgcnlib.networks.keys import extras, translate
from stgcnlib.networks.unpickling import WRAPPERS, read_pickled, unreadable
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout

__all__ = [
    "Checkpoint", "load_weights", "open_checkpoint", "read_checkpoint", "save_checkpoint",
]  # fmt: skip

PREFIXES = ("module.", "model.", "network.", "net.", "_orig_mod.")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        file: where it was read.
        state: parameter name -> tensor (of any shape), wrappers and prefixes taken off.
        description: what `save_checkpoint` wrote about the network (class, classes, channels, layout, options);
            empty for files of other makers.
    """

    file: Path
    state: dict[str, Tensor]
    description: Mapping[str, Any] = field(default_factory=dict)


def save_checkpoint(network: nn.Module, path: str | os.PathLike[str], **extra: Any) -> None:
    """Write a network's weights and what rebuilds it, atomically.

    The file holds only tensors and plain values, so `torch.load(weights_only=True)` reads it: `state_dict`,
    `network` (class, classes, channels, layout by name or in full, options, as far as they are plain), and `extra`
    (plain values of your own).
    """
    layout = getattr(network, "layout", None)
    skeleton = layout if isinstance(layout, SkeletonLayout) else None
    options = getattr(network, "options", None)
    given = {
        "classes": getattr(network, "classes", None),
        "channels": getattr(network, "channels", None),
        "options": dict(options) if isinstance(options, Mapping) else {},
    }
    content = {
        "state_dict": {key: value.detach().cpu() for key, value in network.state_dict().items()},
        "network": {
            "class": type(network).__name__,
            **{key: value for key, value in given.items() if _is_plain(value)},
            "layout": None if skeleton is None else skeleton.name if _is_known(skeleton) else skeleton.to_dict(),
        },
        "extra": extra,
    }
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state dict in a checkpoint file: parameter name -> tensor (of any shape), wrappers and prefixes taken off.

    Raises:
        CheckpointError: as `open_checkpoint`.
    """
    return open_checkpoint(path).state


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint: safetensors, or a file of ``torch.save``.

    A state dict may lie in ``state_dict``, ``model``, ``model_state_dict``, ``net`` or ``network``, be a list of
    (key, tensor) pairs, and have keys that all begin with ``module.`` or ``model.``, as parallel and wrapped training
    leave them. Numpy values beside it are ignored and never created.

    Raises:
        CheckpointError: if the file is missing, damaged, would need code to run, or holds no tensors.
    """
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"{file}: no such checkpoint file")
    safe = _begins_as_safetensors(file)
    said = None if safe else mistaken(file, fine=["torch"])
    if said is not None:
        raise CheckpointError(f"{file}: {said}")
    content = _safetensors(file) if safe or file.suffix == ".safetensors" else read_pickled(file)
    state = _unwrapped(content)
    if state is None:
        raise CheckpointError(f"{file}: holds no state dict (parameter names and tensors); save network.state_dict()")
    if bloated := [key for key, value in state.items() if _claims_too_much(value)]:
        raise CheckpointError(
            f"{file}: {bloated[0]!r} has shape {tuple(state[bloated[0]].shape)}, more numbers than the file holds for "
            "it; get the checkpoint anew from its source"
        )
    description = content.get("network") if isinstance(content, Mapping) else None
    if not isinstance(description, Mapping) or "class" not in description:
        description = {}
    return Checkpoint(file, _without_prefixes(state), description)


def load_weights(network: nn.Module, source: str | os.PathLike[str] | Checkpoint) -> None:
    """Put a checkpoint's weights into a network of the same shape; on an error the network stays as it was.

    Buffers that the network defines itself (a graph's adjacency) may be missing from the file.

    `source` is a file's path, or what `open_checkpoint` read.

    Raises:
        CheckpointError: if a parameter is missing, unknown, or of another shape; names the first.
    """
    checkpoint = source if isinstance(source, Checkpoint) else open_checkpoint(source)
    own, path = network.state_dict(), checkpoint.file
    # A network may have a part named "model" of its own; the reading that shares most names with it is used.
    state = max(
        _readings(checkpoint.state, own),
        key=lambda read: (len(own.keys() & read.keys()), -len(read.keys() - own.keys())),
    )
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
            "checkpoint was trained with, and use fine_tune if only the classes differ"
        )
    network.load_state_dict(state, strict=False)


def _is_plain(value: Any) -> bool:
    """Whether a value can be written so that reading it needs no code; a network of one's own may hold anything."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(part) for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def _is_known(layout: SkeletonLayout) -> bool:
    return LAYOUTS.get(layout.name) == layout


def _claims_too_much(value: Tensor) -> bool:
    """A view may repeat one stored number a trillion times; sizes are read off shapes, so it is refused."""
    return value.numel() * value.element_size() > value.untyped_storage().nbytes()


def _safetensors(file: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise CheckpointError(f"{file}: reading it needs the package 'safetensors'; pip install safetensors") from None
    try:
        return load_file(file)
    except Exception as error:  # damaged bytes
        raise unreadable(file, error) from None


def _begins_as_safetensors(file: Path) -> bool:
    """By its first bytes: the length of a JSON header, then the header."""
    with file.open("rb") as stream:
        head = stream.read(9)
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") < file.stat().st_size


def _unwrapped(content: Any, depth: int = 3) -> dict[str, Tensor] | None:
    """The mapping of names to tensors within nested wrappers, or `None`."""
    if isinstance(content, (list, tuple)) and all(isinstance(p, (list, tuple)) and len(p) == 2 for p in content):
        try:
            content = dict(content)
        except TypeError:  # keys that no dictionary can have
            return None
    if not isinstance(content, Mapping):
        return None
    if depth:
        for wrapper in WRAPPERS:
            inner = _unwrapped(content.get(wrapper), depth - 1)
            if inner:
                return inner
    dense = {k: v for k, v in content.items() if isinstance(v, Tensor) and v.layout is torch.strided}
    return {str(key): value for key, value in dense.items()} or None


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    beside = extras(state)
    while prefix := next((p for p in PREFIXES if all(key.startswith(p) or key in beside for key in state)), None):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _readings(state: dict[str, Tensor], own: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    yield state
    yield translate(state)
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in own):
            yield {prefix + key: value for key, value in state.items()}

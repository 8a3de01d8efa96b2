"""Hashes of what decides the results of a study: networks and arrays. Results that are kept go by them (`kept`)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from stgcnlib.files import fingerprint

__all__ = ["array_fingerprint", "network_fingerprint"]


def array_fingerprint(values: ArrayLike | Tensor) -> str:
    """A hash (16 hex characters) of an array's or tensor's shape, dtype and bytes.

    `values` may be of any shape and dtype, bfloat16 too; a sparse tensor counts as a dense one.
    """
    if isinstance(values, Tensor):
        shape, dtype = values.shape, str(values.dtype)
        dense = values.detach().to_dense() if values.layout != torch.strided else values.detach()
        array = dense.cpu().resolve_conj().resolve_neg().contiguous().flatten().view(torch.uint8).numpy()
    else:
        array = np.ascontiguousarray(values)
        if array.dtype.hasobject:  # its bytes are addresses
            array = np.array([repr(each) for each in array.ravel().tolist()])
        shape, dtype = torch.Size(np.shape(values)), str(array.dtype)
    return fingerprint([list(shape), dtype, hashlib.sha256(array.tobytes()).hexdigest()])


def network_fingerprint(network: nn.Module) -> str:
    """A hash (16 hex characters) of a network: its options, modules, weights and buffers.

    Of each module, its class and its attributes count, as far as they are numbers, texts, arrays, functions by their
    names, or lists, tuples, dictionaries and data classes of these; tensors that a pass has left there do not. What
    else decides its results, such as the code of its forward pass, cannot be told: a study that keeps results needs
    another folder when that changes.
    """
    own = set(vars(nn.Module()))
    modules = [
        [
            name,
            type(module).__qualname__,
            {key: _plain(value) for key, value in vars(module).items() if key not in own and not _computed(value)},
        ]
        for name, module in network.named_modules()
    ]
    tensors = {**dict(network.named_buffers()), **network.state_dict()}
    return fingerprint([_plain(dict(getattr(network, "options", {}))), modules, _plain(tensors)])


def _computed(value: Any) -> bool:
    """Whether it is a tensor that a pass has left behind."""
    return isinstance(value, Tensor) and not value.is_leaf


def _plain(value: Any, within: tuple[int, ...] = ()) -> Any:
    """A value as JSON holds it, the same in every process; the name of its class for what has no such form.

    `within`: which values it is part of; one that is part of itself has no such form either.
    """
    if id(value) in within:
        return type(value).__qualname__
    within = (*within, id(value))
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        return array_fingerprint(value)
    if isinstance(value, (list, tuple)):
        return [_plain(part, within) for part in value]
    if isinstance(value, (set, frozenset)):
        return sorted(str(_plain(part, within)) for part in value)
    if isinstance(value, Mapping):
        return [[str(key), _plain(part, within)] for key, part in value.items()]
    if is_dataclass(value) and not isinstance(value, type):
        parts = [[field.name, _plain(getattr(value, field.name), within)] for field in fields(value)]
        return [type(value).__qualname__, parts]
    if isinstance(value, (torch.dtype, torch.device)):
        return str(value)
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"

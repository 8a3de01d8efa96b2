"""The model zoo: networks that read batches (N, C, T, V, M) and name their layers.

Every network has `layout`, `classes`, `channels`, `options` and `layer_names`; the outputs of those layers are
(N*M, C, T, V), the people of one recording side by side.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import nn

from stgcnlib.errors import StgcnlibError, StudyError, suggest
from stgcnlib.networks.checkpoints import load_weights, read_checkpoint, save_checkpoint
from stgcnlib.networks.graph import adjacency
from stgcnlib.networks.stgcn import STGCN
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["NETWORKS", "STGCN", "adjacency", "load_network", "load_weights", "read_checkpoint", "save_checkpoint"]


def _family(module: str, name: str) -> Callable[..., nn.Module]:
    """A network class that is imported when it is first built."""

    def build(*arguments: Any, **options: Any) -> nn.Module:
        network: nn.Module = getattr(import_module(f"stgcnlib.networks.{module}"), name)(*arguments, **options)
        return network

    return build


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "st-gcn": STGCN,
    "agcn": _family("agcn", "AGCN"),
    "aagcn": _family("agcn", "AAGCN"),
    "ctr-gcn": _family("ctrgcn", "CTRGCN"),
    "ms-g3d": _family("msg3d", "MSG3D"),
    "st-gcn++": _family("stgcnpp", "STGCNPP"),
    "shift-gcn": _family("shiftgcn", "ShiftGCN"),
    "efficientgcn-b0": _family("efficientgcn", "EfficientGCN"),
}


def load_network(
    name: str,
    *,
    layout: SkeletonLayout | str,
    classes: int,
    channels: int = 3,
    checkpoint: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    **options: Any,
) -> nn.Module:
    """A network of the zoo, with fresh weights or those of a checkpoint, in evaluation mode.

    Args:
        name: one of `NETWORKS`: "st-gcn", "agcn" (2s-AGCN's), "aagcn", "ctr-gcn", "ms-g3d", "st-gcn++", "shift-gcn",
            "efficientgcn-b0".
        layout: skeleton that the data is on.
        classes: number of classes.
        channels: coordinates per joint.
        checkpoint: weights to load; read without running any code from the file.
        seed: makes fresh weights repeatable, and leaves torch's own generator as it was.
        **options: of the network's class, for example ``width=24`` (see `STGCN`).

    Raises:
        StudyError: if there is no such network or option; the nearest are suggested.
        CheckpointError: if the checkpoint is unreadable or belongs to another network.
        LayoutError: if the layout is unknown.
    """
    if name not in NETWORKS:
        raise StudyError(f"no network is named {name!r}; {suggest(name, NETWORKS)}")
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        try:
            network = NETWORKS[name](layout, classes, channels, **options)
        except StgcnlibError:
            raise
        except (TypeError, ValueError) as error:
            raise StudyError(f"network {name!r} refuses options {options}: {error}") from None
    if checkpoint is not None:
        load_weights(network, checkpoint)
    return network.eval()

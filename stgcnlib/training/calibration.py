"""Batch-norm statistics of recordings for a network whose weights stay as they are.

An untrained network's batch norm knows nothing of the data: mean 0 and variance 1 are as arbitrary as fresh weights.
With the statistics of the training part it differs from a trained network in its weights alone.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from stgcnlib.devices import usable_device
from stgcnlib.errors import StudyError
from stgcnlib.networks.batches import check_fit
from stgcnlib.sequences import SequenceSet
from stgcnlib.threads import INFERENCE_THREADS, torch_threads
from stgcnlib.training.augment import TrainingBatches

__all__ = ["calibrate_batch_norm"]


def calibrate_batch_norm(
    network: nn.Module, data: SequenceSet, *, batch_size: int = 16, seed: int = 0, device: str = "cpu"
) -> int:
    """Set the running means and variances of batch norm to those of recordings, in one pass; weights stay.

    Each statistic becomes the mean over batches of the batches' own (momentum None of `torch.nn.BatchNorm2d`). Batches
    are made as `fit` makes them, without variation. While it runs, batch norm normalises by the batch, as in training;
    dropout and all other modules stay as they are. Modes, momenta and the network's device are restored.

    Args:
        network: takes (N, C, T, V, M); changed in place. One without batch norm is left as it is.
        data: recordings to take the statistics from: the training part.
        batch_size: most recordings in a batch.
        seed: of the order of recordings.
        device: where to compute.

    Returns:
        How many batch norms have new statistics.

    Raises:
        LayoutError, SequenceError: recordings and network do not belong together.
        StudyError: a batch norm sees a single value per channel, which has no variance.
    """
    check_fit(network, data)
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    if not norms:
        return 0
    place = usable_device(device)
    modes = {module: module.training for module in network.modules()}
    momenta = [norm.momentum for norm in norms]
    first = next(network.parameters(), None)
    home = place if first is None else first.device
    batches = TrainingBatches(data, batch_size=batch_size, frames=None, augment=None, seed=seed)
    try:
        network.eval().to(place)
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.training = True
        with torch_threads(INFERENCE_THREADS), torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for x, _ in batches:
                network(x.to(place))
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise StudyError(
            f"{type(network).__name__}: batch norm saw a single value per channel, which has no variance; give at "
            f"least two recordings ({len(data)} were given) and a batch_size of at least 2"
        ) from None
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes.items():
            module.training = mode
        network.to(home)
    return len(norms)

"""Passes through a network on several threads, each with a network of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from queue import SimpleQueue
from typing import TypeVar

import torch
from torch import Tensor, nn

from stgcnlib.sequences import SequenceSet
from stgcnlib.threads import INFERENCE_THREADS, pass_threads, torch_threads

__all__ = ["copied", "on_copies", "one_at_a_time"]

Job = TypeVar("Job")
Result = TypeVar("Result")


def copied(network: nn.Module) -> nn.Module:
    """A copy of the network that shares nothing with it.

    Tensors that a module computed from its parameters, as ``torch.nn.utils.weight_norm`` does, are copied by value:
    torch itself refuses to copy them while they have a gradient.
    """
    computed = {
        id(value): value.detach().clone()
        for module in network.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    return deepcopy(network, computed)


def on_copies(
    network: nn.Module, jobs: Sequence[Job], work: Callable[[nn.Module, Job], Result], *, alone: bool = False
) -> Iterator[Result]:
    """The result of `work(network, job)` for each job, in order, with several jobs at a time.

    Each job is computed on one thread, so that its numbers are the same on any machine, and with a copy of the network
    that no other job has meanwhile: a network may keep state from a pass. The network itself is one of them; where it
    cannot be copied, it is the only one.

    Args:
        network: as the jobs need it, in its mode and on its device.
        jobs: one argument of `work` each.
        work: called in a thread; torch's modes (inference, autocast) are to be set in it.
        alone: whether jobs run one at a time, because several need too much memory or share a device.

    Raises:
        Exception: the error of the first job, in order, that failed; jobs that have not begun are left out.
    """
    free: SimpleQueue[nn.Module] = SimpleQueue()
    copies = _copies(network, 1 if alone else min(pass_threads(), max(1, len(jobs))))
    for own in copies:
        free.put(own)

    def run(job: Job) -> Result:
        own = free.get()
        try:
            torch.set_num_threads(INFERENCE_THREADS)  # set per thread
            return work(own, job)
        finally:
            free.put(own)

    with torch_threads(INFERENCE_THREADS), ThreadPoolExecutor(len(copies)) as pool:
        try:
            yield from pool.map(run, jobs)
        finally:
            pool.shutdown(cancel_futures=True)  # when interrupted, each thread ends with the job that it is at


def one_at_a_time(data: SequenceSet, frames: int, device: str) -> bool:
    """Whether passes run one at a time: recordings longer than a batch of `frames` may take too much memory together,
    and passes on another `device` than the processor share it."""
    return device != "cpu" or int((data.lengths * data.people_counts).max()) > frames


def _copies(network: nn.Module, count: int) -> list[nn.Module]:
    try:
        return [network, *(copied(network) for _ in range(count - 1))]
    except Exception:  # of a module that cannot be copied
        return [network]

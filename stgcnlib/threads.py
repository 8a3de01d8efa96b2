"""How many cores and threads a process may use, said once for every library that computes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "INFERENCE_THREADS", "THREAD_VARIABLES", "TRAINING_THREADS", "cores", "limit_threads", "process_variables",
    "pass_threads", "torch_threads",
]  # fmt: skip

INFERENCE_THREADS = 1
"""Threads of a network that is evaluated or recorded, whatever the cores: they decide in which order sums are made."""
TRAINING_THREADS = 2
"""Threads of a training, unless it says otherwise; on a machine of one core, the two take turns."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Read by the libraries when a process starts."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_variables() -> dict[str, str]:
    """Environment variables for new processes that run networks beside others; those that are already set stay.

    OpenMP threads spin for some microseconds before they sleep: threads that spin while another process has their core
    made an epoch take 100 s instead of 5 s. oneDNN keeps the code of 16 operations instead of 1,024: code and buffers
    for recordings of 60 lengths took 3 GB at published width, and making them anew costs less than 5% of the time.
    """
    chosen = {"GOMP_SPINCOUNT": "1000", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16"}
    return {name: os.environ.get(name, value) for name, value in chosen.items()}


def pass_threads() -> int:
    """Number of threads that pass batches through a network, each batch on one thread.

    As many as this process uses, and one more where there is a core and OMP_NUM_THREADS allows it: other work
    that began with this one often ends long before it, and threads that wait for a core do not keep one busy.
    """
    import torch

    share, named = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS", "")
    most = min(cores(), int(named)) if named.isdigit() else cores()
    return max(share, min(share + 1, most))


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Within, torch computes on `count` threads, so that a network gives the same numbers on any number of cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def limit_threads(count: int) -> None:
    """Let every library that is imported in this process use `count` threads; for processes that run already."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threadpool_limits(limits=count)  # BLAS and OpenMP; holds until it is called again
    if "numba" in sys.modules:
        import numba

        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(count)

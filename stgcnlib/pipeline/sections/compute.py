"""The section `compute` of a study: where the work runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stgcnlib.pipeline.fields import Number, Section, Whole

__all__ = ["Compute", "LOCAL"]

LOCAL = "local"
"""As `compute.scheduler`: no scheduler, but processes of this machine."""


class Compute(Section):
    """Where the work runs; on processors of the same kind, all results are the same numbers.

    Args:
        device: where networks and distances are computed: `cpu`, or a GPU such as `cuda`.
        workers: number of results and notebooks that are made at a time.
        memory_limit: most memory of one process, in GiB; one that asks for more fails with a MemoryError instead of
            stopping the machine. Linux only.
        activations: `keep` stores every layer's features on disk; `recompute` records a layer again when it is read,
            which costs a pass of all nodes per layer; `auto` keeps a network's features if they take no more than a
            third of the free disk.
        scheduler: `local`, or the address or scheduler file of a Dask scheduler, whose workers then make the results.
    """

    device: str = "cpu"
    workers: Whole | None = Field(None, ge=1)
    memory_limit: Number | None = Field(None, gt=0)
    activations: Literal["auto", "keep", "recompute"] = "auto"
    scheduler: str = Field(LOCAL, min_length=1)

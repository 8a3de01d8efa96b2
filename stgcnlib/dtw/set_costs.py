"""SetCosts: exact costs of any pairs of one set, whose frames are in memory or are read in blocks.

It is all that a task of exact costs needs, wherever the task runs: `pair_task` is a function of its arguments alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.costs import CostModel
from stgcnlib.dtw.frames import FrameTable, Spare
from stgcnlib.dtw.listed import listed_costs
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.projection import Projection
from stgcnlib.dtw.source import FrameSource
from stgcnlib.dtw.tile_costs import DenseCosts, ShortCosts, TileCosts
from stgcnlib.dtw.tiles import corridor_projection, turn

__all__ = ["PairTask", "SetCosts", "pair_task"]

NARROW_BYTES, WIDE_BYTES = 2**27, 15 * 2**25
"""Bytes of each of the two blocks of frames that a task reads: with `DenseCosts`, which copies them, and without. Both
together stay below `frames.SCRATCH_BYTES`, or else they would lie in a file."""

TASKS, LEAST_PAIRS = 16, 2**13
"""At least so many tasks, unless they had fewer pairs than this: reading their frames would then cost too much."""


class PairTask(NamedTuple):
    """Pairs (P, 2) whose sequences lie in two blocks, and costs (P,) beyond which they do not matter, or None."""

    pairs: NDArray[np.int64]
    limits: NDArray[np.float64] | None
    precise: bool = False


@dataclass(frozen=True, eq=False)
class SetCosts:
    """What the costs of pairs of one set are computed from.

    Attributes:
        options: at the set's temporal stride.
        source: the frames.
        projection: short frames for corridors; None: costs come from products of whole frames.
        model: of these products, or None.
        order: (N,) of the sequences, near ones together.
        spare: memory of tables that tasks have read and do not need any more.
    """

    options: DTWOptions
    source: FrameSource
    projection: Projection | None
    model: CostModel | None
    order: NDArray[np.int64]
    spare: Spare = field(default_factory=Spare)

    @classmethod
    def fit(
        cls,
        options: DTWOptions,
        source: FrameSource,
        projection: Projection | None,
        order: NDArray[np.int64] | None = None,
    ) -> SetCosts:
        """Costs by corridors if their short frames are given (`tiles.corridor_projection`)."""
        model = CostModel.fit(options, source) if projection is None else None
        return cls(options, source, projection, model, np.arange(len(source)) if order is None else order)

    @classmethod
    def of(cls, options: DTWOptions, source: FrameSource) -> SetCosts:
        """Costs by corridors where these are defined and pay, in the order in which the sequences are."""
        return cls.fit(options, source, corridor_projection(options, source))

    def tasks(self, pairs: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Which of the pairs (P, 2) belong to one task: all if the frames are in memory, else some of two blocks.

        A task has at most a `TASKS`-th of the pairs, and those with most pairs come first, so that two workers end at
        about the same time.
        """
        if self.source.whole is not None:
            return [np.arange(len(pairs))]
        size = WIDE_BYTES if self.model is None else NARROW_BYTES
        block = self.source.block_of(size)
        tile = block[pairs[:, 0]] * len(self.source) + block[pairs[:, 1]]
        members = np.argsort(tile, kind="stable")
        most = max(LEAST_PAIRS, -(-len(pairs) // TASKS))
        tiles = np.split(members, np.flatnonzero(np.diff(tile[members])) + 1)
        parts = [part for own in tiles for part in np.array_split(own, -(-len(own) // most))]
        return sorted(parts, key=len, reverse=True)

    @cached_property
    def everything(self) -> TileCosts:
        """Costs within the whole set, whose frames must be in memory."""
        assert self.source.whole is not None
        return self._costs(self.source.whole, self.projection)

    @contextmanager
    def some(self, wanted: NDArray[np.int64]) -> Iterator[TileCosts]:
        """Costs within a table of some sequences (n,), which is read, and is gone afterwards."""
        short = None if self.projection is None else self.projection.of(wanted)
        with self.spare.rows() as rows_for:
            yield self._costs(self.source.table(wanted, rows_for), short)

    def _costs(self, table: FrameTable, projection: Projection | None) -> TileCosts:
        if projection is not None:
            return ShortCosts.fit(self.options, table, projection, exact=True)
        assert self.model is not None
        operand = self.model.operand(table, self.options)
        return DenseCosts(self.model, operand, operand)


def pair_task(costs: SetCosts, task: PairTask) -> NDArray[np.float64]:
    """(P,) costs of a task's pairs; infinite where one is proven to be above its limit."""
    if costs.source.whole is not None:
        return _listed(costs.everything, task, task.pairs, costs.order)
    wanted, ends = np.unique(task.pairs, return_inverse=True)
    rank = np.empty(len(costs.order), np.int64)
    rank[costs.order] = np.arange(len(rank))
    with costs.some(wanted) as local:
        return _listed(local, task, ends.reshape(task.pairs.shape), np.argsort(rank[wanted]))


def _listed(
    costs: TileCosts, task: PairTask, pairs: NDArray[np.int64], order: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Costs of a task's pairs, by their numbers in the table of these costs."""
    if task.precise:
        costs = costs.precise(np.unique(pairs))
    with turn:
        return listed_costs(costs, pairs, task.limits, order=order)

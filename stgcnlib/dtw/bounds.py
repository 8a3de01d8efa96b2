"""Lower bounds of all pairs, a tile at a time: which pairs may be near enough to matter.

The bounds come from short frames (`projection`), which cost little. A pair that they rule out is never computed in
full. A tile depends only on short frames and limits, not on where it runs, and gives a short list of pairs; nothing
here holds all pairs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.costs import CostModel, Lanes
from stgcnlib.dtw.frames import on_threads
from stgcnlib.dtw.kernels import LANES
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.dtw.projection import RELATIVE_ERROR, Projection
from stgcnlib.dtw.source import FrameSource
from stgcnlib.dtw.tile_costs import DenseCosts, ShortCosts, TileCosts
from stgcnlib.dtw.tiles import COLUMN_FRAMES, ROW_FRAMES, frame_blocks, later, tile_costs, turn
from stgcnlib.groups import Exclusion

__all__ = ["BoundTile", "Bounds", "bound_tile", "cheapest"]

TILE_SEQUENCES = 512
"""Rows and columns of a tile: multiples of `LANES`."""

CHOICES = (16, 32, 64)
"""Numbers of coordinates per frame, from which one is chosen for the bounds of all pairs."""
SAMPLED = 64  # sequences, compared with as many others to count the pairs that each choice leaves
# costs per cell, in units of its recursion: one coordinate of the product; all further work on a pair that is left
PER_COORDINATE, PER_LEFT = 0.07, 14.0


class BoundTile(NamedTuple):
    """Rows first:last against columns begin:end, of sequences sorted by length.

    `mark` names the order: where a search goes on that began on another machine, rounding may have given it another
    one, whose tiles hold other pairs.
    """

    first: int
    last: int
    begin: int
    end: int
    mark: str = ""


@dataclass(frozen=True, eq=False)
class Bounds:
    """What tiles of lower bounds are computed from.

    `options` must not normalise by "path", for which no bound is known. For cosine the products are formed in float64,
    and what rounding may have added is subtracted at the end. A cosine distance is half the squared distance of two
    unit windows. Rounding moves each window by at most twice the slack of its short frames, hence the root of a cosine
    distance by less than s, three times that slack (2 * 2 / sqrt(2) < 3). A path has fewer than n + m cells, so the
    root of the sum of its costs is too large by less than s sqrt(n + m).

    Attributes:
        costs: of short frames.
        order: (N,) sequences by length, so that lanes are filled evenly.
        limits: (N,) largest distance that matters to each sequence; infinite: all do.
        exclusion: which sequences may be neighbours of each other.
        slack: what rounding may add to the root of a cosine cost; 0 for other metrics.
    """

    costs: TileCosts
    order: NDArray[np.int64]
    limits: NDArray[np.float64]
    exclusion: Exclusion
    slack: float = 0.0

    @classmethod
    def fit(
        cls,
        options: DTWOptions,
        projection: Projection,
        limits: NDArray[np.float64],
        exclusion: Exclusion,
        rank: NDArray[np.int64] | None = None,
    ) -> Bounds:
        """Of short frames with all their coordinates; sequences of equal length in the order of `rank` (N,)."""
        table = projection.table
        order = np.lexsort((np.arange(len(table)) if rank is None else rank, table.lengths))
        if options.metric != "cosine":
            costs: TileCosts = ShortCosts.fit(options, table, projection, exact=False)
            return cls(costs, order, limits, exclusion)
        model = CostModel.fit(options, FrameSource.of(table))
        operand = model.operand(table, options)
        slack = 3.003 * projection.slack * float(np.sqrt(options.item_frames))
        return cls(DenseCosts(model, operand, operand), order, limits, exclusion, slack)

    def tiles(self) -> list[BoundTile]:
        """All tiles of the upper triangle; those of the longest sequences first, so that no long one comes last."""
        edges = range(0, len(self.order), TILE_SEQUENCES)
        stops = [min(start + TILE_SEQUENCES, len(self.order)) for start in edges]
        sides = list(zip(edges, stops, strict=True))
        last = reversed(range(len(sides)))
        mark = hashlib.sha256(self.order.tobytes()).hexdigest()
        return [BoundTile(*rows, *sides[column], mark) for column in last for rows in sides[: column + 1]]

    def lowered(
        self, costs: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Bounds (n, m): costs of the short frames of sequences (n,) with others (m,), less what rounding may add."""
        if not self.slack:
            return costs
        options, lengths = self.costs.x.options, self.costs.x.lengths
        cells: Any = 1.0
        if options.normalize != "length":  # parts may repeat frames; the factor covers rounding
            cells = (lengths[rows][:, None] + lengths[columns] + 2.0 * options.parts) * 1.001
        shrink = 1 - 2 * RELATIVE_ERROR
        root = np.sqrt(np.maximum(costs, 0) * shrink) - self.slack * np.sqrt(cells)
        return np.asarray(np.maximum(root, 0) ** 2 * shrink)


def cheapest(
    options: DTWOptions,
    projection: Projection,
    limits: NDArray[np.float64],
    exclusion: Exclusion,
    known: KnownPairs,
) -> int:
    """How many coordinates, of `CHOICES`, the bounds of all pairs should have: more cost more, but leave fewer pairs.

    The share of pairs that each choice leaves is measured on a sample (seed 0): the same input gives the same choice.
    """
    count = len(limits)
    sample = np.random.default_rng(0).permutation(count)
    rows, columns = sample[: min(count // 2, SAMPLED)], sample[-min(count - count // 2, SAMPLED) :]
    wanted = exclusion.pair_limits(rows[:, None], columns, limits)
    wanted[known.knows(rows[:, None], columns)] = -1.0
    expense = {}
    for dimensions in CHOICES:
        bounds = Bounds.fit(options, projection.first(dimensions), limits, exclusion)
        lanes = [bounds.costs.y.lanes(columns, part) for part in range(options.parts)]
        needed = np.ones((len(rows), -(-len(columns) // LANES)), np.bool_)
        found = tile_costs(bounds.costs, rows, lanes, needed).reshape(len(rows), -1)[:, : len(columns)]
        left = (bounds.lowered(found, rows, columns) <= wanted).mean()
        expense[dimensions] = PER_COORDINATE * dimensions + PER_LEFT * float(left)
    return min(expense, key=lambda dimensions: expense[dimensions])


def bound_tile(bounds: Bounds, tile: BoundTile) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pairs (P, 2), i < j, that the bounds do not rule out, and their bounds (P,); sorted by pair."""
    costs, parts = bounds.costs, bounds.costs.x.options.parts
    columns = bounds.order[tile.begin : tile.end]
    lists: dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.float32]]] = {}
    with turn:
        for begin, end in frame_blocks(costs.y.padded_lengths[columns], COLUMN_FRAMES, LANES):
            some = columns[begin:end]
            lanes = [costs.y.lanes(some, part) for part in range(parts)]
            unused = -len(some) % LANES
            filled = np.append(some, np.repeat(some[-1:], unused))

            def work(
                block: tuple[int, int],
                begin: int = begin,
                lanes: list[Lanes] = lanes,
                filled: NDArray[np.int64] = filled,
                unused: int = unused,
            ) -> None:
                numbers = np.arange(tile.first + block[0], tile.first + block[1])
                skipped = max(0, (int(numbers[0]) + 1 - tile.begin - begin) // LANES)  # groups before the rows' own
                if skipped * LANES >= len(filled):
                    return
                begin, filled = begin + skipped * LANES, filled[skipped * LANES :]
                lanes = [each.after(skipped) for each in lanes]
                rows = bounds.order[numbers]
                shape = len(rows), len(filled) // LANES, LANES
                limits = bounds.exclusion.pair_limits(rows[:, None], filled, bounds.limits).reshape(shape)
                limits[~later(numbers, tile.begin + begin, shape[1])] = -1.0
                limits.reshape(len(rows), -1)[:, len(filled) - unused :] = -1.0
                needed = np.asarray((limits >= 0).any(axis=2))
                found = tile_costs(costs, rows, lanes, needed, limits).reshape(len(rows), -1)
                found, most = bounds.lowered(found, rows, filled), limits.reshape(len(rows), -1)
                i, j = np.nonzero((most >= 0) & (found <= most))
                pairs = np.sort(np.stack([rows[i], filled[j]], axis=1), axis=1)
                lists[begin, block[0]] = pairs, found[i, j].astype(np.float32)

            on_threads(work, frame_blocks(costs.x.padded_lengths[bounds.order[tile.first : tile.last]], ROW_FRAMES, 1))
    pairs = np.concatenate([lists[place][0] for place in sorted(lists)])
    values = np.concatenate([lists[place][1] for place in sorted(lists)])
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], values[order]

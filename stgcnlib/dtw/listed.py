"""Costs of pairs from a list: any pairs of one table, near ones together, sixteen at a time.

The row of a pair is the sequence that has more pairs, so that lanes are filled. Sequences near each other in a given
order are computed one after the other, so that their frames stay in the processor's cache. The cost of a pair does not
depend on the other pairs in the list, except for the rounding of products of whole frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.frames import on_threads
from stgcnlib.dtw.kernels import LANES
from stgcnlib.dtw.tile_costs import TileCosts, still_allowed

__all__ = ["listed_costs"]

ROWS = 8
"""Sequences, successive in the order, whose pairs follow each other."""
ALIKE = 4 * LANES
"""Mean number of successive pairs of one row: more fill lanes better, fewer have columns nearer to each other."""

PAIRS = 1024
"""Most pairs of one piece of work."""
PIECE_BYTES = 2**27
"""Frames and products of a piece, unless `LANES` pairs take more."""


@dataclass(frozen=True)
class _Piece:
    """Some pairs: (P,) their rows and columns, and which of all pairs they are."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    where: NDArray[np.int64]


def listed_costs(
    costs: TileCosts,
    pairs: NDArray[np.int64],
    limits: NDArray[np.float64] | None = None,
    *,
    order: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """DTW costs (P,) of pairs (P, 2) of sequences, on all threads.

    Args:
        costs: of a table.
        pairs: numbers of its sequences.
        limits: (P,) costs; a cost above its limit may be returned as infinity.
        order: (N,) of the sequences, near ones together; None: as they are.
    """
    found = np.empty(len(pairs), np.float64)
    rank = np.empty(len(costs.x.lengths), np.int64)
    rank[np.arange(len(rank)) if order is None else order] = np.arange(len(rank))

    def work(piece: _Piece) -> None:
        some = None if limits is None else limits[piece.where]
        found[piece.where] = _piece_costs(costs, piece.rows, piece.columns, some)

    most, each = PAIRS, 0
    if costs.multiplied:
        longest = int(costs.x.padded_lengths.max())
        each = costs.x.values.itemsize * longest * (costs.x.values.shape[1] + longest)
        most = int(np.clip(PIECE_BYTES // each // LANES * LANES, LANES, PAIRS))
    on_threads(work, _pieces(pairs, costs.x.lengths, rank, costs.rows_at_once, most), each=most * each)
    return found


def _pieces(
    pairs: NDArray[np.int64], lengths: NDArray[np.int64], rank: NDArray[np.int64], rows_at_once: int, most: int
) -> list[_Piece]:
    """All pairs once each, sorted; a piece has as many rows as its costs take at once, and at most so many pairs."""
    if not len(pairs):
        return []
    often = np.bincount(pairs.ravel(), minlength=len(lengths))
    first, second = pairs.T
    swap = (often[second] > often[first]) | ((often[second] == often[first]) & (rank[second] < rank[first]))
    rows, columns = np.where(swap, second, first), np.where(swap, first, second)
    block = rank[rows] // min(ROWS, rows_at_once)
    per_row = len(pairs) / len(np.unique(rows))
    alike = max(1, int(ALIKE / per_row * len(lengths)))
    keys = (lengths[columns], rank[rows], rank[columns] // alike, block)
    order = np.lexsort(keys)
    rows, columns, block = rows[order], columns[order], block[order]
    # a piece ends with its rows, or earlier where these have many pairs
    starts = np.flatnonzero(np.append(True, block[1:] != block[:-1]))
    place = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    new = np.append(True, (block[1:] != block[:-1]) | (place[1:] % most == 0))
    edges = np.append(np.flatnonzero(new), len(rows))
    return [_Piece(rows[a:b], columns[a:b], order[a:b]) for a, b in pairwise(edges)]


def _piece_costs(
    costs: TileCosts,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    limits: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Costs (P,) of pairs whose rows follow each other in runs: each run in groups of lanes of its own."""
    runs = np.flatnonzero(np.append(True, rows[1:] != rows[:-1]))
    counts = np.diff(np.append(runs, len(rows)))
    groups = -(-counts // LANES)
    before = np.cumsum(groups) - groups
    slot = np.arange(len(rows)) - np.repeat(runs, counts) + np.repeat(before * LANES, counts)
    # a last group is filled up by repeating its last column
    filled = np.zeros(int(groups.sum()) * LANES, np.int64)
    used = np.zeros(len(filled), np.bool_)
    used[slot] = True
    filled[slot] = np.arange(len(rows))
    filled = columns[np.maximum.accumulate(filled)]
    own, number = np.unique(rows[runs], return_inverse=True)
    jobs = np.stack([np.repeat(number, groups), np.arange(int(groups.sum()))], axis=1)
    most = np.full((len(jobs), LANES), -1.0)
    parts = costs.x.options.parts
    most.reshape(-1)[slot] = np.inf if limits is None else limits * parts
    total = np.zeros(most.shape)
    none = np.empty((0, 0), costs.x.values.dtype)
    for part in range(parts):
        side = costs.x.rows(own, part)
        lanes = costs.y.lanes(filled, part, copied=costs.multiplied, used=used)
        products = side.values @ lanes.values.T if costs.multiplied else none
        total += costs(side, lanes, jobs, products, still_allowed(most, total))
    result: NDArray[np.float64] = (total / parts).reshape(-1)[slot]
    return result

"""LayerDistances: what is known of the distances between the recordings of one layer.

Either all pairs, as a matrix, or a table of the nearest of each recording and the pairs that were asked for. Functions
that read distances (graphs, votes, dimensions) take a `LayerDistances`; `as_layer_distances` makes one from an array.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.artefacts import check_arrays, plain_text, read_arrays
from stgcnlib.dtw.lookup import PairLookup
from stgcnlib.dtw.neighbors import NeighborTable
from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.dtw.reach import FIELDS, ReachTable, finer, sampled_pairs
from stgcnlib.dtw.square import checked_square, nearest_rows
from stgcnlib.errors import GraphError
from stgcnlib.files import atomic_path
from stgcnlib.groups import check_candidates, group_codes

__all__ = ["LayerDistances", "as_layer_distances"]

Codes = NDArray[np.int64]

FORMAT = "stgcnlib-layer-distances"
_MOST = 10**7  # recordings of a file


class LayerDistances:
    """The distances between the N recordings of one layer, as far as they are known.

    Made by `all_pairs`, `of_table` and `load`, not by hand.

    Methods take `i` and `j`, indices of recordings, arrays of any shape that broadcast, and `candidates` (n, K) int64
    indices.

    Attributes:
        count: recordings, N.
        complete: every pair is known.
        reach: how many nearest admissible neighbours are known of every recording.
        fill: computes pairs (P, 2) of recordings and adds them to `pairs`; None: unknown pairs stay unknown.
    """

    def __init__(
        self,
        count: int,
        *,
        matrix: NDArray[np.floating] | None = None,
        tables: Sequence[ReachTable] = (),
        pairs: KnownPairs | None = None,
        nodes: Codes | None = None,
        fill: Callable[[Codes], object] | None = None,
        lookup: PairLookup | None = None,
    ) -> None:
        self.count, self.fill = count, fill
        self._matrix, self._tables = matrix, tuple(tables)
        self._pairs = KnownPairs(count) if pairs is None else pairs
        self._nodes = np.arange(count) if nodes is None else nodes  # their numbers in the pairs
        self._lookup = PairLookup(self._pairs) if lookup is None else lookup

    @classmethod
    def all_pairs(cls, distances: ArrayLike) -> LayerDistances:
        """The distances of all pairs, from a matrix.

        Args:
            distances: (N, N) symmetric, non-negative, zero diagonal. Halves that differ by rounding are averaged.

        Raises:
            GraphError: it is no such matrix, or not finite.
        """
        matrix = checked_square(distances)
        return cls(len(matrix), matrix=matrix)

    @classmethod
    def of_table(
        cls,
        table: NeighborTable,
        pairs: KnownPairs,
        *,
        exclude: ArrayLike | None = None,
        everyone: NeighborTable | None = None,
        fill: Callable[[Codes], object] | None = None,
    ) -> LayerDistances:
        """The distances to the nearest neighbours of each recording, from a table.

        Args:
            table: (N, R) neighbours.
            pairs: distances of some pairs of the N; those of the tables are added where they are missing.
            exclude: (N,) groups whose members are no neighbours in `table`; None: everyone else may be one.
            everyone: a second table, in which everyone else may be a neighbour.
            fill: computes pairs (P, 2) and adds them to `pairs`, such as the `fill` of a search's cache.

        Raises:
            GraphError: sizes do not fit, or a table names a neighbour that `exclude` bars.
        """
        count = len(table)
        codes = None if exclude is None else group_codes(exclude, count)
        given = [(table, codes), *([] if everyone is None else [(everyone, None)])]
        for each, _ in given:
            if each.indices.shape != each.distances.shape or len(each) != count or pairs.count != count:
                raise GraphError(
                    f"tables of {len(table)} and {len(each)} recordings, known pairs of {pairs.count}; "
                    "give those of one search"
                )
            rows = np.broadcast_to(np.arange(count)[:, None], each.indices.shape)
            missing = ~pairs.knows(rows, each.indices)
            pairs.add(rows[missing], each.indices[missing], each.distances[missing])
        return cls(count, tables=[ReachTable.of(each, own) for each, own in given], pairs=pairs, fill=fill)

    @property
    def complete(self) -> bool:
        """Every pair is known."""
        return self._matrix is not None

    @property
    def reach(self) -> int:
        """How many nearest admissible neighbours are known of every recording."""
        if self.complete:
            return self.count - 1
        return int(self._tables[0].known.min(initial=self.count)) if self._tables else 0

    @property
    def exclude(self) -> Codes | None:
        """(N,) groups whose members are no neighbours in its table; None: everyone else may be one."""
        return self._tables[0].codes if self._tables else None

    @property
    def pairs(self) -> KnownPairs:
        """The known pairs where not all are known, by the numbers before any `select`; `fill` adds to them."""
        return self._pairs

    def __len__(self) -> int:
        """Recordings, N."""
        return self.count

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001
        """The matrix, for `numpy.asarray`; a GraphError where not all pairs are known."""
        return np.array(self.matrix(), dtype=dtype, copy=copy)

    def matrix(self) -> NDArray[np.floating]:
        """(N, N) distances, float32 or float64 as they were given.

        Raises:
            GraphError: not all pairs are known.
        """
        if self._matrix is None:
            raise GraphError(
                f"this needs all distances between the {self.count} recordings, and only those to the nearest are "
                "known; set graph.distances to all in the study file, or give the (N, N) matrix"
            )
        return self._matrix

    def select(self, nodes: Codes) -> LayerDistances:
        """The distances between some of the recordings, which are numbered anew in the order of `nodes` (n,)."""
        if self._matrix is not None:
            return LayerDistances(len(nodes), matrix=self._matrix[np.ix_(nodes, nodes)])
        return LayerDistances(
            len(nodes),
            tables=[table.select(nodes) for table in self._tables],
            pairs=self._pairs,
            nodes=self._nodes[nodes],
            fill=self.fill,
            lookup=self._lookup,
        )

    def nearest(
        self, k: int, *, exclude: ArrayLike | None = None, kept: Codes | None = None
    ) -> tuple[Codes, NDArray[np.float64]]:
        """Each recording's k nearest admissible ones, nearest first, ties by index.

        Args:
            k: neighbours.
            exclude: (N,) groups whose members are no neighbours of each other, or where all pairs are known an (N, N)
                bool mask of barred pairs; None: everyone else may be one.
            kept: (n,) the only recordings that count; neighbours are numbered in this order, and `exclude` has an entry
                for each of these. None: all.

        Returns:
            (n, k) int64 indices and float64 distances.

        Raises:
            GraphError: a recording has fewer than k candidates, or fewer than k of its neighbours are known.
        """
        if kept is not None:
            return self.select(kept).nearest(k, exclude=exclude)
        check_candidates(k, exclude, self.count)
        if self._matrix is not None:
            return nearest_rows(self._matrix, k, exclude)
        table = self._admissible(exclude)
        short = table.known < k
        if short.any():
            node = int(table.known.argmin())
            needed = table.indices.shape[1] + k - int(table.known[node])
            raise GraphError(
                f"k={k}, but {int(short.sum())} of {self.count} recordings have fewer known neighbours (recording "
                f"{node}: {int(table.known[node])}); make the table with a reach of at least {needed}"
            )
        return np.ascontiguousarray(table.indices[:, :k]), np.ascontiguousarray(table.distances[:, :k])

    def among(self, candidates: Codes) -> NDArray[np.float64]:
        """(n, K, K) float64 distances among the candidates (n, K) of each of n rows; NaN where unknown."""
        if self._matrix is not None:
            return np.asarray(self._matrix[candidates[:, :, None], candidates[:, None, :]], dtype=np.float64)
        return self._lookup.among(self._nodes[candidates])

    def mean(self) -> float:
        """Mean distance between two recordings; of some 20,000 random pairs where not all are known.

        Raises:
            GraphError: those pairs are unknown, and there is no `fill` to compute them.
        """
        if self._matrix is not None:
            return float(self._matrix.astype(np.float64).sum() / (self.count * (self.count - 1)))
        place = np.full(self._pairs.count, -1, dtype=np.int64)
        place[self._nodes] = np.arange(self.count)
        i, j = place[sampled_pairs(self._pairs.count)]
        both = (i >= 0) & (j >= 0)
        i, j = (i[both], j[both]) if both.any() else sampled_pairs(self.count)
        self.ask(i, j)
        return float(self.get(i, j).mean(dtype=np.float64))

    def get(self, i: ArrayLike, j: ArrayLike) -> NDArray[np.float32]:
        """float32 distances of recordings i and j, of any shape to which these broadcast; NaN where unknown."""
        if self._matrix is not None:
            first, second = np.broadcast_arrays(np.asarray(i, dtype=np.int64), np.asarray(j, dtype=np.int64))
            return np.asarray(self._matrix[first, second], dtype=np.float32)
        return self._pairs.get(self._nodes[np.asarray(i)], self._nodes[np.asarray(j)])

    def ask(self, i: ArrayLike, j: ArrayLike) -> None:
        """Compute the distances of pairs (i, j), (P,) each, where they are unknown.

        Raises:
            GraphError: nothing here can compute them.
        """
        if self._matrix is not None:
            return
        first, second = self._nodes[np.asarray(i)], self._nodes[np.asarray(j)]
        keys = np.unique(np.minimum(first, second) * self._pairs.count + np.maximum(first, second))
        pairs = np.stack([keys // self._pairs.count, keys % self._pairs.count], axis=1)
        pairs = pairs[~self._pairs.knows(pairs[:, 0], pairs[:, 1])]
        if not len(pairs):
            return
        if self.fill is None:
            raise GraphError(
                f"{len(pairs)} distances between candidates are unknown, and there is no `fill` to compute them; give "
                "distances with a `fill`, or those saved for these settings"
            )
        self.fill(pairs)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one npz file, atomically."""
        arrays: dict[str, Any] = {"format": np.array(FORMAT), "count": np.array(self.count)}
        if self._matrix is not None:
            arrays["matrix"] = self._matrix
        else:
            pairs = self._own_pairs()
            arrays |= {"keys": pairs.keys, "values": pairs.values, "tables": np.array(len(self._tables))}
            for number, table in enumerate(self._tables):
                columns = {f"{name}_{number}": getattr(table, name) for name in FIELDS}
                arrays |= {name: value for name, value in columns.items() if value is not None}
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LayerDistances:
        """Read what `save` wrote.

        Raises:
            GraphError: no such file, or one whose arrays do not fit each other.
        """
        try:
            arrays = read_arrays(path)
            if (found_format := plain_text(arrays.get("format", np.array(0)))) != FORMAT:
                raise ValueError(f"its format is {found_format[:60]!r}")
            _check_members(arrays)
            count = int(arrays["count"])
            if "matrix" in arrays:
                found = cls.all_pairs(arrays["matrix"])
            else:
                tables = [
                    ReachTable(**{name: arrays.get(f"{name}_{number}") for name in FIELDS})  # type: ignore[arg-type]
                    for number in range(int(arrays["tables"]))
                ]
                for table in tables:
                    table.check(count)
                found = cls(count, tables=tables, pairs=KnownPairs(count, arrays["keys"], arrays["values"]))
        except (OSError, ValueError) as error:
            raise GraphError(
                f"{path}: cannot be read as distances of a layer ({error}); give a file written by LayerDistances.save"
            ) from error
        return found

    def _admissible(self, exclude: ArrayLike | None) -> ReachTable:
        """The neighbours that `exclude` leaves: of several tables, the one that knows most of every recording."""
        if exclude is not None and np.ndim(exclude) != 1:
            raise GraphError("exclude is a mask of pairs, and only the nearest are known; give (N,) groups")
        codes = None if exclude is None else group_codes(exclude, self.count)
        fitting = []
        for table in self._tables:
            if table.codes is None and codes is None:
                return table
            if codes is not None and (table.codes is None or finer(table.codes, codes)):
                equal = table.codes is not None and finer(codes, table.codes)
                fitting.append(table if equal else table.without(codes))
        if not fitting:
            raise GraphError(
                "the table has neighbours of other groups only; to allow neighbours of the own group, make the table "
                "of everyone as well (`everyone`)"
            )
        return max(fitting, key=lambda table: int(table.known.min(initial=0)))

    def _own_pairs(self) -> KnownPairs:
        """The known pairs between these recordings, by their numbers here."""
        if len(self._nodes) == self._pairs.count and (self._nodes == np.arange(self.count)).all():
            return self._pairs
        place = np.full(self._pairs.count, -1, dtype=np.int64)
        place[self._nodes] = np.arange(self.count)
        first, second = place[self._pairs.pairs].T
        both = (first >= 0) & (second >= 0)
        own = KnownPairs(self.count)
        own.add(first[both], second[both], self._pairs.values[both])
        return own


def _check_members(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Refuse arrays that `save` does not write together; ValueError names one."""
    if "matrix" in arrays:
        sizes = check_arrays(arrays, {"format": "s", "count": "i", "matrix": "f N N"})
    else:
        check_arrays({name: arrays[name] for name in arrays if name == "tables"}, {"tables": "i"})
        number = int(arrays["tables"])
        if not 0 <= number <= 2:
            raise ValueError(f"'tables' is {number}, not 0, 1 or 2")
        tables: dict[str, str] = {}
        for k in range(number):
            tables |= {f"codes_{k}?": "i N", f"known_{k}": "i N"}
            tables |= {f"indices_{k}": f"i N {'RS'[k]}", f"distances_{k}": f"f N {'RS'[k]}"}
        sizes = check_arrays(
            arrays, {"format": "s", "count": "i", "keys": "i P", "values": "f P", "tables": "i"} | tables
        )
        for k in range(number):
            _check_reach(arrays[f"distances_{k}"], arrays[f"known_{k}"])
    count = int(arrays["count"])
    if not 0 <= count <= _MOST or count != sizes.get("N", count):
        raise ValueError(f"'count' is {count}, but the arrays are of {sizes.get('N', 'no')} recordings")


def _check_reach(distances: NDArray[np.floating], known: Codes) -> None:
    """Refuse rows that count more neighbours than they have, or whose distances are negative or not finite."""
    if len(known) and not 0 <= known.min() <= known.max() <= distances.shape[1]:
        raise ValueError(f"a table counts neighbours that it does not have: {distances.shape[1]} at most")
    counted = np.arange(distances.shape[1]) < known[:, None]
    if not (np.isfinite(distances[counted]).all() and (distances[counted] >= 0).all()):
        raise ValueError("a table holds a distance that is negative or not finite")


def as_layer_distances(distances: LayerDistances | ArrayLike) -> LayerDistances:
    """`distances` themselves, or an (N, N) array as `LayerDistances.all_pairs`."""
    return distances if isinstance(distances, LayerDistances) else LayerDistances.all_pairs(distances)

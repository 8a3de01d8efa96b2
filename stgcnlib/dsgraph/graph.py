"""DSGraph: a weighted graph whose nodes are recordings, as its builders leave it.

It keeps each node's own candidates and weights; matrices are made on demand. It builds nothing itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from stgcnlib.artefacts import check_arrays, plain_text, read_arrays
from stgcnlib.errors import GraphError, check_version, suggest
from stgcnlib.files import atomic_path

__all__ = ["DSGraph", "Kind", "Symmetrize", "check_symmetrize"]

Kind = Literal["nnk", "knn"]
Symmetrize = Literal["max", "mean", "mutual", "pynnk"]

FORMAT = "stgcnlib-dsgraph"
VERSION = 1


@dataclass(frozen=True)
class DSGraph:
    """N nodes with K candidate neighbours each.

    Attributes:
        candidates: (N, K) int64, each node's candidates, nearest first, ties by index.
        candidate_distances: (N, K) float64, their distances.
        weights: (N, K) float64, each node's own weights; 0 = pruned.
        sigma: kernel width in the unit of the distances, one float or (N,) float64.
        kkt_residual: (N,) float64, how far each node's weights are from optimal on the problem solved; 0 for kNN.
        kind: "nnk" or "knn".
        symmetrize: how `undirected` joins the two directions unless told otherwise.
        errors: (N,) float64, reconstruction error 1 − 2θᵀk + θᵀKθ; None for kNN.
        projected: (N,) bool, whose kernel block had to be projected onto the PSD cone; None for kNN.
    """

    candidates: NDArray[np.int64]
    candidate_distances: NDArray[np.float64]
    weights: NDArray[np.float64]
    sigma: float | NDArray[np.float64]
    kkt_residual: NDArray[np.float64]
    kind: Kind = "nnk"
    symmetrize: Symmetrize = "max"
    errors: NDArray[np.float64] | None = None
    projected: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Number of nodes N."""
        return len(self.candidates)

    def __repr__(self) -> str:
        kept = self.neighbor_counts().mean() if len(self) else 0.0
        return f"DSGraph({self.kind}, {len(self)} nodes, {self.candidates.shape[1]} candidates, {kept:.1f} kept)"

    def directed(self) -> sp.csr_array:
        """(N, N) float64: row i holds node i's own weights."""
        rows, columns = np.nonzero(self.weights)
        values = (self.weights[rows, columns], (rows, self.candidates[rows, columns]))
        matrix = sp.csr_array(values, shape=(len(self), len(self)))
        matrix.sort_indices()
        return matrix

    def undirected(self, symmetrize: Symmetrize | None = None) -> sp.csr_array:
        """(N, N) symmetric float64 weights.

        Args:
            symmetrize: "max": the larger of the two directions. "mean": their mean, a missing one counting 0.
                "mutual": the smaller, so only edges that both nodes chose. "pynnk": the published rule, which
                keeps i→j only where i's reconstruction error is below j's, and takes the error of j as 0
                where i is no candidate of j, so that such edges (and those of equal error) are silently lost;
                then the maximum. On a kNN graph it is the maximum, as published. None: the graph's own.

        Raises:
            GraphError: an unknown name, or "pynnk" on an NNK graph without `errors`.
        """
        how = self.symmetrize if symmetrize is None else symmetrize
        check_symmetrize(how)
        forward = self.directed()
        if how == "pynnk" and self.kind == "nnk":
            forward = self._published_edges(forward)
        backward = forward.T.tocsr()
        match how:
            case "mean":
                joined = (forward + backward) / 2
            case "mutual":
                joined = forward.minimum(backward)
            case _:
                joined = forward.maximum(backward)
        matrix = sp.csr_array(joined)
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return matrix

    def _published_edges(self, forward: sp.csr_array) -> sp.csr_array:
        """The directed edges that survive the published comparison of reconstruction errors."""
        if self.errors is None:
            raise GraphError("symmetrize='pynnk' compares reconstruction errors; this graph has none, use 'max'")
        count, k = self.candidates.shape
        rows = np.repeat(np.arange(count), k)
        known = sp.csr_array((np.ones(rows.size), (rows, self.candidates.ravel())), shape=(count, count))
        edges = forward.tocoo()
        i, j = edges.coords
        opposite = np.where(np.asarray(known[j, i]).ravel() > 0, self.errors[j], 0.0)
        kept = self.errors[i] < opposite
        return sp.csr_array((edges.data[kept], (i[kept], j[kept])), shape=(count, count))

    def neighbor_counts(self) -> NDArray[np.int64]:
        """(N,) neighbours that each node keeps (weights above 0)."""
        return np.asarray((self.weights > 0).sum(axis=1), dtype=np.int64)

    def neighbors(self, i: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Node i's neighbours and weights, largest weight first, ties in order of distance.

        Args:
            i: the node, from 0.

        Returns:
            (n,) int64 nodes and (n,) float64 weights of the n candidates that were kept.
        """
        kept = np.flatnonzero(self.weights[i])
        order = kept[np.argsort(-self.weights[i, kept], kind="stable")]
        return self.candidates[i, order], self.weights[i, order]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an npz file, atomically."""
        optional = {"errors": self.errors, "projected": self.projected}
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                allow_pickle=False,
                format=np.array(FORMAT),
                version=np.array(VERSION),
                candidates=self.candidates,
                candidate_distances=self.candidate_distances,
                weights=self.weights,
                sigma=np.asarray(self.sigma, dtype=np.float64),
                kkt_residual=self.kkt_residual,
                kind=np.array(self.kind),
                symmetrize=np.array(self.symmetrize),
                **{name: value for name, value in optional.items() if value is not None},
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> DSGraph:
        """Read what `save` wrote.

        Raises:
            GraphError: no DSGraph file, a damaged one, or one of a newer version.
        """
        try:
            arrays = read_arrays(path)
            if plain_text(arrays.get("format", np.array(0))) != FORMAT:
                raise GraphError(f"{path}: holds no DSGraph; give a file written by DSGraph.save")
            check_arrays({"version": arrays["version"]}, {"version": "i"})
            check_version(path, int(arrays["version"]), VERSION, GraphError)
            check_arrays(arrays, _MEMBERS)
            _check_ranges(arrays)
        except (OSError, ValueError, KeyError) as error:
            if isinstance(error, GraphError):
                raise
            raise GraphError(
                f"{path}: cannot be read as a DSGraph ({error}); give a file written by DSGraph.save"
            ) from error
        sigma = arrays["sigma"]
        return cls(
            candidates=arrays["candidates"],
            candidate_distances=arrays["candidate_distances"],
            weights=arrays["weights"],
            sigma=float(sigma) if sigma.ndim == 0 else sigma,
            kkt_residual=arrays["kkt_residual"],
            kind="knn" if plain_text(arrays["kind"]) == "knn" else "nnk",
            symmetrize=check_symmetrize(str(arrays["symmetrize"])),
            errors=arrays.get("errors"),
            projected=arrays.get("projected"),
        )


_MEMBERS = {
    "format": "s", "version": "i", "candidates": "i N K", "candidate_distances": "f N K", "weights": "f N K",
    "sigma": "f | f N", "kkt_residual": "f N", "kind": "s", "symmetrize": "s", "errors?": "f N", "projected?": "b N",
}  # fmt: skip


def _check_ranges(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Refuse candidates that are not other nodes, and negative or non-finite numbers; ValueError names the array."""
    candidates = arrays["candidates"]
    if candidates.size and not 0 <= candidates.min() <= candidates.max() < len(candidates):
        raise ValueError(f"'candidates' names nodes outside of 0 to {len(candidates) - 1}")
    if (candidates == np.arange(len(candidates))[:, None]).any():
        raise ValueError("'candidates' names a node as its own neighbour")
    for name in ("candidate_distances", "weights", "sigma"):
        if not (np.isfinite(arrays[name]).all() and (arrays[name] >= 0).all()):
            raise ValueError(f"{name!r} holds a number that is negative or not finite")
    if plain_text(arrays["kind"]) not in get_args(Kind):
        raise ValueError(f"'kind' is {plain_text(arrays['kind'])[:40]!r}")
    check_symmetrize(plain_text(arrays["symmetrize"]))


def check_symmetrize(name: str) -> Symmetrize:
    """`name` itself if it is a known rule; else GraphError with the nearest names."""
    for known in get_args(Symmetrize):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise GraphError(f"symmetrize={name!r} is unknown; {suggest(str(name), get_args(Symmetrize))}")

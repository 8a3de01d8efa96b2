"""Places in the plane from nearest neighbours alone, for layers of so many recordings that not all distances are known.

Recordings that are near each other lie near each other; how far apart distant ones lie says nothing.
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from stgcnlib.errors import GraphError

__all__ = ["MOST_NEIGHBOURS", "place_by_neighbours"]

Floats = NDArray[np.float64]

MOST_NEIGHBOURS = 90
"""Most neighbours that are read; they give a perplexity of 30, the usual value."""
_STEPS = 500
_SQUEEZED = 1e-4  # spread of a first start, as scikit-learn's own
_EXAGGERATED = 12.0  # early exaggeration, as usual; 1 with a start, so that points move no more than needed
_DENSE = 40  # for graphs of up to so many recordings, all eigenvectors are computed


def place_by_neighbours(
    indices: ArrayLike, distances: ArrayLike, *, start: ArrayLike | None = None, seed: int = 0
) -> Floats:
    """Points in the plane where near neighbours lie near each other: (N, 2) float64, centred.

    t-SNE (van der Maaten, "Accelerating t-SNE using Tree-Based Algorithms", JMLR 2014; scikit-learn's) with a
    perplexity of a third of the neighbours, on one thread, so that the number of threads changes nothing.

    Args:
        indices: (N, K) neighbours of each recording, nearest first; only the first `MOST_NEIGHBOURS` are read.
        distances: (N, K), their distances.
        start: (N, 2) initial points, such as those of the layer before; `None`: the two slowest directions of the
            neighbour graph (Belkin and Niyogi, Neural Computation 2003).
        seed: of t-SNE, and of small shifts that separate recordings with equal initial points.

    Raises:
        GraphError: neighbours and distances do not fit each other, or the start does not fit them.
    """
    near, far = np.asarray(indices, dtype=np.int64), np.asarray(distances, dtype=np.float64)
    if near.ndim != 2 or near.shape != far.shape or not near.shape[1]:
        raise GraphError(f"neighbours have shape {near.shape}, distances {far.shape}; expected (N, K) of both, K > 0")
    if not (np.isfinite(far).all() and (far >= 0).all()):
        raise GraphError("distances to neighbours must be finite and not negative")
    near, far = near[:, :MOST_NEIGHBOURS], far[:, :MOST_NEIGHBOURS]
    count, k = near.shape
    if near.min() < 0 or near.max() >= count:
        raise GraphError(f"neighbours are {near.min()} to {near.max()}; there are {count} recordings")
    unit = float(np.median(far[:, -1])) or float(far.max()) or 1.0
    far = far / unit
    first = _slow_directions(near, far, seed) if start is None else np.asarray(start, dtype=np.float64)
    if first.shape != (count, 2):
        raise GraphError(f"start has shape {first.shape}; expected ({count}, 2)")
    first = (first - first.mean(axis=0)) / (float(first.std()) or 1.0)
    first = first + 1e-3 * np.random.default_rng(seed).normal(size=first.shape)
    # scikit-learn takes each recording for its own nearest neighbour, and asks for 3 * perplexity + 1 in all.
    rows = np.concatenate([np.arange(count)[:, None], near], axis=1)
    values = np.concatenate([np.zeros((count, 1)), far], axis=1).astype(np.float32)
    starts = np.arange(0, rows.size + 1, k + 1)
    graph = sp.csr_matrix((values.ravel(), rows.ravel(), starts), shape=(count, count))
    method = TSNE(
        metric="precomputed", perplexity=(k - 0.5) / 3, max_iter=_STEPS, random_state=seed, n_jobs=1,
        init=((_SQUEEZED if start is None else 1.0) * first).astype(np.float32),
        early_exaggeration=_EXAGGERATED if start is None else 1.0,
    )  # fmt: skip
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", sp.SparseEfficiencyWarning)
        points: Floats = method.fit_transform(graph).astype(np.float64)
    points -= points.mean(axis=0)
    return points


def _slow_directions(near: NDArray[np.int64], far: Floats, seed: int) -> Floats:
    """(N, 2) eigenvectors of the random walk on the symmetric neighbour graph: the first two after the constant one."""
    count, k = near.shape
    width = np.maximum(far[:, -1] / 3, 1e-9)
    weights = np.exp(-(far**2) / (2 * width[:, None] * width[near])) + 1e-9
    rows = np.repeat(np.arange(count), k)
    graph = sp.csr_array((weights.ravel(), (rows, near.ravel())), shape=(count, count))
    graph = graph.maximum(graph.T)
    root = np.sqrt(np.maximum(graph.sum(axis=1), 1e-300))
    walk = sp.csr_array(sp.diags_array(1 / root) @ graph @ sp.diags_array(1 / root))
    random = np.random.default_rng(seed)
    if count <= _DENSE:
        vectors = np.linalg.eigh(walk.toarray())[1][:, ::-1]
    else:
        try:
            values, vectors = eigsh(
                walk, 3, which="LA", v0=random.normal(size=(count,)), tol=1e-3, return_eigenvectors=True
            )
            vectors = vectors[:, values.argsort()[::-1]]
        except ArpackNoConvergence as stopped:
            vectors = stopped.eigenvectors
    points = (vectors / root[:, None])[:, 1:3]
    points = np.concatenate([points, random.normal(size=(count, max(0, 2 - points.shape[1])))], axis=1)
    spread = points.std(axis=0)
    points = points / np.where(spread > 0, spread, 1.0)
    # An eigenvector's sign is arbitrary: the largest entry points right and up.
    signs = np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    found: Floats = points * np.where(signs == 0, 1.0, signs)
    return found

"""What can be read out of a layer: pooled features, their similarity (CKA), neighbours' votes and a linear probe.

Predictions are made for every node by others, never by recordings of the same subject; accuracies with intervals
are made of them in `statistics`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw import LayerDistances, as_layer_distances
from stgcnlib.errors import GraphError
from stgcnlib.geometry.smoothness import check_labels
from stgcnlib.groups import group_codes
from stgcnlib.threads import pass_threads

__all__ = [
    "cka_matrix",
    "debiased_cka",
    "LIKENESS_NEEDS",
    "folds",
    "gram",
    "knn_predictions",
    "pooled_features",
    "probe_predictions",
    "probe_shortage",
]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

LIKENESS_NEEDS = 4
"""Fewest recordings that the estimator of CKA takes."""
FEW_BYTES = 2**22
"""Up to this size of all features, folds of a probe are fitted one after the other: threads would cost more."""
CONSTANT = 1e-10
"""Spread of pooled features, as a share of their size, below which a layer is constant."""
MOST_FOLDS, FEWER_FOLDS, MANY = 10, 5, 1000
"""Most folds, and most with more than `MANY` recordings, of which one fold may take half a minute; where there are more
subjects, several share a fold."""


def pooled_features(activations: Any, nodes: Codes | None = None) -> Floats:
    """(N, V*C) mean over time of each recording's features, what a linear head behind average pooling would see.

    Source: docs/method.md, "Further measures of a layer".

    Args:
        activations: a LayerActivations, or any iterable of (T_i, D) arrays.
        nodes: (n,) ascending, the recordings whose features are wanted; None: all.
    """
    wanted = None if nodes is None else set(nodes.tolist())
    chosen = (frames for i, frames in enumerate(activations) if wanted is None or i in wanted)
    return np.stack([np.asarray(frames, dtype=np.float64).mean(axis=0) for frames in chosen])


def gram(features: ArrayLike) -> Floats:
    """(N, N) inner products of features (N, D) that are centred and scaled to unit mean square length.

    Features that vary by less than `CONSTANT` of their size are constant: what is left of them is rounding, and all
    products are 0.
    """
    X = np.asarray(features, dtype=np.float64)
    if X.ndim != 2:
        raise GraphError(f"features have shape {X.shape}; expected (N, D)")
    # Centring and scaling do not change CKA; they keep rounding errors small.
    least = CONSTANT**2 * float((X * X).sum()) / len(X)
    X = X - X.mean(axis=0)
    K = X @ X.T
    size = float(np.trace(K)) / len(K)
    result: Floats = K / size if size > least else np.zeros_like(K)
    return result


def debiased_cka(first: ArrayLike, second: ArrayLike) -> float:
    """Linear centred kernel alignment of two Gram matrices (N, N), without the bias of many features.

    HSIC by the unbiased estimator of Song and others (JMLR 2012, eq. 5), put into CKA (Kornblith and others, ICML
    2019) as Nguyen and others (ICLR 2021) do. With biased HSIC two layers of more features than recordings look
    alike whatever they hold. It lies in −1..1, is 0 on average for unrelated features, and does not change
    with rotations and isotropic scaling of either layer.

    Args:
        first, second: (N, N), of `gram`, over the same N ≥ 4 recordings.

    Returns:
        NaN where a layer is constant.

    Raises:
        GraphError: the matrices do not fit.
    """
    K, L = (np.asarray(matrix, dtype=np.float64) for matrix in (first, second))
    if K.shape != L.shape or K.ndim != 2 or K.shape[0] != K.shape[1] or len(K) < LIKENESS_NEEDS:
        raise GraphError(
            f"Gram matrices have shapes {K.shape} and {L.shape}; expected (N, N) twice, N at least {LIKENESS_NEEDS}"
        )
    A, B = _u_centred(K), _u_centred(L)
    scale = float(np.sqrt((A * A).sum() * (B * B).sum()))
    floor = np.finfo(np.float64).eps * max(float(np.abs(K).max() * np.abs(L).max()), np.finfo(np.float64).tiny)
    return float(np.clip((A * B).sum() / scale, -1.0, 1.0)) if scale > floor else float("nan")


def knn_predictions(
    distances: LayerDistances | ArrayLike, labels: ArrayLike, *, k: int = 5, exclude: ArrayLike | None = None
) -> Codes:
    """(N,) class that most of each node's k nearest admissible nodes carry; at a tie, that of the nearest among them.

    Source: docs/method.md, "Further measures of a layer".

    Args:
        distances: (N, N), or a `LayerDistances`.
        labels: (N,) class indices.
        k: number of votes.
        exclude: (N,) or (N, N), who may not vote, as in `nnk_graph`: give the subjects, so that no recording is
            classified by others of its own subject.

    Raises:
        GraphError: sizes do not fit, or a node has fewer than k candidates.
    """
    known = as_layer_distances(distances)
    y = check_labels(labels, known.count)
    votes = y[known.nearest(k, exclude=exclude)[0]]
    same = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    # argmax takes the first of equal counts, which is the nearest.
    return np.asarray(votes[np.arange(len(y)), same.argmax(axis=1)], dtype=np.int64)


def probe_predictions(
    features: ArrayLike, labels: ArrayLike, *, groups: ArrayLike | None = None, C: float = 1.0, seed: int = 0
) -> Codes:
    """(N,) class that a linear probe predicts for each node, trained on the other subjects (scikit-learn).

    The probe is multinomial logistic regression with penalty ‖w‖²/2C on features standardised over its training
    part. Each fold leaves one subject out; there are at most ten folds, or five with more than 1,000 recordings, and
    with more subjects each fold leaves several out. Without subjects there are five stratified folds.

    Source: docs/method.md, "Further measures of a layer"; penalty and folds are our choice.

    Args:
        features: (N, D), of `pooled_features`.
        labels: (N,) class indices.
        groups: (N,) subjects, or None.
        C: inverse strength of the penalty.
        seed: of the folds where there are no subjects.

    Raises:
        GraphError: sizes do not fit, or the recordings do not allow a probe (`probe_shortage`).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    X = np.asarray(features, dtype=np.float64)
    y = check_labels(labels, len(X))
    if why := probe_shortage(y, groups, seed=seed):
        raise GraphError(why)
    predictions = np.full(len(y), -1, dtype=np.int64)

    def fold(parts: tuple[Codes, Codes]) -> None:
        train, test = parts
        scaler = StandardScaler().fit(X[train])
        seen, asked = _in_the_span(scaler.transform(X[train]), scaler.transform(X[test]))
        predictions[test] = LogisticRegression(C=C, max_iter=2000).fit(seen, y[train]).predict(asked)

    threads = pass_threads() if X.nbytes > FEW_BYTES else 1
    # Thousands of small products: on several threads each takes up to ten times the processor time.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        list(pool.map(fold, folds(len(y), y, groups, seed)))
    return predictions


def _in_the_span(seen: Floats, asked: Floats) -> tuple[Floats, Floats]:
    """Training part (n, D) and others (m, D), in at most n coordinates in which a probe predicts the same.

    The penalty does not change with rotations, so that the weights lie in the span of the training part.
    """
    if seen.shape[1] <= len(seen):
        return seen, asked
    squares, axes = np.linalg.eigh(seen @ seen.T)
    kept = squares > squares[-1] * len(seen) * np.finfo(np.float64).eps
    if not kept.any():  # all recordings are alike
        return np.zeros((len(seen), 1)), np.zeros((len(asked), 1))
    lengths = np.sqrt(squares[kept])
    return axes[:, kept] * lengths, (asked @ seen.T) @ axes[:, kept] / lengths


def probe_shortage(told: ArrayLike, groups: ArrayLike | None = None, *, seed: int = 0) -> str | None:
    """Why these nodes allow no linear probe, in one sentence; None where they do.

    Args:
        told: (N,) class indices, or (N, Q) real targets.
        groups: (N,) subjects, or None.
        seed: of the folds where there are no groups.
    """
    y = np.asarray(told)
    labels = y if y.ndim == 1 else None
    if groups is not None and not group_codes(groups, len(y)).any():
        return (
            "A linear probe was not measured: it is trained on some groups and tested on others, and there is only one "
            "group."
        )
    if len(y) < 2:
        return "A linear probe was not measured: it is trained on some recordings and tested on others."
    if groups is None and labels is not None and np.bincount(labels)[np.unique(labels)].min() < 2:
        return "A linear probe was not measured: it needs two recordings of each class, and a class has only one."
    if any(len(np.unique(y[train], axis=0)) < 2 for train, _ in folds(len(y), labels, groups, seed)):
        what = "class" if labels is not None else "value of the target"
        return f"A linear probe was not measured: without some of the recordings only one {what} is left to learn from."
    return None


def folds(count: int, labels: Codes | None, groups: ArrayLike | None, seed: int) -> Iterator[tuple[Codes, Codes]]:
    """(train, test) indices of a probe's folds: whole groups, at most ten folds, or five of many recordings.

    Without groups there are five, or fewer.

    Args:
        count: number of nodes.
        labels: (N,) classes that the folds without groups share evenly; None: folds are drawn at random.
        groups: (N,) groups, or None.
        seed: of the folds without groups.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

    every = np.arange(count)
    if groups is not None:
        member = group_codes(groups, count)
        units = int(member.max()) + 1
        most = MOST_FOLDS if count <= MANY else FEWER_FOLDS
        yield from GroupKFold(min(units, most)).split(every, every, member)
    elif labels is None:
        yield from KFold(min(5, count), shuffle=True, random_state=seed).split(every)
    else:
        rarest = int(np.bincount(labels)[np.unique(labels)].min())
        yield from StratifiedKFold(min(5, rarest), shuffle=True, random_state=seed).split(every, labels)


def _u_centred(K: Floats) -> Floats:
    """The matrix whose product with another, summed, is n(n − 3) times the unbiased HSIC (Székely and Rizzo 2014)."""
    n = len(K)
    K = K.copy()
    np.fill_diagonal(K, 0.0)
    rows = K.sum(axis=0)
    centred: Floats = K - (rows[:, None] + rows[None, :]) / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return centred


def cka_matrix(grams: Sequence[Floats]) -> Floats:
    """(L, L) debiased CKA between the layers' Gram matrices; NaN of fewer than four recordings."""
    if len(grams[0]) < LIKENESS_NEEDS:
        return np.full((len(grams), len(grams)), np.nan)
    centred = [_u_centred(K).ravel() for K in grams]
    lengths = [np.linalg.norm(A) for A in centred]
    matrix = np.full((len(grams), len(grams)), np.nan)
    for i, A in enumerate(centred):
        for j in range(i + 1):
            scale = lengths[i] * lengths[j]
            if scale > 0:
                matrix[i, j] = matrix[j, i] = np.clip(A @ centred[j] / scale, -1.0, 1.0)
    return matrix

"""How sure a smoothness value is: shuffled labels, and bootstrap intervals over recordings and subjects.

All of it keeps the graph fixed and works on labels or on per-node values, so that thousands of draws cost little.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError, suggest
from stgcnlib.geometry.smoothness import check_labels, transition
from stgcnlib.groups import group_codes

__all__ = [
    "Resampling",
    "bootstrap_counts",
    "bootstrap_means",
    "deletion_groups",
    "interval",
    "jackknife_interval",
    "paired_difference",
    "permutation_null",
]

Resampling = Literal["two-level", "subjects", "sequences"]
Floats = NDArray[np.float64]


def permutation_null(graph: DSGraph, labels: ArrayLike, *, permutations: int = 200, seed: int = 0) -> Floats:
    """(permutations,) random-walk smoothness of the same graph with shuffled labels.

    The graph, and with it the rule that left neighbours of the same subject out, stays as it is: the null says
    what this graph would show if labels had nothing to do with it. Its mean is near
    1 − Σ_c n_c (n_c − 1) / N (N − 1).

    Raises:
        GraphError: labels do not fit the graph, or `permutations` is below 1.
    """
    if permutations < 1:
        raise GraphError(f"permutations={permutations}; expected at least 1")
    y = check_labels(labels, len(graph))
    generator = np.random.default_rng(seed)
    edges = transition(graph).tocoo()
    i, j = edges.coords
    kind = np.int16 if y.max() < 2**15 else np.int64
    null = np.empty(permutations)
    for draw in range(permutations):
        shuffled = generator.permutation(y).astype(kind)
        null[draw] = 1 - edges.data[shuffled[i] == shuffled[j]].sum() / len(y)
    return null


def bootstrap_counts(
    count: int,
    *,
    draws: int = 1000,
    groups: ArrayLike | None = None,
    resampling: Resampling | None = None,
    seed: int = 0,
) -> NDArray[np.int32]:
    """(draws, N) how often each node occurs in each bootstrap sample; one table serves every curve (they pair).

    Args:
        count: number of nodes N.
        draws: number of bootstrap samples.
        groups: (N,) subject of each node, or None.
        resampling: "sequences": nodes are drawn as if independent. "subjects": whole subjects are drawn with
            replacement (cluster bootstrap). "two-level": subjects, then nodes within each subject drawn.
            None: "two-level" where groups are given, else "sequences".
        seed: of the draws.

    What this cannot cover: the graph is not rebuilt, so the choice of candidates counts as given. And with S
    subjects there are few distinct samples (35 for S = 4, one in 64 of them a single person), whose spread is
    too small by about (S − 1)/S in variance; the second level adds some of it back. On resampled demo sets the 95%
    intervals of "two-level" cover in 93 to 97% of cases (benchmarks/interval_coverage.py); where people differ
    from each other much more than from themselves, in 81 to 85% with 4 to 8 subjects: there
    `jackknife_interval`, which makes the graph anew without each subject, holds its 95% at twice the width.

    Raises:
        GraphError: draws below 1, groups that do not fit or are missing, an unknown name.
    """
    if draws < 1:
        raise GraphError(f"bootstrap={draws}; expected at least 1 draw")
    how = resampling or ("sequences" if groups is None else "two-level")
    if how not in get_args(Resampling):
        raise GraphError(f"resampling={how!r} is unknown; {suggest(str(how), get_args(Resampling))}")
    generator = np.random.default_rng(seed)
    if how == "sequences":
        return generator.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.int32)
    if groups is None:
        raise GraphError(f"resampling={how!r} draws subjects; give groups, one value per node")
    member = group_codes(groups, count)
    units = int(member.max()) + 1
    drawn = generator.multinomial(units, np.full(units, 1 / units), size=draws)
    if how == "subjects":
        return drawn[:, member].astype(np.int32)
    counts = np.zeros((draws, count), dtype=np.int32)
    for subject in range(units):
        nodes = np.flatnonzero(member == subject)
        trials = drawn[:, subject] * nodes.size
        counts[:, nodes] = generator.multinomial(trials, np.full(nodes.size, 1 / nodes.size))
    return counts


def bootstrap_means(values: ArrayLike, counts: NDArray[np.int32]) -> Floats:
    """(draws,) mean of (N,) per-node values in each sample; NaN for a sample without any of the nodes."""
    weights = counts.astype(np.float64)
    total = weights.sum(axis=1)
    means = np.full(len(total), np.nan)
    np.divide(weights @ np.asarray(values, np.float64), total, out=means, where=total > 0)
    return means


def interval(samples: Floats, confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval of samples, NaN left out; (NaN, NaN) if none is left."""
    if not 0 < confidence < 1:
        raise GraphError(f"confidence={confidence}; expected a number between 0 and 1")
    known = samples[np.isfinite(samples)]
    if known.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def deletion_groups(count: int, *, groups: ArrayLike | None = None, most: int = 20, seed: int = 0) -> NDArray[np.int64]:
    """(N,) part of each node, from 0: the parts that a jackknife leaves out one by one.

    Parts are subjects, put together at random where there are more than `most`; without subjects `most` random
    parts of nearly equal size.
    """
    generator = np.random.default_rng(seed)
    member = np.arange(count) if groups is None else group_codes(groups, count)
    units = int(member.max()) + 1
    part = generator.permutation(np.arange(units) % min(most, units)) if units > most else np.arange(units)
    return np.asarray(part[member], dtype=np.int64)


def jackknife_interval(value: float, left_out: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a statistic from its values with one part of the nodes left out at a time.

    Tukey's: value ± t √((S − 1)/S Σ (θ_s − θ̄)²) with Student's t of S − 1 degrees of freedom. It serves what is no mean
    over nodes, because everything can be made anew without a part. (NaN, NaN) unless all S ≥ 2 values are finite.
    """
    from scipy.stats import t

    interval(np.zeros(0), confidence)  # checks it
    thetas = np.asarray(left_out, dtype=np.float64)
    if thetas.size < 2 or not np.isfinite(thetas).all():
        return float("nan"), float("nan")
    error = float(np.sqrt((thetas.size - 1) / thetas.size * ((thetas - thetas.mean()) ** 2).sum()))
    half = float(t.ppf((1 + confidence) / 2, thetas.size - 1)) * error
    return value - half, value + half


def paired_difference(
    first: ArrayLike, second: ArrayLike, counts: NDArray[np.int32], confidence: float = 0.95
) -> tuple[float, float, float]:
    """Mean of first − second over the same nodes, with the interval of that difference (value, low, high).

    Both curves are read on the same resampled nodes: what makes a person or recording hard at both layers
    cancels, so two values can differ clearly although their own intervals overlap.
    """
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return (float(difference.mean()), *interval(bootstrap_means(difference, counts), confidence))

"""How certain a value is: shuffled labels, and a jackknife that makes everything anew without each subject.

A graph depends on its recordings: without a subject, other recordings have other neighbours. Intervals from fixed
graphs miss that, and contain the true value too seldom (benchmarks/verdict_rates.py); the jackknife makes graphs anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError
from stgcnlib.geometry.smoothness import check_labels, transition
from stgcnlib.groups import group_codes

__all__ = [
    "Estimate",
    "Jackknife",
    "Spread",
    "deletion_groups",
    "estimate_sum",
    "holm",
    "interval",
    "jackknife_error",
    "permutation_null",
    "satterthwaite",
]

Floats = NDArray[np.float64]


def permutation_null(graph: DSGraph, labels: ArrayLike, *, permutations: int = 200, seed: int = 0) -> Floats:
    """(permutations,) random-walk smoothness of the same graph with shuffled labels.

    The graph, and with it the rule that left neighbours of the same subject out, stays as it is: the null says
    what this graph would show if labels had nothing to do with it. Labels are shuffled `permutations` times.
    The mean is near 1 − Σ_c n_c (n_c − 1) / N (N − 1).

    Source: our choice of a control (docs/method.md, "Label smoothness").

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


@dataclass(frozen=True)
class Estimate:
    """A value and how certain it is.

    Attributes:
        value: the estimate.
        error: its standard error; NaN where it is not known.
        df: degrees of freedom of that error, of Student's t.
        confidence: of the interval from `low` to `high`.
    """

    value: float
    error: float
    df: float
    confidence: float = 0.95

    @property
    def half(self) -> float:
        """Half the width of the interval; NaN without an error."""
        from scipy.stats import t

        if not (np.isfinite(self.error) and self.df > 0):
            return float("nan")
        return float(t.ppf((1 + self.confidence) / 2, self.df)) * self.error

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.value - self.half

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.value + self.half

    @property
    def p_value(self) -> float:
        """Two-sided, of the value being 0; NaN without an error."""
        from scipy.stats import t

        if not (np.isfinite(self.error) and self.df > 0):
            return float("nan")
        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * t.sf(abs(self.value) / self.error, self.df))

    def spread_over(self, values: Sequence[float] | Floats) -> Estimate:
        """The same value, with the spread between several networks added to its error.

        Args:
            values: (R,) this value for each network by itself; `value` is their mean. One alone adds nothing.

        Returns:
            An estimate of variance error² + var(values)/R; its degrees of freedom after Satterthwaite.
        """
        given = np.asarray(values, dtype=np.float64)
        if given.size < 2:
            return self
        variance, df = satterthwaite([self.error**2, given.var(ddof=1) / given.size], [self.df, given.size - 1])
        return Estimate(self.value, float(np.sqrt(variance)), float(df), self.confidence)


def satterthwaite(variances: Sequence[ArrayLike], dfs: Sequence[float]) -> tuple[Floats, Floats]:
    """(variance, degrees of freedom) of sums of independent errors, each a scalar or an array.

    The degrees of freedom are (Σ v)² / Σ (v²/df); where all variances are 0, those of the first.
    """
    given = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in variances))
    total = np.sum(given, axis=0)
    below = np.sum([v**2 / df for v, df in zip(given, dfs, strict=True)], axis=0)
    return total, np.divide(total**2, below, out=np.full_like(total, dfs[0]), where=below > 0)


@dataclass(frozen=True, eq=False)
class Jackknife:
    """Intervals from values that are made anew without one part of the recordings at a time.

    Tukey's: the squared error is (P − 1)/P Σ (θ_p − θ̄)² over P parts, with Student's t of P − 1 degrees of freedom, or
    fewer for a mean over some nodes (`mean`). It serves any statistic. There is no interval (NaN) with fewer than two
    parts, or where a value without some part is not finite.

    Attributes:
        parts: (N,) part of each recording, from 0; see `deletion_groups`.
        confidence: of the intervals, between 0 and 1.
    """

    parts: NDArray[np.int64]
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise GraphError(f"confidence={self.confidence}; expected a number between 0 and 1")

    @property
    def count(self) -> int:
        """How many parts there are."""
        return int(self.parts.max()) + 1

    def kept(self) -> list[NDArray[np.int64]]:
        """For each part the nodes (n,) that are left without it, ascending."""
        return [np.flatnonzero(self.parts != part) for part in range(self.count)]

    def of(self, value: float, left_out: ArrayLike) -> Estimate:
        """The interval of a statistic, from its (P,) values without each part.

        `value` is the statistic with all parts, `left_out` (P,) without each.
        """
        thetas = np.asarray(left_out, dtype=np.float64)
        if thetas.size < 2 or not np.isfinite(thetas).all():
            return Estimate(float(value), float("nan"), max(thetas.size - 1, 0), self.confidence)
        return Estimate(float(value), float(jackknife_error(thetas)), thetas.size - 1, self.confidence)

    def mean(
        self, values: ArrayLike, left_out: ArrayLike | None = None, *, nodes: NDArray[Any] | None = None
    ) -> Estimate:
        """Mean over nodes, NaN left out.

        Of nodes that lie in m of the P parts, m − 1 degrees of freedom count: without another part little changes.

        Args:
            values: (N,) per node.
            left_out: (P, N) the same where graphs are made anew without each part (values of the part's own nodes are
                not read); None: a node's value does not depend on the others.
            nodes: indices, or (N,) bool, of those that count; None: all.
        """
        x = np.asarray(values, dtype=np.float64)
        counted = np.zeros(len(x), dtype=bool)
        counted[slice(None) if nodes is None else nodes] = True
        found = self.of(_mean(x[counted]), self.means(x if left_out is None else left_out, nodes=counted))
        own = np.unique(self.parts[counted & np.isfinite(x)]).size
        return replace(found, df=max(own - 1, 0))

    def ratio(
        self,
        above: ArrayLike,
        below: ArrayLike,
        above_without: ArrayLike,
        below_without: ArrayLike,
        *,
        below_error: float = 0.0,
    ) -> tuple[float, float, float]:
        """(value, low, high) of the ratio of two statistics, averaged over R networks before they are divided.

        Fieller's interval: all ratios q for which above − q below does not differ significantly from 0. It also holds
        where the denominator is small relative to its error; Tukey's interval of the ratio does not.

        Args:
            above, below: (R,) of each network.
            above_without, below_without: (R, P) without each part.
            below_error: a further standard error of the denominator, independent of the others.

        Returns:
            The interval includes the spread between networks. It is NaN where there is none: the denominator may be 0,
            or a value is not known.
        """
        from scipy.stats import t

        a, b = (np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in (above, below))
        thetas = np.stack([np.atleast_2d(each).mean(axis=0) for each in (above_without, below_without)])
        x, y = float(a.mean()), float(b.mean())
        value = x / y if y else float("nan")
        P, R = thetas.shape[1], len(a)
        if P < 2 or not (np.isfinite(thetas).all() and np.isfinite(value)):
            return value, float("nan"), float("nan")
        centred = thetas - thetas.mean(axis=1, keepdims=True)
        errors, df = (P - 1) / P * centred @ centred.T, P - 1.0
        if R > 1:
            between, weights = np.cov(a, b) / R, np.array([1.0, -value])
            parts = [float(weights @ each @ weights) for each in (errors, between)]
            df = float(satterthwaite(parts, [P - 1, R - 1])[1])
            errors = errors + between
        errors[1, 1] += below_error**2
        (vxx, vxy), (_, vyy) = t.ppf((1 + self.confidence) / 2, df) ** 2 * errors
        p, q, r = y**2 - vyy, x * y - vxy, x**2 - vxx
        if p <= 0:
            return value, float("nan"), float("nan")
        half = float(np.sqrt(max(q**2 - p * r, 0.0)))
        low, high = sorted([(q - half) / p, (q + half) / p])
        return value, float(low), float(high)

    def means(self, left_out: ArrayLike, *, nodes: NDArray[Any] | None = None) -> Floats:
        """(P,) mean over the nodes outside each part, from (P, N) values, or (N,) where they stay as they are.

        Args:
            left_out: (P, N), or (N,).
            nodes: indices, or (N,) bool, of those that count; None: all.
        """
        x = np.broadcast_to(np.asarray(left_out, dtype=np.float64), (self.count, len(self.parts)))
        counted = np.zeros(len(self.parts), dtype=bool)
        counted[slice(None) if nodes is None else nodes] = True
        return np.array([_mean(x[part, counted & (self.parts != part)]) for part in range(self.count)])


@dataclass(frozen=True)
class Spread:
    """A statistic of R networks, (R, …), and the same without each of P parts of the recordings, (R, P, …)."""

    each: Floats
    without: Floats

    def __sub__(self, other: Spread) -> Spread:
        """The difference network by network; both have the same networks."""
        return Spread(self.each - other.each, self.without - other.without)

    def __neg__(self) -> Spread:
        return Spread(-self.each, -self.without)

    def __matmul__(self, weights: ArrayLike) -> Spread:
        """The weighted sum over the last axis."""
        return Spread(self.each @ np.asarray(weights), self.without @ np.asarray(weights))

    def estimate(self, jackknife: Jackknife) -> Estimate:
        """The mean over the networks, with the spread between them in its interval."""
        return estimate_sum([self], jackknife)


def estimate_sum(spreads: Sequence[Spread], jackknife: Jackknife) -> Estimate:
    """The sum of the means of several statistics, (R,) each; every statistic has its own networks.

    For its error, each part is left out of all statistics at once; the spread between the networks of each is added.
    """
    value = sum(float(spread.each.mean()) for spread in spreads)
    found = jackknife.of(value, np.sum([spread.without.mean(axis=0) for spread in spreads], axis=0))
    for spread in spreads:
        found = found.spread_over(spread.each)
    return found


def holm(p_values: ArrayLike) -> Floats:
    """(n,) p-values adjusted for their number after Holm: at most 1; NaN stays and is not counted."""
    given = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(given.shape, np.nan)
    known = np.flatnonzero(np.isfinite(given))
    order = known[np.argsort(given[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1.0)
    return adjusted


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def jackknife_error(thetas: Floats) -> Floats:
    """Standard error of a statistic from its values without each part, (P, …) -> (…)."""
    count = len(thetas)
    squares: Floats = ((thetas - thetas.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(np.sqrt((count - 1) / count * squares), dtype=np.float64)

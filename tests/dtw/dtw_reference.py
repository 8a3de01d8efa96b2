"""Window-based DTW as slow loops in float64, written from the definitions of the paper and DTWOptions.

Shares no code with stgcnlib.
"""

from __future__ import annotations

import math

import numpy as np


def cut(x, *, reading, window, stride):
    """The items of one series, each a flat float64 vector."""
    x = [np.asarray(frame, dtype=np.float64).ravel() for frame in x]
    if reading != "sliding":
        return x
    while len(x) < window:
        x = [*x, x[-1]]
    items = []
    start = 0
    while start + window <= len(x):
        items.append(np.concatenate(x[start : start + window]))
        start += stride
    return items


def local_cost(u, v, metric):
    if metric == "euclidean":
        return math.sqrt(sum_of_squares(u - v))
    if metric == "sqeuclidean":
        return sum_of_squares(u - v)
    p, q = math.sqrt(sum_of_squares(u)), math.sqrt(sum_of_squares(v))
    if p == 0 or q == 0:
        return 0.0 if p == q else 1.0
    return 0.5 * sum_of_squares(u / p - v / q)


def sum_of_squares(v):
    return math.fsum(v * v)


def allowed(a, b, n, m, band):
    if band is None:
        return True
    longer = max(n, m)
    return 2 * abs(a * (m - 1) - b * (n - 1)) <= max(2 * band, 1) * (longer - 1)


def accumulate(x, y, *, metric, band, normalize):
    n, m = len(x), len(y)
    best = {}
    for a in range(n):
        for b in range(m):
            if not allowed(a, b, n, m, band):
                continue
            before = [best[p] for p in ((a - 1, b), (a, b - 1), (a - 1, b - 1)) if p in best]
            cost, steps = min(before) if before else ((0.0, 0) if a == b == 0 else (math.inf, 0))
            best[a, b] = (cost + local_cost(x[a], y[b], metric), steps + 1)
    cost, steps = best[n - 1, m - 1]
    return {"length": cost / (n + m), "path": cost / steps, None: cost}[normalize]


def part(x, r, q):
    first = math.floor(r * len(x) / q)
    last = math.floor((r + 1) * len(x) / q)
    return x[first : max(last, first + 1)]


def reference_distance(
    x,
    y,
    *,
    reading="sliding",
    window=9,
    stride=1,
    band=None,
    segments=4,
    metric="euclidean",
    normalize="length",
):
    kept = {"metric": metric, "band": band, "normalize": normalize}
    if reading == "segments":
        x, y = (cut(v, reading=reading, window=window, stride=stride) for v in (x, y))
        costs = [accumulate(part(x, r, segments), part(y, r, segments), **kept) for r in range(segments)]
        return sum(costs) / segments
    cutting = {"reading": reading, "window": window, "stride": stride}
    return accumulate(cut(x, **cutting), cut(y, **cutting), **kept)


def reference_distances(a, b=None, **options):
    b = a if b is None else b
    return np.array([[reference_distance(x, y, **options) for y in b] for x in a])

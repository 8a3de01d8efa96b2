"""How alike two maps are: by ranks, and as pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter
from scipy.stats import rankdata

__all__ = ["rank_correlation", "similarity"]


def rank_correlation(a: ArrayLike, b: ArrayLike, *, there: NDArray[np.bool_] | None = None) -> float:
    """Spearman's correlation; NaN where one of the two is constant, as a map without any relevance is.

    Args:
        a, b: of the same shape, (M, T, V) where `there` is given.
        there: (M, T) bool, the people and frames that are compared: zeros of both maps where nobody is would count as
            agreement. `None`: all.
    """
    x, y = (rankdata((v if there is None else v[there]).ravel()) for v in (np.asarray(v, np.float64) for v in (a, b)))
    if not x.size:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    if not x.any() or not y.any():
        return float("nan")
    return float(x @ y) / float(np.sqrt((x @ x) * (y @ y)))


def similarity(
    a: NDArray[np.float32], b: NDArray[np.float32], *, there: NDArray[np.bool_] | None = None, window: int = 7
) -> float:
    """SSIM (Wang et al. 2004) of two maps (M, T, V) as pictures, each scaled to its own largest value.

    Local means and variances are over `window` frames and joints of one person; joints are taken in the layout's
    order, in which neighbours mostly belong to one limb. The mean is over the cells of the people who are `there`, (M,
    T) bool; `None`: over all.
    """
    x, y = (np.asarray(v, np.float64) / (float(np.abs(v).max()) or 1.0) for v in (a, b))
    size = (1, min(window, x.shape[1]), min(window, x.shape[2]))

    def mean(v: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = uniform_filter(v, size, mode="reflect")
        return result

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    alike = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(np.mean(alike if there is None else alike[there]))

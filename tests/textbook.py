"""Formulas from textbooks, written by hand: what the library's own are held against."""

from __future__ import annotations

import numpy as np
from scipy.stats import t


def jackknife_interval(value: float, left_out: object, confidence: float = 0.95) -> tuple[float, float]:
    """(low, high): value ± t √((P − 1)/P Σ (θ_p − θ̄)²), Tukey's, with Student's t of P − 1 degrees of freedom."""
    thetas = np.asarray(left_out, dtype=np.float64)
    P = len(thetas)
    mean = sum(thetas) / P
    half = t.ppf(0.5 + confidence / 2, P - 1) * ((P - 1) / P * sum((theta - mean) ** 2 for theta in thetas)) ** 0.5
    return float(value - half), float(value + half)

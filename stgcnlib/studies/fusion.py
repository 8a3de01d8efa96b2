"""Streams fused by scores: what networks of joints, bones and motion say together, and what each of them adds.

As 2s-AGCN and the networks after it do, the class scores of several networks are added, with a weight each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import binomtest

from stgcnlib.errors import SequenceError
from stgcnlib.training import Evaluation

__all__ = ["Fusion", "Scores", "fuse_scores"]

Scores: TypeAlias = Literal["logits", "probabilities"]


@dataclass(frozen=True, eq=False)
class Fusion:
    """Several networks' scores of the same recordings, added.

    Attributes:
        evaluation: of the sum; its logits are the sums.
        table: one row per stream: stream, weight, accuracy (alone), without (accuracy of the others together), adds
            (accuracy of all minus `without`), gained (recordings that are right with it and wrong without), lost (the
            other way round), p (exact test of gained against lost, as if recordings were independent of each other).
        errors: (streams, streams) float64, share of the first's errors that the second makes as well, NaN if it makes
            none: streams that fail on the same recordings add little to each other.
    """

    evaluation: Evaluation
    table: pd.DataFrame
    errors: NDArray[np.float64]


def fuse_scores(
    evaluations: Mapping[str, Evaluation],
    *,
    weights: Sequence[float] | None = None,
    of: Scores = "logits",
) -> Fusion:
    """The weighted sum of several networks' class scores, and what each network adds to the others.

    Weights that were chosen on the same recordings make the sum look better than it is: choose them on others.

    Source: sums of scores as multi-stream networks do (docs/method.md, "Streams").

    Args:
        evaluations: stream, such as "joint" or "bone" -> `stgcnlib.evaluate` of its network, all of the same recordings
            in the same order.
        weights: one per stream, at least 0; `None` weighs all alike.
        of: what is added: "logits", as 2s-AGCN and CTR-GCN do, or "probabilities" (softmax), as PYSKL does.

    Raises:
        SequenceError: fewer than two streams, streams of other recordings or classes, or weights that do not fit.
    """
    names = list(evaluations)
    if len(names) < 2:
        raise SequenceError(f"fuse_scores: {len(names)} streams; give the evaluations of two networks at least")
    first = evaluations[names[0]]
    for name, each in evaluations.items():
        same = each.class_names == first.class_names and each.logits.shape == first.logits.shape
        if not same or not np.array_equal(each.labels, first.labels):
            raise SequenceError(
                f"fuse_scores: {name!r} is of other recordings or classes than {names[0]!r}; evaluate all networks on "
                "the same recordings in the same order"
            )
    chosen = np.ones(len(names)) if weights is None else np.asarray(weights, dtype=np.float64)
    if chosen.shape != (len(names),) or not np.isfinite(chosen).all() or (chosen < 0).any() or not chosen.any():
        raise SequenceError(
            f"fuse_scores: weights are {np.asarray(weights).tolist()}; give one number of at least 0 for each of "
            f"{len(names)} streams, not all 0"
        )
    if of not in ("logits", "probabilities"):
        raise SequenceError(f"fuse_scores: of={of!r} is unknown; give 'logits' or 'probabilities'")
    scores = np.stack([each.logits.astype(np.float64) for each in evaluations.values()])
    scores = softmax(scores, axis=2) if of == "probabilities" else scores
    parts = chosen[:, None, None] * scores
    total = parts.sum(axis=0)
    right = total.argmax(axis=1) == first.labels
    alone = np.stack([each.predictions == each.labels for each in evaluations.values()])
    rows = []
    for k, name in enumerate(names):
        rest = (total - parts[k]) if np.delete(chosen, k).any() else np.zeros_like(total)
        others = rest.argmax(axis=1) == first.labels
        gained, lost = int((right & ~others).sum()), int((others & ~right).sum())
        p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
        rows.append({"stream": name, "weight": float(chosen[k]), "accuracy": float(alone[k].mean()),
                     "without": float(others.mean()), "adds": float(right.mean() - others.mean()), "gained": gained,
                     "lost": lost, "p": p})  # fmt: skip
    wrong = ~alone
    shared = (wrong[:, None] & wrong[None]).sum(axis=2).astype(np.float64)
    counts = wrong.sum(axis=1, keepdims=True).astype(np.float64)
    errors = np.divide(shared, counts, out=np.full(shared.shape, np.nan), where=counts > 0)
    fused = Evaluation(total.astype(np.float32), first.labels, first.class_names)
    return Fusion(fused, pd.DataFrame(rows), errors)

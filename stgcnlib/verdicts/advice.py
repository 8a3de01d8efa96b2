"""Advice: how many first blocks to freeze, from the fits of a transfer study or from a table of one's own fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import StudyError
from stgcnlib.geometry.uncertainty import bootstrap_means
from stgcnlib.verdicts.outcome import Outcome

if TYPE_CHECKING:
    from stgcnlib.studies import TransferResult

__all__ = ["FLAT", "QUESTION", "advise_frozen"]

QUESTION = "How many first blocks are to be frozen?"

FLAT = 0.02
"""Smoothness that differs by less, 2% of the neighbourhood, counts as equal, however sure the difference is."""


def advise_frozen(fits: TransferResult | pd.DataFrame, *, smoothness: ArrayLike | None = None) -> Outcome:
    """The largest number of frozen blocks whose accuracy is within the noise of the best.

    This is the one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3): of
    all choices as good as the best within one standard error, take the simplest, here the one that trains least. The
    standard error of the lead has two sources, added in squares: chance in training (standard deviation over seeds,
    pooled over all numbers of frozen blocks, by √seeds, for the best and for the other), and the choice of test
    recordings (bootstrap of the paired difference; known from a `TransferResult` only).

    Smoothness alone advises the deepest layer at which the target's labels are as smooth as anywhere, within one
    standard error of the paired difference, or within 0.02: up to there the source's features serve the target, after
    it they lose it.

    Args:
        fits: a `TransferResult`, or a table with columns frozen and accuracy, one row per fit (several per number
            for several seeds).
        smoothness: (L + 1,) label smoothness of the target at layers 0 (the input) to L of the source network, for a
            table; from a `TransferResult` it is known.

    Returns:
        Nothing is claimed, so `holds` is None. Its `numbers` are: frozen, how many blocks to freeze; by_smoothness, the
        same by smoothness alone, which costs no fine-tuning (None where it is unknown); evidence, one dict per number
        of frozen blocks that was tried, rows for a DataFrame: frozen, accuracy (mean over seeds), behind (the best's
        lead), standard_error (of that lead), as_good (behind by at most one standard error), and smoothness of the
        target's labels at the last frozen block on the source network (NaN where unknown).

    Raises:
        StudyError: a table without these columns or rows, or a smoothness that does not cover the frozen blocks.
    """
    if isinstance(fits, pd.DataFrame):
        table, result = fits, None
    else:
        table, result = fits.fits[fits.fits["method"] == "frozen"], fits
    if not {"frozen", "accuracy"} <= set(table.columns) or table.empty:
        raise StudyError("advise_frozen: fits need columns frozen and accuracy, and at least one row")
    grouped = table.groupby("frozen")["accuracy"]
    means, seeds = grouped.mean(), grouped.count()
    spread = grouped.var(ddof=1).dropna()
    freedom = (seeds - 1)[spread.index]
    variance = float((spread * freedom).sum() / freedom.sum()) if freedom.sum() > 0 else 0.0
    tried: list[int] = means.index.astype(int).tolist()
    best = tried[int(means.to_numpy().argmax())]
    errors = []
    for f in tried:
        seed_part = variance * (1 / int(seeds[f]) + 1 / int(seeds[best])) if f != best else 0.0
        recording_part = 0.0 if result is None or f == best else _recording_error(result, f, best) ** 2
        errors.append(float(np.sqrt(seed_part + recording_part)))
    behind = float(means[best]) - means.to_numpy(dtype=np.float64)
    values, smooth_error = _smoothness(result, smoothness, max(tried))
    evidence = pd.DataFrame(
        {
            "frozen": tried,
            "accuracy": means.to_numpy(dtype=np.float64),
            "behind": behind,
            "standard_error": errors,
            "as_good": behind <= np.asarray(errors) + 1e-12,
            "smoothness": [np.nan if values is None else values[f] for f in tried],
        }
    )
    frozen = int(evidence.loc[evidence["as_good"], "frozen"].max())
    by_smoothness = None
    if values is not None and smooth_error is not None:
        by_smoothness = int(np.flatnonzero(values - values.min() <= np.fmax(smooth_error, FLAT) + 1e-12).max())
    numbers = {"frozen": frozen, "by_smoothness": by_smoothness, "evidence": evidence.to_dict("records")}
    return Outcome(_paragraph(evidence, frozen, by_smoothness, values, result), None, numbers, QUESTION)


def _recording_error(result: TransferResult, frozen: int, best: int) -> float:
    """Standard error, over test recordings, of the lead of the best; averaged over seeds, paired by recording."""
    lead = result.correct("frozen", best).mean(axis=0) - result.correct("frozen", frozen).mean(axis=0)
    return float(np.nanstd(bootstrap_means(lead, result.counts())))


def _smoothness(
    result: TransferResult | None, given: ArrayLike | None, deepest: int
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """(L + 1,) smoothness by layer, and the standard error of each layer's distance to the smoothest."""
    if result is not None and given is None:
        nodes = result.node_values()
        values = nodes.mean(axis=1)
        counts, least = result.counts(), nodes[int(values.argmin())]
        return values, np.array([float(np.nanstd(bootstrap_means(each - least, counts))) for each in nodes])
    if given is None:
        return None, None
    values = np.asarray(given, dtype=np.float64)
    if values.ndim != 1 or len(values) <= deepest or not np.isfinite(values).all():
        raise StudyError(
            f"advise_frozen: smoothness has shape {values.shape}; give one number per layer, 0 (the input) to {deepest}"
        )
    return values, np.zeros(len(values))


def _paragraph(
    evidence: pd.DataFrame,
    frozen: int,
    by_smoothness: int | None,
    values: NDArray[np.float64] | None,
    result: TransferResult | None,
) -> str:
    rows = evidence.set_index("frozen")
    best = int(evidence["frozen"].iloc[int(evidence["accuracy"].to_numpy().argmax())])
    deepest = int(rows.index.max())
    L = deepest if result is None else int(result.settings["blocks"])
    what = {0: "Freeze no block: train all", L: f"Freeze all {L} blocks: train the classifier alone"}.get(
        frozen, f"Freeze the first {frozen} of {L} blocks"
    )
    here = rows.loc[frozen]
    if here["behind"] <= 0:
        text = f"{what}. Accuracy is best there, {here['accuracy']:.1%}"
    else:
        text = (
            f"{what}. Accuracy is {here['accuracy']:.1%} against {float(evidence['accuracy'].max()):.1%} at best "
            f"(with {best:d} frozen), {100 * here['behind']:.1f} points behind, which is within one standard error "
            f"({100 * here['standard_error']:.1f} points)"
        )
    after = rows[rows.index > frozen]
    if len(after):
        nearest = after.iloc[0]
        text += (
            f"; with {int(after.index[0])} frozen it is {100 * nearest['behind']:.1f} points behind the best, more "
            f"than one standard error ({100 * nearest['standard_error']:.1f})"
        )
    text += "."
    if result is not None:
        scratch, probe = result.correct("from scratch").mean(), result.correct("linear probe").mean()
        text += (
            f" Training from scratch for as long reaches {scratch:.1%}, a linear probe of the last layer {probe:.1%}."
        )
    if by_smoothness is not None and values is not None:
        place = "the input" if by_smoothness == 0 else f"layer {by_smoothness}"
        text += (
            f" Label smoothness alone would freeze {by_smoothness}: {place} is the deepest layer of the source network "
            f"at which the target's labels are as smooth as anywhere ({values[by_smoothness]:.2f}, lowest "
            f"{values.min():.2f}); " + ("both agree." if by_smoothness == frozen else f"the fits say {frozen}.")
        )
    return text

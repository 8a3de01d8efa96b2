"""Advice: how many first blocks to freeze, from the fits of a transfer study or from a table of one's own fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import StudyError
from stgcnlib.groups import SUBJECT, counted, plural
from stgcnlib.verdicts.outcome import Outcome, estimate, tested_on

if TYPE_CHECKING:
    from stgcnlib.studies import TransferResult

__all__ = ["FLAT", "QUESTION", "advise_frozen"]

QUESTION = "How many first blocks are to be frozen?"

FLAT = 0.02
"""A smaller difference of smoothness (2% of the neighbourhood) counts as none, even where it is significant."""


def advise_frozen(fits: TransferResult | pd.DataFrame, *, smoothness: ArrayLike | None = None) -> Outcome:
    """The largest number of frozen blocks whose validation accuracy is within the noise of the best.

    This is the one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3): of
    all choices as good as the best within one standard error, take the simplest, here the one that trains least. The
    choice is by accuracy on training people that the fits did not see; the test accuracy of what was chosen is reported
    afterwards, and has no part in the choice. The standard error of the best's lead comes from paired differences over
    seeds, each with its own validation people, start and source network: their standard deviation, pooled over all
    numbers of frozen blocks, divided by √seeds. Where several seeds share a source network, it is that of the sources'
    means, if this is larger.

    A linear probe on the source's last layer trains no block at all. Where its validation accuracy is within the same
    noise of the best, the advice is the probe, and the number of blocks is for those who tune all the same.

    Smoothness alone advises the deepest layer at which the target's labels are as smooth as at the smoothest layer,
    within one standard error of the difference, or within 0.02: deeper features of the source separate the target's
    classes less well. This smoothness is measured on test recordings.

    Args:
        fits: a `TransferResult`, or a table with columns frozen, seed and validation (accuracy on recordings that the
            fit did not see and that are no test recordings), one row per fit; each number with the same seeds.
        smoothness: (L + 1,) label smoothness of the target at layers 0 (the input) to L of the source network, for a
            table; from a `TransferResult` it is known.

    Returns:
        Nothing is claimed, so `holds` is None. Its `numbers` are: frozen, how many blocks to freeze; accuracy, low,
        high of that choice on the test part (None for a table); by_smoothness, the number by smoothness alone, which
        costs no fine-tuning (None where it is unknown); probe, validation, behind, as_good and test accuracy of the
        linear probe (None for a table); evidence, one dict per number of frozen blocks that was tried,
        rows for a DataFrame: frozen, validation (mean over seeds), behind (the best's lead), standard_error (of that
        lead), as_good (behind by at most one standard error), accuracy (test; NaN for a table), and smoothness of the
        target's labels at the last frozen block on the source network (NaN where unknown).

    Raises:
        StudyError: a table without these columns or rows, numbers with different seeds, or a smoothness that does not
            cover the frozen blocks.
    """
    if isinstance(fits, pd.DataFrame):
        table, result = fits, None
    else:
        table, result = fits.fits[fits.fits["method"] == "frozen"], fits
    if not {"frozen", "seed", "validation"} <= set(table.columns) or table.empty:
        raise StudyError("advise_frozen: fits need columns frozen, seed and validation, and at least one row")
    scores = table.pivot_table(index="seed", columns="frozen", values="validation", dropna=False)
    if scores.isna().any(axis=None):
        raise StudyError("advise_frozen: every number of frozen blocks needs a validation accuracy for the same seeds")
    means = scores.mean()
    tried: list[int] = means.index.astype(int).tolist()
    best = tried[int(means.to_numpy().argmax())]
    leads = -scores.sub(scores[best], axis=0).drop(columns=best)
    error = _lead_error(leads)
    if result is not None and 1 < table["source"].nunique() < len(leads):  # fits of one source are alike
        error = max(error, _lead_error(leads.groupby(table.groupby("seed")["source"].first()).mean()))
    errors = [0.0 if f == best else error for f in tried]
    behind = float(means[best]) - means.to_numpy(dtype=np.float64)
    values, smooth_error = _smoothness(result, smoothness, max(tried))
    accuracies = [np.nan if result is None else result.accuracy("frozen", f).value for f in tried]
    evidence = pd.DataFrame(
        {
            "frozen": tried,
            "validation": means.to_numpy(dtype=np.float64),
            "behind": behind,
            "standard_error": errors,
            "as_good": behind <= np.asarray(errors) + 1e-12,
            "accuracy": accuracies,
            "smoothness": [np.nan if values is None else values[f] for f in tried],
        }
    )
    frozen = int(evidence.loc[evidence["as_good"], "frozen"].max())
    by_smoothness = None
    if values is not None and smooth_error is not None:
        by_smoothness = int(np.flatnonzero(values - values.min() <= np.fmax(smooth_error, FLAT) + 1e-12).max())
    numbers: dict[str, Any] = {
        "frozen": frozen, "by_smoothness": by_smoothness, "seeds": len(scores), "evidence": evidence.to_dict("records"),
        "probe": None, "accuracy": None, "low": None, "high": None,
    }  # fmt: skip
    if result is not None:
        found = result.accuracy("frozen", frozen)
        low, high = (float(np.clip(end, 0, 1)) for end in (found.low, found.high))
        numbers |= {
            "accuracy": found.value,
            "low": low,
            "high": high,
            "probe": _probe(result, float(means[best]), error),
        }
    blocks = int(result.settings["blocks"]) if result is not None else None if values is None else len(values) - 1
    what = _what(frozen, max(tried), blocks)
    if numbers["probe"] is not None and numbers["probe"]["as_good"]:
        what = (
            f"Tune no block: a linear probe on the fixed features is as good. If you tune, {what[0].lower()}{what[1:]}"
        )
    details = _paragraph(evidence, numbers, values, result)
    return Outcome(f"{what}.", None, numbers, QUESTION, details)


def _lead_error(leads: pd.DataFrame) -> float:
    """Standard error of the best's lead, pooled over the columns of (repeats, others); 0 where it is not known."""
    return float(np.sqrt(leads.var(ddof=1).mean() / len(leads))) if len(leads) > 1 and leads.shape[1] else 0.0


def _what(frozen: int, most: int, blocks: int | None) -> str:
    """The advice in a few words; `most` were tried, of `blocks`, or of a number that is not known."""
    if frozen == 0:
        return "Freeze no block: train all"
    if blocks is None:
        first = "the first block" if frozen == 1 else f"the first {frozen} blocks"
        return f"Freeze {first}, the most that was tried" if frozen == most else f"Freeze {first}"
    if frozen == blocks:
        return f"Freeze all {blocks} blocks: train the classifier alone"
    return f"Freeze the first {frozen} of {blocks} blocks"


def _probe(result: TransferResult, best: float, error: float) -> dict[str, Any]:
    """The linear probe by the same rule: its validation accuracy against the best of the tuned, and its noise."""
    each = result.fits[result.fits["method"] == "linear probe"]
    validation = float(each["validation"].mean())
    behind = best - validation
    good, accuracy = bool(behind <= error + 1e-12), result.accuracy("linear probe").value
    return {"validation": validation, "behind": behind, "as_good": good, "accuracy": accuracy}


def _smoothness(
    result: TransferResult | None, given: ArrayLike | None, deepest: int
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """(L + 1,) smoothness by layer, and the standard error of each layer's distance to the smoothest."""
    if result is not None and given is None:
        values, errors = result.smoother()
        return values, np.nan_to_num(errors)
    if given is None:
        return None, None
    values = np.asarray(given, dtype=np.float64)
    if values.ndim != 1 or len(values) <= deepest or not np.isfinite(values).all():
        raise StudyError(
            f"advise_frozen: smoothness has shape {values.shape}; give one number per layer, 0 (the input) to {deepest}"
        )
    return values, np.zeros(len(values))


def _paragraph(
    evidence: pd.DataFrame, numbers: dict[str, Any], values: NDArray[np.float64] | None, result: TransferResult | None
) -> str:
    rows, frozen, by_smoothness = evidence.set_index("frozen"), numbers["frozen"], numbers["by_smoothness"]
    best = int(rows.index[int(rows["validation"].to_numpy().argmax())])
    here = rows.loc[frozen]
    probe = numbers["probe"]
    start = (
        ""
        if probe is None or not probe["as_good"]
        else (
            f"The probe's validation accuracy is {probe['validation']:.1%}, that of the best tuned fits "
            f"{rows['validation'].max():.1%}. "
        )
    )
    if here["behind"] <= 0:
        text = (
            f"{start}Of tuned fits, it is best with {frozen} frozen" if start else "Validation accuracy is best there"
        )
        text += f", {here['validation']:.1%}"
    else:
        what = f"{start}Of tuned fits, that with {frozen} frozen" if start else "Validation accuracy"
        text = (
            f"{what} is {here['validation']:.1%} against {float(rows['validation'].max()):.1%} at best "
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
    if numbers["seeds"] < 2:
        text += " With one seed, chance in training and in the choice of people is not known."
    if result is not None:
        text += " " + _validation(result) + " " + _tested(result, numbers, rows)
    if by_smoothness is not None and values is not None:
        place = "the input" if by_smoothness == 0 else f"layer {by_smoothness}"
        text += (
            f" Label smoothness alone would freeze {by_smoothness}: {place} is the deepest layer of the source network "
            f"at which the target's labels are as smooth as anywhere ({values[by_smoothness]:.2f}, lowest "
            f"{values.min():.2f}); " + ("both agree." if by_smoothness == frozen else f"the tuned fits say {frozen}.")
        )
    return text


def _validation(result: TransferResult) -> str:
    """On whom the choice was made."""
    unit, count = result.settings["validation"], result.settings["train_units"]
    if unit is None:
        return (
            "The training part has too few people to spare one, so that the choice was made on other recordings of the "
            "people that the fits have seen; it may be too hopeful about deep choices."
        )
    people = "people" if unit == SUBJECT else plural(unit)
    return f"The choice was made on {people} of the training part ({count} in all) whom the fit had not seen."


def _tested(result: TransferResult, numbers: dict[str, Any], rows: pd.DataFrame) -> str:
    """Test accuracy of the choice, and of others."""
    scratch, probe = result.accuracy("from scratch").value, result.accuracy("linear probe").value
    chosen = f"{numbers['accuracy']:.1%}"
    if np.isfinite(numbers["low"]):
        chosen = estimate(numbers["accuracy"], numbers["low"], numbers["high"], ".1%")
    sampled = result.settings.get("sampled")
    tests = tested_on(result.settings["n"], sampled) if sampled else "the test part"
    choice = f"tuning with {numbers['frozen']} frozen" if numbers["probe"]["as_good"] else "this choice"
    none = f", with no block frozen {rows['accuracy'][0]:.1%}" if 0 in rows.index else ""
    sources = counted(result.settings["sources"], "source network", "source networks")
    return (
        f"On {tests} {choice} reaches {chosen}{none}; training from scratch for as long {scratch:.1%}, a "
        f"linear probe of the last layer {probe:.1%} (means over {counted(numbers['seeds'], 'seed', 'seeds')}, "
        f"{sources})."
    )

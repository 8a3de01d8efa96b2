"""How many blocks to freeze, and the paper's fifth claim: fine-tuning the deeper layers is enough for transfer.

Only rules and words; the numbers are those of `transfer`, or a table of one's own runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import StudyError
from stgcnlib.geometry.uncertainty import bootstrap_means
from stgcnlib.geometry.verdict import Verdict
from stgcnlib.groups import SUBJECT, plural, resampled_count

if TYPE_CHECKING:
    from stgcnlib.studies.transfer import TransferResult

__all__ = ["FLAT", "MARGIN", "Advice", "advise_frozen", "judge_transfer"]

MARGIN = 0.05
"""Accuracy that may be lost by freezing before the deeper layers alone no longer count as enough."""

FLAT = 0.02
"""Smoothness that differs by less, 2% of the neighbourhood, counts as equal, however sure the difference is."""

_OUTCOMES = {
    True: "holds on these data",
    False: "does not hold on these data",
    None: "is not decided by these data",
}


@dataclass(frozen=True)
class Advice:
    """How many first blocks to freeze.

    Attributes:
        frozen: blocks to freeze.
        text: the advice with its evidence, in words.
        evidence: one row per number of frozen blocks that was tried: frozen, accuracy (mean over seeds), behind (the
            best's lead), standard_error (of that lead), as_good (behind by at most one standard error), and smoothness
            of the target's labels at the last frozen block on the source network (NaN where unknown).
        by_smoothness: blocks to freeze by smoothness alone, which costs no fine-tuning; None where it is unknown.
    """

    frozen: int
    text: str
    evidence: pd.DataFrame
    by_smoothness: int | None

    def __str__(self) -> str:
        return self.text


def advise_frozen(runs: TransferResult | pd.DataFrame, *, smoothness: ArrayLike | None = None) -> Advice:
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
        runs: a `TransferResult`, or a table with columns frozen and accuracy, one row per run (several per number
            for several seeds).
        smoothness: (L + 1,) label smoothness of the target at layers 0 (the input) to L of the source network, for a
            table; from a `TransferResult` it is known.

    Raises:
        StudyError: a table without these columns or rows, or a smoothness that does not cover the frozen blocks.
    """
    if isinstance(runs, pd.DataFrame):
        table, result = runs, None
    else:
        table, result = runs.runs[runs.runs["method"] == "frozen"], runs
    if not {"frozen", "accuracy"} <= set(table.columns) or table.empty:
        raise StudyError("advise_frozen: runs need columns frozen and accuracy, and at least one row")
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
    return Advice(frozen, _advice(evidence, frozen, by_smoothness, values, result), evidence, by_smoothness)


def judge_transfer(result: TransferResult) -> Verdict:
    """Compare runs on the same test recordings and seeds; intervals resample both.

    With H the number of frozen blocks nearest to half of all (the earlier where two are equally near, and neither none
    nor all), three differences of accuracy:

    1. enough: H frozen less none frozen; its lower end is above -5 points;
    2. pays: H frozen less training from scratch with the same budget; its whole interval is above 0;
    3. needed: H frozen less all frozen; its whole interval is above 0. Else not even the deeper blocks need tuning,
       which is said, but does not count against the claim.

    1 and 2: the claim holds. It does not where the whole interval of 1 is below -5 points, or that of 2 below 0.
    Anything between is not decided.

    Raises:
        StudyError: no number of frozen blocks between none and all was tried, or none frozen was not.
    """
    L = int(result.settings["blocks"])
    tried = [int(f) for f in result.settings["frozen"]]
    inner = [f for f in tried if 0 < f < L]
    if 0 not in tried or not inner:
        raise StudyError(f"a verdict on transfer needs 0 and a number between 0 and {L} among frozen, not {tried}")
    half = min(inner, key=lambda f: (abs(f - L / 2), f))
    numbers: dict[str, Any] = {
        "blocks": L,
        "half": half,
        "confidence": float(result.settings["confidence"]),
        "seeds": len(result.settings["seeds"]),
        "n": int(result.settings["n"]),
        "unit": result.settings.get("unit", SUBJECT),
        "subjects": resampled_count(result.settings.get("resample"), result.settings["groups"]),
        "accuracy": {
            "half": float(result.correct("frozen", half).mean()),
            "none": float(result.correct("frozen", 0).mean()),
            "scratch": float(result.correct("from scratch").mean()),
            "probe": float(result.correct("linear probe").mean()),
        },
        "enough": result.difference(("frozen", half), ("frozen", 0)),
        "pays": result.difference(("frozen", half), ("from scratch", -1)),
        "needed": None,
    }
    if L in tried:
        numbers["accuracy"]["all"] = float(result.correct("frozen", L).mean())
        numbers["needed"] = result.difference(("frozen", half), ("frozen", L))
    enough, pays = numbers["enough"], numbers["pays"]
    tests = {"enough": enough["low"] > -MARGIN, "pays": pays["low"] > 0}
    if all(tests.values()):
        holds: bool | None = True
    else:
        holds = False if enough["high"] < -MARGIN or pays["high"] < 0 else None
    numbers |= {"tests": tests, "holds": holds}
    return Verdict(_claim(numbers), holds, numbers)


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


def _advice(
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
            f"{values.min():.2f}); " + ("both agree." if by_smoothness == frozen else f"the runs say {frozen}.")
        )
    return text


def _claim(numbers: dict[str, Any]) -> str:
    accuracy, L, half = numbers["accuracy"], numbers["blocks"], numbers["half"]
    percent = f"{numbers['confidence']:.0%}"
    enough, pays, needed = numbers["enough"], numbers["pays"], numbers["needed"]
    seeds = f"{numbers['seeds']} seed" + ("s" if numbers["seeds"] > 1 else "")
    unit, count = numbers["unit"], numbers["subjects"]
    people = "" if count is None else f" {'by' if unit == SUBJECT else 'of'} {count} {plural(unit)}"
    sentences = [
        f"The paper's claim that fine-tuning the deeper layers is enough for transfer {_OUTCOMES[numbers['holds']]}.",
        f"With the first {half} of {L} blocks frozen, accuracy on {numbers['n']} test recordings{people} is "
        f"{accuracy['half']:.1%} (mean of {seeds}), against {accuracy['none']:.1%} when all blocks are tuned: "
        f"{_points(enough, percent)}"
        + (
            f", so no more than {100 * MARGIN:.0f} points are lost."
            if numbers["tests"]["enough"]
            else f"; a loss of {100 * MARGIN:.0f} points or more is "
            + ("certain." if enough["high"] < -MARGIN else "not excluded.")
        ),
        f"Training from scratch with the same budget reaches {accuracy['scratch']:.1%}, so that transfer "
        + ("pays" if pays["low"] > 0 else "costs" if pays["high"] < 0 else "makes no clear difference")
        + f": {_points(pays, percent)}.",
    ]
    if needed is not None:
        sentences.append(
            f"With all blocks frozen it is {accuracy['all']:.1%}; against that the deeper blocks give "
            f"{_points(needed, percent)}, so they "
            + ("do have to be tuned" if needed["low"] > 0 else "hardly have to be tuned")
            + f"; a linear probe reaches {accuracy['probe']:.1%}."
        )
    if numbers["seeds"] < 3:
        sentences.append(f"With {seeds}, chance in training is hardly known.")
    return " ".join(sentences)


def _points(difference: dict[str, float], percent: str) -> str:
    return (
        f"{100 * difference['value']:+.1f} points ({percent} interval {100 * difference['low']:+.1f} to "
        f"{100 * difference['high']:+.1f})"
    )

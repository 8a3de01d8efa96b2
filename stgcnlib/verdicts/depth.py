"""Depth: whether the paper's third claim holds, from the label smoothness of every layer.

The claim: early layers capture general motion, only late ones discriminate actions, so label smoothness
falls with depth. Where it does not hold on a data set, the verdict says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import GraphError
from stgcnlib.geometry.uncertainty import paired_difference
from stgcnlib.groups import SUBJECT, neighbours_phrase, plural
from stgcnlib.verdicts.outcome import Outcome, estimate, interval, listed, opening, resampled

if TYPE_CHECKING:
    from stgcnlib.geometry import LayerGeometry

__all__ = ["CLAIM", "MINIMUM_FALL", "MINIMUM_LATE_SHARE", "judge_depth"]

CLAIM = "early layers capture general motion and only late ones discriminate actions"

MINIMUM_FALL = 0.1
"""A fall of less than this share of the input's smoothness counts as nearly flat, however sure it is."""
MINIMUM_LATE_SHARE = 0.5
"""Share of the fall from the input to the last layer that must come after the early third of the layers."""


def judge_depth(geometry: LayerGeometry) -> Outcome:
    """Compare the first layers with the last, node by node, on neighbours by other subjects where they are known.

    With S the random-walk smoothness (lower = neighbours share the label more), "early" the first third of the
    network's layers, and every comparison a paired bootstrap difference over the same nodes, five tests:

    1. falls: S(early) − S(last) is above 0 with its whole interval;
    2. below the input: S(input) − S(last) is above 0 with its whole interval, and at least 10% of S(input);
    3. below the control: S(untrained, last) − S(trained, last) is above 0 with its whole interval;
    4. above chance: S(last) is below the range of shuffled labels;
    5. late: at least half of the fall from the input comes after the early layers.

    All five: holds. Neither 1 nor 2 (its interval alone), or not 4, or the opposite of 1 (the whole interval below
    0): does not hold. Anything between, also a missing control: only in part, with what is lacking named.

    Args:
        geometry: of at least three layers, the input (index 0) among them.

    Raises:
        GraphError: the input, or a second layer of the network, is missing.
    """
    counts, confidence = geometry.resamples(), float(geometry.settings["confidence"])
    curve, values = geometry.curve(), geometry.node_values()
    if len(curve) < 3 or curve["index"].iloc[0] != 0:
        raise GraphError(f"a verdict needs the input and at least two layers; this geometry has {len(curve)} in all")
    early = max(1, round((len(curve) - 1) / 3))
    first, last = values[1 : 1 + early].mean(axis=0), values[-1]

    def compared(a: NDArray[np.float64], b: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(("value", "low", "high"), paired_difference(a, b, counts, confidence), strict=True))

    numbers: dict[str, Any] = {
        "neighbours": geometry.neighbours,
        "group": None if geometry.groups is None else geometry.group,
        "unit": geometry.resampled_unit,
        "subjects": None if geometry.resampled is None else len(np.unique(geometry.resampled)),
        "confidence": confidence,
        "draws": len(counts),
        "resampling": str(geometry.settings["resampling"]),
        "early_layers": curve["title"].iloc[1 : 1 + early].tolist(),
        "last_layer": str(curve["title"].iloc[-1]),
        "input": float(values[0].mean()),
        "early": float(first.mean()),
        "last": float(last.mean()),
        "null": [float(curve[name].iloc[-1]) for name in ("null_mean", "null_low", "null_high")],
        "early_minus_last": compared(first, last),
        "input_minus_last": compared(values[0], last),
        "untrained_minus_trained": None,
        "all_neighbours": None,
    }
    fall = numbers["input_minus_last"]["value"]
    numbers["relative_fall"] = fall / numbers["input"] if numbers["input"] > 0 else 0.0
    numbers["late_share"] = numbers["early_minus_last"]["value"] / fall if fall > 0 else None
    untrained = geometry.node_values("untrained")
    if len(untrained):
        numbers["untrained_last"] = float(untrained[-1].mean())
        numbers["untrained_minus_trained"] = compared(untrained[-1], last)
    everyone = geometry.node_values("trained", "all")
    if geometry.groups is not None and len(everyone):
        numbers["all_neighbours"] = {"input": float(everyone[0].mean()), "last": float(everyone[-1].mean())}
        numbers["all_neighbours"] |= compared(everyone[0], everyone[-1])

    tests = _tests(numbers)
    numbers["tests"] = tests
    below, rises = numbers["input_minus_last"]["low"] > 0, numbers["early_minus_last"]["high"] < 0
    if all(tests.values()):
        holds: bool | None = True
    elif not tests["above chance"] or rises or not (tests["falls"] or below):
        holds = False
    else:
        holds = None
    numbers["holds"] = holds
    return Outcome(_paragraph(numbers), holds, numbers, CLAIM)


def _tests(numbers: dict[str, Any]) -> dict[str, bool]:
    control, share = numbers["untrained_minus_trained"], numbers["late_share"]
    return {
        "falls": numbers["early_minus_last"]["low"] > 0,
        "below the input": numbers["input_minus_last"]["low"] > 0 and numbers["relative_fall"] >= MINIMUM_FALL,
        "below the control": control is not None and control["low"] > 0,
        "above chance": numbers["last"] < numbers["null"][1],
        "late": share is not None and share >= MINIMUM_LATE_SHARE,
    }


def _paragraph(numbers: dict[str, Any]) -> str:
    """The sentences of a verdict, from its numbers alone."""
    confidence, group = numbers["confidence"], numbers["group"]
    counted = f"only neighbours {neighbours_phrase(group)}" if group else "all neighbours, whoever performed them"
    last, names, null = numbers["last_layer"], numbers["early_layers"], numbers["null"]
    early = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    sentences = [
        opening(CLAIM, holds=numbers["holds"], because=_lacking(numbers)),
        f"Counting {counted}, label smoothness (0: every neighbour shares the label, 1: none does) is "
        f"{numbers['input']:.2f} at the input, {numbers['early']:.2f} in the early layers ({early}) and "
        f"{numbers['last']:.2f} at {last}.",
        f"On the same recordings it {_moves(numbers['early_minus_last'], confidence)} from the early layers to {last}, "
        f"and {_moves(numbers['input_minus_last'], confidence)} from the input{_share(numbers)}.",
        _control(numbers, confidence),
        f"Shuffled labels would give {estimate(null[0], null[1], null[2], '.2f')}"
        + ("." if numbers["tests"]["above chance"] else ", so that the last layer is no better than chance."),
    ]
    everyone = numbers["all_neighbours"]
    if everyone is not None:
        sentences.append(
            f"If neighbours {neighbours_phrase(group, same=True)} count too, it is {everyone['input']:.2f} at the "
            f"input and {everyone['last']:.2f} at {last}: it {_moves(everyone, confidence)}"
            + (
                f"; the lower start comes from {'people' if group == SUBJECT else f'each {group}'}'s own repetitions."
                if everyone["input"] < numbers["input"]
                else "."
            )
        )
    sentences.append(_caution(numbers))
    return " ".join(sentences)


def _moves(difference: dict[str, float], confidence: float) -> str:
    """A difference first − last as a verb with its interval, as changes of smoothness."""
    value, low, high = difference["value"], difference["low"], difference["high"]
    if low > 0:
        return f"falls by {value:.3f} ({interval(low, high, '.3f', confidence)})"
    if high < 0:
        return f"rises by {-value:.3f} ({interval(-high, -low, '.3f', confidence)})"
    return f"does not clearly change (fall {value:.3f}, {interval(low, high, '.3f', confidence)})"


def _share(numbers: dict[str, Any]) -> str:
    if numbers["input_minus_last"]["low"] <= 0 or numbers["late_share"] is None:
        return ""
    share = f", which is {numbers['relative_fall']:.0%} of the input's value"
    late = numbers["late_share"]
    if late > 1:
        return share + "; the early layers are rougher than the input, and all of the fall comes after them"
    if late < 0:
        return share + "; all of it is reached in the early layers"
    return share + f"; {late:.0%} of this fall comes after the early layers"


def _control(numbers: dict[str, Any], confidence: float) -> str:
    control, last = numbers["untrained_minus_trained"], numbers["last_layer"]
    if control is None:
        return "No untrained network was measured, so what training adds is not known."
    text = f"An untrained network of the same shape has {numbers['untrained_last']:.2f} at {last}"
    value, low, high = control["value"], control["low"], control["high"]
    if low > 0:
        flat = not (numbers["tests"]["falls"] or numbers["input_minus_last"]["low"] > 0)
        kept = "; training keeps what the untrained layers lose, without adding to the input" if flat else ""
        return f"{text}, which is rougher by {value:.3f} ({interval(low, high, '.3f', confidence)}){kept}."
    if high < 0:
        return f"{text}, which is even smoother, by {-value:.3f} ({interval(-high, -low, '.3f', confidence)})."
    return f"{text}, not clearly different (by {value:.3f}, {interval(low, high, '.3f', confidence)})."


def _lacking(numbers: dict[str, Any]) -> str:
    """Which tests failed, as the end of the first sentence."""
    if numbers["holds"] is True:
        return ""
    tests, flat = numbers["tests"], numbers["relative_fall"] < MINIMUM_FALL
    sure = numbers["input_minus_last"]["low"] > 0
    reasons = {
        "falls": "smoothness rises from the early layers to the last"
        if numbers["early_minus_last"]["high"] < 0
        else "smoothness does not fall clearly from the early layers to the last",
        "below the input": f"the fall from the input is under {MINIMUM_FALL:.0%}, nearly flat"
        if sure and flat
        else "the last layer is not clearly below the input",
        "below the control": "the control is missing"
        if numbers["untrained_minus_trained"] is None
        else "the untrained network does as well",
        "above chance": "the last layer is within the range of shuffled labels",
        "late": "most of the fall comes in the early layers already",
    }
    failed = [name for name, passed in tests.items() if not passed]
    if numbers["late_share"] is None or not (tests["falls"] or sure):
        failed = [name for name in failed if name != "late"]
    return f": {listed([reasons[name] for name in failed])}"


def _caution(numbers: dict[str, Any]) -> str:
    subjects, unit = numbers["subjects"], numbers["unit"]
    drawn = resampled(numbers["draws"], numbers["resampling"], subjects, unit or SUBJECT)
    end = ""
    if subjects is None:
        end = "; subjects are not known" if unit is None else ""
    elif subjects < 10:
        end = f"; so few {'people' if unit == SUBJECT else plural(unit)} say little about others"
    return f"Intervals are from {drawn}, with the graphs held fixed{end}."

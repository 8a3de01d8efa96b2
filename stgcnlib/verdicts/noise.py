"""Noise: the paper's sixth claim, that noise on the input has limited effect on label smoothness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from stgcnlib.geometry.uncertainty import paired_difference
from stgcnlib.groups import SUBJECT, resampled_count
from stgcnlib.studies.noise import NoiseResult
from stgcnlib.studies.noise_levels import CLEAN, Kind
from stgcnlib.verdicts.outcome import Outcome, capital, interval, opening, resampled, span

__all__ = ["CLAIM", "LIMIT", "MODERATE", "judge_noise", "moderate_level", "shown_level"]

CLAIM = "noise on the input has limited effect on label smoothness"

LIMIT = 0.2
"""Noise has limited effect where less than this share of the way from clean to shuffled labels is lost."""

MODERATE: Mapping[Kind, float] = {"jitter": 20.0, "joint dropout": 0.1, "frame dropout": 0.25, "rotation": 30.0}
"""The level of each kind at which the claim is judged: noise as a worse sensor has it, not ruin."""


def judge_noise(result: NoiseResult) -> Outcome:
    """Compare smoothness with and without noise, node by node, at one moderate level of each kind.

    The level is the strongest that was measured and is no stronger than `MODERATE` (20 dB, 10% of joints,
    25% of frames, 30°), else the mildest measured. With S the random-walk smoothness, the loss at a layer is
    (S noisy − S clean) / (S of shuffled labels − S clean), and of all layers together the mean of their changes by
    the mean of their rooms. Per kind, for the loss at the last layer and the loss of all layers of the network:

    - limited: the upper ends of both intervals are at most 20%;
    - not limited: the lower end of one of them is above 20%;
    - open: anything between.

    All kinds limited: the claim holds. None limited: it does not hold, unless all that stands against it is open.
    Anything between: only in part, with the kinds named. Where clean labels are no smoother than shuffled ones,
    nothing can be lost and nothing is decided.
    """
    kinds = {kind: _judged(result, CLEAN, kind) for kind in result.settings["kinds"]}
    states = [each["state"] for each in kinds.values()]
    if all(state == "limited" for state in states):
        holds: bool | None = True
    elif "not limited" in states and "limited" not in states:
        holds = False
    else:
        holds = None
    trained = {
        name: {kind: _judged(result, name, kind) for kind in kinds}
        for name in result.settings["networks"]
        if name != CLEAN
    }
    numbers: dict[str, Any] = {
        "limit": LIMIT,
        "confidence": float(result.settings["confidence"]),
        "unit": result.settings.get("unit", SUBJECT),
        "subjects": resampled_count(result.settings.get("resample"), result.settings["groups"]),
        "resampling": result.settings["resampling"],
        "draws": int(result.settings["bootstrap"]),
        "kinds": kinds,
        "trained_on_noise": trained,
        "holds": holds,
    }
    return Outcome(_paragraph(numbers), holds, numbers, CLAIM)


def moderate_level(result: NoiseResult, kind: str) -> float:
    """The level of a kind at which the claim is judged."""
    levels = [float(level) for name, level in result.settings["levels"] if name == kind]  # mild first
    sign = -1 if kind == "jitter" else 1
    fit = [level for level in levels if sign * level <= sign * MODERATE[kind] + 1e-9]  # type: ignore[index]
    return fit[-1] if fit else levels[0]


def _judged(result: NoiseResult, network: str, kind: str) -> dict[str, Any]:
    level, confidence = moderate_level(result, kind), float(result.settings["confidence"])
    counts = result.counts()
    table = result.table[(result.table["network"] == network)]
    here = table[(table["kind"] == kind) & (table["level"] == level)].sort_values("index")
    strongest = table[(table["kind"] == kind)].sort_values(["severity", "index"]).iloc[-1]
    clean, noisy = result.node_values(network, "clean", None), result.node_values(network, kind, level)
    own = here["index"].to_numpy() > 0 if (here["index"] > 0).any() else np.ones(len(here), dtype=bool)
    room = float(here["null"].iloc[0]) - float(clean[own].mean())
    last = {key: float(here.iloc[-1][name]) for key, name in _ENDS.items()}
    mean = dict.fromkeys(_ENDS, float("nan"))
    if room > 0:
        difference = paired_difference(noisy[own].mean(axis=0), clean[own].mean(axis=0), counts, confidence)
        mean = {key: value / room for key, value in zip(_ENDS, difference, strict=True)}
    scores = result.accuracy[(result.accuracy["network"] == network)]
    score = scores[(scores["kind"] == kind) & (scores["level"] == level)].iloc[0]
    if not (np.isfinite(last["value"]) and np.isfinite(mean["value"])):
        state = "open"
    elif max(last["high"], mean["high"]) <= LIMIT:
        state = "limited"
    else:
        state = "not limited" if max(last["low"], mean["low"]) > LIMIT else "open"
    return {
        "level": level,
        "state": state,
        "last_layer": str(here["title"].iloc[-1]),
        "clean": float(clean[-1].mean()),
        "noisy": float(noisy[-1].mean()),
        "null": float(here["null"].iloc[-1]),
        "last": last,
        "all_layers": mean,
        "accuracy": float(score["accuracy"]),
        "clean_accuracy": float(scores[scores["kind"] == "clean"]["accuracy"].iloc[0]),
        "strongest": {"level": float(strongest["level"]), "loss": float(strongest["loss"])},
    }


_ENDS = {"value": "loss", "low": "loss_low", "high": "loss_high"}


def shown_level(kind: str, level: float) -> str:
    """A level as a reader would say it: "20 dB", "10% of joints"."""
    match kind:
        case "jitter":
            return "no noise" if np.isinf(level) else f"{level:g} dB"
        case "joint dropout":
            return f"{level:.0%} of joints"
        case "frame dropout":
            return f"{level:.0%} of frames"
        case "rotation":
            return f"±{level:g}°"
        case _:
            return "clean"


_NAMES = {
    "jitter": "Gaussian jitter",
    "joint dropout": "lost joints",
    "frame dropout": "lost frames",
    "rotation": "other views",
}


def _paragraph(numbers: dict[str, Any]) -> str:
    kinds, confidence = numbers["kinds"], numbers["confidence"]
    first = next(iter(kinds.values()))
    sentences = [
        opening(CLAIM, holds=numbers["holds"], because=_which(numbers)),
        f"Limited means: at a moderate level, at most {numbers['limit']:.0%} of what lies between clean recordings "
        f"(smoothness {first['clean']:.2f} at {first['last_layer']}) and shuffled labels ({first['null']:.2f}) is "
        "lost, at the last layer and over all layers, with the whole interval.",
    ]
    if not np.isfinite(first["last"]["value"]):
        sentences.append("Here clean recordings are no smoother than shuffled labels, so that nothing can be lost.")
    else:
        for kind, each in kinds.items():
            sentences.append(_sentence(kind, each, confidence))
    for name, judged in numbers["trained_on_noise"].items():
        parts = [
            f"{_NAMES[kind]} {each['last']['value']:z.0%}" + f" (accuracy {each['accuracy']:.0%})"
            for kind, each in judged.items()
        ]
        base = next(iter(judged.values()))
        sentences.append(
            f"The network trained on {name} (smoothness {base['clean']:.2f} on clean recordings) loses at the same "
            f"levels: {', '.join(parts)}."
        )
    sentences.append(_caution(numbers))
    return " ".join(sentences)


def _which(numbers: dict[str, Any]) -> str:
    if numbers["holds"]:
        return ""
    groups = {
        state: [_NAMES[kind] for kind, each in numbers["kinds"].items() if each["state"] == state]
        for state in ("limited", "not limited", "open")
    }
    words = {"limited": "limited for", "not limited": "not for", "open": "not decided for"}
    parts = [f"{words[state]} {' and '.join(names)}" for state, names in groups.items() if names]
    return f": {', '.join(parts)}"


def _sentence(kind: str, each: dict[str, Any], confidence: float) -> str:
    last, mean, strongest = each["last"], each["all_layers"], each["strongest"]
    text = (
        f"{capital(_NAMES[kind])} ({shown_level(kind, each['level'])}): {last['value']:z.0%} is lost at "
        f"{each['last_layer']} ({interval(last['low'], last['high'], 'z.0%', confidence)}) and {mean['value']:z.0%} "
        f"over all layers ({span(mean['low'], mean['high'], 'z.0%')}), while accuracy goes from "
        f"{each['clean_accuracy']:.0%} to {each['accuracy']:.0%}"
    )
    if strongest["level"] != each["level"]:
        text += f"; at {shown_level(kind, strongest['level'])} it is {strongest['loss']:z.0%}"
    return text + "."


def _caution(numbers: dict[str, Any]) -> str:
    drawn = resampled(numbers["draws"], numbers["resampling"], numbers["subjects"], numbers["unit"])
    return (
        f"Intervals are of paired differences, from {drawn}; graphs, and one draw of the noise per level, are held "
        "fixed."
    )

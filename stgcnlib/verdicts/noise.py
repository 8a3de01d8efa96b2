"""Noise: the paper's sixth claim, that noise on the input has limited effect on label smoothness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stgcnlib.errors import StudyError
from stgcnlib.geometry.layers import TRAINED
from stgcnlib.groups import SUBJECT, counted, resampled_count
from stgcnlib.studies.corruption import CLEAN, Kind, is_noise
from stgcnlib.studies.noise_result import NoiseResult
from stgcnlib.verdicts.outcome import (
    LOSSES,
    Outcome,
    Test,
    capital,
    directed_interval,
    directed_span,
    known,
    left_out,
    moves,
    opening,
    series,
    tested_on,
)

__all__ = ["CLAIM", "LIMIT", "MODERATE", "judge_noise", "moderate_level", "shown_level"]

CLAIM = "noise on the input has limited effect on label smoothness"

LIMIT = 0.2
"""Noise has limited effect where less than this share of what training gained is lost."""

MODERATE: Mapping[Kind, float] = {"jitter": 20.0, "joint dropout": 0.1, "frame dropout": 0.25, "rotation": 30.0}
"""The level of each kind at which the claim is judged: the noise of a worse sensor, not the strongest possible."""


def judge_noise(result: NoiseResult) -> Outcome:
    """Compare smoothness S with and without noise at one moderate level of each kind.

    The level is the strongest that was measured and is no stronger than `MODERATE` (20 dB, 10% of joints, 25% of
    frames, 30°), else the mildest measured; levels without noise (0, infinite dB) are not judged. What is lost at a
    layer is (S noisy − S clean) / (S untrained − S clean), a share of what training gained there; where no
    untrained network was measured, (S noisy − S clean) / (S of shuffled labels − S clean). Over several layers, the
    sum of numerators is divided by that of denominators. Per kind, for the last layer and for all measured layers
    of the network together:

    - limited: the upper ends of both intervals are at most 20%;
    - not limited: the lower end of one of them is above 20%;
    - open: anything between, or it is not certain that training gained anything.

    All kinds limited: the claim holds. At least one not limited, and none limited: it does not hold. Otherwise `holds`
    is None, and the sentence says which kinds are limited, not limited or open.

    Source: the claim is the abstract's (docs/method.md, "Claims under test"); levels and limits are our choice.
    """
    kinds = {kind: _judged(result, TRAINED, kind) for kind in result.settings["kinds"]}
    states = [each["state"] for each in kinds.values()]
    if all(state == "limited" for state in states):
        holds: bool | None = True
    elif "not limited" in states and "limited" not in states:
        holds = False
    else:
        holds = None
    trained = {
        name: {kind: _judged(result, name, kind) for kind in kinds} for name in result.networks if name != TRAINED
    }
    layers = result.layers
    numbers: dict[str, Any] = {
        "limit": LIMIT,
        "confidence": float(result.settings["confidence"]),
        "unit": result.settings["unit"],
        "subjects": resampled_count(result.settings["resample"], result.settings["groups"]),
        "parts": result.jackknife.count,
        "n": int(result.settings["n"]),
        "sampled": result.settings.get("sampled"),
        "networks": len(result.settings["members"][TRAINED]),
        "untrained": int(result.controls["member"].nunique()) if len(result.controls) else 0,
        "neighbours": result.settings["neighbours"],
        "layers": [str(title) for title in layers["title"][_own(layers["index"])]],
        "kinds": kinds,
        "trained_on_noise": trained,
        "holds": holds,
    }
    undecided = "is not decided on these data" if set(states) == {"open"} else None
    claim = opening(CLAIM, holds=holds, because=_which(numbers), undecided=undecided)
    networks = counted(numbers["networks"], "trained network", "trained networks")
    return Outcome(
        f"{claim[:-1]} ({networks}).", holds, numbers, CLAIM, _paragraph(numbers), _tests(numbers),
        partly=holds is None and undecided is None,
    )  # fmt: skip


def moderate_level(result: NoiseResult, kind: str) -> float:
    """The level of a kind at which the claim is judged; one without noise (0, infinite dB) is none.

    Source: our choice.

    `kind` is a kind of noise in the result.

    Raises:
        StudyError: the kind has no level with noise.
    """
    levels = [float(level) for name, level in result.settings["levels"] if name == kind]  # mild first
    levels = [level for level in levels if is_noise(kind, level)]
    moderate = MODERATE[kind]  # type: ignore[index]
    if not levels:
        raise StudyError(f"the noise study has no level of {kind!r} that is noise; measure one, such as {moderate:g}")
    sign = -1 if kind == "jitter" else 1
    fit = [level for level in levels if sign * level <= sign * moderate + 1e-9]
    return fit[-1] if fit else levels[0]


def shown_level(kind: str, level: float, motion_db: float | None = None) -> str:
    """A level as a reader would say it: "20 dB", "10% of joints"; with `motion_db` also "20 dB (9.6 of motion)".

    `kind` is a kind of noise, and `level` is in its unit.
    """
    match kind:
        case "jitter":
            if np.isinf(level):
                return "no noise"
            return f"{level:g} dB" + (
                f" ({motion_db:.1f} of motion)" if motion_db is not None and np.isfinite(motion_db) else ""
            )
        case "joint dropout":
            return f"{level:.0%} of joints"
        case "frame dropout":
            return f"{level:.0%} of frames"
        case "rotation":
            return f"±{level:g}°"
        case _:
            return "clean"


def _own(index: Any) -> Any:
    """Which layers are the network's own: all but the input, unless only that was measured."""
    own = np.asarray(index) > 0
    return own if own.any() else np.ones(len(own), dtype=bool)


def _judged(result: NoiseResult, network: str, kind: str) -> dict[str, Any]:
    level, layers = moderate_level(result, kind), result.layers
    every = layers["index"][_own(layers["index"])].tolist()
    last = every[-1:]
    table = result.table[(result.table["network"] == network) & (result.table["index"] == last[0])]
    clean = table[table["kind"] == CLEAN].iloc[0]
    here = table[(table["kind"] == kind) & (table["level"] == level)].iloc[0]
    strongest = table[table["kind"] == kind].sort_values("severity").iloc[-1]
    gained = len(result.controls) > 0
    share = result.lost if gained else result.loss
    scores = result.accuracy[result.accuracy["network"] == network]
    score = scores[(scores["kind"] == kind) & (scores["level"] == level)].iloc[0]
    found: dict[str, Any] = {
        "level": level,
        "motion_db": _known(score["motion_db"]),
        "last_layer": str(here["title"]),
        "clean": float(clean["smoothness"]),
        "noisy": float(here["smoothness"]),
        "null": float(here["null"]),
        "untrained": _known(here["untrained"]),
        "of": "gain" if gained else "null",
        "last": _plain(share(network, kind, level, last)),
        "measured": _plain(share(network, kind, level, every)),
        "last_of_null": _plain(result.loss(network, kind, level, last)),
        "accuracy": float(score["accuracy"]),
        "clean_accuracy": float(scores[scores["kind"] == CLEAN]["accuracy"].iloc[0]),
        "strongest": {"level": float(strongest["level"]), "lost": float(strongest["lost" if gained else "loss"])},
    }
    both = [found["last"], found["measured"]]
    if all(each["high"] <= LIMIT for each in both):
        state = "limited"
    else:
        state = "not limited" if any(each["low"] > LIMIT for each in both) else "open"
    return found | {"state": state}


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _plain(share: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("value", "low", "high"), share, strict=True))


def _tests(numbers: dict[str, Any]) -> tuple[Test, ...]:
    """Two per kind: at most 20% is lost at the last layer, and over the measured layers."""
    tests = []
    for kind, each in numbers["kinds"].items():
        name = f"{_NAMES[kind]} ({shown_level(kind, each['level'])})"
        places = [(f"at {each['last_layer']}", each["last"])]
        if len(numbers["layers"]) > 1:
            places.append(("over the measured layers", each["measured"]))
        for where, share in places:
            answer = True if share["high"] <= LIMIT else False if share["low"] > LIMIT else None
            note = "" if known(share["low"], share["high"]) else _nothing(numbers, each)
            tests.append(Test(f"little lost to {name} {where}", **share, answer=answer, against=LIMIT, unit="share",
                              note=note, ways=LOSSES))  # fmt: skip
    return tuple(tests)


# -- words -------------------------------------------------------------------------------------


_NAMES = {
    "jitter": "Gaussian jitter",
    "joint dropout": "lost joints",
    "frame dropout": "lost frames",
    "rotation": "other views",
}


def _nothing(numbers: dict[str, Any], each: dict[str, Any]) -> str:
    """Why there is no interval."""
    if numbers["parts"] < 2:
        return "one part of the recordings gives no interval"
    if each["of"] == "gain":
        return "it is not sure that training gained anything that could be lost"
    return "it is not sure that clean recordings are smoother than shuffled labels"


def _paragraph(numbers: dict[str, Any]) -> str:
    kinds, confidence = numbers["kinds"], numbers["confidence"]
    first = next(iter(kinds.values()))
    gained = first["of"] == "gain"
    of = (
        f"what training gained (from {first['untrained']:.2f}, the mean of "
        f"{counted(numbers['untrained'], 'untrained network', 'untrained networks')}, to {first['clean']:.2f} at "
        f"{first['last_layer']})"
        if gained
        else f"what lies between clean recordings (smoothness {first['clean']:.2f} at {first['last_layer']}) and "
        f"shuffled labels ({first['null']:.2f}); no untrained network was measured, so that this is not what training "
        "gained"
    )
    sentences = [
        f"Limited means: at a moderate level, at most {numbers['limit']:.0%} of {of} is lost, at the last layer and "
        f"over the measured layers ({_listed_titles(numbers['layers'])}), with the whole interval."
    ]
    on = tested_on(numbers["n"], numbers["sampled"])
    sentences += [_sentence(kind, each, confidence, on) for kind, each in kinds.items()]
    for name, judged in numbers["trained_on_noise"].items():
        parts = [
            f"{_NAMES[kind]} {_share(each['last']['value'])} (accuracy {each['accuracy']:.0%})"
            for kind, each in judged.items()
        ]
        base = next(iter(judged.values()))
        sentences.append(
            f"One network trained on {name} (smoothness {base['clean']:.2f} on clean recordings) has at the same "
            f"levels: {', '.join(parts)}."
        )
    if any(LOSSES[1] in sentence for sentence in sentences):
        sentences.append("A gain means that noisy recordings are smoother than clean ones.")
    sentences.append(_caution(numbers))
    return " ".join(sentences)


def _listed_titles(titles: Sequence[str]) -> str:
    """'layers 1, 4, 7, 10' where titles are 'layer 1', …; else the titles themselves."""
    numbers = [title.removeprefix("layer ") for title in titles]
    if len(titles) > 1 and all(number.isdigit() for number in numbers):
        return f"layers {', '.join(numbers)}"
    return ", ".join(titles)


def _which(numbers: dict[str, Any]) -> str:
    if numbers["holds"]:
        return ""
    groups = {
        state: [_NAMES[kind] for kind, each in numbers["kinds"].items() if each["state"] == state]
        for state in ("limited", "not limited", "open")
    }
    words = {"limited": "limited for", "not limited": "not for", "open": "not decided for"}
    parts = [f"{words[state]} {series(names)}" for state, names in groups.items() if names]
    return f": {', '.join(parts)}"


def _sentence(kind: str, each: dict[str, Any], confidence: float, on: str) -> str:
    last, measured, strongest = each["last"], each["measured"], each["strongest"]
    level = shown_level(kind, each["level"], each["motion_db"])
    of = "what training gained" if each["of"] == "gain" else "the way to shuffled labels"
    if known(last["low"], last["high"]):
        text = (
            f"{capital(_NAMES[kind])}, {level}: {_share(last['value'])} of {of} at {each['last_layer']} "
            f"({directed_interval(last['low'], last['high'], '.0%', LOSSES, confidence)}) and "
            f"{_share(measured['value'])} ({_span(measured)}) over the measured layers"
        )
    else:
        text = (
            f"{capital(_NAMES[kind])}, {level}: smoothness at {each['last_layer']} goes from {each['clean']:.3f} to "
            f"{each['noisy']:.3f}; what share of {of} that is cannot be told"
        )
    if each["of"] == "gain" and np.isfinite(each["last_of_null"]["value"]):
        text += f" (at {each['last_layer']} {_share(each['last_of_null']['value'])} of the way to shuffled labels)"
    text += f", while accuracy on {on} goes from {each['clean_accuracy']:.0%} to {each['accuracy']:.0%}"
    if strongest["level"] != each["level"] and np.isfinite(strongest["lost"]):
        text += f"; at {shown_level(kind, strongest['level'])} it is {_share(strongest['lost'])}"
    return text + "."


def _share(lost: float) -> str:
    """'a loss of 4%', or 'a gain of 3%' for a share below 0."""
    return moves(lost, ".0%", LOSSES) if np.isfinite(lost) else "an unknown share"


def _span(share: dict[str, float]) -> str:
    return directed_span(share["low"], share["high"], "{:z.0%}".format, LOSSES)


def _caution(numbers: dict[str, Any]) -> str:
    count = numbers["subjects"]
    drawn = left_out(numbers["parts"], None if count is None else numbers["unit"] or SUBJECT, count)
    several = f", with the spread between {numbers['networks']} networks" if numbers["networks"] > 1 else ""
    among = (
        "A noisy recording's neighbours are searched among the clean recordings of others."
        if numbers["neighbours"] == "clean"
        else "A noisy recording's neighbours are searched among noisy ones."
    )
    return f"{among} Intervals are from {drawn}{several}. Each level is one draw of the noise."

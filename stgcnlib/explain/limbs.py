"""Relevance by body part: how much of a map lies on a limb, and which actions are done with one arm.

Which arm acts is read from the recordings' own motion, not from class names.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import LayoutError, suggest
from stgcnlib.explain.intervals import known_mean, over_recordings
from stgcnlib.explain.relevance import Maps
from stgcnlib.groups import SUBJECT, resampled_groups
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.transforms.presence import found_joints

__all__ = ["acting_limbs", "limb_share", "limb_shares", "one_armed"]

ONE_ARMED = 2.0
"""An action is one-armed where one arm's joints swing at least this many times as far as any other limb's."""


def limb_share(maps: Maps, layout: SkeletonLayout, limb: str) -> pd.DataFrame:
    """Share of each map's relevance that lies on a body part's joints, over all frames and people.

    Columns recording, layer, title, index, target, share (0 to 1; NaN where a map is all zero) and even (the part's
    share of the joints, which is the share of a map that is equal everywhere).

    Source: our choice.

    `maps` are by recording, as `grad_cam_set` gives them; `limb` is a name in ``layout.limbs``.

    Raises:
        LayoutError: if the layout has no such limb; the nearest are suggested.
    """
    if limb not in layout.limbs:
        raise LayoutError(f"layout {layout.name!r} has no limb {limb!r}; {suggest(limb, list(layout.limbs))}")
    joints = list(layout.limbs[limb])
    rows = []
    for i, layers in enumerate(maps):
        for name, each in layers.items():
            mass = np.abs(each.values).sum(axis=(0, 1), dtype=np.float64)
            share = float(mass[joints].sum() / mass.sum()) if mass.sum() > 0 else float("nan")
            rows.append({
                "recording": i, "layer": name, "title": each.title, "index": each.index, "target": each.target,
                "share": share, "even": len(joints) / len(layout),
            })  # fmt: skip
    return pd.DataFrame(rows)


def acting_limbs(data: SequenceSet) -> pd.DataFrame:
    """How far each limb swings: columns label, class, limb, swing, mean over its joints and the class's recordings.

    A joint's swing is the root mean square distance from its own mean place, seen from the body's centre joint (or the
    mean of all joints), in the data's units. Unlike the length of its path it does not grow with the sensor's noise.
    Only positions count, in frames in which the joint was found, and people who are there; the swing of a limb that
    was never found is NaN.
    """
    if not data.layout.limbs:
        return pd.DataFrame(columns=["label", "class", "limb", "swing"])
    rows = []
    for i in range(len(data)):
        swing = _swing(data.people(i), data.layout)
        for limb, joints in data.layout.limbs.items():
            rows.append({"label": int(data.labels[i]), "limb": limb, "swing": known_mean(swing[:, list(joints)])})
    table = pd.DataFrame(rows).groupby(["label", "limb"], sort=False)["swing"].mean().reset_index()
    table.insert(1, "class", [data.class_names[c] for c in table["label"]])
    return table


def _swing(people: NDArray[np.float32], layout: SkeletonLayout) -> NDArray[np.float64]:
    """(M, V) root mean square distance of each joint from its mean place, seen from the body; NaN if never found."""
    places, found = (
        people[..., : layout.dimensions or people.shape[-1]].astype(np.float64),
        found_joints(people, layout),
    )

    def mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        """Over an axis of (M, T, V, D), of what was found; 0 where nothing was."""
        count = np.maximum(found.sum(axis=axis, keepdims=True), 1)[..., None]
        result: NDArray[np.float64] = (values * found[..., None]).sum(axis=axis, keepdims=True) / count
        return result

    # From each joint's mean place, so that the body does not leap where another set of joints is found.
    away = places - mean(places, axis=1)
    shift = mean(away, axis=2)
    if (centre := layout.centre) is not None:
        seen = found[:, :, centre, None, None]
        shift = np.where(seen, away[:, :, centre : centre + 1], shift)
    away = away - shift
    square = ((away - mean(away, axis=1)) ** 2).sum(axis=-1, keepdims=True)
    return np.where(found.any(axis=1), np.sqrt(mean(square, axis=1)[:, 0, :, 0]), np.nan)


def one_armed(data: SequenceSet, *, ratio: float = ONE_ARMED) -> dict[int, str]:
    """Class -> arm, for classes in which one arm swings at least `ratio` times as far as every other limb.

    Source: our choice.
    """
    found = {}
    table = acting_limbs(data).dropna(subset=["swing"])
    for label in table["label"].unique():
        ranked = table[table["label"] == label].sort_values("swing", ascending=False)
        if len(ranked) < 2:
            continue
        first, second = ranked["swing"].iloc[0], ranked["swing"].iloc[1]
        if str(ranked["limb"].iloc[0]).endswith("arm") and first > 0 and first >= ratio * second:
            found[int(label)] = str(ranked["limb"].iloc[0])
    return found


def limb_shares(
    maps: Maps,
    data: SequenceSet,
    arms: dict[int, str],
    *,
    groups: ArrayLike | None = None,
    resample: ArrayLike | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of relevance on the acting arm of one-armed classes, per class and layer, with its interval.

    Source: our choice.

    Args:
        maps: of the recordings of `data`.
        arms: class -> limb, as `one_armed` finds them.
        groups: (N,) subjects for the interval; `None` takes "subject" where the set has it.
        resample: (N,) groups that intervals leave out as a whole; "recordings": every one by itself; `None`: `groups`.

    Columns label, class, limb, layer, title, index, recordings, share, low, high, even. Rows of label -1, class "all",
    are over all these classes together, each recording with its own class's arm.

    Raises:
        LayoutError: the layout has no such limb.
    """
    drawn = resampled_groups(resample, data.groups.get(SUBJECT) if groups is None else groups)
    parts = []
    for label, limb in arms.items():
        members: NDArray[np.int64] = np.flatnonzero(data.labels == label)
        if not len(members):
            continue
        part = limb_share([maps[int(i)] for i in members], data.layout, limb)
        part = part.assign(node=members[part["recording"]], label=label, limb=limb)
        parts.append(part.assign(**{"class": data.class_names[label]}))
    columns = ["label", "class", "limb", "layer", "title", "index", "recordings", "share", "low", "high", "even"]
    if not parts:
        return pd.DataFrame(columns=columns)
    every = pd.concat(parts, ignore_index=True).dropna(subset=["share"])
    whole = every.assign(label=-1, limb="its arm", **{"class": "all"})
    rows = []
    for _, part in pd.concat([whole, every]).groupby(["label", "index"], sort=False):
        known = None if drawn is None else drawn[part["node"]]
        mean = over_recordings(part["share"].to_numpy(), known, confidence=confidence, seed=seed)
        first = part.iloc[0]
        rows.append({
            "label": int(first["label"]), "class": first["class"], "limb": first["limb"], "layer": first["layer"],
            "title": first["title"], "index": int(first["index"]), "recordings": len(part),
            "share": mean.value, "low": max(mean.low, 0.0), "high": min(mean.high, 1.0),
            "even": float(part["even"].mean()),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=columns)

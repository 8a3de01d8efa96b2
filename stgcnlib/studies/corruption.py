"""Kinds and levels of noise, and recordings with one of them.

It imports nothing that measures, so that networks trained on noise do not depend on how distances are computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stgcnlib import transforms
from stgcnlib.errors import StudyError, suggest
from stgcnlib.sequences import SequenceSet

__all__ = ["CLEAN", "KINDS", "LEVELS", "UNITS", "Kind", "corrupt", "is_noise", "kinds_and_levels", "motion_decibels"]

Kind = Literal["jitter", "joint dropout", "frame dropout", "rotation"]

KINDS: tuple[Kind, ...] = get_args(Kind)
CLEAN = "clean"
LEVELS: Mapping[Kind, tuple[float, ...]] = {
    "jitter": (30.0, 20.0, 10.0),
    "joint dropout": (0.05, 0.1, 0.2),
    "frame dropout": (0.1, 0.25, 0.5),
    "rotation": (15.0, 30.0, 60.0),
}
UNITS: Mapping[Kind, str] = {
    "jitter": "dB signal-to-noise ratio",
    "joint dropout": "share of joints lost",
    "frame dropout": "share of frames lost",
    "rotation": "degrees, largest turn",
}


def corrupt(data: SequenceSet, kind: str, level: float | None, *, seed: int = 0) -> SequenceSet:
    """Recordings with one kind of noise.

    Args:
        data: any recordings.
        kind: "jitter" (level: signal-to-noise ratio in dB, lower is noisier), "joint dropout" and "frame dropout"
            (shares lost), "rotation" (largest turn in degrees), or "clean", for which the level is None.
        level: see `transforms.jitter`, `drop_joints`, `drop_frames` and `rotate`.
        seed: of the noise.
    """
    if kind == CLEAN or level is None:
        return data
    match kind:
        case "jitter":
            return transforms.jitter(data, snr_db=level, seed=seed)
        case "joint dropout":
            return transforms.drop_joints(data, level, seed=seed)
        case "frame dropout":
            return transforms.drop_frames(data, level, seed=seed)
        case "rotation":
            return transforms.rotate(data, level, seed=seed)
    raise StudyError(f"no noise is named {kind!r}; {suggest(kind, KINDS)}")


def is_noise(kind: str, level: float) -> bool:
    """Whether a level changes anything: infinitely many dB of jitter and 0 of another kind leave recordings clean.

    `kind` is a kind of noise, and `level` is in its unit.
    """
    return not np.isinf(level) if kind == "jitter" else level != 0


def kinds_and_levels(
    kinds: Kind | Sequence[Kind], levels: Mapping[Kind, Sequence[float]] | None
) -> list[tuple[str, float]]:
    """(kind, level) of all levels of some kinds, the mild ones of a kind first; arguments as of `noise_study`.

    Raises:
        StudyError: an unknown kind, a kind without levels or without one that is noise, or no kind.
    """
    kinds = [kinds] if isinstance(kinds, str) else kinds
    for name in [*kinds, *(levels or {})]:
        if name not in KINDS:
            raise StudyError(f"no noise is named {name!r}; {suggest(str(name), KINDS)}")
    wanted: list[tuple[str, float]] = []
    for kind in kinds:
        # Mild first: infinity dB is no noise, and a lower ratio is more noise.
        chosen = sorted({float(x) for x in (levels or {}).get(kind, LEVELS[kind])}, reverse=kind == "jitter")
        if not chosen:
            raise StudyError(
                f"levels of {kind!r} are empty; give one, or leave the kind out (of kinds; in a study file: [])"
            )
        if not any(is_noise(kind, level) for level in chosen):
            said = ", ".join(f"{level:g}" for level in chosen)
            raise StudyError(
                f"levels of {kind!r} are {said}, which is no noise; give a level that changes recordings, or leave the "
                "kind out (of kinds; in a study file: [])"
            )
        wanted += [(kind, level) for level in chosen]
    if not wanted:
        raise StudyError("kinds is empty; name at least one kind of noise")
    return wanted


def motion_decibels(data: SequenceSet, kind: str, level: float | None) -> float:
    """Signal-to-noise ratio of jitter against the recordings' motion alone, in dB; NaN for other kinds of noise.

    The level of jitter counts posture and motion as signal, and most of that is posture. Relative to motion alone, the
    same noise is larger (`transforms.motion_share`). The value is the median over recordings.
    """
    if kind != "jitter" or level is None:
        return float("nan")
    share: NDArray[np.float64] = transforms.motion_share(data)
    with np.errstate(divide="ignore"):
        return float(np.median(level + 10 * np.log10(share)))

"""Toyota Smarthome: poses that LCR-Net estimated in videos of daily life, as JSON (Das et al., ICCV 2019).

``Cook.Cleandishes_p02_r00_v02_c03.json`` (action, subject, repetition, video, camera) has `frames`, each a list of
people with `pose3d` (x of 13 joints, then y, then z, as LCR-Net wrote them) and `cumscore`. Layout "lcr-net-13". 31
actions.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from stgcnlib.errors import SkeletonFormatError, suggest
from stgcnlib.readers.content import Recording, floats, gather, read_json
from stgcnlib.readers.tracks import Detection, tracked
from stgcnlib.sequences import SequenceSet

__all__ = ["ACTIONS", "PATTERN", "read", "recognises"]

PATTERN = "ACTION_pXX_rXX_vXX_cXX.json"
NAME = re.compile(r"([A-Z][A-Za-z]*(?:\.[A-Z][A-Za-z]*)?)_p(\d{2})_r(\d{2})_v(\d{2})_c(\d{2})(?:_pose3d)?\.json", re.I)
JOINTS = 13

ACTIONS = (
    "Cook.Cleandishes", "Cook.Cleanup", "Cook.Cut", "Cook.Stir", "Cook.Usestove", "Cutbread", "Drink.Frombottle",
    "Drink.Fromcan", "Drink.Fromcup", "Drink.Fromglass", "Eat.Attable", "Eat.Snack", "Enter", "Getup", "Laydown",
    "Leave", "Makecoffee.Pourgrains", "Makecoffee.Pourwater", "Maketea.Boilwater", "Maketea.Insertteabag",
    "Pour.Frombottle", "Pour.Fromcan", "Pour.Fromkettle", "Readbook", "Sitdown", "Takepills", "Uselaptop",
    "Usetelephone", "Usetablet", "Walk", "WatchTV",
)  # fmt: skip


def recognises(file: Path) -> bool:
    """Whether a file's name is of this format."""
    return NAME.fullmatch(file.name) is not None


def read(files: list[Path], source: Path) -> SequenceSet:
    """The recordings in `files`, with groups subject, camera, repetition and video; people by nearness.

    Raises:
        SkeletonFormatError: naming the first file that is damaged, and how to mend it.
    """
    recordings = []
    known = {action.lower(): k for k, action in enumerate(ACTIONS)}
    for file in files:
        match = NAME.fullmatch(file.name)
        assert match is not None
        if match[1].lower() not in known:
            raise SkeletonFormatError(
                f"{file}: {match[1]!r} is no action of Toyota Smarthome; {suggest(match[1], ACTIONS)}"
            )
        content = read_json(file)
        frames = content.get("frames") if isinstance(content, dict) else None
        if not isinstance(frames, list) or not all(isinstance(people, list) for people in frames):
            raise SkeletonFormatError(f"{file}: has no list 'frames' of lists of people; is it a pose of LCR-Net?")
        found = [[_person(p, f"{file}: frame {t}") for p in people] for t, people in enumerate(frames)]
        groups = dict(zip(("subject", "repetition", "video", "camera"), map(int, match.groups()[1:]), strict=True))
        name = file.stem.removesuffix("_pose3d")
        recordings.append(Recording(name, tracked(found, axes=3, source=file), known[match[1].lower()], {**groups}))
    return gather(recordings, layout="lcr-net-13", source=source, class_names=ACTIONS)


def _person(person: Any, where: str) -> Detection:
    if not isinstance(person, dict):
        raise SkeletonFormatError(f"{where}: a person is no object with 'pose3d'")
    values = floats(person.get("pose3d"), f"{where}: 'pose3d'")
    if values.shape != (3 * JOINTS,):
        raise SkeletonFormatError(f"{where}: 'pose3d' has shape {values.shape}; expected x, y, z of {JOINTS} joints")
    score = person.get("cumscore")
    sure = float(score) if isinstance(score, int | float) and abs(score) < 1e9 else 0.0
    return Detection(values.reshape(3, JOINTS).T.copy(), score=sure)

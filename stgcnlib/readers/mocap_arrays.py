"""Motion capture as dicts of arrays: Human3.6M as VideoPose3D prepares it, and HumanAct12 as ACTOR and MDM read it.

- ``data_3d_h36m.npz`` (Ionescu et al., TPAMI 2014; Pavllo et al., CVPR 2019) holds `positions_3d`: subject ("S1"),
  action ("Directions 1") and (T, 32, 3) or (T, 17, 3), metres, z up. Layouts "human3.6m-32" and "human3.6m-17"; some of
  the 32 joints lie on top of each other, and `stgcnlib.transforms.to_layout` reduces them to the 17. The action without
  its number is the class.
- ``humanact12poses.pkl`` (Guo et al., ACM MM 2020; Petrovich et al., ICCV 2021) holds `joints3D`, a list of
  (T, 24, 3), and `y`, the class of each from 0; the recordings have no names there. The published files are
  ``P01G01R01F0001T0064A0101.npy``, (T, 24, 3), with subject, group, repetition, frames and action in the name; the
  first two digits of the action are the class. Layout "smpl-24", as published.

Nothing of a pickle is run: see `stgcnlib.readers.pickled`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError, shorten
from stgcnlib.readers.arrays import member_names, member_object, read_array
from stgcnlib.readers.content import Recording, gather
from stgcnlib.readers.pickled import PickledArray, read_pickle
from stgcnlib.sequences import SequenceSet

__all__ = ["ACTIONS", "PATTERN", "read", "recognises"]

PATTERN = "data_3d_h36m.npz, humanact12poses.pkl or P01G01R01F0001T0064A0101.npy"
POSITIONS = "positions_3d"
HUMANACT = "humanact12poses.pkl"
NAME = re.compile(r"P(\d{2})G(\d{2})R(\d{2})F(\d{4})T(\d{4})A(\d{2})(\d{2})\.npy", re.IGNORECASE)
H36M = {32: "human3.6m-32", 17: "human3.6m-17"}
MOST_BYTES = 2**30
# Of HumanAct12.
ACTIONS = (
    "warm up", "walk", "run", "jump", "drink", "lift dumbbell", "sit", "eat", "turn steering wheel", "phone", "boxing",
    "throw",
)  # fmt: skip


def recognises(file: Path) -> bool:
    """Whether a file's name is of HumanAct12, or it is an npz of Human3.6M by its members."""
    if file.name.lower() == HUMANACT or NAME.fullmatch(file.name):
        return True
    return file.suffix.lower() == ".npz" and POSITIONS in member_names(file)


def read(files: list[Path], source: Path) -> SequenceSet:
    """The recordings of one such file, or of the npy files of HumanAct12.

    Groups are subject and trial (Human3.6M), or subject, group and repetition (names of HumanAct12).

    Raises:
        SkeletonFormatError: naming the first file that is damaged, or if there are several kinds of files.
    """
    named = [file for file in files if NAME.fullmatch(file.name)]
    if len(files) > 1 and len(named) < len(files):
        raise SkeletonFormatError(f"{source}: holds {shorten((f.name for f in files), 4)}; name one of them")
    if named:
        return gather([_npy(file) for file in files], layout="smpl-24", source=source, class_names=ACTIONS)
    file = files[0]
    return _humanact(file, source) if file.name.lower() == HUMANACT else _h36m(file, source)


def _npy(file: Path) -> Recording:
    match = NAME.fullmatch(file.name)
    assert match is not None
    subject, group, repetition, _, _, action, _ = (int(text) for text in match.groups())
    if not 1 <= action <= len(ACTIONS):
        raise SkeletonFormatError(f"{file}: action {action} does not exist; HumanAct12 has 1 to {len(ACTIONS)}")
    coords = _frames(read_array(file), str(file), (24,))
    return Recording(file.stem, coords, action - 1, {"subject": subject, "group": group, "repetition": repetition})


def _humanact(file: Path, source: Path) -> SequenceSet:
    content = read_pickle(file, most=MOST_BYTES)
    joints, labels = (content.get(key) if isinstance(content, dict) else None for key in ("joints3D", "y"))
    if isinstance(labels, PickledArray):
        labels = labels.array.tolist()
    if not isinstance(joints, list) or not isinstance(labels, list) or len(joints) != len(labels):
        raise SkeletonFormatError(f"{file}: holds no lists 'joints3D' and 'y' of the same length")
    recordings = []
    for i, (points, label) in enumerate(zip(joints, labels, strict=True)):
        where = f"{file}: 'joints3D' {i}"
        if not isinstance(points, PickledArray):
            raise SkeletonFormatError(f"{where} is a {type(points).__name__}; expected a numpy array of numbers")
        if type(label) is not int or not 0 <= label < len(ACTIONS):
            raise SkeletonFormatError(f"{where} has class {str(label)[:40]}; HumanAct12 has 0 to {len(ACTIONS) - 1}")
        recordings.append(Recording(f"recording {i}", _frames(points.array, where, (24,)), label))
    return gather(recordings, layout="smpl-24", source=source, class_names=ACTIONS)


def _h36m(file: Path, source: Path) -> SequenceSet:
    content = member_object(file, POSITIONS)
    if not isinstance(content, dict) or not all(isinstance(actions, dict) for actions in content.values()):
        raise SkeletonFormatError(f"{file}: {POSITIONS!r} is no dict of subjects of dicts of actions")
    recordings = []
    for subject, actions in content.items():
        number = re.fullmatch(r"S(\d{1,4})", str(subject))
        if number is None:
            raise SkeletonFormatError(f"{file}: {POSITIONS!r} has the subject {str(subject)[:40]!r}; expected 'S1', …")
        for action, points in actions.items():
            where = f"{file}: {subject}, {str(action)[:40]}"
            if not isinstance(points, PickledArray):
                raise SkeletonFormatError(f"{where} is a {type(points).__name__}; expected a numpy array of numbers")
            name, _, trial = str(action).rpartition(" ")
            has_trial = bool(name) and trial.isdecimal() and len(trial) < 10
            recordings.append(
                Recording(
                    f"{subject} {action}",
                    _frames(points.array, where, tuple(H36M)),
                    name if has_trial else str(action),
                    {"subject": int(number[1]), "trial": int(trial) if has_trial else 0},
                )
            )
    if not recordings:
        raise SkeletonFormatError(f"{file}: {POSITIONS!r} holds no recording")
    counts = {r.coords.shape[1] for r in recordings if r.coords is not None}
    if len(counts) > 1:
        raise SkeletonFormatError(f"{file}: its recordings have {sorted(counts)} joints; all need the same number")
    return gather(recordings, layout=H36M[counts.pop()], source=source)


def _frames(points: NDArray[Any], where: str, joints: tuple[int, ...]) -> NDArray[Any]:
    if points.ndim != 3 or points.shape[1] not in joints or points.shape[2] != 3 or not len(points):
        wanted = " or ".join(str(count) for count in joints)
        raise SkeletonFormatError(f"{where} has shape {points.shape}; expected (frames, {wanted} joints, 3)")
    with np.errstate(over="ignore"):  # what overflows is infinite, which SequenceSet refuses
        return points.astype(np.float32)

"""Skeletons of 15 joints as OpenNI and NITE track them: Florence 3D Actions, SBU Kinect Interaction and KARD.

- Florence 3D (Seidenari et al., CVPR Workshops 2013): ``Florence_dataset_WorldCoordinates.txt``, a line per frame of
  all 215 recordings: video, actor, category (1 to 9), then x, y, z of 15 joints.
- SBU (Yun et al., CVPR Workshops 2012): ``s01s02/03/001/skeleton_pos.txt``, in folders of the pair, the action (1 to 8)
  and the recording; a line per frame: its number, then x, y, z of 15 joints of two people, separated by commas. x and y
  are shares of the picture, y down, and z a share of the sensor's depth; the README beside the data says how to
  compute millimetres.
- KARD (Gaglio et al., IEEE THMS 2015): ``a01_s01_e01_realworld.txt``, a line per joint, x, y, z. The files name neither
  joints nor actions, so that classes are numbered; the order of joints is the one that public code for KARD uses.

Layout "openni-15", in each case as published.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers.content import Recording, gather, read_text
from stgcnlib.readers.frames import spread
from stgcnlib.sequences import SequenceSet

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "Florence_dataset_WorldCoordinates.txt, skeleton_pos.txt (SBU) or aXX_sXX_eXX_realworld.txt (KARD)"
JOINTS = 15
FLORENCE = "florence_dataset_worldcoordinates.txt"
SBU = "skeleton_pos.txt"
KARD = re.compile(r"a(\d{1,3})_s(\d{1,3})_e(\d{1,3})_realworld\.txt", re.IGNORECASE)
# KARD's line for each joint of the layout: head, neck, torso, left arm, right arm, left leg, right leg.
KARD_ORDER = (0, 1, 8, 5, 6, 7, 2, 3, 4, 12, 13, 14, 9, 10, 11)
KARD_ACTIONS = 18
FLORENCE_ACTIONS = (
    "wave", "drink from a bottle", "answer phone", "clap", "tight lace", "sit down", "stand up", "read watch", "bow",
)  # fmt: skip
SBU_ACTIONS = (
    "approaching", "departing", "kicking", "punching", "pushing", "hugging", "shaking hands", "exchanging",
)  # fmt: skip


def recognises(file: Path) -> bool:
    """Whether a file's name is one of these."""
    return file.name.lower() in (FLORENCE, SBU) or KARD.fullmatch(file.name) is not None


def read(files: list[Path], source: Path) -> SequenceSet:
    """The recordings of one of these data sets.

    Groups are subject (Florence), pair (SBU), or subject and trial (KARD).

    Raises:
        SkeletonFormatError: naming the first file that is damaged, or files of two of these data sets.
    """
    kinds = {FLORENCE if f.name.lower() == FLORENCE else SBU if f.name.lower() == SBU else "KARD" for f in files}
    if len(kinds) > 1:
        raise SkeletonFormatError(f"{source}: holds files of several of Florence 3D, SBU and KARD; read them apart")
    recordings: list[Recording] = []
    for file in files:
        if FLORENCE in kinds:
            recordings += _florence(file)
        else:
            recordings.append(_sbu(file) if SBU in kinds else _kard(file))
    if "KARD" in kinds:
        classes: tuple[str, ...] = tuple(f"action {k}" for k in range(1, KARD_ACTIONS + 1))
    else:
        classes = FLORENCE_ACTIONS if FLORENCE in kinds else SBU_ACTIONS
    return gather(recordings, layout="openni-15", source=source, class_names=classes)


def _florence(file: Path) -> list[Recording]:
    table = _table(file, 3 + 3 * JOINTS)
    if wrong := [value for value in table[:, :3].reshape(-1) if not float(value).is_integer()]:
        raise SkeletonFormatError(
            f"{file}: a line starts with {wrong[0]}; expected whole numbers of video, actor, category"
        )
    recordings = []
    starts = np.flatnonzero(np.any(np.diff(table[:, :3], axis=0, prepend=np.nan) != 0, axis=1))
    for rows in np.split(table, starts[1:]):
        video, actor, category = (int(value) for value in rows[0, :3])
        if not 1 <= category <= len(FLORENCE_ACTIONS):
            raise SkeletonFormatError(f"{file}: video {video} has category {category}; Florence 3D has 1 to 9")
        coords = _people(rows[:, 3:], 1)
        recordings.append(Recording(f"video {video}", coords, category - 1, {"subject": actor}))
    return recordings


def _sbu(file: Path) -> Recording:
    pair, action, recording = (folder.name for folder in list(file.absolute().parents)[2::-1])
    if not action.isdecimal() or not 1 <= int(action) <= len(SBU_ACTIONS):
        raise SkeletonFormatError(
            f"{file}: lies in folder {action!r}, which is no action; expected folders such as s01s02/03/001, as SBU has"
        )
    table = _table(file, 1 + 2 * 3 * JOINTS)
    numbers, poses = table[:, 0], table[:, 1:]
    if (np.diff(numbers) > 0).all() and (numbers % 1 == 0).all():
        poses = spread([int(number) for number in numbers], poses, source=file)
    coords = _people(poses, 2)
    return Recording(f"{pair}_{action}_{recording}", coords, int(action) - 1, {"pair": pair})


def _kard(file: Path) -> Recording:
    match = KARD.fullmatch(file.name)
    assert match is not None
    action, subject, trial = (int(text) for text in match.groups())
    if not 1 <= action <= KARD_ACTIONS:
        raise SkeletonFormatError(f"{file}: action {action} does not exist; KARD has 1 to {KARD_ACTIONS}")
    table = _table(file, 3)
    if len(table) % JOINTS:
        raise SkeletonFormatError(
            f"{file}: has {len(table)} lines, which is no multiple of {JOINTS} joints; truncated, copy it again"
        )
    coords = _people(table.reshape(-1, JOINTS, 3)[:, list(KARD_ORDER)].reshape(-1, 3 * JOINTS), 1)
    return Recording(file.stem.rpartition("_")[0], coords, action - 1, {"subject": subject, "trial": trial})


def _table(file: Path, width: int) -> NDArray[np.float64]:
    """(L, width) numbers of a text, separated by blanks or commas; empty lines and comments (%) are left out."""
    rows = []
    for i, line in enumerate(read_text(file).splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("%"):
            fields = line.replace(",", " ").split()
            if len(fields) != width:
                raise SkeletonFormatError(
                    f"{file}: line {i} has {len(fields)} numbers, expected {width}; copy it again"
                )
            try:
                rows.append([float(field) for field in fields])
            except ValueError:
                raise SkeletonFormatError(f"{file}: line {i} holds other than numbers; mend it") from None
    if not rows:
        raise SkeletonFormatError(f"{file}: holds no frame; copy it again")
    table = np.array(rows)
    if np.isinf(table).any():
        raise SkeletonFormatError(f"{file}: holds infinite numbers; mend or leave out the file")
    return table


def _people(numbers: NDArray[np.float64], people: int) -> NDArray[np.float64]:
    coords = numbers.reshape(len(numbers), people, JOINTS, 3).swapaxes(0, 1)
    return coords if people > 1 else coords[0]

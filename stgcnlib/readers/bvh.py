"""BVH motion capture: a skeleton and its joint angles as text (by Biovision; no paper describes the format).

HIERARCHY gives joints with their OFFSET from the parent and their CHANNELS in the order in which they turn (about the
joint's own axes, degrees), MOTION the number of frames, the frame time and a line of channel values per frame.
Positions come from forward kinematics, in the file's unit (centimetres or inches mostly; the format names none).
Position channels replace the offset, because exporters write them so. Every file is one recording, and all files need
one hierarchy, which becomes the layout; lengths of bones may differ between people.

Classes come from a ``labels.csv`` in the folder (name, label, groups), or from subfolders.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers.bvh_layout import bvh_layout
from stgcnlib.readers.content import Recording, add_labels, gather, number, read_text
from stgcnlib.sequences import SequenceSet

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "*.bvh"
MOST_JOINTS = 500
MOST_POSES = 2**22  # frames times joints
CHANNELS = {f"{axis}{kind}": (kind, k) for k, axis in enumerate("xyz") for kind in ("position", "rotation")}


@dataclass
class _Joint:
    name: str
    parent: int
    is_end: bool = False
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: list[tuple[str, int]] = field(default_factory=list)


def recognises(file: Path) -> bool:
    """Whether a file's name is of this format."""
    return file.suffix.lower() == ".bvh"


def read(files: list[Path], source: Path, *, end_sites: bool = False) -> SequenceSet:
    """The recordings in `files`; the layout, "bvh-V" of V joints, is the hierarchy of the first.

    Args:
        files: one or more BVH files.
        source: what `stgcnlib.read` was given.
        end_sites: keep the nameless ends of fingers, toes and head as joints "PARENT end".

    Raises:
        SkeletonFormatError: naming the first file that is damaged or of another hierarchy.
    """
    recordings: list[Recording] = []
    first: list[tuple[str, int]] = []
    for file in files:
        joints, motion = _parse(file)
        chosen = [i for i, joint in enumerate(joints) if end_sites or not joint.is_end]
        tree = [(joints[i].name, chosen.index(joints[i].parent) if joints[i].parent >= 0 else -1) for i in chosen]
        first = first or tree
        if tree != first:
            raise SkeletonFormatError(
                f"{file}: its hierarchy of {len(tree)} joints is not the one of {files[0].name}; read it by itself"
            )
        recordings.append(Recording(file.stem, _positions(joints, motion)[:, chosen]))
    add_labels(recordings, [file.parent.name for file in files], source)
    names, parents = [name for name, _ in first], [parent for _, parent in first]
    return gather(recordings, layout=bvh_layout(names, parents), source=source)


def _parse(file: Path) -> tuple[list[_Joint], NDArray[np.float64]]:
    """The joints in the order of the file, and channel values (T, channels)."""
    lines = read_text(file).splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip().upper() == "MOTION"), None)
    if start is None:
        raise SkeletonFormatError(f"{file}: has no line MOTION; truncated, or no BVH file")
    joints = _hierarchy(iter(" ".join(lines[:start]).split()), file)
    rest = [line for line in lines[start + 1 :] if line.strip()]
    if len(rest) < 2 or not rest[0].strip().lower().startswith("frames:"):
        raise SkeletonFormatError(f"{file}: 'Frames:' and 'Frame Time:' do not follow MOTION; truncated, copy it again")
    if not rest[1].strip().lower().startswith("frame time:"):
        raise SkeletonFormatError(f"{file}: 'Frame Time:' does not follow 'Frames:'; mend it")
    frames = number(rest[0].partition(":")[2], file, "'Frames:'")
    values = array("d")
    try:
        for line in rest[2:]:
            values.extend(map(float, line.split()))
    except ValueError:
        raise SkeletonFormatError(f"{file}: MOTION holds other than numbers; copy it again") from None
    channels = sum(len(joint.channels) for joint in joints)
    if channels == 0 or len(values) != frames * channels:
        raise SkeletonFormatError(
            f"{file}: MOTION holds {len(values)} numbers, expected {frames} frames of {channels}; copy it again"
        )
    if frames == 0:
        raise SkeletonFormatError(f"{file}: holds no frame; leave it out")
    if not np.isfinite(values).all() or not np.isfinite([joint.offset for joint in joints]).all():
        raise SkeletonFormatError(f"{file}: an OFFSET or a value of MOTION is NaN or infinite; mend or cut that frame")
    if frames * len(joints) > MOST_POSES:
        raise SkeletonFormatError(f"{file}: {frames} frames of {len(joints)} joints are too many; cut it into actions")
    return joints, np.array(values).reshape(frames, channels)


def _hierarchy(words: Iterator[str], file: Path) -> list[_Joint]:
    joints: list[_Joint] = []
    open_joints: list[int] = []
    ends: dict[str, int] = {}

    def word() -> str:
        found = next(words, None)
        if found is None:
            raise SkeletonFormatError(f"{file}: HIERARCHY ends too soon; truncated, copy it again")
        return found

    def numbers(count: int) -> list[float]:
        text = [word() for _ in range(count)]
        try:
            return [float(value) for value in text]
        except ValueError:
            raise SkeletonFormatError(f"{file}: OFFSET holds other than numbers ({' '.join(text)[:60]})") from None

    if word().upper() != "HIERARCHY":
        raise SkeletonFormatError(f"{file}: does not start with HIERARCHY; is it a BVH file?")
    while True:
        kind = next(words, None)
        match kind.upper() if kind is not None else None:
            case None:
                break
            case "ROOT" | "JOINT" | "END" as found:
                if (found == "ROOT") != (not joints) or (found != "ROOT" and not open_joints):
                    raise SkeletonFormatError(f"{file}: {found} is not allowed here; one ROOT must hold all joints")
                parent = open_joints[-1] if open_joints else -1
                name = word()
                if is_end := found == "END":
                    name = f"{joints[parent].name} end"
                    ends[name] = ends.get(name, 0) + 1
                    name += f" {ends[name]}" if ends[name] > 1 else ""
                joints.append(_Joint(name, parent, is_end))
                if len(joints) > MOST_JOINTS:
                    raise SkeletonFormatError(f"{file}: has more than {MOST_JOINTS} joints; is it a body?")
                if word() != "{":
                    raise SkeletonFormatError(f"{file}: no brace follows {name[:60]!r}; names have no blanks")
                open_joints.append(len(joints) - 1)
            case "OFFSET" if open_joints:
                joints[open_joints[-1]].offset = numbers(3)
            case "CHANNELS" if open_joints:
                count = number(word(), file, "a number of CHANNELS")
                if count > 6:
                    raise SkeletonFormatError(f"{file}: a joint has {count} CHANNELS; at most 6 are possible")
                names = [word().lower() for _ in range(count)]
                if unknown := [name for name in names if name not in CHANNELS]:
                    raise SkeletonFormatError(
                        f"{file}: unknown channel {unknown[0][:40]!r}; known: Xposition, Zrotation, …"
                    )
                joints[open_joints[-1]].channels = [CHANNELS[name] for name in names]
            case "}" if open_joints:
                open_joints.pop()
            case _:
                raise SkeletonFormatError(f"{file}: {str(kind)[:40]!r} is unknown in HIERARCHY; mend it")
    if open_joints or not joints:
        raise SkeletonFormatError(f"{file}: HIERARCHY is not closed, or empty; truncated, copy it again")
    if len({joint.name for joint in joints}) < len(joints):
        raise SkeletonFormatError(f"{file}: two joints have one name; rename one")
    return joints


def _positions(joints: list[_Joint], motion: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, joints, 3) by forward kinematics: a joint's rotation applies to all joints below it."""
    T = len(motion)
    turns: list[NDArray[np.float64]] = []
    places = np.empty((T, len(joints), 3))
    column = 0
    for i, joint in enumerate(joints):
        local = np.tile(np.array(joint.offset), (T, 1))
        turn: Rotation | None = None
        for kind, axis in joint.channels:
            values = motion[:, column]
            column += 1
            if kind == "position":
                local[:, axis] = values
            else:
                step = Rotation.from_rotvec(np.eye(3)[axis] * np.deg2rad(values)[:, None])
                turn = step if turn is None else turn * step
        own = np.broadcast_to(np.eye(3), (T, 3, 3)) if turn is None else turn.as_matrix()
        if joint.parent < 0:
            places[:, i] = local
        else:
            above = turns[joint.parent]
            places[:, i] = places[:, joint.parent] + np.einsum("tij,tj->ti", above, local)
            own = above if turn is None else above @ own
        turns.append(own)
    return places

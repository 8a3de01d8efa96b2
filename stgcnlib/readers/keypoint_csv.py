"""Keypoints as a table, as scripts around MediaPipe, OpenPose and COCO estimators write them.

CSV, tab- or semicolon-separated, with a header. Wide: a line per frame (and person), columns such as ``x0, y0, z0``,
``landmark_0_x`` or ``left_shoulder_x``, joints counted from 0 or 1. Long: a line per joint, columns joint (or landmark,
keypoint: a name or a number), x, y and z. Confidence is called v, c, visibility, confidence, score or likelihood.
Further columns, all optional: frame, person (or id, track_id), name (or video, recording: several recordings in one
file), label (or class). Empty cells and NaN are joints not found, but an empty confidence beside coordinates counts as
1. Whole frame numbers that are left out are frames without anybody.

The layout follows from the number of joints and axes: 33 with z is MediaPipe's; 17 COCO's, 18 and 25 OpenPose's, 21 a
hand's, 26 HALPE's and 133 COCO-WholeBody's, which have x and y only. Unit and axes are what the tool wrote: mostly
pixels or shares of the picture, y down.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stgcnlib.errors import SkeletonFormatError, shorten, warn
from stgcnlib.readers.content import LABELS, Recording, add_labels, gather, head, read_text
from stgcnlib.readers.frames import in_time
from stgcnlib.readers.tracks import Detection, tracked
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "*.csv with a column per coordinate"
MOST_BYTES = 2**27
KNOWN = ("mediapipe-33", "openpose-25", "openpose-18", "coco-17", "halpe-26", "hand-21", "coco-wholebody-133")
AXES = {
    "x": 0, "y": 1, "z": 2,
    **dict.fromkeys(("v", "c", "visibility", "vis", "confidence", "conf", "score", "likelihood"), 3),
}  # fmt: skip
_AXIS = "|".join(sorted(AXES, key=len, reverse=True))
WIDE = (
    re.compile(rf"(?P<axis>{_AXIS})[ _.-]?(?P<joint>\d{{1,3}})"),
    re.compile(rf"(?P<joint>.*[^ _.-])[ _.-](?P<axis>{_AXIS})"),
)
PREFIX = re.compile(r"(?:pose|landmark|keypoint|joint|point|kp|lm)?[ _.-]*(\d{1,3})")
ROLES = {
    "frame": ("frame", "frame_id", "frame_index", "frame_number", "image_id", "frame number"),
    "person": ("person", "person_id", "id", "track_id", "idx", "identity"),
    "name": ("name", "video", "recording", "sequence", "clip", "file", "filename"),
    "label": ("label", "class", "action", "activity"),
    "joint": ("joint", "landmark", "keypoint", "landmark_id", "landmark_index", "joint_name", "keypoint_name"),
}


class _Table:
    """The lines of a file, and what its columns are."""

    def __init__(self, text: str) -> None:
        lines = text.splitlines()
        separator = max(",;\t", key=lines[0].count) if lines else ","
        rows = csv.reader(lines, delimiter=separator)
        header = [column.strip().lower() for column in next(rows, [])]
        self.rows = rows
        self.width = len(header)
        self.roles = {
            role: header.index(name) for role, names in ROLES.items() for name in reversed(names) if name in header
        }
        self.axes = {AXES[name]: header.index(name) for name in reversed(AXES) if name in header}
        self.is_long = "joint" in self.roles and {0, 1} <= self.axes.keys()
        self.columns: dict[str, dict[int, int]] = {}  # joint -> axis -> column, of a wide table
        for place, column in enumerate(header):
            if place not in self.roles.values() and (found := _wide(column)) is not None:
                self.columns.setdefault(found[0], {})[found[1]] = place

    @property
    def is_keypoints(self) -> bool:
        return self.is_long or sum({0, 1} <= axes.keys() for axes in self.columns.values()) >= 5


def recognises(file: Path) -> bool:
    """Whether a file is a table with coordinates of joints, by its header."""
    if file.suffix.lower() not in (".csv", ".tsv") or file.name.lower() == LABELS:
        return False
    try:
        return _Table("\n".join(head(file).splitlines()[:1])).is_keypoints
    except csv.Error:
        return False


def read(files: list[Path], source: Path) -> SequenceSet:
    """One recording per file, or per value of its column `name`; people by the column `person`, else by nearness.

    Raises:
        SkeletonFormatError: naming the first file that is damaged, and how to mend it.
    """
    recordings: list[Recording] = []
    folders: list[str] = []
    layout: SkeletonLayout | None = None
    for file in files:
        try:
            skeleton, found = _recordings(_Table(read_text(file, most=MOST_BYTES)), file)
        except csv.Error as error:
            raise SkeletonFormatError(f"{file}: is no table ({error}); save it again") from None
        if layout is not None and skeleton is not layout:
            raise SkeletonFormatError(
                f"{file}: has joints of {skeleton.name}, others of {layout.name}; read them apart"
            )
        layout = skeleton
        recordings += found
        folders += [file.parent.name] * len(found)
    assert layout is not None
    if len({r.coords.shape[-1] for r in recordings if r.coords is not None}) > 1:
        raise SkeletonFormatError(f"{source}: some tables have a confidence and others not; read them apart")
    add_labels(recordings, folders, source)
    return gather(recordings, layout=layout, source=source)


def names_joints(heading: str, layout: SkeletonLayout) -> bool:
    """Whether the first line of a table names coordinates of joints of this layout."""
    try:
        table = _Table(heading)
    except csv.Error:
        return False
    return table.is_long or bool(table.columns.keys() & {name for joint in layout.joints for name in _spellings(joint)})


def recordings(text: str, file: Path, layout: SkeletonLayout) -> list[Recording]:
    """The recordings of one table whose joints are those of a layout, in any order.

    Raises:
        SkeletonFormatError: if it is damaged, or joints are missing or unknown.
    """
    try:
        return _recordings(_Table(text), file, layout)[1]
    except csv.Error as error:
        raise SkeletonFormatError(f"{file}: is no table ({error}); save it again") from None


def _recordings(
    table: _Table, file: Path, given: SkeletonLayout | None = None
) -> tuple[SkeletonLayout, list[Recording]]:
    if given is None and not table.is_keypoints:
        raise SkeletonFormatError(
            f"{file}: no columns of joint coordinates such as x0, y0 or nose_x, nose_y; see its header"
        )
    rows: list[list[str]] = []
    for i, fields in enumerate(table.rows, start=2):
        if fields and len(fields) != table.width:
            raise SkeletonFormatError(f"{file}: line {i} has {len(fields)} fields, the header {table.width}; mend it")
        if fields:
            rows.append(fields)
    roles, axes = table.roles, sorted(table.axes) if table.is_long else sorted(next(iter(table.columns.values())))
    names = {_plain(fields[roles["joint"]]) for fields in rows} if table.is_long else set(table.columns)
    skeleton, order = _layout(names, file, with_z=2 in axes) if given is None else (given, _order(names, given, file))
    if not table.is_long and any(sorted(columns) != axes for columns in table.columns.values()):
        raise SkeletonFormatError(f"{file}: joints have different axes; give each the same columns")
    if table.is_long and "frame" not in roles:
        raise SkeletonFormatError(f"{file}: a line per joint needs a column 'frame'")
    wide = [[place for _, place in sorted(table.columns[joint].items())] for joint in order if not table.is_long]

    videos: dict[str, dict[float, list[_Person]]] = {}
    before: tuple[object, ...] = ()
    labels: dict[str, set[str]] = {}
    where = {joint: v for v, joint in enumerate(order)}
    for i, fields in enumerate(rows):
        name = fields[roles["name"]].strip() if "name" in roles else file.stem
        if "label" in roles:
            labels.setdefault(name, set()).add(fields[roles["label"]].strip())
        frame = _value(fields[roles["frame"]], file, i) if "frame" in roles else float(i)
        if not math.isfinite(frame):
            raise SkeletonFormatError(f"{file}: line {i + 2} has no frame number")
        people = videos.setdefault(name, {}).setdefault(frame, [])
        identity = fields[roles["person"]].strip() if "person" in roles else None
        told = [where[_plain(fields[roles["joint"]])]] if table.is_long else list(range(len(order)))
        if table.is_long and (name, frame, identity, told) == before:
            raise SkeletonFormatError(
                f"{file}: line {i + 2} repeats the joint of the line before; add a column 'person'"
            )
        before = (name, frame, identity, told)
        # Somebody who already has these joints is another person, even if the identity is the same.
        person = next((p for p in reversed(people) if p.identity == identity and not p.told[told].any()), None)
        if person is None:
            person = _Person(identity, np.full((len(order), len(axes)), np.nan, np.float32), np.zeros(len(order), bool))
            people.append(person)
        person.told[told] = True
        with np.errstate(over="ignore"):  # what overflows is infinite, which is refused later
            if table.is_long:
                person.joints[told] = [_value(fields[table.axes[a]], file, i) for a in axes]
            else:
                person.joints[:] = [[_value(fields[place], file, i) for place in places] for places in wide]
    recordings = []
    for name, frames in videos.items():
        said = labels.get(name, set())
        if len(said) > 1:
            raise SkeletonFormatError(f"{file}: {name} has the labels {shorten(sorted(said))}; split it into actions")
        detections = {
            frame: [Detection(p.joints, p.identity or None) for p in frames[frame]] for frame in sorted(frames)
        }
        coords = tracked(_in_time(detections, file), axes=skeleton.dimensions, source=file)
        recordings.append(Recording(name, coords, next(iter(said), None)))
    return skeleton, recordings


@dataclass
class _Person:
    """Somebody in one frame: identity in the table, joints (V, C), and (V,) which of them were read so far."""

    identity: str | None
    joints: np.ndarray[Any, np.dtype[np.float32]]
    told: np.ndarray[Any, np.dtype[np.bool_]]


def _in_time(frames: dict[float, list[Detection]], file: Path) -> Sequence[Sequence[Detection]]:
    if all(frame.is_integer() for frame in frames):
        return in_time({int(frame): found for frame, found in frames.items()}, source=file)
    warn(f"{file}: frame numbers are no whole numbers, and only tell which frame comes first")
    return list(frames.values())


def _wide(column: str) -> tuple[str, int] | None:
    for pattern in WIDE:
        if found := pattern.fullmatch(column):
            return _plain(found["joint"]), AXES[found["axis"]]
    return None


def _plain(joint: str) -> str:
    """A joint's number, or its name without case, blanks and punctuation."""
    text = joint.strip().lower()
    if found := PREFIX.fullmatch(text):
        return str(int(found[1]))
    return re.sub(r"[^a-z0-9]", "", text)


def _spellings(joint: str) -> tuple[str, str]:
    """A joint's name as `_plain` has it, and with "l" and "r" for the sides."""
    plain = _plain(joint)
    return plain, plain.replace("right", "r", 1).replace("left", "l", 1)


def _order(joints: set[str], layout: SkeletonLayout, file: Path) -> list[str]:
    """How the table spells the joints of a layout."""
    order = [next((name for name in _spellings(joint) if name in joints), "") for joint in layout.joints]
    missing = [joint for joint, name in zip(layout.joints, order, strict=True) if not name]
    if missing or len(joints) > len(order):
        raise SkeletonFormatError(
            f"{file}: its columns name {shorten(sorted(joints - set(order)), 4) or 'nothing'} beyond layout "
            f"{layout.name!r}, and lack {shorten(missing, 4) or 'nothing'}; name the columns after the joints, or mend "
            "the layout"
        )
    return order


def _layout(joints: set[str], file: Path, *, with_z: bool) -> tuple[SkeletonLayout, list[str]]:
    """The layout of these joints, and their names in its order."""
    known = [LAYOUTS[name] for name in KNOWN if (LAYOUTS[name].dimensions == 3) == with_z]
    numbers = sorted(int(joint) for joint in joints if joint.isdigit())
    if len(numbers) == len(joints) and numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        for skeleton in known:
            if len(skeleton) == len(numbers) and numbers[0] in (0, 1):
                return skeleton, [str(number) for number in numbers]
    for skeleton in known:
        order = []
        for joint in skeleton.joints:
            order += [name for name in _spellings(joint) if name in joints][:1]
        if len(order) == len(skeleton) == len(joints):
            return skeleton, order
    axes = "x, y and z" if with_z else "x and y"
    wanted = ", ".join(f"{len(skeleton)} ({skeleton.name})" for skeleton in known)
    raise SkeletonFormatError(
        f"{file}: {len(joints)} joints ({shorten(sorted(joints), 4)}) with {axes}; with these axes there are {wanted}"
    )


def _value(text: str, file: Path, i: int) -> float:
    if not (text := text.strip()):
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise SkeletonFormatError(f"{file}: line {i + 2} holds {text[:40]!r}; expected a number") from None

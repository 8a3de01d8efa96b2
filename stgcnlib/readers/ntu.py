"""NTU RGB+D and NTU RGB+D 120: Kinect v2 skeletons as text (Shahroudy et al., CVPR 2016; Liu et al., TPAMI 2020).

One ``SsssCcccPpppRrrrAaaa.skeleton`` per recording (setup, camera, performer, replication, action), 30 Hz. A frame is
the number of bodies; a body is one line of ID and tracking states, the number of joints (25), and a line per joint:
x, y, z in metres (x to the sensor's left, y up, z away from it), then places in the depth and colour images, the
orientation and a tracking state, which are not kept. Layout "ntu-rgb+d" is the published joint order.

The sensor takes furniture for bodies and gives one person several IDs. The steps here have been usual since SGN (Zhang
et al., CVPR 2020) and CTR-GCN: where several bodies appear, those of at most 11 frames and those mostly wider than high
are noise; the rest is ordered by the spread of its motion; and up to two people remain, of which each may be
tracked under several IDs, one after the other: a new ID is the person who was last seen nearest to where it begins.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers.content import Recording, gather, number, read_text, row
from stgcnlib.readers.tracks import Piece, joined
from stgcnlib.sequences import SequenceSet

__all__ = [
    "ACTIONS",
    "PATTERN",
    "XSUB_TRAIN",
    "XSUB_TRAIN_120",
    "XVIEW_TRAIN",
    "add_groups",
    "classes_of",
    "parts_of_name",
    "read",
    "recognises",
]

PATTERN = "SsssCcccPpppRrrrAaaa.skeleton"
NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", re.IGNORECASE)
JOINTS = 25
MOST_PEOPLE = 2
NOISE_FRAMES = 11  # a body seen for at most so many frames is noise
NOISE_WIDTH = 0.8  # width over height from which a body in a frame is noise
NOISE_SHARE = 0.69754  # share of such frames from which the whole body is noise

# The published protocols of NTU-60: subjects (cross-subject) and cameras (cross-view) that train.
XSUB_TRAIN = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
XVIEW_TRAIN = (2, 3)
# Cross-subject of NTU-120.
XSUB_TRAIN_120 = (
    *XSUB_TRAIN, 45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91,
    92, 93, 94, 95, 97, 98, 100, 103,
)  # fmt: skip

# A001 to A060 are NTU-60, the rest came with NTU-120.
ACTIONS = (
    "drink water", "eat meal", "brush teeth", "brush hair", "drop", "pick up", "throw", "sit down", "stand up",
    "clapping", "reading", "writing", "tear up paper", "put on jacket", "take off jacket", "put on a shoe",
    "take off a shoe", "put on glasses", "take off glasses", "put on a hat/cap", "take off a hat/cap", "cheer up",
    "hand waving", "kicking something", "reach into pocket", "hopping", "jump up", "phone call",
    "play with phone/tablet", "type on a keyboard", "point to something", "taking a selfie", "check time (from watch)",
    "rub two hands",
    "nod head/bow", "shake head", "wipe face", "salute", "put palms together", "cross hands in front", "sneeze/cough",
    "staggering", "falling down", "headache", "chest pain", "back pain", "neck pain", "nausea/vomiting", "fan self",
    "punch/slap", "kicking", "pushing", "pat on back", "point finger", "hugging", "giving object", "touch pocket",
    "shaking hands", "walking towards", "walking apart",
    "put on headphone", "take off headphone", "shoot at basket", "bounce ball", "tennis bat swing",
    "juggling table tennis ball", "hush", "flick hair", "thumb up", "thumb down", "make OK sign", "make victory sign",
    "staple book", "counting money", "cutting nails", "cutting paper", "snap fingers", "open bottle", "sniff/smell",
    "squat down", "toss a coin", "fold paper", "ball up paper", "play magic cube", "apply cream on face",
    "apply cream on hand", "put on bag", "take off bag", "put object into bag", "take object out of bag",
    "open a box", "move heavy objects", "shake fist", "throw up cap/hat", "capitulate", "cross arms", "arm circles",
    "arm swings", "run on the spot", "butt kicks", "cross toe touch", "side kick", "yawn", "stretch oneself",
    "blow nose", "hit with object", "wield knife", "knock over", "grab stuff", "shoot with gun", "step on foot",
    "high-five", "cheers and drink", "carry object", "take a photo", "follow", "whisper", "exchange things",
    "support somebody", "rock-paper-scissors",
)  # fmt: skip


class _Body(Piece):
    """What was tracked under one ID."""

    @property
    def motion(self) -> float:
        return float(self.joints.reshape(-1, 3).var(axis=0, dtype=np.float64).sum())

    @property
    def is_noise(self) -> bool:
        if len(self.frames) <= NOISE_FRAMES:
            return True
        size = np.ptp(self.joints[..., :2], axis=1)
        return bool(np.mean(size[:, 0] > NOISE_WIDTH * size[:, 1]) >= NOISE_SHARE)


def recognises(file: Path) -> bool:
    """Whether a file's name is of this format."""
    return file.suffix.lower() == ".skeleton" and NAME.fullmatch(file.stem) is not None


def read(files: list[Path], source: Path) -> SequenceSet:
    """The recordings in `files`, with groups setup, camera, subject and replication; layout "ntu-rgb+d".

    A recording is (T, 25, 3), or (2, T, 25, 3) where two people remain, the one who moves more first; frames in which
    a person is not seen are zero. Recordings without any body (the published list of broken ones names them and more;
    give that to `stgcnlib.read(skip=...)`) are left out with a warning. Classes are the 60 of NTU-60, or 120 where an
    action above 60 occurs.

    Raises:
        SkeletonFormatError: naming the first file that is damaged, and how to mend it.
    """
    recordings = []
    for file in files:
        parts = parts_of_name(file.stem)
        if parts is None:
            number_of = int(file.stem[-3:])
            raise SkeletonFormatError(f"{file}: action {number_of} does not exist; NTU RGB+D has 1 to {len(ACTIONS)}")
        groups, action = parts
        recordings.append(Recording(file.stem, _people(*_bodies(file)), action - 1, groups))
    return gather(recordings, layout="ntu-rgb+d", source=source, class_names=classes_of(recordings))


def parts_of_name(name: str) -> tuple[dict[str, int | str], int] | None:
    """Groups setup, camera, subject and replication, and the action from 1, of a name ``SsssCcccPpppRrrrAaaa``."""
    match = NAME.fullmatch(name)
    if match is None or not 1 <= int(match[5]) <= len(ACTIONS):
        return None
    setup, camera, subject, replication, action = (int(text) for text in match.groups())
    return {"setup": setup, "camera": camera, "subject": subject, "replication": replication}, action


def add_groups(recordings: list[Recording]) -> tuple[str, ...] | None:
    """Groups where all recordings are NTU's by name; its class names where their labels are the actions."""
    found = [parts for recording in recordings if (parts := parts_of_name(recording.name)) is not None]
    if len(found) < len(recordings):
        return None
    for recording, (groups, _) in zip(recordings, found, strict=True):
        recording.groups.update(groups)
    same = all(recording.label == action - 1 for recording, (_, action) in zip(recordings, found, strict=True))
    return classes_of(recordings) if same else None


def classes_of(recordings: list[Recording]) -> tuple[str, ...]:
    """The 60 classes of NTU-60, or all 120 where a label is 60 or more."""
    return ACTIONS[:60] if all(int(recording.label or 0) < 60 for recording in recordings) else ACTIONS


def _bodies(file: Path) -> tuple[int, list[_Body]]:
    """Number of frames, and what was tracked under each ID in order of appearance."""
    lines = read_text(file).splitlines()
    place = 0

    def next_line(where: str) -> str:
        nonlocal place
        if place >= len(lines):
            raise SkeletonFormatError(f"{file}: ends at line {place}, before {where}; truncated, copy it again")
        place += 1
        return lines[place - 1]

    frames = number(next_line("the number of frames"), file, "the number of frames (line 1)")
    seen: dict[tuple[str, int], tuple[list[int], list[list[list[float]]]]] = {}
    for t in range(frames):
        here: list[str] = []
        for _ in range(number(next_line(f"frame {t}"), file, f"the number of bodies of frame {t} (line {place})")):
            name = (next_line(f"a body of frame {t}").split() or [""])[0]
            joints = number(next_line(f"a body of frame {t}"), file, f"the number of joints in frame {t}")
            if joints != JOINTS:
                raise SkeletonFormatError(f"{file}: frame {t} has a body of {joints} joints; NTU RGB+D has {JOINTS}")
            pose = [row(next_line(f"a joint of frame {t}"), file, f"line {place}", least=3) for _ in range(JOINTS)]
            times, poses = seen.setdefault((name, here.count(name)), ([], []))  # an ID twice in a frame: two bodies
            here.append(name)
            times.append(t)
            poses.append(pose)
    if any(line.strip() for line in lines[place:]):
        raise SkeletonFormatError(f"{file}: goes on after its {frames} frames (line {place + 1}); copy it again")
    with np.errstate(over="ignore"):  # what overflows is infinite, which is refused below
        bodies = [_Body(np.array(times), np.array(poses, dtype=np.float32)) for times, poses in seen.values()]
    if not all(np.isfinite(body.joints).all() for body in bodies):
        raise SkeletonFormatError(f"{file}: coordinates are NaN or infinite; mend or leave out the file")
    return frames, bodies


def _people(frames: int, bodies: list[_Body]) -> NDArray[np.float32] | None:
    """(T, 25, 3) or (2, T, 25, 3) of the main people, or `None` where nobody was tracked."""
    if not bodies:
        return None
    bodies = sorted(bodies, key=lambda body: body.motion, reverse=True)
    bodies = [body for body in bodies if not body.is_noise] or bodies[:1]
    person = joined(bodies, most=MOST_PEOPLE, axes=3)
    order = list(dict.fromkeys(m for m in person if m is not None))  # who moves more comes first, as the bodies do
    coords = np.zeros((len(order), frames, JOINTS, 3), dtype=np.float32)
    for body, m in zip(bodies, person, strict=True):
        if m is not None:
            coords[order.index(m), body.frames] = body.joints
    return coords if len(coords) > 1 else coords[0]

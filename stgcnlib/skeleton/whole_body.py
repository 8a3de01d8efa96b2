"""Layouts of hands, and of the whole body with hands and face: 2-D, x to the right, y down."""

from __future__ import annotations

from stgcnlib.skeleton.definition import SkeletonLayout
from stgcnlib.skeleton.estimators import ESTIMATORS

__all__ = ["WHOLE"]

_COCO_17 = next(known for known in ESTIMATORS if known.name == "coco-17")
_FINGERS = ("thumb", "index", "middle", "ring", "little")
_HAND_JOINTS = ("wrist", *(f"{finger} {k}" for finger in _FINGERS for k in (1, 2, 3, 4)))
_HAND_BONES = tuple((v, 0 if v % 4 == 1 else v - 1) for v in range(1, 21))

# MediaPipe Hands, OpenPose's hands, COCO-WholeBody and PYSKL's gestures: each finger from the palm to its tip.
_HAND_21 = SkeletonLayout(
    name="hand-21",
    joints=_HAND_JOINTS,
    bones=_HAND_BONES,
    centre=0,
    limbs={finger: tuple(range(4 * k + 1, 4 * k + 5)) for k, finger in enumerate(_FINGERS)},
    dimensions=2,
)

# The 68 points of a face (iBUG): jaw, brows, nose, eyes, mouth, as a tree from the tip of the nose (30).
_FACE_BONES = (
    (29, 30), (28, 29), (27, 28), (33, 30), (32, 33), (31, 32), (34, 33), (35, 34),
    (21, 27), (20, 21), (19, 20), (18, 19), (17, 18), (22, 27), (23, 22), (24, 23), (25, 24), (26, 25),
    (39, 27), (38, 39), (37, 38), (36, 37), (40, 39), (41, 40), (42, 27), (43, 42), (44, 43), (45, 44), (47, 42),
    (46, 47),
    (51, 33), (50, 51), (49, 50), (48, 49), (52, 51), (53, 52), (54, 53), (62, 51), (61, 62), (60, 61), (63, 62),
    (64, 63), (66, 62), (67, 66), (65, 66), (57, 66), (58, 57), (59, 58), (56, 57), (55, 56),
    (8, 57), *((k, k + 1) for k in range(8)), *((k, k - 1) for k in range(9, 17)),
)  # fmt: skip
# (left, right); the left side of the face has the larger numbers.
_FACE_MIRROR = (
    *((16 - k, k) for k in range(8)), *((26 - k, 17 + k) for k in range(5)), (35, 31), (34, 32),
    (45, 36), (44, 37), (43, 38), (42, 39), (47, 40), (46, 41),
    (54, 48), (53, 49), (52, 50), (55, 59), (56, 58), (64, 60), (63, 61), (65, 67),
)  # fmt: skip
_SIDES = {k: side for pair in _FACE_MIRROR for k, side in zip(pair, ("left ", "right "), strict=True)}
_NUMBERS = dict(_FACE_MIRROR)
# A point of the left side has the number of its partner.
_FACE_JOINTS = tuple(f"{_SIDES.get(k, '')}face {_NUMBERS.get(k, k)}" for k in range(68))
_FACE, _LEFT_HAND, _RIGHT_HAND = 23, 91, 112


def _moved(pairs: tuple[tuple[int, int], ...], by: int) -> tuple[tuple[int, int], ...]:
    return tuple((a + by, b + by) for a, b in pairs)


# COCO-WholeBody (Jin et al., ECCV 2020): COCO's 17, feet, face, left and right hand.
_WHOLE_BODY_133 = SkeletonLayout(
    name="coco-wholebody-133",
    joints=(
        *_COCO_17.joints, "left big toe", "left small toe", "left heel", "right big toe", "right small toe",
        "right heel", *_FACE_JOINTS, *(f"left hand {name}" for name in _HAND_JOINTS),
        *(f"right hand {name}" for name in _HAND_JOINTS),
    ),
    bones=(
        *_COCO_17.bones, (17, 15), (18, 17), (19, 15), (20, 16), (21, 20), (22, 16), (_FACE + 30, 0),
        *_moved(_FACE_BONES, _FACE), (_LEFT_HAND, 9), *_moved(_HAND_BONES, _LEFT_HAND), (_RIGHT_HAND, 10),
        *_moved(_HAND_BONES, _RIGHT_HAND),
    ),
    centre=0,
    mirror=(
        *_COCO_17.mirror, (17, 20), (18, 21), (19, 22), *_moved(_FACE_MIRROR, _FACE),
        *((_LEFT_HAND + k, _RIGHT_HAND + k) for k in range(21)),
    ),
    spine=None,
    shoulders=(5, 6),
    limbs={
        "head": (0, 1, 2, 3, 4),
        "left arm": (5, 7, 9),
        "right arm": (6, 8, 10),
        "left leg": (11, 13, 15, 17, 18, 19),
        "right leg": (12, 14, 16, 20, 21, 22),
        "face": tuple(range(_FACE, _LEFT_HAND)),
        "left hand": tuple(range(_LEFT_HAND, _RIGHT_HAND)),
        "right hand": tuple(range(_RIGHT_HAND, 133)),
    },
    dimensions=2,
)  # fmt: skip

WHOLE = (_HAND_21, _WHOLE_BODY_133)

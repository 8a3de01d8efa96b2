"""Layouts of pose estimators on pictures: x to the right, y down, mostly a confidence; 2-D, except MediaPipe's body."""

from __future__ import annotations

from stgcnlib.skeleton.definition import SkeletonLayout

__all__ = ["ESTIMATORS"]

_OPENPOSE_18 = SkeletonLayout(
    name="openpose-18",
    joints=(
        "nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist",
        "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle",
        "right eye", "left eye", "right ear", "left ear",
    ),
    bones=(
        (4, 3), (3, 2), (7, 6), (6, 5), (13, 12), (12, 11), (10, 9), (9, 8), (11, 5), (8, 2),
        (5, 1), (2, 1), (0, 1), (15, 0), (14, 0), (17, 15), (16, 14),
    ),
    centre=1,
    mirror=((5, 2), (6, 3), (7, 4), (11, 8), (12, 9), (13, 10), (15, 14), (17, 16)),
    spine=None,
    shoulders=(5, 2),
    limbs={
        "head": (0, 1, 14, 15, 16, 17),
        "left arm": (5, 6, 7),
        "right arm": (2, 3, 4),
        "left leg": (11, 12, 13),
        "right leg": (8, 9, 10),
    },
    dimensions=2,
)  # fmt: skip

_OPENPOSE_25 = SkeletonLayout(
    name="openpose-25",
    joints=(
        "nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist",
        "mid hip", "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle",
        "right eye", "left eye", "right ear", "left ear",
        "left big toe", "left small toe", "left heel", "right big toe", "right small toe", "right heel",
    ),
    bones=(
        (0, 1), (2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 6), (8, 1), (9, 8), (10, 9), (11, 10), (12, 8), (13, 12),
        (14, 13), (15, 0), (16, 0), (17, 15), (18, 16), (19, 14), (20, 19), (21, 14), (22, 11), (23, 22), (24, 11),
    ),
    centre=1,
    mirror=((5, 2), (6, 3), (7, 4), (12, 9), (13, 10), (14, 11), (16, 15), (18, 17), (19, 22), (20, 23), (21, 24)),
    spine=(8, 1),
    shoulders=(5, 2),
    limbs={
        "head": (0, 15, 16, 17, 18),
        "trunk": (1, 8),
        "left arm": (5, 6, 7),
        "right arm": (2, 3, 4),
        "left leg": (12, 13, 14, 19, 20, 21),
        "right leg": (9, 10, 11, 22, 23, 24),
    },
    dimensions=2,
)  # fmt: skip

_COCO_17 = SkeletonLayout(
    name="coco-17",
    joints=(
        "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder",
        "left elbow", "right elbow", "left wrist", "right wrist", "left hip", "right hip",
        "left knee", "right knee", "left ankle", "right ankle",
    ),
    bones=(
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 5), (12, 6), (9, 7), (7, 5), (10, 8), (8, 6),
        (5, 0), (6, 0), (1, 0), (3, 1), (2, 0), (4, 2),
    ),
    centre=0,
    mirror=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    spine=None,
    shoulders=(5, 6),
    limbs={
        "head": (0, 1, 2, 3, 4),
        "left arm": (5, 7, 9),
        "right arm": (6, 8, 10),
        "left leg": (11, 13, 15),
        "right leg": (12, 14, 16),
    },
    dimensions=2,
)  # fmt: skip

# COCO's 17, then head, neck, hip and the feet: AlphaPose and MMPose.
_HALPE_26 = SkeletonLayout(
    name="halpe-26",
    joints=(
        *_COCO_17.joints, "head", "neck", "mid hip", "left big toe", "right big toe", "left small toe",
        "right small toe", "left heel", "right heel",
    ),
    bones=(
        (0, 18), (1, 0), (2, 0), (3, 1), (4, 2), (5, 18), (6, 18), (7, 5), (8, 6), (9, 7), (10, 8), (11, 19), (12, 19),
        (13, 11), (14, 12), (15, 13), (16, 14), (17, 0), (19, 18), (20, 15), (21, 16), (22, 20), (23, 21), (24, 15),
        (25, 16),
    ),
    centre=18,
    mirror=(*_COCO_17.mirror, (20, 21), (22, 23), (24, 25)),
    spine=(19, 18),
    shoulders=(5, 6),
    limbs={
        "head": (0, 1, 2, 3, 4, 17),
        "trunk": (18, 19),
        "left arm": (5, 7, 9),
        "right arm": (6, 8, 10),
        "left leg": (11, 13, 15, 20, 22, 24),
        "right leg": (12, 14, 16, 21, 23, 25),
    },
    dimensions=2,
)  # fmt: skip

_MEDIAPIPE_33 = SkeletonLayout(
    name="mediapipe-33",
    joints=(
        "nose", "left eye inner", "left eye", "left eye outer", "right eye inner", "right eye", "right eye outer",
        "left ear", "right ear", "mouth left", "mouth right", "left shoulder", "right shoulder",
        "left elbow", "right elbow", "left wrist", "right wrist", "left pinky", "right pinky",
        "left index", "right index", "left thumb", "right thumb", "left hip", "right hip", "left knee", "right knee",
        "left ankle", "right ankle", "left heel", "right heel", "left foot index", "right foot index",
    ),
    bones=(
        (1, 0), (2, 1), (3, 2), (4, 0), (5, 4), (6, 5), (7, 3), (8, 6), (9, 0), (10, 0), (11, 0), (12, 0),
        (13, 11), (14, 12), (15, 13), (16, 14), (17, 15), (18, 16), (19, 15), (20, 16), (21, 15), (22, 16),
        (23, 11), (24, 12), (25, 23), (26, 24), (27, 25), (28, 26), (29, 27), (30, 28), (31, 29), (32, 30),
    ),
    centre=0,
    mirror=(
        (1, 4), (2, 5), (3, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16), (17, 18), (19, 20), (21, 22), (23, 24),
        (25, 26), (27, 28), (29, 30), (31, 32),
    ),
    spine=None,
    shoulders=(11, 12),
    limbs={
        "head": (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        "left arm": (11, 13, 15, 17, 19, 21),
        "right arm": (12, 14, 16, 18, 20, 22),
        "left leg": (23, 25, 27, 29, 31),
        "right leg": (24, 26, 28, 30, 32),
    },
)  # fmt: skip

ESTIMATORS = (_OPENPOSE_18, _OPENPOSE_25, _COCO_17, _HALPE_26, _MEDIAPIPE_33)

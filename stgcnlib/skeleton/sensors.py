"""Layouts of depth sensors and of motion capture, 3-D; positions in metres unless a reader says otherwise."""

from __future__ import annotations

from stgcnlib.skeleton.definition import SkeletonLayout

__all__ = ["SENSORS"]

_NTU = SkeletonLayout(
    name="ntu-rgb+d",
    joints=(
        "spine base", "spine mid", "neck", "head",
        "left shoulder", "left elbow", "left wrist", "left hand",
        "right shoulder", "right elbow", "right wrist", "right hand",
        "left hip", "left knee", "left ankle", "left foot",
        "right hip", "right knee", "right ankle", "right foot",
        "spine shoulder", "left hand tip", "left thumb", "right hand tip", "right thumb",
    ),
    bones=(
        (0, 1), (1, 20), (2, 20), (3, 2), (4, 20), (5, 4), (6, 5), (7, 6), (8, 20), (9, 8), (10, 9), (11, 10),
        (12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18),
        (21, 22), (22, 7), (23, 24), (24, 11),
    ),
    centre=20,
    mirror=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19), (21, 23), (22, 24)),
    spine=(0, 20),
    shoulders=(4, 8),
    limbs={
        "trunk": (0, 1, 20, 2, 3),
        "left arm": (4, 5, 6, 7, 21, 22),
        "right arm": (8, 9, 10, 11, 23, 24),
        "left leg": (12, 13, 14, 15),
        "right leg": (16, 17, 18, 19),
    },
)  # fmt: skip

_KINECT_V1 = SkeletonLayout(
    name="kinect-v1",
    joints=(
        "head", "shoulder centre", "spine", "hip centre",
        "left shoulder", "left elbow", "left wrist", "left hand",
        "right shoulder", "right elbow", "right wrist", "right hand",
        "left hip", "left knee", "left ankle", "left foot",
        "right hip", "right knee", "right ankle", "right foot",
    ),
    bones=(
        (0, 1), (2, 1), (3, 2), (4, 1), (5, 4), (6, 5), (7, 6), (8, 1), (9, 8), (10, 9), (11, 10),
        (12, 3), (13, 12), (14, 13), (15, 14), (16, 3), (17, 16), (18, 17), (19, 18),
    ),
    centre=1,
    mirror=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19)),
    spine=(3, 1),
    shoulders=(4, 8),
    limbs={
        "trunk": (0, 1, 2, 3),
        "left arm": (4, 5, 6, 7),
        "right arm": (8, 9, 10, 11),
        "left leg": (12, 13, 14, 15),
        "right leg": (16, 17, 18, 19),
    },
)  # fmt: skip

_NW_UCLA = SkeletonLayout(
    name="nw-ucla",
    joints=(
        "hip centre", "spine", "shoulder centre", "head",
        "left shoulder", "left elbow", "left wrist", "left hand",
        "right shoulder", "right elbow", "right wrist", "right hand",
        "left hip", "left knee", "left ankle", "left foot",
        "right hip", "right knee", "right ankle", "right foot",
    ),
    bones=(
        (0, 1), (1, 2), (3, 2), (4, 2), (5, 4), (6, 5), (7, 6), (8, 2), (9, 8), (10, 9), (11, 10),
        (12, 0), (13, 12), (14, 13), (15, 14), (16, 0), (17, 16), (18, 17), (19, 18),
    ),
    centre=2,
    mirror=_KINECT_V1.mirror,
    spine=(0, 2),
    shoulders=(4, 8),
    limbs=_KINECT_V1.limbs,
)  # fmt: skip

# What OpenNI and NITE track: KARD, Florence 3D and SBU have it, in the order of SBU's and Florence's files.
_OPENNI_15 = SkeletonLayout(
    name="openni-15",
    joints=(
        "head", "neck", "torso", "left shoulder", "left elbow", "left hand",
        "right shoulder", "right elbow", "right hand", "left hip", "left knee", "left foot",
        "right hip", "right knee", "right foot",
    ),
    bones=(
        (0, 1), (1, 2), (3, 1), (4, 3), (5, 4), (6, 1), (7, 6), (8, 7), (9, 2), (10, 9), (11, 10), (12, 2), (13, 12),
        (14, 13),
    ),
    centre=2,
    mirror=((3, 6), (4, 7), (5, 8), (9, 12), (10, 13), (11, 14)),
    spine=(2, 1),
    shoulders=(3, 6),
    limbs={
        "trunk": (0, 1, 2),
        "left arm": (3, 4, 5),
        "right arm": (6, 7, 8),
        "left leg": (9, 10, 11),
        "right leg": (12, 13, 14),
    },
)  # fmt: skip

# The 17 joints of Human3.6M that pose estimation uses, in the order of VideoPose3D.
_H36M_17 = SkeletonLayout(
    name="human3.6m-17",
    joints=(
        "pelvis", "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle",
        "spine", "thorax", "neck", "head", "left shoulder", "left elbow", "left wrist",
        "right shoulder", "right elbow", "right wrist",
    ),
    bones=(
        (1, 0), (2, 1), (3, 2), (4, 0), (5, 4), (6, 5), (7, 0), (8, 7), (9, 8), (10, 9), (11, 8), (12, 11), (13, 12),
        (14, 8), (15, 14), (16, 15),
    ),
    centre=8,
    mirror=((4, 1), (5, 2), (6, 3), (11, 14), (12, 15), (13, 16)),
    spine=(0, 8),
    shoulders=(11, 14),
    limbs={
        "trunk": (0, 7, 8, 9, 10),
        "left arm": (11, 12, 13),
        "right arm": (14, 15, 16),
        "left leg": (4, 5, 6),
        "right leg": (1, 2, 3),
    },
)  # fmt: skip

# All 32 joints of its motion capture; some lie on top of each other, and those of hands and toes hardly move.
_H36M_32 = SkeletonLayout(
    name="human3.6m-32",
    joints=(
        "pelvis", "right hip", "right knee", "right ankle", "right foot", "right toe",
        "left hip", "left knee", "left ankle", "left foot", "left toe",
        "spine base", "spine", "thorax", "neck", "head",
        "left collar", "left shoulder", "left elbow", "left wrist", "left hand", "left thumb",
        "left palm", "left finger",
        "right collar", "right shoulder", "right elbow", "right wrist", "right hand", "right thumb",
        "right palm", "right finger",
    ),
    bones=(
        (1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 0), (7, 6), (8, 7), (9, 8), (10, 9), (11, 0), (12, 11), (13, 12),
        (14, 13), (15, 14), (16, 13), (17, 16), (18, 17), (19, 18), (20, 19), (21, 20), (22, 19), (23, 22), (24, 13),
        (25, 24), (26, 25), (27, 26), (28, 27), (29, 28), (30, 27), (31, 30),
    ),
    centre=13,
    mirror=(
        (6, 1), (7, 2), (8, 3), (9, 4), (10, 5), (16, 24), (17, 25), (18, 26), (19, 27), (20, 28), (21, 29), (22, 30),
        (23, 31),
    ),
    spine=(0, 13),
    shoulders=(17, 25),
    limbs={
        "trunk": (0, 11, 12, 13, 14, 15),
        "left arm": (16, 17, 18, 19, 20, 21, 22, 23),
        "right arm": (24, 25, 26, 27, 28, 29, 30, 31),
        "left leg": (6, 7, 8, 9, 10),
        "right leg": (1, 2, 3, 4, 5),
    },
)  # fmt: skip

# The joints of the body model SMPL, which HumanAct12 and AMASS have.
_SMPL_24 = SkeletonLayout(
    name="smpl-24",
    joints=(
        "pelvis", "left hip", "right hip", "lower spine", "left knee", "right knee", "middle spine",
        "left ankle", "right ankle", "upper spine", "left foot", "right foot", "neck", "left collar", "right collar",
        "head", "left shoulder", "right shoulder", "left elbow", "right elbow", "left wrist", "right wrist",
        "left hand", "right hand",
    ),
    bones=(
        (1, 0), (2, 0), (3, 0), (4, 1), (5, 2), (6, 3), (7, 4), (8, 5), (9, 6), (10, 7), (11, 8), (12, 9), (13, 9),
        (14, 9), (15, 12), (16, 13), (17, 14), (18, 16), (19, 17), (20, 18), (21, 19), (22, 20), (23, 21),
    ),
    centre=9,
    mirror=((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (22, 23)),
    spine=(0, 12),
    shoulders=(16, 17),
    limbs={
        "trunk": (0, 3, 6, 9, 12, 15),
        "left arm": (13, 16, 18, 20, 22),
        "right arm": (14, 17, 19, 21, 23),
        "left leg": (1, 4, 7, 10),
        "right leg": (2, 5, 8, 11),
    },
)  # fmt: skip

# What the estimator LCR-Net finds, as in Toyota Smarthome.
_LCRNET_13 = SkeletonLayout(
    name="lcr-net-13",
    joints=(
        "right ankle", "left ankle", "right knee", "left knee", "right hip", "left hip", "right wrist", "left wrist",
        "right elbow", "left elbow", "right shoulder", "left shoulder", "head",
    ),
    bones=(
        (0, 2), (1, 3), (2, 4), (3, 5), (4, 10), (5, 11), (6, 8), (7, 9), (8, 10), (9, 11), (10, 12), (11, 12),
    ),
    centre=12,
    mirror=((1, 0), (3, 2), (5, 4), (7, 6), (9, 8), (11, 10)),
    spine=None,
    shoulders=(11, 10),
    limbs={
        "head": (12,),
        "left arm": (11, 9, 7),
        "right arm": (10, 8, 6),
        "left leg": (5, 3, 1),
        "right leg": (4, 2, 0),
    },
)  # fmt: skip

SENSORS = (_NTU, _KINECT_V1, _NW_UCLA, _OPENNI_15, _H36M_17, _H36M_32, _SMPL_24, _LCRNET_13)

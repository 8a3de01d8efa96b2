"""Preparing sequences: SequenceSet in, SequenceSet out.

`prepare` holds what stgcnlib does by itself (centre, turn, scale, resample, subsample, mirror); `joints` takes some
joints, or those of another layout; `published` does what checkpoints of others expect; `cut` makes windows of long
series; `corrupt` adds noise and losses, for studies of robustness. Nothing is changed in place.
"""

from __future__ import annotations

from stgcnlib.transforms.corrupt import drop_frames, drop_joints, jitter, motion_share, rotate
from stgcnlib.transforms.cut import windows
from stgcnlib.transforms.joints import keep_joints, to_layout
from stgcnlib.transforms.prepare import (
    centre,
    face_front,
    main_person,
    mirror,
    normalize,
    resample,
    scale,
    standardize,
    subsample,
)
from stgcnlib.transforms.published import (
    PUBLISHED,
    kinetics_normalize,
    kinetics_normalize_up,
    ntu_normalize,
    pad_with_zeros,
    published,
    pyskl_normalize_2d,
    pyskl_normalize_3d,
)
from stgcnlib.transforms.streams import bone_stream, motion_stream

__all__ = [
    "PUBLISHED",
    "bone_stream",
    "centre",
    "drop_frames",
    "drop_joints",
    "face_front",
    "jitter",
    "keep_joints",
    "kinetics_normalize",
    "kinetics_normalize_up",
    "main_person",
    "mirror",
    "motion_share",
    "motion_stream",
    "normalize",
    "ntu_normalize",
    "pad_with_zeros",
    "published",
    "pyskl_normalize_2d",
    "pyskl_normalize_3d",
    "resample",
    "rotate",
    "scale",
    "standardize",
    "subsample",
    "to_layout",
    "windows",
]

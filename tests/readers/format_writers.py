"""Small, really formatted files of every format, for tests; `WRITERS` has them by format."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import LAYOUTS

Array = NDArray[np.float64]


def motion(frames: int, joints: int, axes: int = 3, *, seed: int = 0) -> Array:
    """(frames, joints, axes): a random figure that drifts, away from zero."""
    rng = np.random.default_rng(seed)
    figure = rng.uniform(0.2, 0.8, (joints, axes))
    return figure + 0.01 * np.arange(frames)[:, None, None] + rng.normal(0, 0.001, (frames, joints, axes))


def write_npz(folder: Path) -> Path:
    file = folder / "set.npz"
    SequenceSet([motion(6, 20), motion(4, 20, seed=1)], labels=[0, 1], layout="kinect-v1").save(file)
    return file


def write_utd(folder: Path) -> Path:
    file = folder / "a1_s1_t1_skeleton.mat"
    savemat(file, {"d_skel": motion(6, 20).transpose(1, 2, 0)})
    return file


def write_nw_ucla(folder: Path) -> Path:
    file = folder / "a01_s01_e00_v01.json"
    content = {"file_name": file.stem, "skeletons": motion(4, 20).round(4).tolist(), "label": 1}
    file.write_text(json.dumps(content))
    return file


def write_ntu(folder: Path, name: str = "S001C002P003R002A007") -> Path:
    lines = ["4"]
    people = [motion(4, 25, seed=k) * [1, 2, 1] for k in range(2)]
    for t in range(4):
        lines.append("2")
        for k, person in enumerate(people):
            lines += [f"7205759403793{k} 0 1 1 1 1 0 0.01 -0.02 2", "25"]
            lines += [" ".join(f"{v:.6g}" for v in (*joint, *range(8))) + " 2" for joint in person[t]]
    file = folder / f"{name}.skeleton"
    file.write_text("\n".join(lines) + "\n")
    return file


def annotation(name: str, label: int, keypoint: Array, **more: Any) -> dict[str, Any]:
    return {"frame_dir": name, "label": label, "total_frames": keypoint.shape[1], "keypoint": keypoint, **more}


def coco_annotations(dtype: str = "float16") -> dict[str, Any]:
    rng = np.random.default_rng(4)
    annotations = [
        annotation(
            f"video{k}",
            k % 2,
            rng.uniform(10, 300, (1 + k % 2, 5 + k, 17, 2)).astype(dtype),
            keypoint_score=rng.uniform(0.3, 1, (1 + k % 2, 5 + k, 17)).astype(dtype),
            img_shape=(240, 320),
            original_shape=(240, 320),
        )
        for k in range(4)
    ]
    split = {"train1": ["video0", "video1"], "test1": ["video2", "video3"]}
    return {"split": split, "annotations": annotations}


def write_pyskl(folder: Path, content: Any = None, *, protocol: int = 4) -> Path:
    file = folder / "annotations.pkl"
    file.write_bytes(pickle.dumps(coco_annotations() if content is None else content, protocol=protocol))
    return file


def kinetics_clip(frames: list[list[Array]], **more: Any) -> dict[str, Any]:
    """Frames of people (18, 3), x, y and score."""
    data = [
        {
            "frame_index": t,
            "skeleton": [
                {"pose": p[:, :2].reshape(-1).round(3).tolist(), "score": p[:, 2].round(3).tolist()} for p in people
            ],
        }
        for t, people in enumerate(frames, start=1)
    ]
    return {"data": data, **more}


def write_kinetics(folder: Path) -> Path:
    file = folder / "abcdefghijk.json"
    one = motion(5, 18)
    clip = kinetics_clip([[], *([pose] for pose in one)], label="juggling balls", label_index=171)
    file.write_text(json.dumps(clip))
    return file


def write_msr(folder: Path) -> Path:
    file = folder / "a05_s02_e03_skeleton3D.txt"
    rows = np.concatenate([motion(4, 20).reshape(-1, 3), np.ones((80, 1))], axis=1)
    file.write_text("\n".join("  ".join(f"{v:.5f}" for v in values) for values in rows) + "\n")
    return file


def write_utkinect(folder: Path) -> Path:
    file = folder / "joints_s01_e01.txt"
    lines = [
        " ".join([str(t), *(f"{v:.5f}" for v in pose.reshape(-1))])
        for t, pose in zip((10, 12, 14, 20, 22), motion(5, 20), strict=True)
    ]
    file.write_text("\n".join(lines) + "\n")
    (folder / "actionLabel.txt").write_text("s01_e01\nwalk: 10 14\nsitDown: 20 30 \ncarry: NaN NaN\n")
    return file


BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Neck
  {
    OFFSET 0 10 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 2 0
    }
  }
  JOINT LeftArm
  {
    OFFSET 3 9 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
  JOINT RightArm
  {
    OFFSET -3 9 0
    CHANNELS 3 Yrotation Zrotation Xrotation
    End Site
    {
      OFFSET -5 0 0
    }
  }
}
MOTION
Frames: 4
Frame Time: 0.033333
"""


def write_bvh(folder: Path, name: str = "walk") -> Path:
    file = folder / f"{name}.bvh"
    values = np.random.default_rng(2).uniform(-40, 40, (4, 15))
    file.write_text(BVH + "\n".join(" ".join(f"{v:.4f}" for v in line) for line in values) + "\n")
    return file


def openpose_frame(people: list[Array]) -> dict[str, Any]:
    return {
        "version": 1.3,
        "people": [{"person_id": [-1], "pose_keypoints_2d": p.reshape(-1).round(3).tolist()} for p in people],
    }


def write_openpose(folder: Path, video: str = "clip", joints: int = 25) -> Path:
    for t, pose in enumerate(motion(4, joints) * [300, 200, 1]):
        (folder / f"{video}_{t:012d}_keypoints.json").write_text(json.dumps(openpose_frame([pose])))
    return folder


def write_openpose_frame(folder: Path) -> Path:
    file = folder / "clip_000000000000_keypoints.json"
    file.write_text(json.dumps(openpose_frame([motion(1, 25)[0] * [300, 200, 1]])))
    return file


def coco_detections(people: Array, **more: Any) -> list[dict[str, Any]]:
    """A detection per frame of (T, 17, 3)."""
    return [
        {"image_id": t, "category_id": 1, "keypoints": pose.reshape(-1).round(3).tolist(), "score": 2.5, **more}
        for t, pose in enumerate(people)
    ]


def write_coco(folder: Path) -> Path:
    file = folder / "results.json"
    file.write_text(json.dumps(coco_detections(motion(4, 17) * [300, 200, 1])))
    return file


def write_mmpose(folder: Path) -> Path:
    file = folder / "mmpose.json"
    frames = [
        {
            "frame_id": t,
            "instances": [{"keypoints": p[:, :2].round(3).tolist(), "keypoint_scores": p[:, 2].round(3).tolist()}],
        }
        for t, p in enumerate(motion(4, 17) * [300, 200, 1], start=1)
    ]
    file.write_text(json.dumps({"meta_info": {"dataset_name": "coco"}, "instance_info": frames}))
    return file


def landmarks(pose: Array) -> list[dict[str, float]]:
    return [dict(zip(("x", "y", "z", "visibility"), map(float, joint.round(4)), strict=True)) for joint in pose]


def write_mediapipe(folder: Path) -> Path:
    file = folder / "landmarks.json"
    file.write_text(json.dumps([{"frame": t, "landmarks": landmarks(p)} for t, p in enumerate(motion(3, 33, 4))]))
    return file


def write_wide_csv(folder: Path) -> Path:
    file = folder / "wide.csv"
    header = ",".join(f"{axis}{v}" for v in range(33) for axis in "xyzv")
    lines = [",".join(f"{value:.4f}" for value in pose.reshape(-1)) for pose in motion(4, 33, 4)]
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def write_long_csv(folder: Path) -> Path:
    file = folder / "long.csv"
    names = [name.replace(" ", "_") for name in LAYOUTS["coco-17"].joints]
    lines = [
        f"{t},{names[v]},{x:.2f},{y:.2f},{c:.3f}"
        for t, pose in enumerate(motion(4, 17) * [300, 200, 1])
        for v, (x, y, c) in enumerate(pose)
    ]
    file.write_text("\n".join(["frame,keypoint,x,y,confidence", *lines]) + "\n")
    return file


def write_basicts(folder: Path) -> Path:
    """The description; the series and the graph lie beside it."""
    rng = np.random.default_rng(5)
    (folder / "data.dat").write_bytes(rng.random((20, 4, 1), dtype=np.float32).tobytes())
    (folder / "adj_mx.pkl").write_bytes(pickle.dumps(np.eye(4, k=1)))
    file = folder / "desc.json"
    file.write_text(json.dumps({"name": "toy", "shape": [20, 4, 1]}))
    return file


def write_basicts_graph(folder: Path) -> Path:
    return write_basicts(folder).with_name("adj_mx.pkl")


def write_basicts_part(folder: Path) -> Path:
    """One part of a newer folder."""
    (folder / "meta.json").write_text(json.dumps({"name": "toy"}))
    file = folder / "train_data.npy"
    np.save(file, np.random.default_rng(5).random((20, 4), dtype=np.float32))
    np.save(folder / "adj_mx.npy", np.eye(4, k=1))
    return file


def padded(recordings: list[Array], frames: int, people: int = 2) -> Array:
    """(N, M, frames, V, C) of (M, T, V, C) recordings, zeros behind and after them."""
    result = np.zeros((len(recordings), people, frames, *recordings[0].shape[2:]))
    for place, recording in zip(result, recordings, strict=True):
        place[: len(recording), : recording.shape[1]] = recording
    return result


NTU_NAMES = ("S001C001P001R001A001", "S001C002P003R002A060")


def ntu_recordings() -> list[Array]:
    return [motion(5, 25)[None], np.stack([motion(7, 25, seed=k) for k in (1, 2)])]


def write_stgcn(folder: Path) -> Path:
    """The array; its labels lie beside it."""
    file = folder / "train_data.npy"
    np.save(file, padded(ntu_recordings(), 12).transpose(0, 4, 2, 3, 1).astype(np.float32))
    label = ([f"{name}.skeleton" for name in NTU_NAMES], [0, 59])
    (folder / "train_label.pkl").write_bytes(pickle.dumps(label))
    return file


def write_stgcn_labels(folder: Path) -> Path:
    return write_stgcn(folder).with_name("train_label.pkl")


def write_ctrgcn(folder: Path) -> Path:
    file = folder / "NTU60_CS.npz"
    x = padded(ntu_recordings(), 12).transpose(0, 2, 1, 3, 4).reshape(2, 12, 150).astype(np.float32)
    y = np.eye(60)[[0, 59]]
    np.savez(file, x_train=x[:1], y_train=y[:1], x_test=x[1:], y_test=y[1:])
    return file


POSETRACK = (
    "nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip


def annotated(people: Array, *, joints: tuple[str, ...] = POSETRACK) -> dict[str, Any]:
    """Annotations of (M, T, V, 2), one video of numbered pictures."""
    M, T = people.shape[:2]
    return {
        "categories": [{"id": 1, "name": "person", "keypoints": list(joints), "skeleton": [[1, 2], [2, 3], [2, 1]]}],
        "images": [
            {"id": 10 + t, "vid_id": "7", "frame_id": t, "file_name": f"images/7/{t:06d}.jpg"} for t in range(T)
        ],
        "annotations": [
            {
                "id": m * T + t,
                "image_id": 10 + t,
                "track_id": m,
                "keypoints": np.column_stack([people[m, t].round(2), np.ones(len(joints))]).reshape(-1).tolist(),
            }
            for m in range(M)
            for t in range(T)
        ],
    }


def write_coco_annotations(folder: Path) -> Path:
    file = folder / "posetrack.json"
    file.write_text(json.dumps(annotated(motion(4, 17, 2)[None] * 300)))
    return file


def write_kinetics_pickle(folder: Path) -> Path:
    """Annotations whose detections lie in other files."""
    (folder / "kpfiles").mkdir(exist_ok=True)
    people = motion(5, 17, 3) * [300, 200, 1]
    (folder / "kpfiles" / "abc.pkl").write_bytes(pickle.dumps(people.astype(np.float16)))
    entry = {
        "frame_dir": "abc",
        "label": 3,
        "img_shape": (320, 426),
        "total_frames": 11,
        "frame_inds": np.array([1, 3, 5, 7, 11], dtype=np.int16),
        "valid": {0.5: 5, 0.9: 3},
    }
    return write_pyskl(folder, [entry])


def lines(numbers: Array, separator: str = " ") -> str:
    return "\n".join(separator.join(f"{v:.4f}".rstrip("0").rstrip(".") for v in row) for row in numbers) + "\n"


def write_florence(folder: Path) -> Path:
    """Two videos of two actors."""
    file = folder / "Florence_dataset_WorldCoordinates.txt"
    rows = [
        [video, actor, category, *pose.reshape(-1)]
        for video, actor, category in ((1, 1, 1), (2, 3, 9))
        for pose in motion(3 + video, 15, seed=video)
    ]
    file.write_text(lines(np.array(rows)))
    return file


def write_sbu(folder: Path) -> Path:
    file = folder / "s01s02" / "03" / "001" / "skeleton_pos.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        [t, *a.reshape(-1), *b.reshape(-1)]
        for t, (a, b) in enumerate(zip(motion(4, 15), motion(4, 15, seed=1), strict=True), start=1)
    ]
    file.write_text(lines(np.array(rows), ","))
    return file


def write_kard(folder: Path) -> Path:
    file = folder / "a02_s03_e01_realworld.txt"
    file.write_text(lines(motion(4, 15).reshape(-1, 3)))
    return file


def write_pku(folder: Path) -> Path:
    """The recording; its labels lie in a folder beside it."""
    file = folder / "skeletons" / "0002-L.txt"
    label = folder / "labels" / "0002-L.txt"
    for each in (file, label):
        each.parent.mkdir(exist_ok=True)
    people = np.zeros((12, 2, 25, 3))
    people[:, 0] = motion(12, 25)
    people[6:, 1] = motion(6, 25, seed=1)
    file.write_text(lines(people.reshape(12, 150)))
    label.write_text("12,1,4,2\n51,6,20,1\n")
    return file


def write_smarthome(folder: Path) -> Path:
    file = folder / "Cook.Cleandishes_p02_r00_v02_c03.json"
    frames = [[{"pose3d": pose.T.reshape(-1).round(4).tolist(), "cumscore": 3.5}] for pose in motion(4, 13)]
    file.write_text(json.dumps({"K": 100, "njts": 13, "frames": [*frames[:2], [], *frames[2:]]}))
    return file


def write_h36m(folder: Path) -> Path:
    file = folder / "data_3d_h36m.npz"
    content = {
        "S1": {"Directions": motion(5, 32).astype(np.float32), "Directions 1": motion(4, 32, seed=1)},
        "S9": {"Walking 2": motion(6, 32, seed=2)},
    }
    np.savez_compressed(file, positions_3d=np.array(content, dtype=object))
    return file


def write_humanact(folder: Path) -> Path:
    file = folder / "humanact12poses.pkl"
    content = {"poses": [], "joints3D": [motion(5, 24), motion(4, 24, seed=1)], "y": [0, 11]}
    file.write_bytes(pickle.dumps(content))
    return file


def write_humanact_npy(folder: Path) -> Path:
    file = folder / "P02G01R03F0069T0143A0301.npy"
    np.save(file, motion(5, 24))
    return file


def write_deeplabcut(folder: Path) -> Path:
    file = folder / "mouse1DLC_resnet50_openfieldOct30shuffle1_1030000.csv"
    joints = ("snout", "left_ear", "right_ear", "tailbase")
    header = ["scorer," + ",".join(["DLC"] * 12), "bodyparts," + ",".join(j for j in joints for _ in range(3))]
    header.append("coords," + "x,y,likelihood," * 3 + "x,y,likelihood")
    rows = [[t, *pose.reshape(-1)] for t, pose in enumerate(motion(5, 4) * [100, 80, 1])]
    file.write_text("\n".join(header) + "\n" + lines(np.array(rows), ","))
    return file


# What a format is called -> what writes a small file of it and says where.
WRITERS: Mapping[str, tuple[Callable[[Path], Path], ...]] = {
    "npz": (write_npz,),
    "utd-mhad": (write_utd,),
    "nw-ucla": (write_nw_ucla,),
    "ntu-rgb+d": (write_ntu,),
    "msr-action3d": (write_msr,),
    "utkinect": (write_utkinect,),
    "openpose": (write_openpose_frame,),
    "bvh": (write_bvh,),
    "pyskl": (write_pyskl, write_kinetics_pickle),
    "kinetics-skeleton": (write_kinetics,),
    "coco-annotations": (write_coco_annotations,),
    "coco": (write_coco, write_mmpose),
    "mediapipe": (write_mediapipe,),
    "keypoint-csv": (write_wide_csv, write_long_csv),
    "basicts": (write_basicts, write_basicts_graph, write_basicts_part),
    "st-gcn": (write_stgcn, write_stgcn_labels),
    "ctr-gcn": (write_ctrgcn,),
    "openni": (write_florence, write_sbu, write_kard),
    "pku-mmd": (write_pku,),
    "smarthome": (write_smarthome,),
    "mocap-arrays": (write_h36m, write_humanact, write_humanact_npy),
    "deeplabcut": (write_deeplabcut,),
    "sleap": (),  # written by its own package, where that is installed: test_sleap.py
}

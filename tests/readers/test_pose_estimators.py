"""Kinetics, OpenPose, COCO, MediaPipe and tables: values, people, frames and labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_writers import (
    coco_detections,
    kinetics_clip,
    landmarks,
    motion,
    openpose_frame,
    write_coco,
    write_kinetics,
    write_mmpose,
    write_openpose,
    write_wide_csv,
)

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import read
from stgcnlib.skeleton import LAYOUTS

PIXELS = np.array([300, 200, 1.0])


def put(file: Path, content: Any) -> Path:
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


# -- Kinetics -------------------------------------------------------------------------------------


def test_kinetics_real_samples(data_folder: Path) -> None:
    data = read(data_folder / "kinetics_samples")
    assert data.layout.name == "openpose-18"
    assert data.lengths.tolist() == [299, 299, 299]
    assert {data.class_names[c] for c in data.labels} == {"motorcycling", "cutting watermelon", "dining"}
    assert sorted(data.labels.tolist()) == [83, 91, 199]
    assert len(data.class_names) == 400
    file = data_folder / "kinetics_samples" / f"{data.names[0]}.json"
    frames = json.loads(file.read_text())["data"]
    for t, frame in enumerate(frames):
        people = data.people(0)[:, t]
        assert people.any(axis=(1, 2)).sum() == len(frame["skeleton"])
        published = sorted(np.sum(person["pose"]) for person in frame["skeleton"])
        ours = sorted(float(p[:, :2].sum()) for p in people if p.any())
        np.testing.assert_allclose(ours, published, rtol=1e-5)


def test_kinetics_people_are_followed(tmp_path: Path) -> None:
    """Two people who are listed in turn in either order stay the same two."""
    left, right = motion(8, 18) * [0.3, 0.3, 1], motion(8, 18, seed=1) * [0.3, 0.3, 1] + [0.6, 0.1, 0]
    frames = [[a, b] if t % 2 else [b, a] for t, (a, b) in enumerate(zip(left, right, strict=True))]
    data = read(put(tmp_path / "c.json", kinetics_clip(frames)))
    first, second = data.coords[0]
    np.testing.assert_allclose(first, right.round(3), atol=1e-6)
    np.testing.assert_allclose(second, left.round(3), atol=1e-6)


def test_kinetics_label_files(tmp_path: Path) -> None:
    folder = tmp_path / "kinetics_val"
    folder.mkdir()
    write_kinetics(folder)
    assert read(folder).class_names[171] == "juggling balls"
    labels = {"abcdefghijk": {"has_skeleton": True, "label": "zumba", "label_index": 399}}
    put(tmp_path / "kinetics_val_label.json", labels)
    with pytest.warns(UserWarning, match=r"labels in 1 clips differ .* abcdefghijk \('juggling balls', not 'zumba'\)"):
        assert read(folder).labels.tolist() == [399]
    (tmp_path / "kinetics_val_label.json").rename(folder / "kinetics_val_label.json")
    with pytest.warns(UserWarning, match="which is used"):
        assert read(folder).class_names[399] == "zumba"


def test_kinetics_without_anybody(tmp_path: Path) -> None:
    put(tmp_path / "empty.json", kinetics_clip([[], []], label="x", label_index=0))
    with pytest.raises(SkeletonFormatError, match="nobody was tracked in 'empty'"):
        read(tmp_path)
    write_kinetics(tmp_path)
    with pytest.warns(UserWarning, match="1 of 2 recordings left out, nobody was tracked: 'empty'"):
        assert len(read(tmp_path)) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": [{"frame_index": 1, "skeleton": [{"pose": [1, 2], "score": [1]}]}]}, r"'pose' has shape \(2,\)"),
        ({"data": [{"frame_index": 1, "skeleton": [{"pose": "a", "score": [1]}]}]}, "'pose' is ragged or holds other"),
        ({"data": [{"frame_index": 1, "skeleton": [3]}]}, "a person is no 'pose' with 'score'"),
        ({"data": [{"frame_index": 1, "skeleton": 3}]}, "an entry without 'skeleton'"),
        ({"data": [{"frame_index": "a", "skeleton": []}]}, "'frame_index' is a"),
        ({"data": [{"frame_index": 1, "skeleton": []}] * 2}, "'frame_index' is 1; expected a whole number, once each"),
        ({"data": {"skeleton": 3}}, "lacks the list 'data'"),
        ({"data": [], "skeleton": 1, "label_index": -1, "label": "x"}, "'label_index' is -1"),
    ],
)
def test_kinetics_wrong_content(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(SkeletonFormatError, match=message):
        read(put(tmp_path / "c.json", content))


def test_kinetics_contradicting_class_names(tmp_path: Path) -> None:
    clip = kinetics_clip([[motion(1, 18)[0]]], label="a", label_index=3)
    put(tmp_path / "a.json", clip)
    put(tmp_path / "b.json", {**clip, "label": "b"})
    with pytest.raises(SkeletonFormatError, match=r"b\.json: class 3 is 'b' here, 'a' elsewhere"):
        read(tmp_path)


# -- OpenPose -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("joints", "layout"), [(25, "openpose-25"), (18, "openpose-18")])
def test_openpose_folder(tmp_path: Path, joints: int, layout: str) -> None:
    data = read(write_openpose(tmp_path, joints=joints))
    assert (data.names, data.layout.name, data.lengths.tolist()) == (("clip",), layout, [4])
    np.testing.assert_allclose(data.coords[0], motion(4, joints) * PIXELS, atol=1e-3)


def test_openpose_frames_in_order_of_numbers_and_empty_ones(tmp_path: Path) -> None:
    poses = motion(12, 25) * PIXELS
    for t, pose in enumerate(poses):
        put(tmp_path / f"clip_{t}_keypoints.json", openpose_frame([] if t == 4 else [pose]))
    data = read(tmp_path)
    assert not data.coords[0][4].any()
    np.testing.assert_allclose(data.coords[0][10], poses[10], atol=1e-3)


def test_openpose_several_videos_and_classes(tmp_path: Path) -> None:
    for label in ("run", "walk"):
        (tmp_path / label).mkdir()
        for video in ("v1", "v2"):
            write_openpose(tmp_path / label, video)
    data = read(tmp_path)
    assert data.names == ("run/v1", "run/v2", "walk/v1", "walk/v2")
    assert [data.class_names[c] for c in data.labels] == ["run", "run", "walk", "walk"]


def test_openpose_one_video_per_folder_is_no_class(tmp_path: Path) -> None:
    for video in ("v1", "v2"):
        (tmp_path / video).mkdir()
        write_openpose(tmp_path / video, video)
    data = read(tmp_path)
    assert (data.names, data.class_names) == (("v1", "v2"), ("class 0",))


def test_openpose_person_ids(tmp_path: Path) -> None:
    a, b = motion(4, 25) * PIXELS, motion(4, 25, seed=1) * PIXELS
    for t in range(4):
        frame = openpose_frame([a[t], b[t]] if t % 2 else [b[t], a[t]])
        for person, identity in zip(frame["people"], [7, 9] if t % 2 else [9, 7], strict=True):
            person["person_id"] = [identity]
        put(tmp_path / f"clip_{t:012d}_keypoints.json", frame)
    people = read(tmp_path).coords[0]
    np.testing.assert_allclose(people, np.stack([b, a]), atol=1e-3)


def test_openpose_wrong_content(tmp_path: Path) -> None:
    write_openpose(tmp_path)
    put(tmp_path / "clip_000000000004_keypoints.json", openpose_frame([motion(1, 18)[0]]))
    with pytest.raises(SkeletonFormatError, match=r"clip_000000000004_keypoints\.json: has another body model"):
        read(tmp_path)
    put(tmp_path / "clip_000000000004_keypoints.json", {"people": [{"pose_keypoints_2d": [1, 2, 3]}]})
    with pytest.raises(SkeletonFormatError, match=r"'pose_keypoints_2d' has shape \(3,\)"):
        read(tmp_path)
    put(tmp_path / "clip_000000000004_keypoints.json", {"people": 4})
    with pytest.raises(SkeletonFormatError, match="lacks the list 'people'"):
        read(tmp_path)


# -- COCO -----------------------------------------------------------------------------------------


def test_coco_results(tmp_path: Path) -> None:
    data = read(write_coco(tmp_path))
    assert (data.names, data.layout.name) == (("results",), "coco-17")
    np.testing.assert_allclose(data.coords[0], motion(4, 17) * PIXELS, atol=1e-3)


def test_mmpose_instances(tmp_path: Path) -> None:
    np.testing.assert_allclose(read(write_mmpose(tmp_path)).coords[0], motion(4, 17) * PIXELS, atol=1e-3)


def test_coco_file_names_tracks_and_gaps(tmp_path: Path) -> None:
    a, b = motion(4, 17) * PIXELS, motion(4, 17, seed=1) * PIXELS
    detections = coco_detections(a, idx=3) + coco_detections(b[:3], idx=[[5]])
    for entry in detections:
        entry["image_id"] = f"{[8, 9, 10, 12][entry['image_id']]}.jpg"
    people = read(put(tmp_path / "alphapose.json", detections)).coords[0]
    assert people.shape == (2, 5, 17, 3)
    np.testing.assert_allclose(people[0][[0, 1, 2, 4]], a, atol=1e-3)
    assert not people[:, 3].any()
    np.testing.assert_allclose(people[1, :3], b[:3], atol=1e-3)


def test_coco_folders_in_image_names_are_recordings(tmp_path: Path) -> None:
    detections = coco_detections(motion(6, 17) * PIXELS)
    for t, entry in enumerate(detections):
        entry["image_id"] = f"{'ab'[t % 2]}/{t:06d}.png"
    data = read(put(tmp_path / "all.json", detections))
    assert data.names == ("all/a", "all/b")
    assert data.lengths.tolist() == [5, 5]


def test_coco_numbers_that_count_no_frames(tmp_path: Path) -> None:
    detections = coco_detections(motion(3, 17) * PIXELS)
    for entry, image in zip(detections, (900_100, 12, 40_000), strict=True):
        entry["image_id"] = image
    with pytest.warns(UserWarning, match=r"r\.json: 3 frames have numbers from 12 to 900100, too far apart"):
        data = read(put(tmp_path / "r.json", detections))
    np.testing.assert_allclose(data.coords[0], (motion(3, 17) * PIXELS)[[1, 2, 0]], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"keypoints": [1, 2, 3]},
            r"detection 0: 'keypoints' has shape \(3,\); expected x, y, confidence of COCO's 17",
        ),
        ({"keypoints": None}, r"'keypoints' has shape \(\)"),
        ({"keypoints": ["a"] * 51}, "holds other than numbers"),
        ({"keypoints": [1e60] * 51}, "holds an infinite number"),
        ({"image_id": None}, "'image_id' is 'None'; expected a number or a file name"),
        ({"image_id": [1]}, "'image_id' is"),
    ],
)
def test_coco_wrong_content(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    detections = coco_detections(motion(2, 17))
    detections[0] |= change
    with pytest.raises(SkeletonFormatError, match=message):
        read(put(tmp_path / "r.json", detections))


# -- MediaPipe ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["landmarks", "bare", "frames", "tasks", "camel", "message"])
def test_mediapipe_shapes(tmp_path: Path, shape: str) -> None:
    poses = motion(3, 33, 4)
    frames: Any = [landmarks(pose) for pose in poses]
    frames = {
        "landmarks": [{"landmarks": f} for f in frames],
        "bare": frames,
        "frames": {"frames": [{"pose_landmarks": f} for f in frames]},
        "tasks": [{"pose_landmarks": [f]} for f in frames],
        "camel": [{"poseLandmarks": f} for f in frames],
        "message": [{"pose_landmarks": {"landmark": f}} for f in frames],
    }[shape]
    data = read(put(tmp_path / "m.json", frames))
    assert (data.layout.name, data.channels) == ("mediapipe-33", 4)
    np.testing.assert_allclose(data.coords[0], poses, atol=1e-4)


def test_mediapipe_world_first_absent_frames_and_no_visibility(tmp_path: Path) -> None:
    image, world = landmarks(motion(1, 33, 4)[0]), landmarks(motion(1, 33, 4, seed=1)[0])
    for point in world:
        del point["visibility"]
    frames = [{"pose_landmarks": image, "pose_world_landmarks": world}, {"pose_landmarks": None}]
    data = read(put(tmp_path / "m.json", frames))
    assert data.coords[0].shape == (2, 33, 3)
    np.testing.assert_allclose(data.coords[0][0], motion(1, 33, 4, seed=1)[0, :, :3], atol=1e-4)
    assert not data.coords[0][1].any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"landmarks": 3}, "is no list of frames"),
        ([{"landmarks": [{"x": 1}] * 5}], "frame 0: 5 landmarks; MediaPipe Pose has 33, a hand 21"),
        ([{"landmarks": [{"x": 1}] * 33}], "a landmark lacks x, y or z"),
        ([{"landmarks": [{"x": 1, "y": "a", "z": 1}] * 33}], "holds other than numbers"),
        ([{"landmarks": [{"x": 1, "y": [1], "z": [2]}] * 33}], "holds other than numbers"),
        ([{"hand_landmark": [], "landmark_names": []}, {"landmarks": 1}], "neither 'landmarks' nor"),
    ],
)
def test_mediapipe_wrong_content(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(SkeletonFormatError, match=message):
        read(put(tmp_path / "m.json", content), format="mediapipe")


# -- tables ---------------------------------------------------------------------------------------


def table(header: list[str], rows: list[list[object]], *, separator: str = ",") -> str:
    return "\n".join(separator.join(map(str, line)) for line in [header, *rows]) + "\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "spell",
    [
        lambda axis, v: f"{axis}{v}",
        lambda axis, v: f"{axis}{v + 1}",
        lambda axis, v: f"{axis}_{v}",
        lambda axis, v: f"landmark_{v}_{axis}",
        lambda axis, v: f"{v}.{axis}",
        lambda axis, v: f"{LAYOUTS['mediapipe-33'].joints[v].replace(' ', '_').upper()}_{axis.upper()}",
    ],
)
def test_wide_tables(tmp_path: Path, spell: Any, separator: str) -> None:
    poses = motion(3, 33, 4).round(4)
    header = [spell(axis, v) for v in range(33) for axis in ("x", "y", "z", "visibility" if separator == ";" else "v")]
    text = table(["frame", *header], [[t, *p.reshape(-1)] for t, p in enumerate(poses)], separator=separator)
    data = read(put(tmp_path / "t.csv", text))
    assert data.layout.name == "mediapipe-33"
    np.testing.assert_allclose(data.coords[0], poses, atol=1e-6)


def test_plain_wide_table_without_frames(tmp_path: Path) -> None:
    np.testing.assert_allclose(read(write_wide_csv(tmp_path)).coords[0], motion(4, 33, 4), atol=1e-4)


def test_openpose_short_names(tmp_path: Path) -> None:
    names = [
        n.replace("right ", "R").replace("left ", "L").title().replace(" ", "") for n in LAYOUTS["openpose-25"].joints
    ]
    header = [f"{name}_{axis}" for name in names for axis in "xy"]
    data = read(put(tmp_path / "t.csv", table(header, [list(motion(1, 25, 2).reshape(-1))])))
    assert data.layout.name == "openpose-25"


def test_long_table_with_recordings_people_and_labels(tmp_path: Path) -> None:
    joints = [name.replace(" ", "_") for name in LAYOUTS["coco-17"].joints]
    poses = {(n, p): motion(3, 17, 2, seed=k) for k, (n, p) in enumerate([("a", 1), ("a", 2), ("b", 1)])}
    rows = [
        [n, p, t, joints[v], *poses[n, p][t, v], {"a": "run", "b": "walk"}[n]]
        for n, p in poses
        for t in (2, 0, 1)
        for v in range(17)
    ]
    header = ["video", "track_id", "frame", "keypoint", "x", "y", "class"]
    data = read(put(tmp_path / "t.csv", table(header, rows)))
    assert data.names == ("a", "b")
    assert [data.class_names[c] for c in data.labels] == ["run", "walk"]
    assert data.coords[0].shape == (2, 3, 17, 2)
    np.testing.assert_allclose(data.coords[0][1], poses["a", 2], atol=1e-6)
    np.testing.assert_allclose(data.coords[1], poses["b", 1], atol=1e-6)


def test_empty_cells_are_joints_not_found(tmp_path: Path) -> None:
    header = [f"{axis}{v}" for v in range(17) for axis in "xy"]
    values: list[object] = list(motion(1, 17, 2).reshape(-1))
    values[4], values[8] = "", "NaN"
    data = read(put(tmp_path / "t.csv", table(header, [values])))
    assert not data.coords[0][0, [2, 4]].any()
    assert data.coords[0][0, 3].all()


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (["x0", "y0"], [1, 2], "no recording found; it is a file that starts with .*a column per coordinate"),
        (
            [f"{a}{v}" for v in range(16) for a in "xy"],
            [1] * 32,
            "16 joints .* with x and y; with these axes there are",
        ),
        ([f"{a}{v}" for v in range(33) for a in "xy"], [1] * 66, "33 joints"),
        ([f"{a}{v}" for v in range(17) for a in "xy"], [1] * 33, "line 2 has 33 fields, the header 34"),
        ([f"{a}{v}" for v in range(17) for a in "xy"], ["a"] * 34, "line 2 holds 'a'; expected a number"),
        ([f"{a}{v}" for v in range(17) for a in "xy"], ["inf"] * 34, "infinite"),
        ([*(f"{a}{v}" for v in range(17) for a in "xy"), "c3"], [1] * 35, "joints have different axes"),
        (["joint", "x", "y"], [1, 2, 3], "1 joints|needs a column 'frame'"),
        (["frame", *(f"{a}{v}" for v in range(17) for a in "xy")], [""] + [1] * 34, "line 2 has no frame number"),
    ],
)
def test_wrong_tables(tmp_path: Path, header: list[str], row: list[object], message: str) -> None:
    with pytest.raises(SkeletonFormatError, match=message):
        read(put(tmp_path / "t.csv", table(header, [row])), format="keypoint-csv" if len(header) > 2 else None)


def test_changing_label_in_a_recording(tmp_path: Path) -> None:
    header = ["label", *(f"{a}{v}" for v in range(17) for a in "xy")]
    text = table(header, [["run", *[1] * 34], ["walk", *[2] * 34]])
    with pytest.raises(SkeletonFormatError, match="t has the labels 'run', 'walk'; split it into actions"):
        read(put(tmp_path / "t.csv", text))


@pytest.mark.parametrize("name", ["name", "video", "recording", "sequence", "clip", "file", "filename"])
@pytest.mark.parametrize("label", ["label", "class", "action", "activity"])
def test_columns_of_recordings_and_labels_by_their_usual_names(tmp_path: Path, name: str, label: str) -> None:
    header = [name, label, *(f"{axis}{v}" for v in range(17) for axis in "xy")]
    poses = motion(4, 17, 2).round(4)
    rows = [[f"r{t // 2}", f"c{t // 2}", *pose.reshape(-1)] for t, pose in enumerate(poses)]
    data = read(put(tmp_path / "t.csv", table(header, rows)))
    assert data.names == ("r0", "r1")
    assert [data.class_names[c] for c in data.labels] == ["c0", "c1"]
    np.testing.assert_allclose(np.stack(data.coords).reshape(poses.shape), poses, atol=1e-6)


@pytest.mark.parametrize("frame", ["frame", "frame_id", "frame_index", "frame_number", "image_id", "Frame Number"])
@pytest.mark.parametrize("person", ["person", "person_id", "id", "track_id", "idx", "identity"])
def test_columns_of_frames_and_people_by_their_usual_names(tmp_path: Path, frame: str, person: str) -> None:
    """Frames come in the wrong order, and two people cross: only the columns tell."""
    poses = {p: motion(3, 17, 2, seed=p).round(4) for p in (1, 2)}
    header = [frame, person, *(f"{axis}{v}" for v in range(17) for axis in "xy")]
    rows = [[t, p, *poses[p][t].reshape(-1)] for t in (2, 0, 1) for p in (1, 2)]
    (people,) = read(put(tmp_path / "t.csv", table(header, rows))).coords
    np.testing.assert_allclose(people, np.stack([poses[1], poses[2]]), atol=1e-6)


@pytest.mark.parametrize("joint", ["joint", "landmark", "keypoint", "landmark_id", "joint_name", "keypoint_name"])
@pytest.mark.parametrize("confidence", ["v", "c", "visibility", "vis", "confidence", "conf", "score", "likelihood"])
def test_columns_of_joints_and_confidence_by_their_usual_names(tmp_path: Path, joint: str, confidence: str) -> None:
    names = [name.replace(" ", "_") for name in LAYOUTS["coco-17"].joints]
    pose = motion(2, 17, 3).round(4)
    rows = [[t, names[v], *pose[t, v]] for t in range(2) for v in range(17)]
    data = read(put(tmp_path / "t.csv", table(["frame", joint, "x", "y", confidence], rows)))
    np.testing.assert_allclose(data.coords[0], pose, atol=1e-6)


# -- other bodies, and hands ----------------------------------------------------------------------


@pytest.mark.parametrize(("joints", "name"), [(21, "hand-21"), (26, "halpe-26"), (133, "coco-wholebody-133")])
def test_other_joints_of_detections_instances_and_tables(tmp_path: Path, joints: int, name: str) -> None:
    poses = motion(3, joints) * PIXELS
    (tmp_path / "a.json").write_text(json.dumps(coco_detections(poses)))
    (tmp_path / "b.csv").write_text(
        ",".join(f"{axis}{v}" for v in range(joints) for axis in "xyc")
        + "\n"
        + "\n".join(",".join(f"{value:.3f}" for value in pose.reshape(-1)) for pose in poses)
    )
    frames = [
        {"frame_id": t, "instances": [{"keypoints": p[:, :2].tolist(), "keypoint_scores": p[:, 2].tolist()}]}
        for t, p in enumerate(poses)
    ]
    (tmp_path / "c.json").write_text(json.dumps({"instance_info": frames}))
    for file in ("a.json", "b.csv", "c.json"):
        data = read(tmp_path / file)
        assert data.layout.name == name
        np.testing.assert_allclose(data.coords[0], poses, atol=1e-3)


def test_detections_of_several_bodies_are_refused(tmp_path: Path) -> None:
    both = coco_detections(motion(2, 17)) + coco_detections(motion(2, 26))
    (tmp_path / "a.json").write_text(json.dumps(both))
    with pytest.raises(SkeletonFormatError, match=r"has people of \[17, 26\] joints"):
        read(tmp_path)


@pytest.mark.parametrize("key", ["hand_landmarks", "multiHandLandmarks", None])
def test_hands_of_mediapipe(tmp_path: Path, key: str | None) -> None:
    hands = [motion(3, 21, 4), motion(3, 21, 4, seed=1) + np.array([3, 0, 0, 0])]
    frames = [[landmarks(hand[t]) for hand in hands] for t in range(3)]
    (tmp_path / "a.json").write_text(json.dumps([{key: frame} if key else frame for frame in frames]))
    data = read(tmp_path)
    assert (data.layout.name, data.channels) == ("hand-21", 2)
    for found, wanted in zip(sorted(data.coords[0], key=lambda hand: hand[0, 0, 0]), hands, strict=True):
        np.testing.assert_allclose(found, wanted[..., :2], atol=1e-4)

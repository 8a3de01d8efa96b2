"""Frame numbers, identities and confidences mean the same in every format: what is not there is told, never made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_writers import (
    annotated,
    coco_detections,
    kinetics_clip,
    landmarks,
    motion,
    openpose_frame,
    write_deeplabcut,
    write_sbu,
    write_utkinect,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import frames, read
from stgcnlib.readers.frames import in_time, places
from stgcnlib.readers.image_names import frames_of_images
from stgcnlib.readers.tracks import Detection
from stgcnlib.skeleton import SkeletonLayout

Array = NDArray[np.float64]
Write = Callable[[Path, dict[int, list[Array]]], Path]


def put(file: Path, content: Any) -> Path:
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


# -- the rule -------------------------------------------------------------------------------------


@given(st.sets(st.integers(0, 400), min_size=1), st.integers(-5, 10**6))
@settings(max_examples=60, deadline=None)
def test_every_number_lies_as_far_from_the_first_as_it_says(chosen: set[int], start: int) -> None:
    numbers = sorted(start + n for n in chosen)
    if len(numbers) >= frames.STEADY:
        numbers = sorted({*numbers, numbers[0] + 1})
    assert places(numbers, source="clip") == [n - numbers[0] for n in numbers]


def test_no_frames_and_one() -> None:
    assert places([], source="clip") == []
    assert places([10**12], source="clip") == [0]


@pytest.mark.parametrize("step", [2, 5, 30])
def test_steady_steps_are_a_lower_rate(step: int) -> None:
    numbers = [step * t for t in (0, 1, 2, 3, 4, 7, 8, 9)]
    with pytest.warns(UserWarning, match=f"clip: frame numbers go in steps of {step}; a step is read as one frame"):
        assert places(numbers, source="clip") == [0, 1, 2, 3, 4, 7, 8, 9]
    assert places(numbers[:7], source="clip") == numbers[:7]  # too few to tell


def test_too_far_apart_only_tells_the_order() -> None:
    numbers = [0, 1, 2, 3, frames.LONG]
    with pytest.warns(UserWarning, match="clip: 5 frames have numbers from 0 to 3000, too far apart"):
        assert places(numbers, source="clip") == [0, 1, 2, 3, 4]
    assert places([0, 1, 2, 3, frames.LONG - 1], source="clip")[-1] == frames.LONG - 1
    many = [*range(frames.LONG), 3 * frames.LONG]
    assert places(many, source="clip") == many  # most of a long recording


def test_guessed_numbers_must_mostly_be_there() -> None:
    assert places([7, 8, 9, 22], source="clip", guessed=True) == [0, 1, 2, 15]
    with pytest.warns(UserWarning, match="too far apart"):
        assert places([7, 8, 9, 23], source="clip", guessed=True) == [0, 1, 2, 3]


def test_absent_frames_are_empty() -> None:
    somebody = [Detection(np.ones((2, 3), np.float32))]
    assert in_time({5: somebody, 3: [], 8: somebody}, source="clip") == [[], (), somebody, (), (), somebody]


# -- the same in every format ---------------------------------------------------------------------


def openpose(folder: Path, people: dict[int, list[Array]]) -> Path:
    for t, each in people.items():
        put(folder / f"walk_{t:012d}_keypoints.json", openpose_frame([np.pad(p, ((0, 8), (0, 0))) for p in each]))
    return folder


def kinetics(folder: Path, people: dict[int, list[Array]]) -> Path:
    clip = kinetics_clip([[np.pad(p, ((0, 1), (0, 0))) for p in each] for each in people.values()])
    for entry, t in zip(clip["data"], people, strict=True):
        entry["frame_index"] = t
    return put(folder / "clip.json", clip)


def alphapose(folder: Path, people: dict[int, list[Array]]) -> Path:
    found = [{**coco_detections(p[None])[0], "image_id": f"{t}.jpg"} for t, each in people.items() for p in each]
    return put(folder / "results.json", found)


def mmpose(folder: Path, people: dict[int, list[Array]]) -> Path:
    shown = [
        {
            "frame_id": t,
            "instances": [{"keypoints": p[:, :2].tolist(), "keypoint_scores": p[:, 2].tolist()} for p in each],
        }
        for t, each in people.items()
    ]
    return put(folder / "results.json", {"instance_info": shown})


def mediapipe(folder: Path, people: dict[int, list[Array]]) -> Path:
    shown = [
        {"frame": t, "pose_landmarks": [landmarks(np.pad(p, ((0, 16), (0, 1)))) for p in each]}
        for t, each in people.items()
    ]
    return put(folder / "marks.json", shown)


def wide(folder: Path, people: dict[int, list[Array]]) -> Path:
    lines = [",".join(["frame", *(f"{a}{v}" for v in range(17) for a in "xyc")])]
    lines += [",".join(map(str, [t, *p.reshape(-1)])) for t, each in people.items() for p in each]
    return put(folder / "table.csv", "\n".join(lines))


def long(folder: Path, people: dict[int, list[Array]]) -> Path:
    lines = ["frame,joint,x,y,c"]
    lines += [
        ",".join(map(str, [t, v, *p[v]])) for t, each in people.items() for p in each for v in range(17)
    ]  # two people without identities: the joints come again
    return put(folder / "table.csv", "\n".join(lines))


WRITERS = [openpose, kinetics, alphapose, mmpose, mediapipe, wide, long]


@pytest.mark.parametrize("write", WRITERS)
def test_gaps_stay_gaps(write: Write, tmp_path: Path) -> None:
    poses = motion(30, 17)
    there = [t for t in range(30) if not (4 <= t < 7 or 10 <= t < 20)]
    data = read(write(tmp_path, {t + 3: [poses[t]] for t in there}))
    assert data.lengths.tolist() == [30]
    assert np.flatnonzero(data.coords[0].any(axis=(1, 2))).tolist() == there
    np.testing.assert_allclose(data.coords[0][there][:, :17, :2], poses[there][..., :2], atol=1e-3)


@pytest.mark.parametrize("write", WRITERS)
def test_a_huge_gap_takes_no_memory(write: Write, tmp_path: Path) -> None:
    people = {t: [pose] for t, pose in zip([0, 1, 2, 10**8], motion(4, 17), strict=True)}
    with pytest.warns(UserWarning, match="4 frames have numbers from 0 to 100000000, too far apart"):
        data = read(write(tmp_path, people))
    assert data.lengths.tolist() == [4]


@pytest.mark.parametrize("write", WRITERS)
def test_two_people_without_identities_are_both_kept(write: Write, tmp_path: Path) -> None:
    left, right = motion(12, 17), motion(12, 17, seed=1) + np.array([4, 0, 0])
    data = read(write(tmp_path, {t: [left[t], right[t]] for t in range(12)}))
    assert data.people_counts.tolist() == [2]
    middles = sorted(float(person[:, :17, 0].mean()) for person in data.people(0))
    np.testing.assert_allclose(middles, [left[..., 0].mean(), right[..., 0].mean()], atol=1e-3)


def with_identity(write: Write, folder: Path, people: dict[int, list[Array]], identity: Any) -> Path:
    """The file of `write` with one identity for everybody."""
    place = write(folder, people)
    key = {openpose: "person_id", alphapose: "idx", mmpose: "track_id"}.get(write)
    if key is None:
        text = place.read_text().splitlines()
        place.write_text("\n".join([f"{text[0]},person", *(f"{line},{identity}" for line in text[1:])]))
        return place
    for file in sorted(place.iterdir()) if place.is_dir() else [place]:
        content = json.loads(file.read_text())
        listed = content["people"] if write is openpose else content
        if write is mmpose:
            listed = [each for frame in content["instance_info"] for each in frame["instances"]]
        for each in listed:
            each[key] = [identity] if write is openpose else identity
        put(file, content)
    return place


@pytest.mark.parametrize("write", [openpose, alphapose, mmpose, wide, long])
def test_an_identity_that_repeats_in_a_frame_loses_nobody(write: Write, tmp_path: Path) -> None:
    left, right = motion(12, 17), motion(12, 17, seed=1) + np.array([4, 0, 0])
    people = {t: [left[t], right[t]] for t in range(12)}
    with pytest.warns(UserWarning, match="identity 0 is there twice in frame 0; people are followed by nearness"):
        data = read(with_identity(write, tmp_path, people, 0))
    assert data.people_counts.tolist() == [2]
    for person in data.people(0):
        assert person[:, :17].any(axis=(1, 2)).all()
        assert np.ptp(person[:, :17, 0].mean(axis=1)) < 1


def test_joints_told_in_turn_need_a_person(tmp_path: Path) -> None:
    pose = motion(1, 17)[0]
    lines = [f"0,{v},{p[v, 0]},{p[v, 1]}" for v in range(17) for p in (pose, pose + 4)]
    with pytest.raises(SkeletonFormatError, match=r"line 3 repeats the joint of the line before; add a column 'pers"):
        read(put(tmp_path / "t.csv", "\n".join(["frame,joint,x,y", *lines])))


def without_confidence(write: Write, folder: Path, people: dict[int, list[Array]]) -> Path:
    place = write(folder, people)
    if write in (wide, long):
        lines = [line.split(",") for line in place.read_text().splitlines()]
        for fields in lines[1:]:
            for c, name in enumerate(lines[0]):
                if name.startswith("c"):
                    fields[c] = ""
        return put(place, "\n".join(",".join(fields) for fields in lines))
    for file in sorted(place.iterdir()) if place.is_dir() else [place]:
        content = json.loads(file.read_text())
        if write is kinetics:
            for person in (p for frame in content["data"] for p in frame["skeleton"]):
                person["score"] = None
        elif write is mmpose:
            for person in (p for frame in content["instance_info"] for p in frame["instances"]):
                person["keypoint_scores"] = None
        else:
            for person in content["people"] if write is openpose else content:
                key = "pose_keypoints_2d" if write is openpose else "keypoints"
                person[key] = [None if c % 3 == 2 else value for c, value in enumerate(person[key])]
        put(file, content)
    return place


@pytest.mark.parametrize("write", [openpose, kinetics, alphapose, mmpose, wide, long])
def test_missing_confidence_is_no_missing_joint(write: Write, tmp_path: Path) -> None:
    poses = motion(4, 17)
    data = read(without_confidence(write, tmp_path, {t: [pose] for t, pose in enumerate(poses)}))
    np.testing.assert_allclose(data.coords[0][:, :17, :2], poses[..., :2], atol=1e-3)
    assert (data.coords[0][:, :17, 2] == 1).all()


@pytest.mark.parametrize("visible", [None, "half"])
def test_visibility_that_is_null(visible: str | None, tmp_path: Path) -> None:
    shown = [landmarks(pose) for pose in motion(6, 33, 4)]
    for t, frame in enumerate(shown):
        for point in frame:
            point["presence"] = None
            if visible is None or t % 2:
                point["visibility"] = None
    data = read(put(tmp_path / "m.json", shown))
    assert data.coords[0].shape == (6, 33, 3)
    assert data.coords[0].any(axis=2).all()


def test_frame_numbers_that_are_there_twice(tmp_path: Path) -> None:
    shown = [{"frame": 3, "landmarks": landmarks(pose)} for pose in motion(2, 33, 4)]
    with pytest.raises(SkeletonFormatError, match="'frame' 3 is there twice"):
        read(put(tmp_path / "m.json", shown))
    openpose(tmp_path, {4: [motion(1, 17)[0]]})
    (tmp_path / "m.json").unlink()
    put(tmp_path / "walk_04_keypoints.json", openpose_frame([motion(1, 25)[0]]))
    with pytest.raises(SkeletonFormatError, match="frame 4 of walk is there twice"):
        read(tmp_path)


def test_frames_told_in_seconds_only_have_an_order(tmp_path: Path) -> None:
    poses = motion(3, 17)
    file = wide(tmp_path, {0: [poses[0]], 1: [poses[1]], 2: [poses[2]]})
    lines = file.read_text().splitlines()
    put(file, "\n".join([lines[0], f"0.5{lines[3][1:]}", f"0.0{lines[1][1:]}", f"0.04{lines[2][1:]}"]))
    with pytest.warns(UserWarning, match="frame numbers are no whole numbers"):
        data = read(file)
    np.testing.assert_allclose(data.coords[0], poses, atol=1e-6)


def test_utkinect_jumps(tmp_path: Path) -> None:
    """Its sensor gives every second number; a second without anybody is some 15 frames."""
    file = write_utkinect(tmp_path)
    poses = motion(6, 20)
    lines = [
        " ".join([str(t), *(f"{v:.5f}" for v in p.reshape(-1))])
        for t, p in zip((10, 12, 13, 15, 45, 47), poses, strict=True)
    ]
    file.write_text("\n".join(lines))
    (tmp_path / "actionLabel.txt").write_text("s01_e01\nwalk: 10 60\n")
    (coords,) = read(file).coords
    assert np.flatnonzero(coords.any(axis=(1, 2))).tolist() == [0, 1, 2, 3, 18, 19]


def without_lines(file: Path, first: int, last: int) -> Path:
    lines = file.read_text().splitlines()
    return put(file, "\n".join([*lines[:first], *lines[last:]]))


@pytest.mark.parametrize(("write", "first"), [(write_sbu, 1), (write_deeplabcut, 4)])
def test_lines_that_are_left_out_of_numbered_ones(write: Callable[[Path], Path], first: int, tmp_path: Path) -> None:
    whole = read(write(tmp_path)).people(0)
    data = read(without_lines(write(tmp_path), first, first + 2)).people(0)
    assert data.shape == whole.shape
    assert not data[:, 1:3].any()
    np.testing.assert_array_equal(np.delete(data, [1, 2], axis=1), np.delete(whole, [1, 2], axis=1))


def test_numbered_tables_of_ones_own(tmp_path: Path) -> None:
    poses = motion(5, 4)
    own = SkeletonLayout("own", ("a", "b", "c", "d"), ((1, 0), (2, 1), (3, 2)))
    lines = [" ".join(map(str, [t, *pose.reshape(-1)])) for t, pose in zip((3, 4, 7, 8, 9), poses, strict=True)]
    (coords,) = read(put(tmp_path / "a.txt", "\n".join(lines)), layout=own, pattern="{name}.txt").coords
    assert np.flatnonzero(coords.any(axis=(1, 2))).tolist() == [0, 1, 4, 5, 6]
    np.testing.assert_allclose(coords[[0, 1, 4, 5, 6]], poses, atol=1e-6)


def test_annotated_videos_with_frames_left_out(tmp_path: Path) -> None:
    content = annotated(motion(8, 17, 2)[None] * 300)
    left = {2, 3, 6}
    content["images"] = [image for image in content["images"] if image["frame_id"] not in left]
    (coords,) = read(put(tmp_path / "a.json", content)).coords
    assert np.flatnonzero(~coords.any(axis=(1, 2))).tolist() == sorted(left)
    for image in content["images"]:
        image["file_name"] = f"images/7/{image.pop('frame_id')}_1080p.jpg"
    np.testing.assert_array_equal(read(put(tmp_path / "a.json", content)).coords[0], coords)
    for k, image in enumerate(content["images"]):
        image["file_name"] = f"images/7/{'abcdefgh'[k]}.jpg"  # nothing is numbered: an order only
    assert read(put(tmp_path / "a.json", content)).lengths.tolist() == [5]


# -- names of images ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        "{t}.jpg", "frame{t}_cam2.jpg", "frame{t}_1080p.jpg", "{t:06d}-1280x720.png", "clip7_frame{t}.jpg",
        "t{t:04d}.000/k2.color.jpg", "frame.{t:05d}", "a\\{t}.jpg", "{t:06d}_{s}.png", "x/{t}.0.jpeg",
    ],
)  # fmt: skip
def test_the_number_that_varies_is_the_frames(form: str) -> None:
    names = [form.format(t=t, s=1000 + 33 * t) for t in (8, 9, 10, 11)]
    found = frames_of_images(names, "results")
    assert len({video for video, _ in found.values()}) == 1
    assert [frame for _, frame in found.values()] == [8, 9, 10, 11]


def test_numbers_that_are_written_in_two_ways_are_two_images() -> None:
    for names in (["1.jpg", "01.jpg", "2.jpg"], ["1.jpg", "1.png"]):
        assert [*frames_of_images(names, "results").values()] == [("", name) for name in names]


def test_images_without_numbers_are_ordered_by_name() -> None:
    assert frames_of_images(["b.jpg", "a.jpg"], "results") == {"b.jpg": ("", "b"), "a.jpg": ("", "a")}


def test_folders_and_forms_are_videos() -> None:
    found = frames_of_images(["x/1.jpg", "x/2.jpg", "y/1.jpg", "y/2.jpg", "y/3.jpg"], "results")
    assert [*found.values()] == [("x", 1), ("x", 2), ("y", 1), ("y", 2), ("y", 3)]
    names = ["left_1.jpg", "right_1.jpg", "left_2.jpg", "right_2.jpg"]
    found = frames_of_images(names, "results")
    assert [found[name] for name in names] == [("left_#", 1), ("right_#", 1), ("left_#", 2), ("right_#", 2)]


def test_two_numbers_that_vary_by_themselves_are_told() -> None:
    names = [f"cam{c}_frame{t}.jpg" for c in (1, 2) for t in range(5)]
    with pytest.warns(UserWarning, match=r"2 numbers vary in image names such as 'cam1_frame0\.jpg'; read as 2 videos"):
        found = frames_of_images(names, "results")
    assert [*found.values()] == [(f"cam{c}_frame#", t) for c in (1, 2) for t in range(5)]


# -- labels and groups ----------------------------------------------------------------------------


def test_labels_and_folders_that_are_numbers(tmp_path: Path) -> None:
    listed, sorted_out = tmp_path / "listed", tmp_path / "folders"
    lines = ["name,label,subject,session,mixed"]
    for i in range(12):
        for folder in (listed, sorted_out / f"{i + 1}"):
            folder.mkdir(parents=True, exist_ok=True)
            alphapose(folder, {0: [motion(1, 17)[0]]}).rename(folder / f"r{i}.json")
        lines.append(f"r{i},{i + 1},{i % 3 + 1},{i % 2:03d},{'x' if i else 7}")
    (listed / "labels.csv").write_text("\n".join(lines))
    data = read(listed)
    assert data.class_names == tuple(str(i + 1) for i in range(12))
    assert dict(zip(data.names, data.labels, strict=True)) == {f"r{i}": i for i in range(12)}
    assert {key: values.tolist()[:3] for key, values in data.groups.items() if key == "subject"} == {
        "subject": [1, 2, 2]
    }
    assert data.groups["session"].dtype.kind == "i"
    assert data.groups["mixed"].tolist()[0] == "7"
    folders = read(sorted_out)
    assert folders.class_names == data.class_names
    assert dict(zip(folders.names, folders.labels, strict=True)) == dict(zip(data.names, data.labels, strict=True))


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (["a10", "a2", "a1"], ["a1", "a2", "a10"]),
        (["10", "9", "1.5"], ["1.5", "9", "10"]),
        (["walk", "run 12", "run 3"], ["run 3", "run 12", "walk"]),
    ],
)
def test_numbers_within_labels(labels: list[str], order: list[str], tmp_path: Path) -> None:
    lines = ["name,label"]
    for i, label in enumerate(labels):
        alphapose(tmp_path, {0: [motion(1, 17)[0]]}).rename(tmp_path / f"r{i}.json")
        lines.append(f"r{i},{label}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    data = read(tmp_path)
    assert list(data.class_names) == order
    assert [data.class_names[c] for c in data.labels] == labels


def test_a_group_written_in_two_ways_stays_text(tmp_path: Path) -> None:
    for i in range(3):
        alphapose(tmp_path, {0: [motion(1, 17)[0]]}).rename(tmp_path / f"r{i}.json")
    (tmp_path / "labels.csv").write_text("name,label,subject\nr0,a,1\nr1,a,01\nr2,a,2\n")
    assert read(tmp_path).groups["subject"].tolist() == ["1", "01", "2"]


def test_two_lines_that_contradict_each_other(tmp_path: Path) -> None:
    alphapose(tmp_path, {0: [motion(1, 17)[0]]}).rename(tmp_path / "r0.json")
    (tmp_path / "labels.csv").write_text("name,label\nr0,run\nr0,run\n")
    assert read(tmp_path).class_names == ("run",)
    (tmp_path / "labels.csv").write_text("name,label\nr0,run\nr0,walk\n")
    with pytest.raises(SkeletonFormatError, match=r"line 3 contradicts an earlier line about 'r0'"):
        read(tmp_path)


@given(st.lists(st.text("ab/\\\\.-_ 0129", min_size=1, max_size=9), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_every_image_has_a_video_and_a_frame_of_its_own(names: list[str]) -> None:
    found = frames_of_images(names, "results")
    assert set(found) == set(names)
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("text", ["Name;Label;subject\nr0;run;1\n", "NAME\tlabel\tsubject\nr0\trun\t1\n"])
def test_labels_as_spreadsheets_write_them(text: str, tmp_path: Path) -> None:
    alphapose(tmp_path, {0: [motion(1, 17)[0]]}).rename(tmp_path / "r0.json")
    (tmp_path / "labels.csv").write_text(text)
    data = read(tmp_path)
    assert (data.class_names, data.groups["subject"].tolist()) == (("run",), [1])


def test_an_empty_label_is_none(tmp_path: Path) -> None:
    for i in range(2):
        alphapose(tmp_path, {0: [motion(1, 17)[0]]}).rename(tmp_path / f"r{i}.json")
    (tmp_path / "labels.csv").write_text("name,label\nr0,run\nr1,\n")
    with pytest.raises(SkeletonFormatError, match="'r1' have no label but others have"):
        read(tmp_path)
    (tmp_path / "labels.csv").write_text("name,label,subject\nr0,,1\nr1,,2\n")
    data = read(tmp_path)
    assert (data.class_names, data.groups["subject"].tolist()) == (("class 0",), [1, 2])


def test_labels_of_a_table_and_of_labels_csv(tmp_path: Path) -> None:
    lines = [",".join(["label", *(f"{a}{v}" for v in range(17) for a in "xy")])]
    lines += [",".join(["run", *map(str, pose[:, :2].reshape(-1))]) for pose in motion(2, 17)]
    put(tmp_path / "t.csv", "\n".join(lines))
    (tmp_path / "labels.csv").write_text("name,label\nt,run\n")
    assert read(tmp_path).class_names == ("run",)
    (tmp_path / "labels.csv").write_text("name,label\nt,walk\n")
    with pytest.warns(
        UserWarning,
        match=r"labels\.csv: its labels differ from those in 1 recordings, which are used: t \('run', not 'walk'\)",
    ):
        assert read(tmp_path).class_names == ("run",)

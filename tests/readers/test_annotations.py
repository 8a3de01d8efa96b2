"""Annotations of COCO's manner: videos are read, single pictures are refused for what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_writers import POSETRACK, annotated, motion

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import read
from stgcnlib.readers.joints import layout_of, plain
from stgcnlib.skeleton import LAYOUTS


def put(folder: Path, content: Any) -> Path:
    file = folder / "a.json"
    file.write_text(json.dumps(content))
    return file


def people() -> Any:
    return np.stack([motion(5, 17, 2) * 300, motion(5, 17, 2, seed=1) * 300 + 600])


def test_people_joints_and_layout(tmp_path: Path) -> None:
    content = annotated(people())
    content["annotations"].reverse()
    content["images"].reverse()
    data = read(put(tmp_path, content))
    assert (data.names, data.layout.name, data.layout.dimensions) == (("7",), "person-17", 2)
    assert data.layout.joints == tuple(name.replace("_", " ") for name in POSETRACK)
    assert data.layout.bones == ((1, 0), (1, 2))
    assert data.layout.mirror == ((3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
    assert (data.layout.shoulders, data.layout.joints[data.layout.centre or 0]) == ((5, 6), "head bottom")
    found = sorted(data.coords[0], key=lambda person: person[0, 0, 0])
    for person, wanted in zip(found, people(), strict=True):
        np.testing.assert_allclose(person[..., :2], wanted, atol=0.006)
        assert (person[..., 2] == 1).all()


def test_joints_and_frames_that_nobody_annotated(tmp_path: Path) -> None:
    content = annotated(people()[:1])
    content["annotations"][1]["keypoints"][:3] = [55.0, 66.0, 0]
    del content["annotations"][3]
    content["annotations"].append({"image_id": 14, "bbox": [1, 2, 3, 4]})
    data = read(put(tmp_path, content))
    assert data.coords[0].shape == (5, 17, 3)
    assert data.coords[0][1, 0].tolist() == [0, 0, 0]
    assert data.coords[0][1, 1].all()
    assert not data.coords[0][3].any()


def test_joints_of_coco_are_its_layout_and_folders_are_videos(tmp_path: Path) -> None:
    joints = tuple(name.replace(" ", "_") for name in LAYOUTS["coco-17"].joints)
    content = annotated(people()[:1], joints=joints)
    for image in content["images"]:
        del image["vid_id"], image["frame_id"]
    content["images"][4]["file_name"] = "images/8/000000.jpg"
    data = read(put(tmp_path, content))
    assert data.layout is LAYOUTS["coco-17"]
    assert (data.names, data.lengths.tolist()) == (("images/7", "images/8"), [4, 1])


def changed(**changes: Any) -> dict[str, Any]:
    return {**annotated(people()), **changes}


def pictures() -> dict[str, Any]:
    content = annotated(people())
    for image in content["images"]:
        image["file_name"] = image["file_name"].rpartition("/")[2]
        del image["vid_id"]
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pictures(), r"5 of its 5 images belong to no video .*single pictures hold no motion"),
        (changed(categories=[]), "0 of its 0 categories have 'keypoints'"),
        (changed(categories=[{"name": "dog"}]), "0 of its 1 categories have 'keypoints'"),
        (changed(categories=[{"keypoints": ["a", "a"]}]), "joint names repeat"),
        (changed(categories=[{"keypoints": ["a", 3]}]), "no list of names"),
        (changed(categories=[{"keypoints": ["a", "b"], "skeleton": [[1, 3]]}]), r"joint indices \[2\] do not exist"),
        (changed(categories=[{"keypoints": ["a", "b"], "skeleton": [[1]]}]), "no list of pairs"),
        (changed(categories=[{"keypoints": ["a", "b"]}]), r"has shape \(51,\); expected x, y and flag of 2 joints"),
        (changed(annotations=[]), "no annotation has joints"),
        (changed(annotations=[{"image_id": [1], "keypoints": [1] * 51}]), r"'image_id' is \[1\]"),
        (changed(images=3), "has no list 'images' of objects"),
        (changed(images=[{"file_name": "a/1.jpg"}]), "image 0 has no 'id'"),
        (changed(images=[{"id": 1, "file_name": "a/1.jpg"}]), "nobody was tracked"),
    ],
)
def test_wrong_content(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(SkeletonFormatError, match=message) as caught:
        read(put(tmp_path, content))
    assert "a.json" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("Left_Shoulder", "left shoulder"), ("leftHip", "left hip"), (" RAnkle ", "rankle"), ("R.Eye", "r eye")],
)
def test_names_of_joints(name: str, wanted: str) -> None:
    assert plain(name) == wanted


def test_sides_of_short_and_long_names() -> None:
    names = ["L eye", "R eye", "left_ear", "right_ear", "hip_l", "hip_r", "Rest", "tail"]
    found = layout_of("mouse", names, [(0, 1), (1, 0), (2, 2)], dimensions=2, where="x")
    assert found.mirror == ((0, 1), (2, 3), (4, 5))
    assert found.bones == ((1, 0),)

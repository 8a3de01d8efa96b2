"""NTU RGB+D: the nine real samples, who counts as a main person, and every way in which a file can be damaged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import ntu, read

NAME = "S001C002P003R002A007"


def body(place: int, *, frames: int = 20, spread: float = 0.05, wide: bool = False) -> NDArray[np.float64]:
    """(frames, 25, 3): a standing figure that drifts; `wide` lies down."""
    rng = np.random.default_rng(11)
    figure = rng.uniform(-1, 1, (25, 3)) * ([1, 0.3, 0.1] if wide else [0.3, 1, 0.1])
    return figure + np.linspace(0, spread, frames)[:, None, None] + np.array([place, 0, 3.0])


def write(
    folder: Path,
    bodies: Mapping[str, tuple[int, NDArray[np.float64]]],
    *,
    frames: int = 20,
    name: str = NAME,
    newline: str = "\n",
) -> Path:
    """A file of bodies: ID -> (first frame, coordinates)."""
    lines = [str(frames)]
    for t in range(frames):
        here = [(key, xyz[t - first]) for key, (first, xyz) in bodies.items() if first <= t < first + len(xyz)]
        lines.append(str(len(here)))
        for key, pose in here:
            lines += [f"{key} 0 1 1 1 1 0 0.01 -0.02 2", "25"]
            lines += [" ".join(f"{v:.7g}" for v in (*joint, *range(8))) + " 2" for joint in pose]
    file = folder / f"{name}.skeleton"
    file.write_bytes((newline.join(lines) + newline).encode())
    return file


def test_real_samples(data_folder: Path) -> None:
    data = read(data_folder / "ntu_samples")
    assert data.layout.name == "ntu-rgb+d"
    assert data.lengths.tolist() == [103, 104, 54, 86, 67, 74, 70, 100, 124]
    assert data.people_counts.tolist() == [1, 1, 1, 1, 1, 2, 2, 1, 1]
    assert data.labels.tolist() == [0, 2, 4, 6, 8, 49, 57, 2, 16]
    assert [data.class_names[c] for c in (0, 6, 49, 57)] == ["drink water", "throw", "punch/slap", "shaking hands"]
    assert data.groups["setup"].tolist() == [1] * 7 + [2, 4]
    assert data.groups["camera"].tolist() == [1] * 6 + [3, 1, 2]
    assert data.groups["subject"].tolist() == [1] * 6 + [8, 3, 3]
    assert data.groups["replication"].tolist() == [1] * 6 + [2, 1, 1]
    np.testing.assert_allclose(data.coords[0][0, 0], [0.2181153, 0.1725972, 3.785547], rtol=1e-6)
    heads = np.stack([data.people(i)[0, :, 3, 1].mean() for i in range(9)])
    feet = np.stack([data.people(i)[0, :, 19, 1].mean() for i in range(9)])
    assert (heads - feet > 0.5).all()


def test_the_published_lists_are_complete() -> None:
    assert len(ntu.ACTIONS) == len(set(ntu.ACTIONS)) == 120
    assert len(ntu.XSUB_TRAIN) == 20
    assert ntu.ACTIONS[59:61] == ("walking apart", "put on headphone")
    assert (ntu.ACTIONS[105], ntu.ACTIONS[119]) == ("hit with object", "rock-paper-scissors")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_values_labels_and_groups(tmp_path: Path, newline: str) -> None:
    one = body(1)
    data = read(write(tmp_path, {"7": (0, one)}, newline=newline))
    assert (data.names, data.labels.tolist()) == ((NAME,), [6])
    assert {k: v.tolist() for k, v in data.groups.items()} == {
        "setup": [1], "camera": [2], "subject": [3], "replication": [2]
    }  # fmt: skip
    assert data.coords[0].shape == (20, 25, 3)
    np.testing.assert_allclose(data.coords[0], one, rtol=1e-6)


def test_ntu_120_has_120_classes(tmp_path: Path) -> None:
    write(tmp_path, {"7": (0, body(1))})
    assert len(read(tmp_path).class_names) == 60
    write(tmp_path, {"7": (0, body(1))}, name="S018C001P008R001A061")
    assert len(read(tmp_path).class_names) == 120


def test_two_people_in_order_of_motion_and_absent_frames(tmp_path: Path) -> None:
    calm, lively = body(1, spread=0.1), body(2, spread=0.9, frames=15)
    data = read(write(tmp_path, {"calm": (0, calm), "lively": (3, lively)}))
    assert data.coords[0].shape == (2, 20, 25, 3)
    np.testing.assert_allclose(data.coords[0][0, 3:18], lively, rtol=1e-6)
    assert not data.coords[0][0, :3].any()
    assert not data.coords[0][0, 18:].any()
    np.testing.assert_allclose(data.coords[0][1], calm, rtol=1e-6)


def test_a_person_tracked_under_two_ids_is_one(tmp_path: Path) -> None:
    whole = body(1, frames=30, spread=0.6)
    parts = {"a": (0, whole[:16]), "b": (16, whole[16:])}
    data = read(write(tmp_path, parts, frames=30))
    assert data.coords[0].shape == (30, 25, 3)
    np.testing.assert_allclose(data.coords[0], whole, rtol=1e-6)


def test_noise_bodies_are_left_out(tmp_path: Path) -> None:
    person = body(1)
    flicker = body(2, frames=ntu.NOISE_FRAMES, spread=5.0)
    sofa = body(3, spread=5.0, wide=True)
    data = read(write(tmp_path, {"x": (0, flicker), "y": (0, person), "z": (0, sofa)}))
    np.testing.assert_allclose(data.coords[0], person, rtol=1e-6)
    longer = body(2, frames=ntu.NOISE_FRAMES + 1, spread=5.0)
    assert read(write(tmp_path, {"x": (0, longer), "y": (0, person), "z": (0, sofa)})).people_counts.tolist() == [2]


def test_a_lone_noise_body_is_kept(tmp_path: Path) -> None:
    """Somebody who lies down is the only one there: the published choice removes noise beside others only."""
    lying = body(3, wide=True)
    np.testing.assert_allclose(read(write(tmp_path, {"z": (0, lying)})).coords[0], lying, rtol=1e-6)


def test_at_most_two_people(tmp_path: Path) -> None:
    crowd = {str(k): (0, body(k, spread=0.1 * k)) for k in range(1, 6)}
    data = read(write(tmp_path, crowd))
    assert data.coords[0].shape[0] == 2
    np.testing.assert_allclose(data.coords[0][0], crowd["5"][1], rtol=1e-6)
    np.testing.assert_allclose(data.coords[0][1], crowd["4"][1], rtol=1e-6)


def test_nobody_tracked_warns_and_leaves_out(tmp_path: Path) -> None:
    write(tmp_path, {}, name="S001C001P001R001A002")
    with pytest.raises(SkeletonFormatError, match="nobody was tracked in 'S001C001P001R001A002'"):
        read(tmp_path)
    write(tmp_path, {"7": (0, body(1))})
    with pytest.warns(UserWarning, match="1 of 2 recordings left out, nobody was tracked: 'S001C001P001R001A002'"):
        assert read(tmp_path).names == (NAME,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: ["x", *lines[1:]], r"the number of frames \(line 1\) is 'x'"),
        (lambda lines: ["-3", *lines[1:]], "is '-3'"),
        (lambda lines: ["1e9", *lines[1:]], "is '1e9'"),
        (lambda lines: ["9" * 30, *lines[1:]], "expected a whole number"),
        (lambda lines: ["1000000000", *lines[1:]], "truncated, copy it again"),
        (
            lambda lines: ["20", "1000000000", *lines[2:]],
            "expected a whole number|25 joints|other than numbers|ends at",
        ),
        (lambda lines: [*lines[:3], "1000000000", *lines[4:]], "has a body of 1000000000 joints"),
        (lambda lines: [*lines[:3], "20", *lines[4:]], "frame 0 has a body of 20 joints; NTU RGB\\+D has 25"),
        (lambda lines: [*lines[:4], "0.1 0.2", *lines[5:]], "line 5 has 2 numbers, expected 3"),
        (lambda lines: [*lines[:4], "0.1 0.2 a", *lines[5:]], "line 5 holds other than numbers"),
        (lambda lines: [*lines[:4], "nan nan nan", *lines[5:]], "coordinates are NaN or infinite"),
        (lambda lines: [*lines[:4], "1e99 0 0", *lines[5:]], "coordinates are NaN or infinite"),
        (lambda lines: ["3", *lines[1:]], r"goes on after its 3 frames"),
    ],
)
def test_wrong_content(tmp_path: Path, change: object, message: str) -> None:
    file = write(tmp_path, {"7": (0, body(1))})
    assert callable(change)
    file.write_text("\n".join(change(file.read_text().splitlines())))
    with pytest.raises(SkeletonFormatError, match=message) as caught:
        read(file)
    assert NAME in str(caught.value)


def test_unknown_action(tmp_path: Path) -> None:
    with pytest.raises(SkeletonFormatError, match="action 121 does not exist; NTU RGB\\+D has 1 to 120"):
        read(write(tmp_path, {"7": (0, body(1))}, name="S001C001P001R001A121"))


def test_who_comes_back_under_a_new_id_is_who_stood_there(tmp_path: Path) -> None:
    """Two people lose their tracks at once; the one who now moves more is not the one who moved more."""
    left, right = body(-1, frames=40, spread=0.3), body(1, frames=40, spread=0.2)
    parts = {
        "1": (0, left[:15]), "2": (0, right[:15]), "3": (20, left[20:] + 0.02), "4": (22, right[22:] * [1, 1, 1.01]),
    }  # fmt: skip
    for faster in ("3", "4"):
        grows = {
            key: 0.1 * (key == faster) * np.linspace(0, 1, len(xyz))[:, None, None] for key, (_, xyz) in parts.items()
        }
        moved = {key: (t, xyz * (1 + grows[key])) for key, (t, xyz) in parts.items()}
        data = read(write(tmp_path, moved, frames=40))
        assert data.people_counts.tolist() == [2]
        for person in data.people(0):
            there = person.any(axis=(1, 2))
            assert there.sum() >= 33
            sides = np.sign(person[there][:, :, 0].mean(axis=1))
            assert (sides == sides[0]).all()


def test_an_id_twice_in_a_frame_is_two_bodies(tmp_path: Path) -> None:
    file = write(tmp_path, {"7": (0, body(1)), "8": (0, body(-1, spread=0.2))})
    file.write_text(file.read_text().replace("\n8 0 1 1", "\n7 0 1 1"))
    data = read(file)
    assert data.people_counts.tolist() == [2]
    assert sorted(np.sign(data.people(0)[..., 0].mean(axis=(1, 2))).tolist()) == [-1, 1]

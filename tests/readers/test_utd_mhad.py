"""UTD-MHAD: the complete set, and every way in which a file can be damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import read, utd_mhad

SKELETON = np.random.default_rng(3).normal(0, 0.5, (20, 3, 7)) + np.array([[0.0], [0.0], [3.0]])


def write(folder: Path, name: str = "a1_s1_t1_skeleton.mat", **arrays: object) -> Path:
    file = folder / name
    savemat(file, arrays or {"d_skel": SKELETON}, do_compression=True)
    return file


def test_complete_set(data_folder: Path) -> None:
    data = read(data_folder / "utd_mhad")
    assert len(data) == 861
    assert data.layout.name == "kinect-v1"
    assert data.class_names == utd_mhad.ACTIONS
    assert len(data.class_names) == 27
    assert np.unique(data.labels).tolist() == list(range(27))
    assert set(data.groups) == {"subject", "trial"}
    assert np.unique(data.groups["subject"]).tolist() == list(range(1, 9))
    assert (data.lengths.min(), data.lengths.max(), round(float(data.lengths.mean()))) == (41, 125, 68)
    train, test = data.split("subject", [1, 3, 5, 7])
    assert (len(train), len(test)) == (431, 430)


def test_axes_of_the_sensor(data_folder: Path) -> None:
    """Metres; y up, left shoulder towards -x since the performer faces the sensor, z away from it."""
    data = read(data_folder / "utd_mhad")
    first = np.stack([c[0] for c in data.coords])
    trunk = first[:, data.layout.index("head")] - first[:, data.layout.index("hip centre")]
    shoulders = first[:, data.layout.index("left shoulder")] - first[:, data.layout.index("right shoulder")]
    assert np.argmax(np.abs(trunk.mean(0))) == 1
    assert (trunk[:, 1] > 0.3).all()
    assert (shoulders[:, 0] < -0.2).all()
    assert (first[..., 2] > 1.5).all()


def test_values_names_and_order(tmp_path: Path) -> None:
    for name in ("a10_s2_t1", "a2_s10_t1", "a2_s9_t3"):
        write(tmp_path, f"{name}_skeleton.mat")
    (tmp_path / "readme.txt").write_text("not a recording")
    data = read(tmp_path)
    assert data.names == ("a2_s9_t3", "a2_s10_t1", "a10_s2_t1")
    assert data.labels.tolist() == [1, 1, 9]
    assert data.groups["subject"].tolist() == [9, 10, 2]
    assert data.groups["trial"].tolist() == [3, 1, 1]
    np.testing.assert_allclose(data.coords[0], SKELETON.transpose(2, 0, 1), rtol=1e-6)


def test_single_file_and_one_frame(tmp_path: Path) -> None:
    data = read(write(tmp_path, d_skel=SKELETON))
    assert (len(data), data.class_names[data.labels[0]]) == (1, "swipe left")
    # MATLAB drops a last axis of one, so a one-frame recording has two axes and is refused, not guessed.
    with pytest.raises(SkeletonFormatError, match=r"shape \(20, 3\); expected"):
        read(write(tmp_path, d_skel=SKELETON[:, :, 0]))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"skeleton": SKELETON}, "holds 'skeleton', but no 'd_skel'"),
        ({"d_skel": SKELETON[:15]}, r"shape \(15, 3, 7\); expected \(20 joints, 3, frames\)"),
        ({"d_skel": np.zeros((20, 3, 0))}, "'d_skel' has shape"),
        ({"d_skel": np.zeros((20, 3, 7))}, "a1_s1_t1: all coordinates are zero"),
        ({"d_skel": np.where(np.arange(7) == 4, np.inf, SKELETON)}, "60 coordinates are NaN .* frame 4, joint 0"),
        ({"d_skel": SKELETON * 1e300}, "NaN or infinite"),
        ({"d_skel": SKELETON * 1j}, "expected real numbers"),
        ({"d_skel": np.full((20, 3, 7), "x", dtype=object)}, "expected real numbers"),
    ],
)
def test_wrong_content(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    write(tmp_path, "a2_s1_t1_skeleton.mat", d_skel=SKELETON)
    write(tmp_path, **arrays)
    with pytest.raises(SkeletonFormatError, match=message) as caught:
        read(tmp_path)
    assert "a1_s1_t1" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("tenth", range(10))
def test_truncated(tmp_path: Path, tenth: int, compressed: bool) -> None:
    file = tmp_path / "a1_s1_t1_skeleton.mat"
    savemat(file, {"d_skel": SKELETON}, do_compression=compressed)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises(SkeletonFormatError, match=r"a1_s1_t1_skeleton\.mat: .*"):
        read(tmp_path)


def test_flipped_bytes_never_escape_as_another_error(tmp_path: Path, rng: np.random.Generator) -> None:
    file = write(tmp_path)
    content = file.read_bytes()
    for _ in range(200):
        damaged = bytearray(content)
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        file.write_bytes(damaged)
        try:
            read(file)
        except SkeletonFormatError as error:
            assert "a1_s1_t1" in str(error)  # noqa: PT017


def test_unknown_action(tmp_path: Path) -> None:
    write(tmp_path, "a28_s1_t1_skeleton.mat")
    with pytest.raises(SkeletonFormatError, match=r"a28_s1_t1_skeleton\.mat: action 28 does not exist"):
        read(tmp_path)


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path)
    monkeypatch.setattr(utd_mhad, "MOST_FRAMES", 6)
    with pytest.raises(SkeletonFormatError, match=r"shape \(20, 3, 7\)"):
        read(file)
    monkeypatch.setattr(utd_mhad, "MOST_BYTES", 10)
    with pytest.raises(SkeletonFormatError, match="too large for one recording"):
        read(file)

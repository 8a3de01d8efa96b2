"""Northwestern-UCLA: the complete set with its oddities, and every way in which a file can be damaged."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import nw_ucla, read

SKELETONS = (np.random.default_rng(3).normal(0, 0.5, (6, 20, 3)) + np.array([0.0, 0.0, 3.0])).round(4).tolist()


def write(folder: Path, name: str = "a01_s01_e00_v01", **changes: Any) -> Path:
    content = {"file_name": name, "skeletons": SKELETONS, "label": 1, **changes}
    file = folder / f"{name}.json"
    file.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return file


def test_folder_as_published(tmp_path: Path) -> None:
    """The recordings lie in a folder beside a list of the test part, which is a pickle of names and labels."""
    (tmp_path / "all_sqe").mkdir()
    write(tmp_path / "all_sqe")
    (tmp_path / "val_label.pkl").write_bytes(pickle.dumps([{"file_name": "a01_s01_e00_v03", "length": 4, "label": 1}]))
    assert read(tmp_path).names == ("a01_s01_e00_v01",)


def test_complete_set(data_folder: Path) -> None:
    data = read(data_folder / "nw_ucla")
    assert len(data) == 1484
    assert data.layout.name == "nw-ucla"
    assert len(data.class_names) == 10
    assert np.unique(data.labels).tolist() == list(range(10))
    assert set(data.groups) == {"subject", "view", "trial"}
    assert np.unique(data.groups["view"]).tolist() == [1, 2, 3]
    assert np.unique(data.groups["subject"]).tolist() == list(range(1, 11))
    train, test = data.split("view", [1, 2])
    assert (len(train), len(test)) == (1020, 464)


def test_oddities_of_the_published_copy_are_kept(data_folder: Path) -> None:
    """What the module docstring states: one-frame recordings, and copies of view 2 in view 3."""
    data = read(data_folder / "nw_ucla")
    assert [n for n, T in zip(data.names, data.lengths, strict=True) if T == 1] == [
        "a02_s09_e04_v02",
        "a02_s09_e04_v03",
    ]
    second = {n[:-1]: c.tobytes() for n, c in zip(data.names, data.coords, strict=True) if n.endswith("v02")}
    third = {n[:-1]: c.tobytes() for n, c in zip(data.names, data.coords, strict=True) if n.endswith("v03")}
    copies = [n for n, content in third.items() if second.get(n) == content]
    assert len(copies) == 95
    assert sum(n.startswith("a02") for n in copies) == 50
    assert sum(n.startswith("a03") for n in copies) == 45


def test_action_numbers_map_to_classes(tmp_path: Path) -> None:
    for label, action in enumerate(nw_ucla.ACTIONS, start=1):
        write(tmp_path, f"a{action:02d}_s03_e02_v03", label=label)
    data = read(tmp_path)
    assert data.labels.tolist() == list(range(10))
    assert data.class_names[6:] == ("donning", "doffing", "throw", "carry")
    assert set(data.groups["view"]) == {3}
    assert set(data.groups["trial"]) == {2}
    np.testing.assert_allclose(data.coords[0], SKELETONS, rtol=1e-6)


def test_single_file_and_one_frame(tmp_path: Path) -> None:
    data = read(write(tmp_path, skeletons=SKELETONS[:1]))
    assert (len(data), data.lengths.tolist()) == (1, [1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": 2}, "'label' is 2, the name says action 1, which is label 1"),
        ({"label": "1"}, "'label' is '1'"),
        ({"label": None}, "lacks 'skeletons' or 'label'"),
        ({"skeletons": None}, "lacks 'skeletons' or 'label'"),
        ({"file_name": "a01_s02_e00_v01"}, "'file_name' is 'a01_s02_e00_v01'"),
        ({"skeletons": []}, r"'skeletons' has shape \(0,\)"),
        ({"skeletons": [frame[:15] for frame in SKELETONS]}, r"shape \(6, 15, 3\); expected \(frames, 20 joints, 3\)"),
        ({"skeletons": [*SKELETONS, SKELETONS[0][:4]]}, "ragged"),
        ({"skeletons": {"frames": 3}}, "ragged or holds other than numbers"),
        ({"skeletons": [[["a", 0, 0]] * 20]}, "ragged or holds other than numbers"),
        ({"skeletons": [[[float("nan"), 0, 1]] * 20]}, "all coordinates are zero"),
        ({"skeletons": [[[1e300, 0, 1]] * 20]}, "holds an infinite number"),
        ({"skeletons": [[[10**400, 0, 1]] * 20]}, "ragged or holds other than numbers"),
        ({"skeletons": [[[0, 0, 0]] * 20]}, "all coordinates are zero"),
    ],
)
def test_wrong_content(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write(tmp_path, "a01_s01_e01_v01")
    write(tmp_path, **changes)
    with pytest.raises(SkeletonFormatError, match=message) as caught:
        read(tmp_path)
    assert "a01_s01_e00_v01" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("tenth", range(10))
def test_truncated(tmp_path: Path, tenth: int) -> None:
    file = write(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises(SkeletonFormatError, match=r"a01_s01_e00_v01\.json: (truncated or not JSON|is empty)"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"[]", b"3", b"\xff\xfe\x00", b"[" * 100_000])
def test_other_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a01_s01_e00_v01.json").write_bytes(content)
    with pytest.raises(SkeletonFormatError, match=r"a01_s01_e00_v01\.json: "):
        read(tmp_path)


def test_unknown_action_and_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SkeletonFormatError, match="action 7 does not exist"):
        read(write(tmp_path, "a07_s01_e00_v01"))
    monkeypatch.setattr(nw_ucla, "MOST_BYTES", 10)
    with pytest.raises(SkeletonFormatError, match="too large for one recording"):
        read(write(tmp_path))

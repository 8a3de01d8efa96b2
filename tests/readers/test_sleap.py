"""SLEAP's files: read where sleap-io is installed, and an error that names it where it is not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import read

NODES = ["head", "thorax", "left wing", "right wing"]


def put(file: Path, *, tracks: bool = True, nodes: list[str] | None = None) -> Any:
    """Two flies in five frames, one of which is gone in the third."""
    sio = pytest.importorskip("sleap_io")
    skeleton = sio.Skeleton(
        nodes=list(nodes or NODES), edges=[(NODES[0], NODES[1])] if nodes is None else [], name="fly"
    )
    points = np.random.default_rng(0).uniform(1, 9, (5, 2, len(skeleton.node_names), 2)).astype(np.float32)
    points[:, 1] += 500
    points[2, 1] = points[1, 0, -1] = np.nan
    labels = sio.Labels.from_numpy(points, videos=[sio.Video(filename="fly.mp4")], skeletons=[skeleton])
    if not tracks:
        for frame in labels:
            for instance in frame.instances:
                instance.track = None
        labels.tracks = []
    labels.save(str(file), verbose=False)
    return points


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sleap_io", None)
    (tmp_path / "a.slp").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    with pytest.raises(SkeletonFormatError, match=r"a\.slp: .* pip install 'stgcnlib\[animals\]'"):
        read(tmp_path)


@pytest.mark.parametrize("tracks", [True, False])
def test_animals_joints_and_bones(tmp_path: Path, tracks: bool) -> None:
    points = put(tmp_path / "a.slp", tracks=tracks)
    data = read(tmp_path)
    assert (data.names, data.layout.joints, data.layout.bones) == (("a",), tuple(NODES), ((1, 0),))
    assert data.layout.mirror == ((2, 3),)
    near, far = sorted(data.coords[0], key=lambda animal: animal[0, 0, 0])
    for animal, wanted in ((near, points[:, 0]), (far, points[:, 1])):
        np.testing.assert_array_equal(animal[..., :2], np.nan_to_num(wanted))
    assert not far[2].any()
    assert not near[1, 3].any()


def test_damaged_files_and_other_nodes(tmp_path: Path) -> None:
    file = tmp_path / "a.slp"
    put(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SkeletonFormatError, match=r"a\.slp: damaged, or no file of SLEAP"):
        read(file)
    file.write_bytes(whole)
    put(tmp_path / "b.slp", nodes=["nose", "tail"])
    with pytest.raises(SkeletonFormatError, match=r"b\.slp: has the nodes 'nose', 'tail', others 'head'"):
        read(tmp_path)

"""Damaged files of every format: our errors only, little memory, and no wrong reading where the text is the same."""

from __future__ import annotations

import json
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from format_writers import WRITERS, kinetics_clip, motion, write_bvh, write_ntu, write_pyskl

from stgcnlib.errors import StgcnlibError
from stgcnlib.readers import FORMATS, read
from stgcnlib.sequences import SequenceSet

CASES = [pytest.param(name, writer, id=writer.__name__) for name, writers in WRITERS.items() for writer in writers]
BINARY = ("npz", "utd-mhad", "pyskl", "basicts", "st-gcn", "ctr-gcn", "mocap-arrays")
TEXTS = [case for case in CASES if case.values[0] not in BINARY]
LITTLE = 32 * 2**20  # bytes; the files have some thousands
Writer = Callable[[Path], Path]


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < LITTLE


def tried(file: Path, format: str) -> SequenceSet | None:
    """What is read of a damaged file, or `None` where one of our errors refuses it; anything else escapes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            data = read(file, format=format)
        except StgcnlibError as error:
            assert str(file) in str(error)  # noqa: PT017
            assert len(str(error)) < 1500  # noqa: PT017
            return None
    assert all(np.isfinite(coords).all() for coords in data.coords)
    return data


def test_every_format_is_here() -> None:
    assert set(WRITERS) == set(FORMATS)


@pytest.mark.parametrize(("format", "writer"), CASES)
@pytest.mark.filterwarnings("ignore:.*names no recording")
def test_whole_file_by_content_and_by_name_of_the_format(format: str, writer: Writer, tmp_path: Path) -> None:
    file = writer(tmp_path)
    assert read(file).fingerprint() == read(file, format=format).fingerprint()


@pytest.mark.filterwarnings("ignore:.*names no recording")
@pytest.mark.parametrize(("format", "writer"), CASES)
def test_truncated_at_every_tenth(format: str, writer: Writer, tmp_path: Path) -> None:
    file = writer(tmp_path)
    content = file.read_bytes()
    whole = read(file, format=format)
    read_at_all = 0
    with little_memory():
        for tenth in range(10):
            file.write_bytes(content[: len(content) * tenth // 10])
            data = tried(file, format)
            read_at_all += data is not None
            if data is not None:  # a text that ends between two lines: part of the recording
                assert data.lengths.sum() < whole.lengths.sum()
    assert read_at_all <= 4


@pytest.mark.parametrize(("format", "writer"), CASES)
def test_changed_bytes(format: str, writer: Writer, tmp_path: Path, rng: np.random.Generator) -> None:
    file = writer(tmp_path)
    content = file.read_bytes()
    with little_memory():
        for _ in range(60):
            damaged = bytearray(content)
            for place in rng.integers(len(damaged), size=rng.integers(1, 4)):
                damaged[place] = (
                    rng.choice(list(b'0129-e.,[]{}"\n \0\xff')) if rng.random() < 0.7 else rng.integers(256)
                )
            file.write_bytes(damaged)
            tried(file, format)


@pytest.mark.parametrize(("format", "writer"), CASES)
def test_lost_and_doubled_stretches(format: str, writer: Writer, tmp_path: Path, rng: np.random.Generator) -> None:
    file = writer(tmp_path)
    content = file.read_bytes()
    with little_memory():
        for _ in range(30):
            start, end = sorted(rng.integers(len(content), size=2))
            file.write_bytes(content[:start] + content[end:])
            tried(file, format)
            file.write_bytes(content[:end] + content[start:])
            tried(file, format)


@pytest.mark.parametrize(("format", "writer"), CASES)
def test_random_bytes_and_nothing(format: str, writer: Writer, tmp_path: Path, rng: np.random.Generator) -> None:
    file = writer(tmp_path)
    start = file.read_bytes()[:64]
    with little_memory():
        for content in (
            b"",
            b"\n",
            b"\0",
            b"[]",
            b"{}",
            b"null",
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"9" * 10_000,
            b"[" * 200_000,
        ):
            file.write_bytes(content)
            assert tried(file, format) is None
        for size in (1, 100, 10_000):
            file.write_bytes(rng.bytes(size))
            assert tried(file, format) is None
            file.write_bytes(start + rng.bytes(size))
            assert tried(file, format) is None


@pytest.mark.parametrize(("format", "writer"), TEXTS)
@pytest.mark.parametrize("change", ["crlf", "bom", "both"])
def test_line_ends_and_byte_order_mark_change_nothing(format: str, writer: Writer, change: str, tmp_path: Path) -> None:
    file = writer(tmp_path)
    whole = read(file)
    content = file.read_bytes()
    if change != "bom":
        content = content.replace(b"\n", b"\r\n")
    if change != "crlf":
        content = b"\xef\xbb\xbf" + content
    file.write_bytes(content)
    assert read(file).fingerprint() == whole.fingerprint()


@pytest.mark.parametrize(("format", "writer"), [case for case in TEXTS if case.values[0] not in ("nw-ucla",)])
def test_not_a_number(format: str, writer: Writer, tmp_path: Path) -> None:
    """NaN in place of some number is refused, or is a joint that was not found; it never comes through."""
    file = writer(tmp_path)
    text = file.read_text()
    numbers = [i for i in range(len(text) - 6) if text[i] in " ,[" and text[i + 1 : i + 3] == "0."]
    for i in numbers[:: max(1, len(numbers) // 8)]:
        end = next(k for k in range(i + 1, len(text)) if text[k] in " ,]}\n")
        for word in ("NaN", "Infinity", "-1e400"):
            file.write_text(text[: i + 1] + word + text[end:])
            tried(file, format)


@pytest.mark.parametrize("count", [10**9, 10**18])
def test_huge_counts_need_no_memory(tmp_path: Path, count: int) -> None:
    with little_memory():
        file = write_ntu(tmp_path)
        lines = file.read_text().splitlines()
        for place in (0, 1, 3):
            file.write_text("\n".join([*lines[:place], str(count), *lines[place + 1 :]]))
            assert tried(file, "ntu-rgb+d") is None

        file = write_bvh(tmp_path)
        text = file.read_text()
        for change in (("Frames: 4", f"Frames: {count}"), ("CHANNELS 6", f"CHANNELS {count}")):
            file.write_text(text.replace(*change))
            assert tried(file, "bvh") is None

        file = tmp_path / "clip.json"
        pose = motion(1, 18)
        clip = kinetics_clip([[pose[0]]], label="x", label_index=count)
        file.write_text(json.dumps(clip))
        assert tried(file, "kinetics-skeleton") is None
        clip["label_index"], clip["data"][0]["frame_index"] = 3, count
        file.write_text(json.dumps(clip))
        data = tried(file, "kinetics-skeleton")
        assert data is not None
        assert data.lengths.tolist() == [1]

        file = tmp_path / "results.json"
        keypoints = [1.0] * 51
        file.write_text(json.dumps([{"image_id": i, "keypoints": keypoints} for i in (0, count)]))
        data = tried(file, "coco")
        assert data is not None
        assert data.lengths.tolist() == [2]

        file = tmp_path / "joints_s01_e01.txt"
        file.write_text(f"{count} " + "1.0 " * 60)
        (tmp_path / "actionLabel.txt").write_text(f"s01_e01\nwalk: 0 {'9' * 18}\n")
        data = tried(file, "utkinect")
        assert data is None or data.lengths.tolist() == [1]

        file = tmp_path / "table.csv"
        file.write_text(",".join(["frame", *(f"x{v},y{v}" for v in range(17))]) + f"\n{count}," + "1," * 33 + "1\n")
        data = tried(file, "keypoint-csv")
        assert data is not None
        assert data.lengths.tolist() == [1]


def test_many_bodies_and_joints_stay_within_bounds(tmp_path: Path) -> None:
    """Lists that are really long: a crowd in one frame among many empty ones."""
    crowd = [{"pose": [0.5] * 36, "score": [1] * 18}] * 200
    data = [{"frame_index": t, "skeleton": crowd if t == 5 else []} for t in range(2000)]
    file = tmp_path / "clip.json"
    file.write_text(json.dumps({"data": data}))
    with little_memory():
        read_back = tried(file, "kinetics-skeleton")
    assert read_back is not None
    assert read_back.coords[0].shape == (10, 2000, 18, 3)


def test_huge_array_of_an_npz(tmp_path: Path, small_set: SequenceSet) -> None:
    """An npy header that declares far more than its member holds."""
    import io
    import zipfile

    small_set.save(tmp_path / "set.npz")
    with zipfile.ZipFile(tmp_path / "set.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 20, 3)})
    members["frames.npy"] = header.getvalue() + b"\0" * 100
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with little_memory():
        assert tried(tmp_path / "huge.npz", "npz") is None


def test_pickle_that_is_cut_anywhere(tmp_path: Path) -> None:
    file = write_pyskl(tmp_path)
    content = file.read_bytes()
    with little_memory():
        for end in range(0, len(content), max(1, len(content) // 150)):
            file.write_bytes(content[:end])
            assert tried(file, "pyskl") is None

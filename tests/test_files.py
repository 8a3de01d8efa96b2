"""Atomic writing: all or nothing, whatever interrupts; fingerprints: equal for equal content only."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from stgcnlib.errors import OutputError
from stgcnlib.files import (
    atomic_folder,
    atomic_path,
    fingerprint,
    fingerprint_file,
    make_folder,
    missing_folders,
    mistaken,
    write_json,
    write_text,
)
from stgcnlib.temporary import remove_left


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("before", [None, "old"])
def test_file_appears_whole_or_not_at_all(tmp_path: Path, before: str | None) -> None:
    target = tmp_path / "result.txt"
    if before is not None:
        target.write_text(before)

    def interrupted() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names(tmp_path) == ([] if before is None else ["result.txt"])
    assert before is None or target.read_text() == before
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".txt"
        assert temporary.parent == target.parent
        temporary.write_text("new")
        assert not target.exists() or target.read_text() == before
    assert names(tmp_path) == ["result.txt"]
    assert target.read_text() == "new"


@pytest.mark.parametrize("before", [None, "old"])
def test_folder_appears_whole_or_not_at_all(tmp_path: Path, before: str | None) -> None:
    def ours(folder: Path) -> bool:
        return (folder / "old").exists()

    target = tmp_path / "store"
    if before is not None:
        target.mkdir()
        (target / before).write_text(before)

    def interrupted() -> None:
        with atomic_folder(target, ours=ours) as temporary:
            (temporary / "half").write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        interrupted()
    assert names(tmp_path) == ([] if before is None else ["store"])
    assert before is None or names(target) == [before]
    with atomic_folder(target, ours=ours) as temporary:
        (temporary / "new").write_text("new")
    assert names(tmp_path) == ["store"]
    assert names(target) == ["new"]


def replace_folder(target: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
    with atomic_folder(target, ours=lambda folder: (folder / "mark").exists()) as temporary:
        (temporary / "mark").write_text("new")
        meanwhile()


def test_a_folder_takes_the_place_of_an_empty_one_and_of_its_like_only(tmp_path: Path) -> None:
    """Also what a user has put there while the folder was written stays."""
    thesis, notes = tmp_path / "thesis", tmp_path / "notes.txt"
    thesis.mkdir()
    replace_folder(thesis)
    replace_folder(thesis)
    (thesis / "mark").rename(thesis / "chapter.tex")
    notes.write_text("mine")
    for target, said in ((thesis, "holds other files"), (notes, "is a file")):
        with pytest.raises(OutputError, match=rf"{target.name}: {said}.*; give another path or remove it$"):
            replace_folder(target)
    with pytest.raises(OutputError, match="is a file"):
        replace_folder(tmp_path / "late", lambda: (tmp_path / "late").write_text("mine"))
    remove_left(tmp_path)
    assert names(tmp_path) == ["late", "notes.txt", "thesis"]
    assert (thesis / "chapter.tex").read_text() == "new"
    assert notes.read_text() == (tmp_path / "late").read_text() == "mine"


def test_of_a_link_the_folder_that_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "large-disk" / "result")
    for _ in range(2):
        replace_folder(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert names(tmp_path / "large-disk") == ["result"]


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "result.txt"
    write_text(target, "old")
    program = (
        "import os, signal, sys\n"
        "from stgcnlib.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"


def test_parents_are_made_and_permissions_follow_the_umask(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "result.txt"
    write_text(target, "ü")
    assert target.read_bytes() == "ü".encode()
    umask = os.umask(0)
    os.umask(umask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask


def test_json_round_trip(tmp_path: Path) -> None:
    value = {"b": [1, 2.5, None], "a": {"ü": True}}
    write_json(tmp_path / "x.json", value)
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert text.index('"b"') < text.index('"a"')
    assert "ü" in text


def test_json_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="Circular"):
        write_json(tmp_path / "x.json", loop)
    assert names(tmp_path) == []


def test_fingerprints(tmp_path: Path) -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    different = [{"a": 1}, {"a": 2}, {"a": "1"}, {"a": 1.5}, {"a": [1]}, [1], [[1]], None, "", "ü"]
    assert len({fingerprint(value) for value in different}) == len(different)
    (tmp_path / "x").write_bytes(b"1")
    (tmp_path / "y").write_bytes(b"2")
    assert fingerprint_file(tmp_path / "x") != fingerprint_file(tmp_path / "y")
    assert len(fingerprint_file(tmp_path / "x")) == 64


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    for write in (
        make_folder,
        lambda path: write_text(path / "a.txt", "x"),
        lambda path: atomic_folder(path, ours=Path.exists).__enter__(),
    ):
        for place in (tmp_path / "taken" / "below", tmp_path / "taken" / "far" / "below"):
            with pytest.raises(
                OutputError,
                match=r"taken.*: cannot be written \(.*taken is a file, not a folder\); choose another \w+$",
            ):
                write(place)
    with pytest.raises(OutputError, match="taken is a file, not a folder"):
        make_folder(tmp_path / "taken")
    assert names(tmp_path) == ["taken"]


def test_a_folder_is_made_although_the_one_above_is_just_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, mkdir = tmp_path / "reports" / "mine", Path.mkdir
    assert missing_folders(folder) == [folder, folder.parent]

    def late(path: Path, *given: object, **options: object) -> None:
        monkeypatch.setattr(Path, "mkdir", mkdir)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

    monkeypatch.setattr(Path, "mkdir", late)
    assert make_folder(folder).is_dir()
    assert missing_folders(folder) == []


def test_a_full_disk_is_one_line_and_other_errors_of_the_writer_stay(tmp_path: Path) -> None:
    for number, kind in ((errno.ENOSPC, OutputError), (errno.ENOENT, FileNotFoundError)):
        with pytest.raises(kind) as caught, atomic_path(tmp_path / "a.txt"):
            raise OSError(number, os.strerror(number))
        assert isinstance(caught.value, OutputError) == (number == errno.ENOSPC)
        with pytest.raises(kind), atomic_folder(tmp_path / "a", ours=Path.exists):
            raise OSError(number, os.strerror(number))
    assert names(tmp_path) == []


def test_archives_are_fine_where_they_are_read(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "weights.pt")
    np.savez_compressed(tmp_path / "set.npz", a=np.zeros(2))
    assert mistaken(tmp_path / "weights.pt", fine=["torch"]) is None
    assert mistaken(tmp_path / "set.npz", fine=["npz"]) is None
    assert "a checkpoint of torch.save" in str(mistaken(tmp_path / "weights.pt", fine=["npz"]))
    assert "an npz archive" in str(mistaken(tmp_path / "set.npz", fine=["torch"]))
    (tmp_path / "set.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert mistaken(tmp_path / "set.h5", fine=["hdf5"]) is None
    assert "an HDF5 file" in str(mistaken(tmp_path / "set.h5"))


@pytest.mark.parametrize(
    "content", [b"{}", b"4\n2\n", b"name,label\n", b"\x80\x04}.", b"<skeleton/>", b"HIERARCHY", b"\xff"]
)
def test_data_is_not_mistaken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert mistaken(tmp_path / "a") is None
    assert mistaken(tmp_path / "absent") is None

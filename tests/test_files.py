"""Atomic writing: all or nothing, whatever interrupts; fingerprints: equal for equal content only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stgcnlib.files import atomic_folder, atomic_path, fingerprint, fingerprint_file, write_json, write_text


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
    target = tmp_path / "store"
    if before is not None:
        target.mkdir()
        (target / before).write_text(before)

    def interrupted() -> None:
        with atomic_folder(target) as temporary:
            (temporary / "half").write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        interrupted()
    assert names(tmp_path) == ([] if before is None else ["store"])
    assert before is None or names(target) == [before]
    with atomic_folder(target) as temporary:
        (temporary / "new").write_text("new")
    assert names(tmp_path) == ["store"]
    assert names(target) == ["new"]


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
    assert len(fingerprint_file(tmp_path / "x")) == 16

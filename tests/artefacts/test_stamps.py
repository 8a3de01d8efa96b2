"""Stamps of inputs: another content is always seen, an equal one costs no work, and none changes while it is read."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from stgcnlib.artefacts import JSON, Artefact, Artefacts, Line, stamps
from stgcnlib.artefacts.stamps import Stamps
from stgcnlib.errors import ArtefactError


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read for a stamp."""
    names: list[str] = []
    real = stamps.fingerprint_file

    def counted(path: Path) -> str:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(stamps, "fingerprint_file", counted)
    return names


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some seconds after all files were written."""
    real = time.time_ns
    monkeypatch.setattr("stgcnlib.artefacts.stamps.time.time_ns", lambda: real() + 2 * stamps.SETTLED)
    monkeypatch.setattr(stamps, "COARSE", 10**9 + 7)  # no time here is a multiple of it


@pytest.mark.usefixtures("later")
def test_equal_size_and_time_hide_no_change(tmp_path: Path, read: list[str]) -> None:
    file, cache = tmp_path / "input.txt", tmp_path / "cache.json"
    file.write_text("one")
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    before = Stamps(cache).of(file)
    assert Stamps(cache).of(file) == before
    assert read == ["input.txt"]
    file.write_text("two")
    os.utime(file, ns=times)
    after = Stamps(cache).of(file)
    assert after != before
    other = tmp_path / "other.txt"
    other.write_text("one")
    os.utime(other, ns=times)
    other.replace(file)  # as a backup is put in place
    assert Stamps(cache).of(file) == before


@pytest.mark.usefixtures("later")
def test_touching_costs_a_reading_and_no_more(tmp_path: Path, read: list[str]) -> None:
    file, cache = tmp_path / "input.txt", tmp_path / "cache.json"
    file.write_text("one")
    before = Stamps(cache).of(file)
    file.touch()
    assert Stamps(cache).of(file) == before
    assert Stamps(cache).of(file) == before
    assert read == ["input.txt"] * 2


def test_what_was_just_written_is_read_by_every_process(
    tmp_path: Path, read: list[str], request: pytest.FixtureRequest
) -> None:
    """Within a step of the disk's clock, a change of equal size would have the same times."""
    file, cache = tmp_path / "input.txt", tmp_path / "cache.json"
    file.write_text("one")
    for _ in range(3):
        Stamps(cache).of(file)
    assert read == ["input.txt"] * 3
    request.getfixturevalue("later")
    for _ in range(3):
        Stamps(cache).of(file)
    assert read == ["input.txt"] * 4


@pytest.mark.usefixtures("later")
def test_a_disk_that_counts_time_coarsely_is_not_trusted(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, cache = tmp_path / "input.txt", tmp_path / "cache.json"
    file.write_text("one")
    monkeypatch.setattr(stamps, "COARSE", 10**7)
    monkeypatch.setattr(stamps, "file_state", lambda path: [3, 10**18, 10**18, 7])
    before = Stamps(cache).of(file)
    file.write_text("two")
    assert Stamps(cache).of(file) != before
    assert len(read) == 2


def test_folders_are_walked_as_readers_walk_them(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    for folder in (data, elsewhere):
        folder.mkdir()
        (folder / "a.csv").write_text("1")
    (data / "linked").symlink_to(elsewhere)
    (data / "again").symlink_to(elsewhere)
    (data / "loop").symlink_to(data)
    (data / "gone").symlink_to(tmp_path / "nothing")
    before = Stamps().of(data)
    (elsewhere / "a.csv").write_text("2")
    after = Stamps().of(data)
    assert after != before
    (data / "again").unlink()
    assert Stamps().of(data) != after
    before = Stamps().of(data)
    (data / ".DS_Store").write_text("x")
    (data / ".hidden").mkdir()
    (data / ".hidden" / "a.csv").write_text("x")
    assert Stamps().of(data) == before


@pytest.mark.parametrize("wait", [False, True])
def test_a_change_since_the_stamp_is_refused(tmp_path: Path, wait: bool, request: pytest.FixtureRequest) -> None:
    if wait:
        request.getfixturevalue("later")
    file = tmp_path / "data" / "input.txt"
    file.parent.mkdir()
    file.write_text("one")
    taken = Stamps()
    taken.check(file.parent)  # no stamp was taken: nothing was read by it
    taken.of(file.parent)
    taken.check(file.parent)
    file.touch()
    taken.check(file.parent)
    file.write_text("two")
    with pytest.raises(ArtefactError, match="has changed while the study read it"):
        taken.check(file.parent)
    file.write_text("one")
    taken.check(file.parent)
    file.unlink()
    with pytest.raises(ArtefactError, match="has changed"):
        taken.check(file.parent)


class _Settings(BaseModel):
    path: str
    beside: tuple[str, ...] = ()


def _read(settings: Any) -> str:
    text = Path(settings.path).read_text(encoding="utf-8")
    if text == "unsteady":
        Path(settings.path).write_text("changed")
    return text


def _kept(text: str) -> str:
    return text


LINE = Line(
    (
        Artefact("text", _read, files=("path", "beside")),
        Artefact("kept", _kept, JSON, needs={"text": "text"}),
    ),
    {},
)


def test_nothing_is_kept_that_was_made_from_files_that_changed_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "input.txt"
    file.write_text("unsteady")
    study = _Settings(path=str(file))
    with pytest.raises(ArtefactError, match=r"input\.txt: has changed while"):
        Artefacts(LINE, study, tmp_path / "out")["kept"]
    assert not list((tmp_path / "out" / "artefacts").glob("kept*"))
    assert Artefacts(LINE, study, tmp_path / "out")["kept"] == "changed"


def test_several_files_of_one_setting_count_each(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("input.txt", "labels.csv", "more.csv")]
    for file in files:
        file.write_text("x")

    def key() -> str:
        study = _Settings(path=str(files[0]), beside=tuple(map(str, files[1:])))
        return Artefacts(LINE, study, tmp_path / "out").key("kept")

    keys = [key()]
    for file in files:
        file.write_text("y")
        keys.append(key())
    assert len(set(keys)) == 4
    assert key() == keys[-1]

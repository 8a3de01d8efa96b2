"""Temporary files and folders: gone after their process, also if it is killed; never those of a process that lives."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stgcnlib.files import atomic_folder, atomic_path, write_text
from stgcnlib.temporary import PREFIX, TemporaryFolder, aside, hold, release, remove_left

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such locks")

WRITER = """
import sys
from stgcnlib.files import atomic_folder, atomic_path
from stgcnlib.temporary import TemporaryFolder
home = sys.argv[1]
with atomic_path(home + "/a.txt") as a, atomic_folder(home + "/b", ours=bool) as b, TemporaryFolder() as c:
    for file in (a, b / "half", c / "half"):
        file.write_text("half")
    print("written", flush=True)
    sys.stdin.read()
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def writer(folder: Path, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in the midst of writing a file, a folder and a temporary folder; killed in the end."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_next_one_removes_what_a_killed_process_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, temporary = tmp_path / "results", tmp_path / "tmp"
    results.mkdir()
    temporary.mkdir()
    (results / ".stgcnlib.yml").write_text("of the user")
    (temporary / "stgcnlib-notes").write_text("of the user")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with writer(results, temporary) as process:
        remove_left(results)
        with TemporaryFolder() as mine:
            assert len(names(temporary)) == 3
            assert mine.stat().st_mode & 0o777 == 0o700
        assert len(names(results)) == 3  # nothing of a process that lives is touched
        process.kill()
        process.wait()
    assert len(names(results)) == 3
    with TemporaryFolder() as mine:
        assert names(temporary) == ["stgcnlib-notes", mine.name]
    write_text(results / "c.txt", "whole")
    assert names(results) == [".stgcnlib.yml", "c.txt"]
    assert names(temporary) == ["stgcnlib-notes"]


def test_what_lives_in_this_process_stays(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt") as file, atomic_folder(tmp_path / "b", ours=Path.exists) as folder:
        remove_left(tmp_path)
        assert file.exists()
        assert folder.exists()
    assert names(tmp_path) == ["a.txt", "b"]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_was_being_replaced_is_not_lost(tmp_path: Path, replaced: bool) -> None:
    target = tmp_path / "store-1.zarr"
    write_text(target / "a.txt", "old")
    target.rename(aside(target))
    if replaced:
        write_text(target / "a.txt", "new")
    remove_left(tmp_path)
    assert names(tmp_path) == ["store-1.zarr"]
    assert (target / "a.txt").read_text() == ("new" if replaced else "old")


def test_one_that_is_being_replaced_is_not_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two renames another process looks."""
    write_text(tmp_path / "store" / "a.txt", "old")
    rename = Path.rename

    def look(self: Path, target: Path) -> Path:
        moved = rename(self, target)
        remove_left(tmp_path)
        return moved

    monkeypatch.setattr(Path, "rename", look)
    with atomic_folder(tmp_path / "store", ours=Path.exists) as folder:
        (folder / "a.txt").write_text("new")
    assert names(tmp_path) == ["store"]
    assert (tmp_path / "store" / "a.txt").read_text() == "new"


def test_what_leads_elsewhere_or_blocks_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "precious")
    (tmp_path / f"{PREFIX}folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / f"{PREFIX}pipe")
    remove_left(tmp_path)  # does not hang
    assert (tmp_path / "precious").read_text() == "kept"
    remove_left(tmp_path / "missing")


def test_many_writers_and_removers_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Between a temporary file's creation and its lock another process may remove it: it is made again."""
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(40):
                write_text(tmp_path / f"{number}.txt", str(turn))
                remove_left(tmp_path)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert names(tmp_path) == [f"{number}.txt" for number in range(6)]
    assert all(file.read_text() == "39" for file in tmp_path.iterdir())


def test_one_that_was_removed_meanwhile_is_not_held(tmp_path: Path) -> None:
    assert hold(tmp_path / "gone") is None
    handle = hold(tmp_path)
    release(handle)
    assert handle is not None
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(handle)


def test_a_program_that_takes_the_place_of_a_process_keeps_its_folder(tmp_path: Path) -> None:
    code = (
        "import os, sys; from stgcnlib.temporary import TemporaryFolder\n"
        "home = TemporaryFolder(inherited=True)\n"
        "os.execv(sys.executable, [sys.executable, '-c', 'import sys; print(1, flush=True); sys.stdin.read()'])"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        remove_left(tmp_path, "stgcnlib-run-")
        assert len(names(tmp_path)) == 1
        process.kill()
        process.wait()
    remove_left(tmp_path, "stgcnlib-run-")
    assert names(tmp_path) == []

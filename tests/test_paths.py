"""Paths of folders that are passed on: kept inside, written portably, and left out of texts."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stgcnlib.errors import StudyError
from stgcnlib.paths import check_contained, inside, portable_path, without_paths

if os.name == "nt":
    pytest.skip("links and pipes of Unix", allow_module_level=True)


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(path.parent)  # a socket's path is short
        try:
            server.bind(path.name)
        finally:
            os.chdir(before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.symlink_to("/etc/passwd"), "link out of"),
        (lambda path: path.symlink_to("/etc"), "link out of"),
        (lambda path: path.symlink_to("../../../not-there"), "link out of"),
        (lambda path: path.symlink_to("../../../study-2"), "link out of"),
        (os.mkfifo, "neither a file nor a folder"),
        (bound, "neither a file nor a folder"),
    ],
)
@pytest.mark.parametrize("place", ["pages", "deep/er/x.npz"])
def test_what_leads_out_is_refused(tmp_path: Path, make: Callable[[Path], None], message: str, place: str) -> None:
    home = tmp_path / "study"
    (tmp_path / "study-2").mkdir()
    (home / place).parent.mkdir(parents=True)
    make(home / place)
    with pytest.raises(StudyError, match=message) as caught:
        check_contained(home)
    assert str(home / place) in str(caught.value)


def test_files_folders_and_links_within_are_fine(tmp_path: Path) -> None:
    (tmp_path / "study" / "a").mkdir(parents=True)
    (tmp_path / "study" / "a" / "b").write_text("")
    (tmp_path / "study" / "c").symlink_to("a/b")
    (tmp_path / "study" / "loop").symlink_to(".")
    (tmp_path / "there").symlink_to("study")  # the folder itself may lie elsewhere
    check_contained(tmp_path / "there")
    check_contained(tmp_path / "nowhere")
    assert inside(tmp_path, "a/../b.npz") == tmp_path / "a/../b.npz"
    for name in ("../b", "/etc/passwd", "a/../../b", "a\0b"):
        with pytest.raises(StudyError, match="leads out of it"):
            inside(tmp_path, name)


def test_a_portable_path_means_the_same_and_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home" / "somebody"
    (home / "reports" / "a").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "somebody")
    cases = {
        (home / "data" / "x.npz", home / "reports" / "a"): "../../data/x.npz",
        (home / "data" / "x.npz", tmp_path / "scratch"): "~/data/x.npz",
        (tmp_path / "scratch" / "x.npz", home / "reports"): "../../../scratch/x.npz",
        (tmp_path / "scratch" / "somebody" / "x.npz", tmp_path): "scratch/${USER}/x.npz",
    }
    for (path, start), expected in cases.items():
        text = portable_path(path, start)
        assert text == expected
        assert (start / Path(os.path.expandvars(text)).expanduser()).resolve() == path.resolve()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data/alice/set/a1.npz: no such file", "…/a1.npz: no such file"),
        ("read '/data/alice/a1.npz', then", "read '…/a1.npz', then"),
        ("File \x1b[32m/opt/py/lib/x.py:12\x1b[39m, in f", "File \x1b[32m…/x.py:12\x1b[39m, in f"),
        ("/home/me/study/a.yml:3: wrong", "~/study/a.yml:3: wrong"),
        ("/home/mechanic/study/a.yml", "…/a.yml"),
        ("C:\\Users\\alice\\a.npz", "…/a.npz"),
        ("see https://example.org/a/b and 3/4/5 m/s/s, and/or ../x/y", None),
        ("a/b/c stays, and so does /data", None),
    ],
)
def test_texts_lose_paths_of_the_machine(text: str, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USER", "me")
    assert without_paths(text) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/scratch/alice: has changed while the study read it", "…/${USER}: has changed while the study read it"),
        ("../../alice/data/x.npz: no such file", "../../${USER}/data/x.npz: no such file"),
        ("read '../alice', alice/x.npz and a/alice/y.", "read '../${USER}', ${USER}/x.npz and a/${USER}/y."),
        ("/alice is no folder of ../alice.", "/${USER} is no folder of ../${USER}."),
        ("\x1b[32malice/a/x.py:12\x1b[39m, path=../alice", "\x1b[32m${USER}/a/x.py:12\x1b[39m, path=../${USER}"),
        ("..\\alice\\x.npz and ~/alice/x and file:///alice", "..\\${USER}\\x.npz and ~/${USER}/x and file:///${USER}"),
        ("alice, malice/a/x and /alices, alice/bob, https://a.org/alice/x, <b></alice>", None),
    ],
)
def test_texts_lose_the_name_of_the_user(text: str, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USER", "alice")
    assert without_paths(text) == (text if expected is None else expected)
    monkeypatch.delenv("USER")
    assert "${USER}" not in without_paths(text)


@pytest.mark.parametrize("user", ["data", "root", "s", "or", "trained"])
def test_a_user_of_a_common_name_changes_no_ordinary_text(user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USER", user)
    text = "the root of data and/or m/s, data/train, curves/trained: no data.\n</s> https://a.org/data/root/trained"
    assert without_paths(text) == text


def test_long_texts_take_no_long_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "alice")
    for text in ("a" * 10**6, "/" * 10**6, "../" * 10**6, "a b " * 10**5, "//:" * 10**5):
        began = time.process_time()
        without_paths(text + " ../alice/x")
        assert time.process_time() - began < 5

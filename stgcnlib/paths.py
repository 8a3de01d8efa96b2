"""Paths in folders that are given to others: none leads out of the folder, none names the machine or its user."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from stgcnlib.errors import StudyError

__all__ = ["check_contained", "inside", "portable_path", "without_paths"]

# A path of two names or more: at the start of a line, after what cannot end a word or URL, or after a colour code.
_ABSOLUTE = re.compile(
    r"(^|[^\w:/.~\\…-]|\x1b\[[\d;]*m)(?:[A-Za-z]:)?(?:[\\/][^\s\\/'\"<>|:;,()\[\]\x1b]+)+[\\/]([^\s\\/'\"<>|:;,()\[\]\x1b]+)",
    re.MULTILINE,
)
_WORD = re.compile(r"\x1b\[[\d;]*m|[^\s'\"<>|:;,=`()\[\]\x1b]+")
"""A path is one of these, and so is any word beside it; colour codes are for themselves."""


def check_contained(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder that holds anything but files and folders, or a link that leads out of it.

    Through such a link, files that are not the study's could be read or overwritten. The folder itself may be a link.

    Raises:
        StudyError: names the first one.
    """
    home = Path(folder).resolve()
    for entry in _entries(home):
        if entry.is_symlink():
            if not Path(entry.path).resolve().is_relative_to(home):
                raise StudyError(f"{entry.path}: is a link out of the study's folder; put the file itself there")
            continue
        fine = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
        if not fine and os.path.lexists(entry.path):  # else a run has removed it meanwhile
            raise StudyError(f"{entry.path}: is neither a file nor a folder; remove it")


def inside(folder: Path, name: str) -> Path:
    """The path below a folder that a name stands for, such as "activations/trained.zarr".

    Raises:
        StudyError: the name leads out of the folder.
    """
    path = folder / name
    if not Path(os.path.normpath(path)).is_relative_to(os.path.normpath(folder)) or "\0" in name:
        raise StudyError(f"{folder}: the name {name!r} leads out of it; the folder is damaged or not to be trusted")
    return path


def portable_path(path: str | os.PathLike[str], start: str | os.PathLike[str]) -> str:
    """A path as text for a file below `start` that may be given to others; on this machine it names the same place.

    It is relative to `start`, or begins with ``~/`` where it is below the home folder and `start` is not. The user's
    name in it is written as ``${USER}``.
    """
    target, base, home = Path(path).resolve(), Path(start).resolve(), Path.home().resolve()
    if target.is_relative_to(home) and not base.is_relative_to(home):
        return Path("~", target.relative_to(home)).as_posix()
    try:
        parts = Path(os.path.relpath(target, base)).parts
    except ValueError:  # another drive of Windows
        return target.as_posix()
    return Path(*_without_user(parts)).as_posix()


def without_paths(text: str) -> str:
    """A text, say of an error, with the home folder written as ~ and other absolute paths cut to their last name.

    The user's name is written as ``${USER}`` where it is a part of a path. Two words with a slash between them are no
    path: "data/test" and "and/or" stay, whatever the user's name is.
    """
    home = str(Path.home())
    if len(home) > 1:
        text = re.sub(rf"{re.escape(home)}(?![\w-])", "~", text)
    text = _ABSOLUTE.sub(r"\1…/\2", text)
    return _WORD.sub(_word_without_user, text) if _user() in text else text


def _word_without_user(found: re.Match[str]) -> str:
    word, before = found[0], found.string[max(0, found.start() - 5) : found.start()]
    path = word.rstrip(".")
    names = re.split(r"([\\/]+)", path)  # with what lies between them
    url = word.startswith("//") and before.endswith(":") and before != "file:"
    tag = len(names) == 3 and names[0] == "" and before.endswith("<")  # such as </b>
    words = len(names) == 3 and re.fullmatch(r"\w+", names[0]) and re.fullmatch(r"\w+", names[2])
    return word if len(names) == 1 or url or tag or words else "".join(_without_user(names)) + word[len(path) :]


def _without_user(names: Iterable[str]) -> list[str]:
    return ["${USER}" if name == _user() else name for name in names]


def _user() -> str:
    return os.environ.get("USER") or "\0"  # which no path has


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder; links are not followed."""
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:  # missing or not readable: reading it raises an error later
            continue
        yield from entries
        waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]

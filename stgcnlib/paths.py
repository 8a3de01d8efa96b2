"""Paths in folders that are given to others: none leads out of the folder, none names the machine or its user."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from stgcnlib.errors import StudyError

__all__ = ["check_contained", "inside", "portable_path", "without_paths"]

# A path of two names or more: at the start of a line, after what cannot end a word or URL, or after a colour code.
_ABSOLUTE = re.compile(
    r"(^|[^\w:/.~\\…-]|\x1b\[[\d;]*m)(?:[A-Za-z]:)?(?:[\\/][^\s\\/'\"<>|:;,()\[\]\x1b]+)+[\\/]([^\s\\/'\"<>|:;,()\[\]\x1b]+)",
    re.MULTILINE,
)


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
    user = os.environ.get("USER")
    return Path(*("${USER}" if part == user else part for part in parts)).as_posix()


def without_paths(text: str) -> str:
    """A text, say of an error, with the home folder written as ~ and other absolute paths cut to their last name."""
    home = str(Path.home())
    if len(home) > 1:
        text = re.sub(rf"{re.escape(home)}(?![\w-])", "~", text)
    return _ABSOLUTE.sub(r"\1…/\2", text)


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

"""Files that are read in addition to the given path: labels and indices that a format keeps beside its recordings.

A study's key covers them: changed labels beside a single file change the key, as a change of the file itself does.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

from stgcnlib.readers import basicts, pku_mmd, pyskl, stgcn_arrays, utkinect
from stgcnlib.readers.content import LABELS, beside

__all__ = ["companions"]

_LABELS = (LABELS, "*_label.json", "*_label.pkl")


def companions(path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Existing files outside `path` that `stgcnlib.read` reads together with it, in a fixed order.

    Args:
        path: as of `stgcnlib.read`; a path that does not exist has no such files.
    """
    source = Path(path).absolute()
    try:
        if not source.exists():
            return ()
    except OSError:  # such as a name that is too long
        return ()
    folders = [source.parent, source.parent.parent] if source.is_file() else [source.parent]
    found = {beside(folder, utkinect.LABEL_FILE) for folder in folders}
    if source.is_file():
        found |= set(_beside_file(source))
    else:
        found.add(source.with_name(f"{source.name}_label.json"))
    found |= {pku_mmd.labels_beside(file) for file in _entries(source) if pku_mmd.NAME.fullmatch(file.name)}
    return tuple(sorted(file for file in found - {None, source} if file is not None and file.exists()))


def _beside_file(source: Path) -> list[Path]:
    entries = _entries(source.parent)
    found = [file for file in entries if any(fnmatchcase(file.name.lower(), each) for each in _LABELS)]
    for reader in (basicts, stgcn_arrays):
        if reader.recognises(source):
            found += [file for file in entries if reader.recognises(file)]
    if source.suffix.lower() == ".pkl":
        found.append(source.parent / pyskl.DETECTIONS)
    return found


def _entries(source: Path) -> list[Path]:
    try:
        return sorted(source.iterdir()) if source.is_dir() else [source]
    except OSError:
        return []

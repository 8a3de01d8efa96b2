"""Stamps of files by their content, for keys.

A file is read again only if its size, inode or times have changed. Among the times is that of its last change of
state, which programs cannot set. Where this time is not enough, because the file has just been written or its disk
counts time coarsely, every process reads the file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from stgcnlib.errors import ArtefactError
from stgcnlib.files import fingerprint, fingerprint_file, write_json
from stgcnlib.json_text import read_json_file

__all__ = ["Stamps", "file_state"]


def file_state(path: Path) -> list[int]:
    """What changes whenever a file's content does: size, times of last change of content and of state in ns, inode."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


_MOST = 2**28  # bytes of the cache: a line or two for each file of the recordings
SETTLED = 2 * 10**9
"""Nanoseconds after which a further change of a file is sure to have another time, on all but coarse disks."""
COARSE = 10**7
"""Nanoseconds: disks that count them in such steps (FAT, some of networks) may also let programs set the time."""


class Stamps:
    """Content stamps of files and folders, each file read once.

    Args:
        cache: where states and stamps are kept between processes; `None`: nowhere.
        keep: whether to write there, too.
    """

    def __init__(self, cache: Path | None = None, *, keep: bool = True) -> None:
        self._cache, self._keeps = cache, keep
        self._known: dict[str, tuple[list[int], str]] | None = None
        self._found: dict[str, tuple[str, str]] = {}
        self._changed = False

    def of(self, path: str | Path) -> str:
        """A hash of the names and contents of all files of a folder, or of one file; taken once per process.

        Raises:
            ArtefactError: nothing is there, or it cannot be read.
        """
        key = str(path)
        if key not in self._found:
            self._found[key] = self._taken(Path(path))
            self._keep()
        return self._found[key][0]

    def check(self, path: str | Path) -> None:
        """Refuse a file or folder whose content has changed since its stamp: what was read may mix old and new.

        Raises:
            ArtefactError: it has changed, or cannot be read any more.
        """
        stamp, states = self._found.get(str(path)) or ("", "")
        if not stamp or (states and states == self._states(Path(path))):
            return
        if self._taken(Path(path))[0] != stamp:
            raise ArtefactError(
                f"{path}: has changed while the study read it; run it again once nothing writes there any more"
            )

    def _taken(self, root: Path) -> tuple[str, str]:
        """The stamp of a file or folder, and its states before; "" if a file may change without its state."""
        try:
            if not root.exists():
                raise FileNotFoundError("no such file or folder")
            states = self._states(root)
            return fingerprint([root.name, {name: self._stamp(file) for name, file in _files(root)}]), states
        except OSError as error:
            raise ArtefactError(f"{root}: cannot be read ({error.strerror or error})") from None

    @staticmethod
    def _states(root: Path) -> str:
        found = {name: file_state(file) for name, file in _files(root)}
        return fingerprint(found) if all(_tells(state[2]) for state in found.values()) else ""

    def _stamp(self, file: Path) -> str:
        known, state = self._read(), file_state(file)
        name = fingerprint(str(file.resolve()))  # hashed: folders given to others hold no path of this machine
        if name in known and known[name][0] == state:
            return known[name][1]
        stamp = fingerprint_file(file)
        if _tells(state[2]):
            known[name] = (state, stamp)
            self._changed = True
        return stamp

    def _read(self) -> dict[str, tuple[list[int], str]]:
        if self._known is None:
            try:
                content = read_json_file(self._cache, most=_MOST) if self._cache else {}
                self._known = {str(n): ([int(v) for v in state], str(s)) for n, (state, s) in content.items()}
            except (OSError, ValueError, TypeError, AttributeError):
                self._known = {}  # the files are read again
        return self._known

    def _keep(self) -> None:
        if self._cache is not None and self._keeps and self._changed:
            write_json(self._cache, {name: list(entry) for name, entry in sorted(self._read().items())})
            self._changed = False


def _tells(changed: int) -> bool:
    """Whether any later change of a file will have another time than this one."""
    return changed + SETTLED < time.time_ns() and changed % COARSE != 0


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """(name below the root, file), in a fixed order; links are followed, hidden things are left out as readers do."""
    if not root.is_dir():
        yield root.name, root
        return
    yield from _walked(root, "", ())


def _walked(folder: Path, inside: str, above: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder that it lies in
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _walked(path, f"{inside}{path.name}/", (*above, real))
        elif path.is_file():
            yield f"{inside}{path.name}", path

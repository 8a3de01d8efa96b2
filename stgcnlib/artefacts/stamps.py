"""Stamps of files by their content, for keys.

A file is read again only if its size, inode or times have changed. The time of its last change of state is among them,
which programs cannot set.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from stgcnlib.errors import ArtefactError
from stgcnlib.files import fingerprint, fingerprint_file, write_json

__all__ = ["Stamps", "file_state"]


def file_state(path: Path) -> list[int]:
    """What changes whenever a file's content does: size, times of last change of content and of state in ns, inode."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


class Stamps:
    """Content stamps of files and folders, each file read once.

    Args:
        cache: where states and stamps are kept between processes; `None`: nowhere.
        keep: whether to write there, too.
    """

    def __init__(self, cache: Path | None = None, *, keep: bool = True) -> None:
        self._cache, self._keeps = cache, keep
        self._known: dict[str, tuple[list[int], str]] | None = None
        self._found: dict[str, str] = {}
        self._changed = False

    def of(self, path: str | Path) -> str:
        """A hash of the names and contents of all files of a folder, or of one file; taken once per process.

        Raises:
            ArtefactError: nothing is there, or it cannot be read.
        """
        key = str(path)
        if key not in self._found:
            root = Path(path)
            try:
                if not root.exists():
                    raise FileNotFoundError("no such file or folder")
                found = {name: self._stamp(file) for name, file in _files(root)}
            except OSError as error:
                raise ArtefactError(f"{root}: cannot be read ({error.strerror or error})") from None
            self._found[key] = fingerprint([root.name, found])
            self._keep()
        return self._found[key]

    def _stamp(self, file: Path) -> str:
        known, state = self._read(), file_state(file)
        name = fingerprint(str(file.resolve()))  # hashed: a folder that is passed on tells no path of this machine
        if name not in known or known[name][0] != state:
            known[name] = (state, fingerprint_file(file))
            self._changed = True
        return known[name][1]

    def _read(self) -> dict[str, tuple[list[int], str]]:
        if self._known is None:
            try:
                content = json.loads(self._cache.read_text(encoding="utf-8")) if self._cache else {}
                self._known = {str(n): ([int(v) for v in state], str(s)) for n, (state, s) in content.items()}
            except (OSError, ValueError, TypeError, AttributeError):
                self._known = {}  # the files are read again
        return self._known

    def _keep(self) -> None:
        if self._cache is not None and self._keeps and self._changed:
            write_json(self._cache, {name: list(entry) for name, entry in sorted(self._read().items())})
            self._changed = False


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """(name below the root, file), in a fixed order."""
    if not root.is_dir():
        yield root.name, root
        return
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield path.relative_to(root).as_posix(), path

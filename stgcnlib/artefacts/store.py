"""The store: artefacts on disk, each with a manifest that says what it was made from and what its files hold.

An artefact is written to a temporary path, synced, given checksums and renamed into its place, by one process at a
time. Before it is used, its files are compared with the checksums: a damaged artefact is made again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from stgcnlib.artefacts.declare import Form
from stgcnlib.artefacts.stamps import file_state
from stgcnlib.errors import ArtefactError
from stgcnlib.files import fingerprint_file, make_folder, write_json, writing
from stgcnlib.version import __version__

__all__ = ["Store"]

FORMAT = 1
MANIFEST = ".manifest.json"


class Store:
    """Artefacts below one folder.

    Args:
        folder: where they lie; made with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._whole: dict[str, tuple[str, list[int]]] = {}

    def path(self, name: str, form: Form) -> Path:
        """Where an artefact lies."""
        return self.folder / f"{name}{form.suffix}"

    def about(self, name: str, form: Form) -> dict[str, Any]:
        """The manifest of an artefact; empty where it has none that can be read."""
        try:
            content = json.loads(self._manifest(self.path(name, form)).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def holds(self, name: str, form: Form, key: str | None) -> bool:
        """Whether an artefact is there, was made from `key` (`None`: from whatever), and is as it was written."""
        path = self.path(name, form)
        try:
            state = file_state(self._manifest(path))  # changes when another process makes or forgets the artefact
            known, seen = self._whole.get(name, (None, None))
            if seen == state and key in (None, known) and path.exists():
                return True
            manifest = self.about(name, form)
            key = manifest["key"] if key is None else key
            whole = manifest["format"] == FORMAT and manifest["key"] == key and _intact(path, manifest["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return False  # without a readable manifest it is made again
        if whole:
            self._whole[name] = (key, state)
        return whole

    def write(
        self,
        name: str,
        form: Form,
        key: str,
        basis: Mapping[str, Any],
        make: Callable[[Path], None],
        effort: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        """Have `make` write to a path that does not exist yet, and put that in the artefact's place.

        The manifest says from which key and `basis` it was made, and what that took: `effort` is asked afterwards.
        """
        path = self.path(name, form)
        make_folder(path.parent)
        self._whole.pop(name, None)
        with writing(path, only_room=True), self._beside(name) as scratch:
            temporary = scratch / path.name
            make(temporary)
            if not temporary.exists():
                raise ArtefactError(f"{name}: its function wrote nothing to its path")
            sums = {file: _synced(temporary / file if file else temporary) for file in _names(temporary)}
            self._manifest(path).unlink(missing_ok=True)
            _replace(temporary, path, scratch)
        write_json(
            self._manifest(path),
            {
                "format": FORMAT,
                "artefact": name,
                "key": key,
                "stgcnlib": __version__,
                "made": datetime.now(UTC).isoformat(timespec="seconds"),
                "effort": dict(effort()),
                "from": dict(basis),
                "files": {file: [total, file_state(path / file if file else path)] for file, total in sums.items()},
            },
        )
        self._whole[name] = (key, file_state(self._manifest(path)))

    def forget(self, pattern: str, form: Form) -> None:
        """Have artefacts made again: their manifests go, their files stay until they are replaced.

        Args:
            pattern: a name, with ``*`` for all values of an axis.
            form: of these artefacts.
        """
        self._whole.clear()
        for manifest in self.folder.glob(f"{pattern}{form.suffix}{MANIFEST}"):
            manifest.unlink(missing_ok=True)

    @contextmanager
    def making(self, name: str) -> Iterator[None]:
        """Hold the lock of an artefact, so that one process makes it and others wait."""
        locks = self.folder / ".locks"
        make_folder(locks)
        with FileLock(locks / f"{name.replace('/', '__')}.lock"):
            yield

    @contextmanager
    def scratch(self, name: str, key: str) -> Iterator[Path]:
        """A folder where a computation keeps its progress; the next attempt with the same key finds it again."""
        home = self._unfinished(name)
        folder = home / key
        make_folder(folder)
        yield folder
        shutil.rmtree(home, ignore_errors=True)  # the artefact is made; what attempts with other keys left goes too

    @contextmanager
    def _beside(self, name: str) -> Iterator[Path]:
        """An empty folder on the same disk; one that a killed process left is removed first."""
        folder = self._unfinished(name) / "new"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # not the folder above: another maker may be about to use it
                folder.parent.rmdir()

    def _unfinished(self, name: str) -> Path:
        return self.folder / ".unfinished" / name.replace("/", "__")

    @staticmethod
    def _manifest(path: Path) -> Path:
        return path.with_name(path.name + MANIFEST)


def _names(path: Path) -> list[str]:
    """Names of the files in a folder, relative to it; [""] for a file."""
    if not path.is_dir():
        return [""]
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())


def _intact(path: Path, files: Mapping[str, Any]) -> bool:
    """Whether a path has exactly these files with these contents; a file in the same state is not read again."""
    if _names(path) != sorted(files):
        return False
    for name, (total, state) in files.items():
        file = path / name if name else path
        if file_state(file) != state and fingerprint_file(file) != total:
            return False
    return True


def _synced(file: Path) -> str:
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())
    return fingerprint_file(file)


def _replace(temporary: Path, path: Path, scratch: Path) -> None:
    if temporary.is_dir() and path.exists():
        path.rename(scratch / "old")  # a folder cannot be renamed over another
    temporary.replace(path)

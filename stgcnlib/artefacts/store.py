"""The store: artefacts on disk, each with a manifest that says what it was made from and what its files hold.

An artefact is written to a temporary path, synced, given checksums and renamed into its place, by one process at a
time. The states of its files tell whether it is up to date. Before it is used, their contents are compared with the
checksums (`sums`); a damaged artefact is made again.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from stgcnlib.artefacts.declare import Form
from stgcnlib.artefacts.stamps import file_state
from stgcnlib.artefacts.sums import FORMAT, MANIFEST, Sums, manifest_of, names_in, read_manifest
from stgcnlib.errors import ArtefactError, DamagedError
from stgcnlib.files import fingerprint_file, make_folder, write_json, writing
from stgcnlib.paths import inside
from stgcnlib.version import __version__

__all__ = ["Store"]


class Store:
    """Artefacts below one folder.

    Methods take the `name` of an artefact with values in place of its axes, its `form` on disk, and the `key` that it
    is made from.

    Args:
        folder: where they lie; made with the first one.
        mend: for a store that makes nothing: what to do about a damaged artefact, as the end of the error message;
            `None`: its manifest is removed, so that it is made again.
    """

    def __init__(self, folder: Path, mend: str | None = None) -> None:
        self.folder, self.mend = folder, mend
        self._whole: dict[str, tuple[str, list[int]]] = {}
        self._written: dict[Path, list[int]] = {}

    def path(self, name: str, form: Form) -> Path:
        """Where an artefact lies; `StudyError` for a name that leads out of the folder."""
        return inside(self.folder, f"{name}{form.suffix}")

    def about(self, name: str, form: Form) -> dict[str, Any]:
        """The manifest of an artefact; empty where it has none that can be read."""
        try:
            return read_manifest(self.path(name, form), "")
        except DamagedError:
            return {}

    def holds(self, name: str, form: Form, key: str) -> bool:
        """Whether an artefact is there, was made from `key`, and shows no sign of damage.

        Files whose state has not changed since are not read; `load` reads them.

        Raises:
            ArtefactError: a newer version made it.
        """
        path = self.path(name, form)
        try:
            state = file_state(manifest_of(path))  # changes when another process makes or forgets the artefact
            if self._whole.get(name) == (key, state) and path.exists():
                return True
            manifest = read_manifest(path, "")
            whole = manifest["key"] == key and _unchanged(path, manifest)
        except (OSError, DamagedError):
            return False  # without a readable manifest it is made again
        if whole:
            self._whole[name] = (key, state)
        return whole

    def load(self, name: str, form: Form) -> Any:
        """The value of an artefact, after its files have been compared with their sums.

        Raises:
            DamagedError: it is not as it was written, or cannot be read; without `mend` it is made again next time.
            ArtefactError: a newer version made it.
        """
        path = self.path(name, form)
        manifest = read_manifest(path, self.mend)
        sums = Sums(path, manifest["files"], self.mend, read=manifest["read"])
        try:
            if manifest.get("artefact") != name:
                raise sums.damage("", "has the manifest of another result")
            if form.lazy:
                sums.check_names()
                return form.load(path, sums)
            sums.check()
            return form.load(path)
        except (DamagedError, MemoryError, ImportError):
            raise
        except Exception as error:  # libraries raise many kinds of errors on damaged files
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                raise
            raise sums.damage("", f"cannot be read ({' '.join(str(error).split())})") from error

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

        Raises:
            ArtefactError: `make` wrote nothing to its path.
        """
        path = self.path(name, form)
        make_folder(path.parent)
        self._whole.pop(name, None)
        with writing(path, only_room=True), self._beside(name) as scratch:
            temporary = scratch / path.name
            make(temporary)
            if not temporary.exists():
                raise ArtefactError(f"{name}: its function wrote nothing to its path")
            sums = Sums(path, {file: _synced(temporary / file if file else temporary) for file in names_in(temporary)})
            manifest_of(path).unlink(missing_ok=True)
            _replace(temporary, path, scratch)
        for file in sums.files:
            sums.know(file)
        write_json(
            manifest_of(path),
            {
                "format": FORMAT,
                "artefact": name,
                "key": key,
                "stgcnlib": __version__,
                "made": datetime.now(UTC).isoformat(timespec="seconds"),
                "effort": dict(effort()),
                "from": dict(basis),
                "files": {
                    file: [total, file_state(path / file if file else path)] for file, total in sums.files.items()
                },
            },
        )
        self._written[manifest_of(path)] = file_state(manifest_of(path))
        self._whole[name] = (key, self._written[manifest_of(path)])

    def has_others(self) -> bool:
        """Whether an artefact lies here that was not written by this store, or is being made by another process."""
        try:
            manifests = [path for path in self.folder.rglob(f"*{MANIFEST}") if path.is_file()]
            changed = any(self._written.get(path) != file_state(path) for path in manifests)
        except FileNotFoundError:  # another process is replacing it
            return True
        return changed or any((self.folder / ".unfinished").glob("*"))

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

    def clear_unfinished(self) -> None:
        """Remove the progress of all artefacts that no process is making now; for when all that is wanted is there."""
        for folder in (self.folder / ".unfinished").glob("*"):
            with suppress(Timeout), FileLock(self.folder / ".locks" / f"{folder.name}.lock", timeout=0):
                shutil.rmtree(folder, ignore_errors=True)

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


def _unchanged(path: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether a path has the files of a manifest, in the same states or else with the same contents."""
    if names_in(path) != sorted(manifest["files"]):
        return False
    sums = Sums(path, manifest["files"], "")
    for name, state in manifest["states"].items():
        if file_state(path / name if name else path) != state:
            sums.check_file(name)
    return True


def _synced(file: Path) -> str:
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())
    return fingerprint_file(file)


def _replace(temporary: Path, path: Path, scratch: Path) -> None:
    if temporary.is_dir() and path.exists():
        path.rename(scratch / "old")  # a folder cannot be renamed over another
    temporary.replace(path)

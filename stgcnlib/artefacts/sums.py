"""Sums: compare an artefact's files with the SHA-256 sums in its manifest; a process reads each file once.

`Store.load` and `checked` compare before anything is used. Features of layers are compared block by block as they are
read, since those of a study may be larger than memory.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stgcnlib.artefacts.stamps import file_state
from stgcnlib.errors import ArtefactError, DamagedError, check_version
from stgcnlib.files import fingerprint_file
from stgcnlib.json_text import read_json_file

__all__ = [
    "FORMAT", "MANIFEST", "Sums", "checked", "checked_names", "manifest_of", "manifest_state", "names_in",
    "read_manifest",
]  # fmt: skip

FORMAT = 2
"""Of manifests. Format 1 had only the first 16 digits of a sum; only these are then compared."""
MANIFEST = ".manifest.json"
AGAIN = "run its study again"
DROPPED = "the next run makes it again"

_MOST = 2**28  # bytes of a manifest: features of layers have a file per MiB
_LOST = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EIO, errno.ELOOP)
_seen: dict[str, tuple[list[int], str]] = {}
"""File -> its state when this process last found its content right, and the sum of that content."""


class Sums:
    """The sums of one artefact.

    Methods take the `name` of a file as in `files`.

    Args:
        path: of the artefact.
        files: name below it ("" for a file) -> SHA-256.
        mend: what to do about damage, as the end of the error message; `None`: the manifest is removed, so that the
            artefact is made again.
        read: the state of the manifest just before `files` were read from it; `None`: they are of no manifest. A
            manifest that another process has written since is not removed.
    """

    def __init__(
        self, path: Path, files: Mapping[str, str], mend: str | None = AGAIN, *, read: Sequence[int] | None = None
    ) -> None:
        self.path, self.files, self.mend = path, dict(files), mend
        self._read = None if read is None else list(read)
        self._right: set[str] = set()

    def check(self) -> None:
        """Compare all files; those that this process has read since they changed are not read again.

        Raises:
            DamagedError: one is missing, one too many, no regular file, or holds something else.
        """
        self.check_names()
        for name in self.files:
            self.check_file(name)

    def check_names(self) -> None:
        """Compare the names of the files only."""
        there = set(names_in(self.path))
        if wrong := sorted(there ^ self.files.keys()):
            raise self.damage(wrong[0], "is missing" if wrong[0] in self.files else "does not belong to it")

    def check_file(self, name: str) -> None:
        """Compare one file."""
        file, total = self.path / name if name else self.path, self.files[name]
        try:
            if not stat.S_ISREG(file.lstat().st_mode):
                raise self.damage(name, "is no regular file")
            seen = (file_state(file), total)
            if _seen.get(str(file)) == seen:
                return
            right = _same(fingerprint_file(file), total)
        except OSError as error:
            if error.errno not in _LOST:
                raise
            raise self.damage(name, f"cannot be read ({error.strerror})") from None
        if not right:
            raise self.damage(name)
        _seen[str(file)] = seen

    def check_content(self, name: str, content: Any) -> None:
        """Compare the content that was read of a file with its sum, the first time only; `None`: it was not there.

        `content` is what was read.
        """
        if name in self._right or (content is None and name not in self.files):
            return
        if content is None:
            raise self.damage(name, "is missing")
        if name not in self.files:
            raise self.damage(name, "does not belong to it")
        if not _same(hashlib.sha256(content).hexdigest(), self.files[name]):
            raise self.damage(name)
        self._right.add(name)

    def know(self, name: str) -> None:
        """Take note that this process has just written a file."""
        file = self.path / name if name else self.path
        _seen[str(file)] = (file_state(file), self.files[name])

    def damage(self, name: str, what: str = "is not as it was written") -> DamagedError:
        """The error to raise about one file; without `mend`, the artefact is made again next time.

        `what` follows the name of the file in the message.
        """
        if self.mend is None and self._read is not None and self._read == manifest_state(self.path):
            manifest_of(self.path).unlink(missing_ok=True)
        file = self.path / name if name else self.path
        error = DamagedError(f"{file}: {what}; {self.mend or DROPPED}")
        error.path = str(self.path)
        return error

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_right": set()}


def checked(path: Path, *, mend: str = AGAIN) -> Sums | None:
    """The sums of what lies at a path, all its files compared; `None` where it has no manifest.

    `mend` is what to do about damage, as for `Sums`.

    Raises:
        DamagedError: it is not as it was written, or its manifest cannot be read.
        ArtefactError: a newer version wrote it.
    """
    if (sums := _written(path, mend)) is not None:
        sums.check()
    return sums


def checked_names(path: Path, *, mend: str = AGAIN) -> Sums | None:
    """As `checked`, but only the names of the files are compared: for callers that compare contents while reading.

    `mend` is what to do about damage, as for `Sums`.
    """
    if (sums := _written(path, mend)) is not None:
        sums.check_names()
    return sums


def _written(path: Path, mend: str) -> Sums | None:
    """The sums that a manifest tells; `None` where there is none."""
    there = os.path.lexists(manifest_of(path))
    return Sums(path, read_manifest(path, mend)["files"], mend) if there else None


def manifest_of(path: Path) -> Path:
    """The manifest of what lies at a path."""
    return path.with_name(path.name + MANIFEST)


def manifest_state(path: Path) -> list[int] | None:
    """The state of the manifest of what lies at a `path`; `None` where there is none."""
    try:
        return file_state(manifest_of(path))
    except OSError:
        return None


def read_manifest(path: Path, mend: str | None = AGAIN) -> dict[str, Any]:
    """The manifest of what lies at a path, with `files` as name -> sum and `states` as name -> state of the file.

    Its own state just before it was read is `read`, as for `Sums`.

    `mend` is what to do about damage, as for `Sums`.

    Raises:
        DamagedError: there is none, or it is damaged.
        ArtefactError: a newer version wrote it.
    """
    file, read = manifest_of(path), manifest_state(path)
    try:
        content = read_json_file(file, most=_MOST)
        check_version(file, content["format"], FORMAT, ArtefactError, by=content.get("stgcnlib"))
        found = {str(name): (str(total), state) for name, (total, state) in content["files"].items()}
        if not (isinstance(content["key"], str) and content["format"] >= 1) or any(
            len(t) < 16 for t, _ in found.values()
        ):
            raise ValueError("its fields have other types")
    except FileNotFoundError:
        raise _broken(path, "has no manifest, so it cannot be checked for damage", mend, read) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ArtefactError):
            raise
        raise _broken(path, f"its manifest cannot be read ({error})", mend, read) from None
    files, states = ({name: pair[k] for name, pair in found.items()} for k in (0, 1))
    return {**content, "files": files, "states": states, "read": read}


def names_in(path: Path) -> list[str]:
    """Names of all files below a folder, relative to it, and of links; [""] for a file, [] if nothing is there."""
    if path.is_symlink() or not path.is_dir():
        return [""] if os.path.lexists(path) else []
    found = []
    for home, folders, files in os.walk(path):
        links = [name for name in folders if Path(home, name).is_symlink()]
        found += [Path(home, name).relative_to(path).as_posix() for name in (*files, *links)]
    return sorted(found)


def _same(found: str, total: str) -> bool:
    return found.startswith(total)


def _broken(path: Path, what: str, mend: str | None, read: Sequence[int] | None) -> DamagedError:
    return Sums(path, {}, mend, read=read).damage("", what)

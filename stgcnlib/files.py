"""Writing files so that a killed process leaves none half-written, fingerprints, and recognising wrong files.

A file is written beside its place, synced and renamed over it; a fingerprint is a SHA-256 of a
value's canonical JSON, or of a file's bytes. A ``file://`` URL may be given for the path that it names.
`mistaken` tells from its first bytes what a file is whose name is right and whose content is not.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from stgcnlib.errors import OutputError, StgcnlibError
from stgcnlib.temporary import PREFIX, aside, hold, release, remove_left

__all__ = [
    "Archive", "atomic_folder", "atomic_path", "fingerprint", "fingerprint_file", "is_remote", "local_path",
    "make_folder", "missing_folders", "mistaken", "probe_output", "regular_size", "write_json", "write_text", "writing",
]  # fmt: skip

Archive = Literal["npz", "torch", "hdf5"]
LOOKED_AT = 4096  # bytes from which a file's kind is told
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_DEEP = 250  # characters of the longest path below an output folder
LEAST_ROOM = 2**16
"""Bytes: a disk with less free space counts as full."""
_LONGEST = 4096  # bytes of a path, on Linux


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it on success and removed on any exception.

    The suffix of `path` is kept, since many writers (numpy, matplotlib) choose the format by it.

    Raises:
        OutputError: if nothing can be written there, or the disk is full.
    """
    target = Path(path)
    temporary, held = _beside(target, folder=False)
    try:
        with writing(target, only_room=True):
            yield temporary
        with writing(target):
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
        release(held)


@contextmanager
def atomic_folder(path: str | os.PathLike[str], *, ours: Callable[[Path], bool]) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place on success; an old one is replaced.

    Args:
        path: where the folder is to lie. Of a link, the folder that it leads to is replaced.
        ours: whether a folder with something in it was written by the caller; any other is refused.

    Raises:
        OutputError: if nothing can be written there, the disk is full, or something else lies there.
    """
    target = Path(path)
    if target.is_symlink():
        target = target.resolve()
    _refuse_others(target, ours)
    temporary, held = _beside(target, folder=True)
    try:
        with writing(target, only_room=True):
            yield temporary
        with writing(target):
            temporary.chmod(0o755)
            _refuse_others(target, ours)
            if target.exists():
                kept, old = hold(target), aside(target)
                target.rename(old)
                temporary.rename(target)
                shutil.rmtree(old)
                release(kept)
            else:
                temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        release(held)


def _refuse_others(target: Path, ours: Callable[[Path], bool]) -> None:
    """Refuse to replace what the caller has not written: a file, or a folder that holds something else."""
    with writing(target):
        if target.is_dir():
            if any(target.iterdir()) and not ours(target):
                raise OutputError(f"{target}: holds other files, so it is not replaced; give another path or remove it")
        elif target.exists():
            raise OutputError(f"{target}: is a file, and a folder is to lie there; give another path or remove it")


_cleared: set[Path] = set()
"""Folders in which this process has removed what killed processes had left."""


def _beside(target: Path, *, folder: bool) -> tuple[Path, int]:
    """A new file or folder beside a target, and the handle of its lock."""
    home = make_folder(target.parent)
    if home not in _cleared:
        _cleared.add(home)
        remove_left(home)
    while True:
        with writing(target):
            if folder:
                temporary = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
            else:
                handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=target.suffix, dir=home)
                os.close(handle)
                temporary = Path(name)
        if (held := hold(temporary)) is not None:
            return temporary, held


def make_folder(path: str | os.PathLike[str]) -> Path:
    """The folder of that path, made with those above it where they are missing.

    Raises:
        OutputError: if it cannot be made, or a file has its name.
    """
    folder = Path(path)
    with writing(folder):
        with suppress(FileNotFoundError):  # a command that is refused may just remove a folder above
            folder.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def missing_folders(path: str | os.PathLike[str]) -> list[Path]:
    """What `make_folder` would make for that path: itself first, then folders above it; empty if it is there."""
    folder = Path(path)
    return [each for each in (folder, *folder.parents) if not os.path.lexists(each)]


def regular_size(path: str | os.PathLike[str]) -> int:
    """Size of a file in bytes, before it is opened: opening a pipe could wait for ever, and a device has no end.

    Raises:
        OSError: the file is missing or not accessible, or it is a folder.
        ValueError: it is no regular file.
    """
    file = Path(path)
    status = file.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is no regular file")
    return status.st_size


def probe_output(path: str | os.PathLike[str], *, file: bool = False, option: str = "") -> None:
    """Check, before work begins, that a file or folder can be written; nothing is left there.

    Args:
        path: of the folder, or of the file, that is to be written; it need not exist.
        file: whether it is a file.
        option: of the command line that names another place, such as "--output"; the error says so.

    Raises:
        OutputError: it is a folder instead of a file or a file instead of a folder, or its path is too long, or nothing
            can be written where it is to lie.
    """
    target = Path(path)
    with writing(target, option=option):
        if len(os.fsencode(target.absolute())) > _LONGEST - _DEEP:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        with suppress(FileNotFoundError, NotADirectoryError):
            is_folder = stat.S_ISDIR(target.stat().st_mode)
            if is_folder == file:
                raise OSError(errno.EISDIR if is_folder else errno.ENOTDIR, "it is a folder; name a file")
        home = target.parent if file else target
        while not home.is_dir():
            if home.exists() or home == home.parent:
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            home = home.parent
        with tempfile.TemporaryFile(dir=home, buffering=0) as stream:
            stream.write(bytes(4096))


@contextmanager
def writing(target: Path, *, only_room: bool = False, option: str = "") -> Iterator[None]:
    """Turn errors of the system on writing into an `OutputError` of one line that names the place.

    Args:
        target: what is written.
        only_room: leave errors other than a lack of space as they are. A full disk is also recognised by its free
            space, since errors of numpy and torch do not name the cause.
        option: of the command line that names another place; empty where there is none.

    Raises:
        OutputError: names the place, the cause and the mend.
    """
    try:
        yield
    except StgcnlibError:
        raise
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        if number is None and _is_full(target):
            number, said = errno.ENOSPC, os.strerror(errno.ENOSPC)
        elif not isinstance(error, OSError) or (only_room and number not in _FULL):
            raise
        elif number in (errno.EEXIST, errno.ENOTDIR):
            above = [target, *target.parents]
            file = next((place for place in above if place.exists() and not place.is_dir()), target)
            said = f"{file} is a file, not a folder"
        else:
            said = error.strerror or str(error)
        raise OutputError(f"{target}: cannot be written ({said}); {_mend(number, option)}") from None


def _mend(number: int | None, option: str) -> str:
    other = f"choose another place{f' with {option}' * bool(option)}"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"make room there (bytes, or the number of files), or {other}; the same command goes on from here"
    return f"{other}, or change its permissions" if number in (errno.EACCES, errno.EPERM) else other


def _is_full(target: Path) -> bool:
    """Whether the disk of a place has no room for another block or file."""
    home = next(folder for folder in target.absolute().parents if folder.is_dir())
    if not hasattr(os, "statvfs"):
        return shutil.disk_usage(home).free < LEAST_ROOM
    found = os.statvfs(home)
    return found.f_bavail * found.f_frsize < LEAST_ROOM or (found.f_files > 0 and found.f_favail == 0)


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a URL of another kind than ``file://``, such as ``s3://bucket/features.zarr``."""
    return isinstance(path, str) and "://" in path and not path.startswith("file://")


def local_path(path: str | os.PathLike[str]) -> Path:
    """The path of a file or folder on this machine, from a path or a ``file://`` URL; not for other URLs."""
    if isinstance(path, str) and path.startswith("file://"):
        return Path(url2pathname(urlsplit(path).path))
    return Path(path)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write a JSON file atomically, keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def fingerprint(value: Any) -> str:
    """SHA-256 (hex, 16 characters) of a JSON-like value, independent of key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 (hex, 64 characters) of a file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def mistaken(path: str | os.PathLike[str], *, fine: Collection[Archive] = ()) -> str | None:
    """What a file is instead of what its name promises, and the mend; `None` if its first bytes tell nothing.

    It recognises what people get in place of a data file or checkpoint: web pages of failed downloads, pointers of
    Git LFS and git-annex, archives, HDF5 (MATLAB 7.3), text in UTF-16, and empty files.

    Args:
        path: of the file.
        fine: archives that the caller reads itself: "npz" (arrays of numpy), "torch" (of ``torch.save``), "hdf5".

    Returns:
        The end of a sentence that begins with the file's name, such as "is a web page ('Quota exceeded'), …".
    """
    try:
        with Path(path).open("rb") as stream:
            start = stream.read(LOOKED_AT)
    except OSError:
        return None
    if not start:
        return "is empty; copy or download it again"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:LOOKED_AT].lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<!--")) or (text[:5] == b"<?xml" and b"<html" in text):
        found = re.search(rb"<title[^>]*>(.*?)</title>", start, re.IGNORECASE | re.DOTALL)
        title = " ".join(found[1].decode("utf-8", errors="replace").split())[:60] if found else ""
        return (
            f"is a web page{f' ({title!r})' * bool(title)}, not the file that was to be downloaded; download it again"
        )
    if start.startswith(b"version https://git-lfs."):
        size = re.search(rb"\nsize (\d{1,15})\n", start)
        whole = f"the file itself has {int(size[1])} bytes; " if size else ""
        return f"is a pointer of Git LFS, not the file; {whole}fetch it with 'git lfs pull'"
    if re.match(rb"(\.\./)*(\.git|/annex)/(annex/)?objects/", start):
        return "is a pointer of git-annex, not the file; fetch it with 'git annex get'"
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _archive(start, fine)
    for signature, place, what, mend in _SIGNATURES:
        if start[place : place + len(signature)] == signature and not ("HDF5" in what and "hdf5" in fine):
            return f"is {what}; {mend}"
    return None


_UNPACK = "unpack it first"
_TEXT = "save it as UTF-8"
# First bytes, their position, what begins with them, and the mend.
_SIGNATURES = (
    (b"MATLAB 7.3", 0, "a MATLAB 7.3 file, which is HDF5", "save it in MATLAB with save(…, '-v7')"),
    (b"\x89HDF\r\n\x1a\n", 0, "an HDF5 file", "convert it, h5py reads it"),
    (b"\x1f\x8b", 0, "compressed with gzip", _UNPACK),
    (b"BZh", 0, "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\0", 0, "compressed with xz", _UNPACK),
    (b"(\xb5/\xfd", 0, "compressed with zstd", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", 0, "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", 0, "a RAR archive", _UNPACK),
    (b"ustar", 257, "a tar archive", _UNPACK),
    (b"\xff\xfe", 0, "text in UTF-16", _TEXT),
    (b"\xfe\xff", 0, "text in UTF-16", _TEXT),
    (b"%PDF-", 0, "a PDF document", "look for the data beside it"),
)


def _archive(start: bytes, fine: Collection[str]) -> str | None:
    """What a zip file is by the name of its first member, which stands in its first bytes."""
    length = int.from_bytes(start[26:28], "little")
    first = start[30 : 30 + length].decode("utf-8", errors="replace")
    if first.endswith(".npy"):
        kind, what = "npz", "an npz archive of numpy"
    elif re.fullmatch(r"[^/]+/(data\.pkl|constants\.pkl|version|byteorder|data/.*|\.\w+)", first):
        kind, what = "torch", "a checkpoint of torch.save"
    else:
        begins = f" that begins with {first[:60]!r}" if first else ""
        return f"is a zip archive{begins}; unzip it and give the file or folder that is in it"
    return None if kind in fine else f"is {what}; is it the right file?"

"""Code that a study names: it runs only after its user has allowed it.

The permission is kept in the user's state folder, by a hash of the network's name and of the code, so that changed code
needs a new one. An environment variable passes it to processes and machines that work for the same run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.machinery import all_suffixes
from pathlib import Path

from stgcnlib.errors import OutputError, StudyError
from stgcnlib.files import write_json
from stgcnlib.json_text import read_json_file
from stgcnlib.modules import imported_files, module_home

__all__ = ["TRUSTED", "code_digest", "is_trusted", "remember", "require", "state_folder"]

TRUSTED = "STGCNLIB_TRUSTED"
"""Environment variable with the digests of code that may run, separated by commas."""
_FILE = "trusted.json"
_SUFFIXES = tuple(all_suffixes())


def state_folder() -> Path:
    """Where this user's own state lies, which no study reads or passes on: ``XDG_STATE_HOME/stgcnlib``."""
    chosen = os.environ.get("XDG_STATE_HOME", "")
    if not Path(chosen).is_absolute():
        chosen = os.environ.get("LOCALAPPDATA", "") if os.name == "nt" else ""
    return (Path(chosen) if chosen else Path.home() / ".local" / "state") / "stgcnlib"


def code_digest(name: str, source: str | Path) -> str:
    """SHA-256 (hex) of a network's name and of the code that goes with it.

    Args:
        name: "package.module:factory".
        source: file of the module. The hash also covers all modules of its package, or those beside it if it has none,
            and the files of the same folder that it imports, directly or through others.
    """
    digest = hashlib.sha256(name.encode())
    home = module_home(name.partition(":")[0], source)
    for file in sorted(_code(name, Path(source), home)):
        digest.update(f"\0{Path(os.path.relpath(file, home)).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def is_trusted(name: str, source: str | Path) -> bool:
    """Whether the user has allowed this code; a remembered permission is passed to processes started from now on."""
    digest = code_digest(name, source)
    if digest in _told():
        return True
    if digest in _remembered():
        _tell(digest)
        return True
    return False


def remember(name: str, source: str | Path) -> None:
    """Let this code run: in this process, in those that it starts, and whenever it is the same again."""
    digest = code_digest(name, source)
    _tell(digest)
    with suppress(OutputError):  # a home that cannot be written: it is asked again next time
        write_json(state_folder() / _FILE, {**_remembered(), digest: {"network": name, "file": str(source)}})


def require(name: str, source: str | Path | None) -> None:
    """Refuse code that the user has not allowed; code that is not found is refused where it is imported.

    Raises:
        StudyError: names the file to read and what to give then.
    """
    if source is not None and not is_trusted(name, source):
        raise StudyError(
            f"network {name!r}: {source} is code that a study names, and it runs only if you trust it; read it, then "
            "give --trust to 'stgcnlib run', 'estimate' or 'embed', or call stgcnlib.trust_study(study) in Python"
        )


def _told() -> list[str]:
    return [each for each in os.environ.get(TRUSTED, "").split(",") if each]


def _tell(digest: str) -> None:
    os.environ[TRUSTED] = ",".join([*_told(), digest])


def _remembered() -> dict[str, object]:
    try:
        content = read_json_file(state_folder() / _FILE)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _code(name: str, source: Path, home: Path) -> Iterator[Path]:
    """Files that an import may run: of the whole package, or beside a module without one."""
    package = home / name.partition(".")[0].partition(":")[0]
    found = package.rglob("*") if package in source.parents else home.glob("*")
    imported = imported_files(name.partition(":")[0], source)
    for file in {source, *imported, *found}:
        if file.name.endswith(_SUFFIXES) and "__pycache__" not in file.parts and file.is_file():
            yield file

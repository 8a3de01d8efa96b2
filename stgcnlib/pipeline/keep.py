"""Artefacts on disk that know what they were made from.

Beside each artefact lies a manifest with the fingerprint of its inputs; an artefact whose manifest
is missing, damaged or of other inputs is made again. What an artefact is, `run` decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from filelock import FileLock

from stgcnlib.files import atomic_path, fingerprint, write_json
from stgcnlib.version import __version__

__all__ = ["ArtefactFolder", "write_table"]

Made = TypeVar("Made")


class ArtefactFolder:
    """Compute-or-read storage below one folder.

    Args:
        folder: where the artefacts lie; made with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._locks: dict[str, FileLock] = {}

    def path(self, name: str) -> Path:
        """Where artefact `name` lies."""
        return self.folder / name

    def fresh(self, name: str, key: Any) -> bool:
        """Whether artefact `name` is there and was made from `key` by this version of the library."""
        manifest = self._manifest(name)
        if not (self.path(name).exists() and manifest.exists()):
            return False
        try:
            known = json.loads(manifest.read_text(encoding="utf-8"))["fingerprint"]
        except (ValueError, KeyError, TypeError):
            return False  # a damaged manifest only costs the computation
        return bool(known == fingerprint([__version__, key]))

    def sign(self, name: str, key: Any) -> None:
        """Write the manifest that says `name` was made from `key`."""
        manifest = {
            "artefact": name,
            "stgcnlib": __version__,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "fingerprint": fingerprint([__version__, key]),
            "from": key,
        }
        write_json(self._manifest(name), manifest)

    def build(self, name: str, key: Any, make: Callable[[Path], object]) -> Path:
        """The path of a folder artefact that `make` writes (atomically, by itself) when it isn't fresh."""
        if not self.fresh(name, key):
            with self._making(name):
                if not self.fresh(name, key):  # another process may have made it meanwhile
                    self._manifest(name).unlink(missing_ok=True)
                    make(self.path(name))
                    self.sign(name, key)
        return self.path(name)

    def keep(
        self,
        name: str,
        key: Any,
        make: Callable[[], Made],
        load: Callable[[Path], Made],
        save: Callable[[Made, Path], object],
    ) -> Made:
        """Read file artefact `name` if it was made from `key`; otherwise make, write and read it."""

        def write(path: Path) -> None:
            made = make()
            with atomic_path(path) as temporary:
                save(made, temporary)

        return load(self.build(name, key, write))

    def _making(self, name: str) -> FileLock:
        """One maker at a time: two notebooks that need the same artefact must not both compute it.

        Artefacts are locked apart, so that what needs other artefacts can wait for them while those are made.
        """
        if name not in self._locks:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._locks[name] = FileLock(self.folder / f".{name.replace('/', '-')}.lock")
        return self._locks[name]

    def _manifest(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as parquet, atomically."""
    with atomic_path(path) as temporary:
        table.to_parquet(temporary)

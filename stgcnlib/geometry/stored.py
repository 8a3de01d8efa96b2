"""Graphs of a geometry on disk, each read when it is asked for: those of all networks and layers fill gigabytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError

__all__ = ["StoredGraphs", "joined_graphs"]

Key = tuple[str, str, str]
_KEPT = 24  # graphs kept in memory: those of one network's layers, and some


class StoredGraphs(Mapping[Key, DSGraph]):
    """(layer, network, neighbours) -> DSGraph, read from its file when it is asked for.

    Args:
        files: key -> file, absolute, all there.
        kept: number of the most recently used graphs that stay in memory.

    Attributes:
        files: as given.

    Raises:
        GraphError: a file is missing; on reading, one that is damaged, or that was written anew meanwhile.
    """

    def __init__(self, files: Mapping[Key, Path], *, kept: int = _KEPT) -> None:
        self.files, self._most = dict(files), kept
        self._states = {key: _state(path) for key, path in self.files.items()}
        self._read: OrderedDict[Key, DSGraph] = OrderedDict()

    def __getitem__(self, key: Key) -> DSGraph:
        if key not in self._read:
            path = self.files[key]
            if _state(path) != self._states[key]:
                raise GraphError(f"{path}: was written anew since its geometry was opened; open the geometry again")
            self._read[key] = DSGraph.load(path)
            while len(self._read) > max(self._most, 1):
                self._read.popitem(last=False)
        self._read.move_to_end(key)
        return self._read[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def passing(self) -> StoredGraphs:
        """The same graphs with only the last one kept in memory, for a loop that reads each graph once."""
        return StoredGraphs(self.files, kept=1)


def joined_graphs(several: Sequence[Mapping[Key, DSGraph]]) -> Mapping[Key, DSGraph]:
    """All graphs of several geometries; nothing is read if they are all stored."""
    if all(isinstance(each, StoredGraphs) for each in several):
        return StoredGraphs({key: path for each in several for key, path in each.files.items()})  # type: ignore[attr-defined]
    return {key: graph for each in several for key, graph in each.items()}


def _state(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise GraphError(f"{path}: a graph of the geometry is missing ({error.strerror}); make it again") from None
    return stat.st_size, stat.st_mtime_ns, stat.st_ino

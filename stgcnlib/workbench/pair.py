"""Two finished studies of the same recordings as one: such as two networks, or one before and after a change.

Recordings are matched by name. Those of only one study are left out, and the subtitle says how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import StudyError
from stgcnlib.figures.explorer import explorer_figure
from stgcnlib.figures.live import LiveFigure
from stgcnlib.geometry import turned_onto
from stgcnlib.workbench.workbench import Progress, Source, quietly

__all__ = ["PairSource", "merge_contents"]

Indices = NDArray[np.int64]


class PairSource:
    """Two sources as one.

    Args:
        first, second: of two studies.

    Attributes:
        figure: of their recordings in common; keys of maps are the study's name, a slash, and the network's.

    Raises:
        StudyError: no recording has the same name in both.
    """

    def __init__(self, first: Source, second: Source) -> None:
        contents = first.figure.content, second.figure.content
        self._prefixes = _prefixes(contents)
        self._sources: dict[str, Source] = dict(zip(self._prefixes, (first, second), strict=True))
        self._content = merge_contents(*contents)
        self._kept = dict(zip(self._prefixes, _common(*contents), strict=True))
        self.figure: LiveFigure = explorer_figure(self._content)

    def map(self, key: str, progress: Progress = quietly) -> Mapping[str, Any]:
        """A network's maps, of the recordings in common."""
        prefix, source, own = self._of(key)
        made = _map_of(source.map(own, progress), self._kept[prefix], prefix)
        return made if prefix == self._prefixes[0] else _turned(made, self._content["maps"][0])

    def open(self, node: str, key: str, layer: int) -> Mapping[str, Any]:
        """A recording beside its neighbours in its own study; see `open_recording`."""
        _, source, own = self._of(key)
        return source.open(node, own, layer)

    def relevance(self, node: str, key: str, layer: int, progress: Progress = quietly) -> Mapping[str, Any]:
        """As `open`, with relevance computed where none is stored."""
        _, source, own = self._of(key)
        return source.relevance(node, own, layer, progress)

    def _of(self, key: str) -> tuple[str, Source, str]:
        prefix = next(name for name in self._prefixes if key.startswith(f"{name}/"))
        return prefix, self._sources[prefix], key.removeprefix(f"{prefix}/")


def merge_contents(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """One content of two: the recordings that both have, in the order of the first.

    Maps are named by study and network. Those of the second study are rotated or reflected, all layers in the same way,
    so that its first layer fits the first layer of the first study. Edges to recordings that are left out are removed.
    Columns of the second study are added where they differ from those of the first.

    Raises:
        StudyError: no recording has the same name in both.
    """
    kept, prefixes = _common(first, second), _prefixes((first, second))
    both = list(zip((first, second), kept, prefixes, strict=True))
    maps = [[_map_of(each, idx, name) for each in content["maps"]] for content, idx, name in both]
    left_out = [content["nodes"]["count"] - len(idx) for content, idx, _ in both]
    missing = " and ".join(f"{count} of {name}" for count, name in zip(left_out, prefixes, strict=True) if count)
    said = f"; {missing} left out" if missing else ""
    measured = dict.fromkeys(content.get("measured", "label") for content in (first, second))
    poses = first["poses"] and {**first["poses"], "points": first["poses"]["points"][kept[0]]}
    return {
        **first,
        "title": f"{prefixes[0]} and {prefixes[1]}",
        "subtitle": f"{len(kept[0])} recordings in common{said} · {first['subtitle']} · {second['subtitle']}",
        "measured": " or ".join(measured),
        "nodes": _nodes(first["nodes"], second["nodes"], kept, prefixes[1]),
        "maps": [*maps[0], *(_turned(each, maps[0][0]) for each in maps[1])],
        "offered": [
            {"key": f"{name}/{each['key']}", "title": f"{each['title']}, {name}"}
            for content, _, name in both
            for each in content["offered"]
        ],
        "poses": poses,
        "lists": [
            {**each, "key": f"{name}/{each['key']}", "title": f"{each['title']}, {name}", "items": items}
            for content, idx, name in both
            for each in content["lists"]
            if (items := list(_items(each["items"], idx, name, content["nodes"]["count"])))
        ],
        "code": {"folders": [*first["code"]["folders"], *second["code"]["folders"]]},
        "state": {},
    }


def _prefixes(contents: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    first, second = (str(content["title"]) for content in contents)
    return first, second if second != first else f"{second} (2)"


def _common(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Indices, Indices]:
    """Indices of the recordings of the same name in both; of names that repeat, the first."""
    mine, theirs = ({name: k for k, name in reversed(list(enumerate(c["nodes"]["names"])))} for c in (first, second))
    shared = [name for name in mine if name in theirs]
    if not shared:
        raise StudyError(
            f"no recording of {first['title']!r} has the name of one of {second['title']!r}; "
            f"give two studies of the same recordings"
        )
    shared.sort(key=lambda name: mine[name])
    return np.array([mine[name] for name in shared]), np.array([theirs[name] for name in shared])


def _nodes(
    first: Mapping[str, Any], second: Mapping[str, Any], kept: tuple[Indices, Indices], other: str
) -> dict[str, Any]:
    def at(columns: Sequence[Mapping[str, Any]], idx: Indices, values: str) -> list[dict[str, Any]]:
        return [{**column, values: column[values][idx]} for column in columns]

    def texts(column: Mapping[str, Any]) -> list[str | None]:
        return [column["values"][code] if code < len(column["values"]) else None for code in column["codes"]]

    found: dict[str, Any] = {
        "count": len(kept[0]),
        "names": [first["names"][k] for k in kept[0]],
        "apart": first["apart"] if first["apart"] == second["apart"] else None,
    }
    for kind, values in (("categories", "codes"), ("numbers", "values")):
        mine, theirs = at(first[kind], kept[0], values), at(second[kind], kept[1], values)
        known = {column["key"]: column for column in mine}
        for column in theirs:
            same = known.get(column["key"])
            if same is not None and (
                texts(same) == texts(column)
                if kind == "categories"
                else np.array_equal(same["values"], column["values"], equal_nan=True)
            ):
                continue
            mine.append({**column, "key": f"{other}/{column['key']}", "title": f"{column['title']}, {other}"})
        found[kind] = mine
    return found


def _map_of(content: Mapping[str, Any], kept: Indices, study: str) -> dict[str, Any]:
    """A map of the recordings that are kept."""
    starts, ends, weights = (content["edges"][name] for name in ("starts", "ends", "weights"))
    number = np.full(starts.shape[1] - 1, -1)
    number[kept] = np.arange(len(kept))
    all_starts, all_edges, at = [], [], 0
    for row in starts.astype(np.int64):
        edges = [np.arange(row[k], row[k + 1]) for k in kept]
        edges = [each[number[ends[each]] >= 0] for each in edges]
        all_starts.append(at + np.concatenate([[0], np.cumsum([len(each) for each in edges])]))
        all_edges += edges
        at = int(all_starts[-1][-1])
    taken = np.concatenate(all_edges).astype(np.int64)
    return {
        **content,
        "key": f"{study}/{content['key']}",
        "title": f"{content['title']}, {study}",
        "study": study,
        "points": content["points"][:, kept],
        "smoothness": content["smoothness"][:, kept],
        "edges": {
            "starts": np.stack(all_starts).astype(np.uint32),
            "ends": number[ends[taken]].astype(np.uint32),
            "weights": weights[taken],
        },
    }


def _turned(content: dict[str, Any], onto: Mapping[str, Any]) -> dict[str, Any]:
    """A map, rotated or reflected with all its layers, so that the first fits the first layer of another map."""
    points = content["points"]
    flat = turned_onto(points.reshape(-1, 2), onto["points"][0], common=np.arange(points.shape[1]))
    return {**content, "points": flat.reshape(points.shape).astype(np.float32)}


def _items(items: Sequence[Mapping[str, Any]], kept: Indices, study: str, count: int) -> list[dict[str, Any]]:
    number = np.full(count, -1)
    number[kept] = np.arange(len(kept))
    found = []
    for item in items:
        nodes = [int(number[node]) for node in item["nodes"] if number[node] >= 0]
        if nodes:
            found.append({**item, "nodes": nodes, "map": f"{study}/{item['map']}"})
    return found

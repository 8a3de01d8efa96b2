"""What a workbench shows of finished studies, read from disk; nothing is written there.

Maps that a study has not stored are computed in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stgcnlib.dtw import LayerDistances
from stgcnlib.errors import StudyError, suggest
from stgcnlib.figures.explorer import distinct_names, explorer_content, explorer_figure, map_content
from stgcnlib.geometry import aligned_planes
from stgcnlib.paths import portable_path
from stgcnlib.pipeline.finished import FinishedStudy, read_study
from stgcnlib.workbench.recordings import open_recording, relevance_of
from stgcnlib.workbench.workbench import Progress, quietly

if TYPE_CHECKING:
    from stgcnlib.explain import RelevanceMap

__all__ = ["StudySource"]


class StudySource:
    """One finished study as the source of a workbench.

    Args:
        folder: that ``stgcnlib run`` wrote to.
        networks: whose maps are loaded at first, the first shown first; `None`: the first trained network. The maps of
            other networks can be chosen later.
        progress: called while maps are computed.

    Attributes:
        study: the finished study.
        figure: its content and still picture.

    Raises:
        StudyError: the folder holds no finished study, or the study has no such network.
        ArtefactError: a result that is needed is missing or damaged.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        networks: Sequence[str] | None = None,
        progress: Progress = quietly,
    ) -> None:
        self.study: FinishedStudy = read_study(folder)
        study = self.study
        self._made: dict[int, dict[str, RelevanceMap]] = {}
        self._geometry = study["geometry"]
        known = [str(name) for name in dict.fromkeys(self._geometry.table["network"])]
        shown = list(networks or known[:1])
        for name in shown:
            if name not in known:
                raise StudyError(f"{folder}: the study has no network {name!r}; {suggest(name, known)}")
        self._placed = [name for name in shown if not study.has(f"planes/{name}")]
        maps = [self.map(name, progress) for name in shown]
        content = explorer_content(
            study["nodes"],
            self._geometry,
            maps,
            recordings=study["recordings"] if study.has("recordings") else None,
            findings=study["findings"] if study.has("findings") else None,
            title=study.study.name,
            subtitle=self._subtitle(folder),
            offered=[{"key": name, "title": _title(name)} for name in known if name not in shown and self._has(name)],
            folders=[_given(Path(folder))],
        )
        self.figure = explorer_figure(content)

    def map(self, key: str, progress: Progress = quietly) -> Mapping[str, Any]:
        """The maps of a network; they are computed now if the study holds none."""
        planes: Mapping[str, Any]
        if self.study.has(f"planes/{key}"):
            planes = self.study[f"planes/{key}"]
        else:
            planes = aligned_planes(_Read(self.study, key, progress), self.study.study.seed)
        return map_content(self._geometry, planes, network=key, title=_title(key), study=self.study.study.name)

    def open(self, node: str, key: str, layer: int) -> dict[str, Any]:
        """A recording beside its neighbours, see `open_recording`; recordings go by their names."""
        names = distinct_names(self.study["nodes"].names)
        if node not in names:
            raise StudyError(f"the study has no recording {node!r}; {suggest(node, names)}")
        at = names.index(node)
        reply = open_recording(self.study, at, network=key, layer=self._layer(layer), maps=self._made)
        return {**reply, "neighbours": [{**each, "node": names[each["node"]]} for each in reply["neighbours"]]}

    def relevance(self, node: str, key: str, layer: int, progress: Progress = quietly) -> dict[str, Any]:
        """As `open`, with relevance of the recording computed if none is stored."""
        if key != self._geometry.table["network"].iloc[0]:
            raise StudyError(f"relevance is computed of the network that the study explains, not of {key!r}")
        progress(0.05, f"relevance of {node}: reading the network")
        at = distinct_names(self.study["nodes"].names).index(node)
        if at not in self._made:
            self._made[at] = relevance_of(self.study, at)
        progress(0.9, f"relevance of {node}")
        return self.open(node, key, layer)

    def _layer(self, index: int) -> str:
        """The name of the layer at this place of a map."""
        return str(self.study["layers"][index]["name"])

    def _has(self, network: str) -> bool:
        """Whether its maps are stored, or can be computed from stored distances."""
        return self.study.has(f"planes/{network}") or all(
            self.study.has(f"{kept}/{network}/{layer['name']}")
            for layer in self.study["layers"]
            for kept in ("all-pairs", "neighbours")
        )

    def _subtitle(self, folder: str | os.PathLike[str]) -> str:
        made = datetime.fromisoformat(self.study.made).astimezone().strftime("%Y-%m-%d %H:%M")
        placed = "; places computed now" if self._placed else ""
        home = Path(folder).resolve()
        name = home.name if home.parent == Path.home().resolve() else Path(*home.parts[-2:])
        return f"{name}, made {made}{placed}"


class _Read(Mapping[str, LayerDistances]):
    """Distances of a network's layers, read one by one, with progress reports."""

    def __init__(self, study: FinishedStudy, network: str, progress: Progress) -> None:
        self._study, self._network, self._progress = study, network, progress
        self._layers = {str(layer["name"]): str(layer["title"]) for layer in study["layers"]}

    def __getitem__(self, layer: str) -> LayerDistances:
        done = list(self._layers).index(layer)
        self._progress(done / len(self._layers), f"placing recordings of {self._network}: {self._layers[layer]}")
        pairs, near = (self._study[f"{kept}/{self._network}/{layer}"] for kept in ("all-pairs", "neighbours"))
        found: LayerDistances = pairs if pairs.complete else near
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


def _given(folder: Path) -> str:
    """The folder in code to share: a relative one as given, an absolute one without paths of this machine."""
    if not folder.is_absolute():
        return folder.as_posix()
    below_home = folder.resolve().is_relative_to(Path.home().resolve())
    return portable_path(folder, folder.anchor if below_home else Path.cwd())


def _title(network: str) -> str:
    """ "trained network", "untrained network 2"."""
    name, _, number = network.partition("-")
    return f"{name} network {number}".rstrip()

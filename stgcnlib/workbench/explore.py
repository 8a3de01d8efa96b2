"""`explore`: finished studies in a notebook."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stgcnlib.errors import StudyError
from stgcnlib.pipeline.finding import find_folder, nearest_study
from stgcnlib.workbench.cells import closes_with_its_cell
from stgcnlib.workbench.pair import PairSource
from stgcnlib.workbench.studies import StudySource
from stgcnlib.workbench.workbench import Progress, Source, Workbench, quietly

__all__ = ["explore"]


def explore(
    *folders: str | os.PathLike[str],
    state: Mapping[str, Any] | None = None,
    networks: Sequence[str] | None = None,
) -> Workbench:
    """Explore a finished study in a notebook: point at a recording in a layer and see why it lies there.

    Nothing on disk is made or changed. A cell that is run again closes what it opened before.

    Args:
        folders: of finished studies, one or two; of two, the recordings that they share are shown. None: the nearest
            study, see `stgcnlib.pipeline.finding`.
        state: what is shown and chosen at first, as "Copy state" of the workbench gives it: panels (one or two of
            {map, at}), colour, open, pinned, subset (names), mode, search, from, to, edges; each may be left out.
        networks: whose maps are loaded at first; `None`: the first trained network's. The others can be chosen later.

    Returns:
        The workbench, to be returned from a cell. Its `table` holds the chosen recordings, its `state` what is shown.

    Raises:
        StudyError: a folder holds no finished study, or names of networks or of parts of the state are unknown.
        ArtefactError: a result that is needed is missing or damaged.
    """
    homes = [find_folder(folder) for folder in folders] or [nearest_study()]
    workbench = Workbench(_source(homes, networks), state, others=_others(homes, networks))
    closes_with_its_cell(workbench)
    workbench.prepare()
    return workbench


def _source(homes: Sequence[Path], networks: Sequence[str] | None, progress: Progress = quietly) -> Source:
    if len(homes) > 2:
        raise StudyError(f"explore: shows one study or two, not {len(homes)}")
    sources = [StudySource(home, networks=networks, progress=progress) for home in homes]
    return sources[0] if len(sources) == 1 else PairSource(*sources)


def _others(homes: Sequence[Path], networks: Sequence[str] | None) -> dict[str, Callable[[Progress], Source]]:
    """Finished studies that lie beside this one."""
    if len(homes) != 1:
        return {}
    home = homes[0].resolve()
    beside = [file.parent for file in sorted(home.parent.glob("*/study.yml")) if file.parent != home]
    return {
        each.name: partial(_source, [home, each], networks) for each in beside if (each / "artefacts/geometry").exists()
    }

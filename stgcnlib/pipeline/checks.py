"""What can be known to fail before the long work begins: asked of a study once, when it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stgcnlib.errors import SequenceError, StudyError
from stgcnlib.groups import fewest_candidates

if TYPE_CHECKING:
    from stgcnlib.pipeline.run import StudyRun

__all__ = ["check_study"]


def check_study(run: StudyRun) -> None:
    """Refuse settings that the recordings or the network cannot meet.

    Raises:
        StudyError: naming the field and the mend: a K that some node cannot provide, groups or classes that the data
            does not have, a level of noise out of range, or a network of one's own that cannot be had.
        LayerNotFoundError, AxesError: chosen layers do not exist, or do not lie as said.
        CheckpointError, LayoutError: a checkpoint does not fit.
    """
    _check_noise(run)
    _check_transfer(run)
    _check_neighbours(run)
    _check_layers(run)


def _check_noise(run: StudyRun) -> None:
    settings = run.study.noise
    if settings is None:
        return
    from stgcnlib.studies.noise import corrupt

    few = run["sequences"].select([0])
    levels = [(kind, level) for kind, levels in settings.levels.items() for level in levels]
    for kind, level in [*levels, *settings.training_levels]:
        try:
            corrupt(few, kind, float(level))
        except SequenceError as error:
            raise StudyError(f"noise.{kind.replace(' ', '_')}: {error}") from None


def _check_transfer(run: StudyRun) -> None:
    settings = run.study.transfer
    if settings is None:
        return
    from stgcnlib.studies import split_classes

    if settings.source.classes is not None:
        try:
            split_classes(run["sequences"], settings.source.classes)
        except SequenceError as error:
            raise StudyError(f"transfer.source.classes: {error}") from None
    if settings.source.checkpoint is not None:
        _ = run["transfer-source"]


def _check_neighbours(run: StudyRun) -> None:
    nodes, k, groups = run["nodes"], run.study.graph.k, run["grouping"].groups
    fewest = fewest_candidates(groups, len(nodes))
    if k > fewest.candidates:
        mend = f"choose k up to {fewest.candidates}"
        if not fewest.candidates:
            mend = "set graph.leave_out to null, or test more groups"
        raise StudyError(
            f"graph.k: {k} neighbours asked for, but {nodes.names[fewest.node]!r} has only {fewest.candidates} "
            f"candidates among the {len(nodes)} nodes; {mend}"
        )


def _check_layers(run: StudyRun) -> None:
    """Two recordings through the untrained network, where layers or axes are chosen."""
    study = run.study
    if ":" not in study.network.name and study.network.axes is None and study.layers is None:
        return
    from stgcnlib.activations import record

    nodes = run["nodes"]
    # The shortest and the longest: taking frames for channels shows in the difference.
    few = nodes.select(np.unique([nodes.lengths.argmin(), nodes.lengths.argmax()]))
    record(run["network/untrained"], few, layers=study.layers, axes=study.network.axes, progress=False)

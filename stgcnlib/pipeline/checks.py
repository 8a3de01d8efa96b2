"""What can be known to fail before the long work begins: asked of a study once, when it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stgcnlib.errors import StudyError
from stgcnlib.groups import fewest_candidates

if TYPE_CHECKING:
    from stgcnlib.pipeline.run import StudyRun

__all__ = ["check_study"]


def check_study(run: StudyRun) -> None:
    """Refuse groups and a K that the nodes cannot provide, and layers that are not there or do not lie as said.

    Raises:
        StudyError: naming the field and the largest K that would do, or why a network of one's own cannot be had.
        LayerNotFoundError, AxesError: if chosen layers do not exist, or do not lie as said.
    """
    _check_neighbours(run)
    _check_layers(run)


def _check_neighbours(run: StudyRun) -> None:
    nodes, k = run.nodes, run.study.graph.k
    node, candidates = fewest_candidates(run.groups, len(nodes))
    if k > candidates:
        raise StudyError(
            f"graph.k: {k} neighbours asked for, but {nodes.names[node]!r} "
            f"has only {candidates} candidates among the {len(nodes)} nodes; "
            + (f"choose k up to {candidates}" if candidates else "set graph.leave_out to null, or test more groups")
        )


def _check_layers(run: StudyRun) -> None:
    """Two recordings through the untrained network, where layers or axes are chosen."""
    study = run.study
    if ":" not in study.network.name and study.network.axes is None and study.layers is None:
        return
    from stgcnlib.activations import record

    # The shortest and the longest: taking frames for channels shows in the difference.
    few = run.nodes.select(np.unique([run.nodes.lengths.argmin(), run.nodes.lengths.argmax()]))
    record(run.untrained, few, layers=study.layers, axes=study.network.axes, progress=False)

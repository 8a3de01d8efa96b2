"""Checks of a study, made once when it is run: they find what would fail before the long work begins."""

from __future__ import annotations

from stgcnlib.artefacts import Artefacts
from stgcnlib.errors import AxesError, LayerNotFoundError, StudyError, about, shorten
from stgcnlib.groups import fewest_candidates
from stgcnlib.pipeline.study import Study

__all__ = ["check_study"]

FEWEST_LAYERS = 3  # that a verdict on depth needs, including the input


def check_study(study: Study, made: Artefacts) -> None:
    """Refuse settings that the recordings or the network cannot meet.

    Args:
        study: the settings.
        made: its artefacts; those that the checks need are made, which is quick.

    Raises:
        StudyError: names the field and what to change: a K that some node cannot provide, groups or classes that the
            data does not have, a recording too long for a pass, a level of noise out of range, numbers of frozen
            blocks that the network does not have, too few blocks or layers for a verdict, nodes that are all of one
            class or value, what needs the distances of all pairs where only the nearest are searched, or a network of
            the user's own that cannot be loaded.
        LayerNotFoundError, AxesError: chosen layers do not exist, or their outputs do not have the axes given.
        CheckpointError, LayoutError: a checkpoint does not fit.
    """
    _check_parts(made)
    _check_lengths(study, made)
    _check_noise(study, made)
    _check_transfer(study, made)
    _check_neighbours(study, made)
    _check_distances(study, made)
    _check_layers(study, made)


def _check_parts(made: Artefacts) -> None:
    """Refuse a split that does not fit the recordings, and nodes that are all of one class or value."""
    nodes = made["nodes"]
    told = nodes.labels if nodes.targets is None else nodes.targets
    if (told == told[0]).all():
        same = f"of class {nodes.class_names[told[0]]!r}" if nodes.targets is None else "of one value"
        raise StudyError(
            f"graph.part: all {len(nodes)} nodes are {same}, so that smoothness is 0 at every layer; choose another "
            "part, or another split"
        )


def _check_lengths(study: Study, made: Artefacts) -> None:
    from stgcnlib.pipeline.estimate.longest import check_longest

    check_longest(study, made)


def _check_noise(study: Study, made: Artefacts) -> None:
    settings = study.noise
    if settings is None:
        return
    from stgcnlib.studies.corruption import corrupt, kinds_and_levels

    with about("noise"):
        kinds_and_levels(list(settings.levels), settings.levels)
    few = made["sequences"].select([0])
    levels = [("noise", kind, level) for kind, levels in settings.levels.items() for level in levels]
    for section, kind, level in [*levels, *(("noise.train", *each) for each in settings.training_levels)]:
        with about(f"{section}.{kind.replace(' ', '_')}", "jitter", "drop_joints", "drop_frames", "rotate"):
            corrupt(few, kind, float(level))


def _check_transfer(study: Study, made: Artefacts) -> None:
    settings = study.transfer
    if settings is None:
        return
    from stgcnlib.studies import split_classes
    from stgcnlib.studies.transfer_plan import plan_fits

    if settings.source.classes is not None:
        data = made["sequences"]
        with about("transfer.source.classes", "split_classes"):
            split_classes(data, settings.source.classes)
    # Fitted here, the source has the study's blocks; from a checkpoint, it may have others.
    source = made["network/initial" if settings.source.checkpoint is None else "transfer-source/trained"]
    try:
        plan = plan_fits(source, settings.frozen, settings.seeds)
    except StudyError as error:
        raise StudyError(f"transfer.{error}") from None
    chosen, blocks = plan["frozen"], plan["blocks"]
    if chosen[0] != 0 or not any(0 < each < blocks for each in chosen):
        raise StudyError(
            f"transfer.frozen: {shorten(chosen)} of {blocks} blocks; include 0 and a number between 0 and {blocks}, "
            f"which the verdict on transfer compares"
        )


def _check_neighbours(study: Study, made: Artefacts) -> None:
    nodes, k, groups = made["nodes"], study.graph.k, made["grouping"].groups
    fewest = fewest_candidates(groups, len(nodes))
    if (k or 1) > fewest.candidates:
        asked, mend = f"{k} neighbours asked for", f"choose k up to {fewest.candidates}"
        if not fewest.candidates:
            asked = asked if k else "each recording needs a neighbour"
            mend = "set graph.leave_out to null, or test more groups"
        raise StudyError(
            f"graph.k: {asked}, but {nodes.names[fewest.node]!r} has only {fewest.candidates} "
            f"candidates among the {len(nodes)} nodes; {mend}"
        )


def _check_distances(study: Study, made: Artefacts) -> None:
    """Refuse what needs all distances where only the nearest are searched."""
    from stgcnlib.dsgraph.distances import takes_all_pairs
    from stgcnlib.studies.noise_levels import check_queries

    count, how_many = len(made["nodes"]), study.graph.distances
    if study.noise is not None:
        check_queries(count, study.noise.neighbours, how_many)
    if study.graph.sigma == "pynnk" and not takes_all_pairs(how_many, count):
        raise StudyError(
            f"graph.sigma: pynnk reads all distances, and of {count:,} recordings only the nearest are searched; "
            "choose another rule, or set graph.distances to all"
        )


def _check_layers(study: Study, made: Artefacts) -> None:
    """Pass two recordings through an untrained network, where layers or axes are chosen."""
    if ":" not in study.network.name and study.network.axes is None and study.layers is None:
        return
    from stgcnlib.activations import record
    from stgcnlib.pipeline.estimate.longest import two_lengths

    few = two_lengths(study, made["nodes"])  # two lengths reveal axes that take frames for channels
    try:
        found = record(made["network/initial"], few, layers=study.layers, axes=study.network.axes, progress=False)
    except LayerNotFoundError as error:
        key = "network.axes" if isinstance(error, AxesError) else "layers"
        error.args = (f"{key}: {str(error).removeprefix('axes: ')}",)
        raise
    if len(found.layers) < FEWEST_LAYERS:
        raise StudyError(
            f"layers: {shorten(found.layers)}; a verdict on depth needs the input and at least two of the network's"
        )

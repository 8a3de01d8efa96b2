"""Networks: trained here or loaded, their untrained controls, what they predict, and their activations.

The networks of a study are "trained", "trained-2", …, "untrained", "untrained-2", … and "initial", "initial-2", ….
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stgcnlib.errors import StudyError
from stgcnlib.modules import module_home
from stgcnlib.pipeline.line.data import Parts, parts_of, reference_part, unprepared
from stgcnlib.pipeline.line.forms import Training
from stgcnlib.sequences import SequenceSet
from stgcnlib.trust import require

if TYPE_CHECKING:
    from torch import nn

    from stgcnlib.activations import LayerStore
    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.pipeline.sections.compute import Compute
    from stgcnlib.sampling import NodeSample
    from stgcnlib.training import Evaluation, TargetEvaluation

__all__ = ["build", "evaluate_test", "find_preparation", "first_evaluation", "fitted", "initial_network", "list_layers",
           "measure_accuracy", "measure_rounding", "name_initial", "name_layers", "name_networks", "name_recordings",
           "name_trained", "name_untrained", "record_nodes", "train", "trained_network", "training_history",
           "training_seed", "untrained_network"]  # fmt: skip

FREE_SHARE = 1 / 3
"""Features of a network are kept if they take no more of the free disk than this."""
ROUNDED = 40
"""Nodes from which the effect of rounding is measured: 780 pairs."""
UNTRAINED_SEED = 1000
"""Added to the study's seed for untrained networks, so that none has the initial weights of a trained one."""


def name_trained(settings: Settings) -> list[str]:
    """Names of the networks that are trained: "trained", "trained-2", …."""
    return _names("trained", settings.network.seeds)


def name_untrained(settings: Settings) -> list[str]:
    """Names of the untrained networks with batch-norm statistics of the training part."""
    return _names("untrained", settings.controls.untrained)


def name_initial(settings: Settings) -> list[str]:
    """Names of the untrained networks with batch norm as it was initialised."""
    return _names("initial", settings.controls.initial)


def name_networks(settings: Settings) -> list[str]:
    """Names of all networks whose layers are measured."""
    return [*name_trained(settings), *name_untrained(settings), *name_initial(settings)]


def _names(kind: str, count: int) -> list[str]:
    return [kind if number == 1 else f"{kind}-{number}" for number in range(1, count + 1)]


def _number(name: str) -> int:
    """0 for the first network of a kind, 1 for the second."""
    number = name.rpartition("-")[2]
    return int(number) - 1 if number.isdigit() else 0


def training_seed(name: str, seed: int) -> int:
    """The seed of one of the trained networks: the study's for the first one, then the next numbers."""
    return seed + _number(name)


def build(network: Any, layout: Any, channels: int, classes: int | None, **options: Any) -> nn.Module:
    """A network of the study's kind, by the section `network`; `options` as of `stgcnlib.load_network`.

    Raises:
        StudyError: it is made by code that the user has not allowed to run, or has no option of a given name.
    """
    from stgcnlib.networks import load_network
    from stgcnlib.networks.own import import_path

    if twice := [key for key in network.options if key in {"name", "layout", "classes", "channels", *options}]:
        raise StudyError(f"network.options: {twice[0]!r} is set by the study's other keys; leave it out")
    if ":" in network.name:
        require(network.name, network.source)
    with import_path(_home(network)):
        return load_network(
            network.name, layout=layout, classes=classes, channels=channels, **options, **dict(network.options)
        )


def _home(network: Any) -> Path | None:
    """The folder from which the module of a network of one's own is imported."""
    return None if network.source is None else module_home(network.name.partition(":")[0], network.source)


def fitted(
    train: SequenceSet, test: SequenceSet | None, network: Any, *, seed: int, device: str, scratch: Path
) -> tuple[nn.Module, pd.DataFrame]:
    """(network, history) trained as the section `network` says; an interrupted training is continued."""
    from stgcnlib.training import fit

    made = build(network, train.layout, train.channels, train.outputs, seed=seed)
    chosen = network.training.model_dump(exclude_none=True)
    result = fit(made, train, test, seed=seed, device=device, checkpoint_dir=scratch, **chosen)
    return made, result.history


def train(
    parts: Parts, trained: str, settings: Settings, compute: Compute, scratch: Path
) -> tuple[nn.Module, pd.DataFrame]:
    """(network, history) trained on the training part."""
    seed, (train, test) = training_seed(trained, settings.seed), parts
    assert train is not None  # a study that trains names its training part
    return fitted(train, test, settings.network, seed=seed, device=compute.device, scratch=scratch)


def training_history(trainings: Mapping[str, Training], settings: Settings) -> pd.DataFrame:
    """One row per network and epoch: network, seed, and the columns of `FitResult.history`."""
    tables = []
    for name, training in trainings.items():
        table = training.history.copy()
        table.insert(0, "network", name)
        table.insert(1, "seed", training_seed(name, settings.seed))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def trained_network(training: Training | None, sequences: SequenceSet, settings: Settings) -> nn.Module:
    """The network whose layers are measured: the one trained here, or that of the study's checkpoint."""
    weights = settings.network.checkpoint if training is None else training.weights
    return build(settings.network, sequences.layout, sequences.channels, sequences.outputs, checkpoint=weights)


def initial_network(sequences: SequenceSet, initial: str, settings: Settings) -> nn.Module:
    """A network of the same shape with fresh random weights, and batch norm as it was initialised."""
    return _fresh(sequences, initial, settings)


def untrained_network(
    sequences: SequenceSet, parts: Parts, untrained: str, settings: Settings, compute: Compute
) -> nn.Module:
    """A network of the same shape with fresh random weights: the control of every curve.

    Its batch norm has the statistics of the training part, as that of the trained network has; those of the test part
    where there is no training part.
    """
    from stgcnlib.training import calibrate_batch_norm

    network = _fresh(sequences, untrained, settings)
    calibrate_batch_norm(network, reference_part(parts), seed=settings.seed, device=compute.device)
    return network


def _fresh(sequences: SequenceSet, name: str, settings: Settings) -> nn.Module:
    return build(
        settings.network, sequences.layout, sequences.channels, sequences.outputs,
        checkpoint=settings.network.checkpoint, seed=settings.seed + UNTRAINED_SEED + _number(name), weights="fresh",
    )  # fmt: skip


def evaluate_test(network: nn.Module, parts: Parts, compute: Compute) -> Evaluation | TargetEvaluation:
    """What the network predicts for the test part."""
    found: Evaluation | TargetEvaluation = _evaluated(network, parts[1], reference_part(parts), compute.device)
    return found


def _evaluated(network: nn.Module, data: SequenceSet, train: SequenceSet, device: str) -> Any:
    """What a network that was trained on `train` predicts for recordings: their classes, or their targets."""
    from stgcnlib.training import evaluate, evaluate_targets

    if data.class_names:
        return evaluate(network, data, device=device)
    return evaluate_targets(network, data, like=train, device=device)


def first_evaluation(evaluation: Evaluation | TargetEvaluation) -> Evaluation | TargetEvaluation:
    """What the first trained network predicts for the test part: pages about single recordings show it."""
    return evaluation


def find_preparation(
    network: nn.Module,
    evaluation: Evaluation | TargetEvaluation,
    demo: SequenceSet | None,
    sensors: SequenceSet | None,
    settings: Settings,
    compute: Compute,
) -> pd.DataFrame:
    """How well a checkpoint whose accuracy is near chance predicts with other preparations; otherwise empty."""
    from stgcnlib.training.preparations import COLUMNS, near_chance, preparation_name, try_preparations
    from stgcnlib.transforms import subsample

    found: Any = evaluation
    if not hasattr(found, "accuracy") or not near_chance(found):
        return pd.DataFrame(columns=list(COLUMNS))
    chosen = settings.data
    test = parts_of(unprepared(demo, sensors, settings), chosen.split)[1]
    used = preparation_name(normalize=chosen.normalize, centre=chosen.centre, published=chosen.published)
    return try_preparations(network, subsample(test, chosen.frame_step), given=used, device=compute.device)


def measure_accuracy(evaluations: Mapping[str, Evaluation | TargetEvaluation], settings: Settings) -> pd.DataFrame:
    """Success on the test part, one row per trained network: network, seed, accuracy (of targets r2 and mae), n."""
    rows = []
    for name, each in evaluations.items():
        found: Any = each
        row: dict[str, Any] = {"network": name, "seed": training_seed(name, settings.seed)}
        if hasattr(found, "accuracy"):
            rows.append(row | {"accuracy": found.accuracy, "n": len(found.labels)})
        else:
            rows.append(row | {"r2": found.r2, "mae": float(found.mae[0]), "n": len(found.targets)})
    return pd.DataFrame(rows)


def name_recordings(
    network: nn.Module,
    nodes: SequenceSet,
    parts: Parts,
    evaluation: Evaluation | TargetEvaluation,
    sample: NodeSample | None,
    settings: Settings,
    compute: Compute,
) -> pd.DataFrame:
    """One row per node of the DS-Graphs: `recordings_table`, or for targets `estimates_table`."""
    from stgcnlib.tables import estimates_table, recordings_table

    found: Any = evaluation
    if settings.graph.part != "test":
        found = _evaluated(network, nodes, reference_part(parts), compute.device)
    elif sample is not None:
        found = evaluation.select(sample.indices)
    return recordings_table(nodes, found) if nodes.class_names else estimates_table(nodes, found)


def record_nodes(network: nn.Module, nodes: SequenceSet, settings: Settings, compute: Compute, path: Path) -> None:
    """Every layer's features of the nodes, or a recipe to record them again."""
    from stgcnlib.activations import record
    from stgcnlib.activations.recipes import write_recipe

    chosen = {
        "layers": settings.layers, "axes": settings.network.axes, "device": compute.device,
        "dtype": settings.activations.dtype,
    }  # fmt: skip
    if _recorded_again(network, nodes, compute, path, chosen):
        write_recipe(
            path, network, nodes, name=settings.network.name, options=settings.network.options,
            home=_home(settings.network), **chosen,
        )  # fmt: skip
    else:
        record(network, nodes, store=path, **chosen)


def _recorded_again(
    network: nn.Module, nodes: SequenceSet, compute: Compute, path: Path, chosen: Mapping[str, Any]
) -> bool:
    from stgcnlib.activations.recipes import feature_bytes

    if compute.activations != "auto":
        return compute.activations == "recompute"
    return feature_bytes(network, nodes, **chosen) > FREE_SHARE * shutil.disk_usage(path.parent).free


def measure_rounding(network: nn.Module, nodes: SequenceSet, settings: Settings, compute: Compute) -> pd.DataFrame:
    """What rounding the features does to distances, from a few nodes whose features are recorded as they are."""
    from stgcnlib.activations import record
    from stgcnlib.geometry import rounding_error
    from stgcnlib.groups import strata
    from stgcnlib.sampling import proportional_order, spread_group

    group = spread_group(nodes)
    groups = None if group is None else nodes.groups[group]
    few = np.sort(proportional_order(strata(nodes)[0], groups, seed=settings.seed)[:ROUNDED])
    chosen = {"layers": settings.layers, "axes": settings.network.axes, "device": compute.device}
    exact = record(network, nodes.select(few), **chosen, progress=False)
    return rounding_error(exact, settings.activations.dtype, dtw=settings.dtw.model_dump())


def list_layers(activations: LayerStore) -> list[dict[str, Any]]:
    """Name, title and index of every recorded layer, the input first."""
    return [
        {"name": name, "title": activations[name].title, "index": activations[name].index}
        for name in activations.layers
    ]


def name_layers(layers: list[dict[str, Any]]) -> list[str]:
    """Names of the recorded layers, the input first."""
    return [layer["name"] for layer in layers]

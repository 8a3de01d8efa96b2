"""Networks: trained here or loaded, their untrained control, what they predict, and their activations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from stgcnlib.pipeline.line.forms import Training
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from torch import nn

    from stgcnlib.activations import LayerStore
    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.pipeline.sections import Compute
    from stgcnlib.training import Evaluation, TargetEvaluation

__all__ = ["build", "evaluate_test", "fitted", "list_layers", "name_layers", "name_recordings", "record_nodes", "train",
           "trained_network", "untrained_network"]  # fmt: skip

Parts = tuple[SequenceSet, SequenceSet]


def build(network: Any, layout: Any, channels: int, classes: int | None, **options: Any) -> nn.Module:
    """A network of the study's kind, by the section `network`; `options` as of `stgcnlib.load_network`."""
    from stgcnlib.networks import load_network
    from stgcnlib.networks.own import import_path

    with import_path(_home(network)):
        return load_network(
            network.name, layout=layout, classes=classes, channels=channels, **options, **dict(network.options)
        )


def _home(network: Any) -> Path | None:
    """The folder from which the module of a network of one's own is imported."""
    if network.source is None:
        return None
    source, depth = Path(network.source), str(network.name).partition(":")[0].count(".")
    return source.parents[depth + (source.name == "__init__.py")]


def fitted(
    train: SequenceSet, test: SequenceSet | None, network: Any, *, seed: int, device: str, scratch: Path
) -> tuple[nn.Module, pd.DataFrame]:
    """(network, history) trained as the section `network` says; a training that was stopped is taken up again."""
    from stgcnlib.training import fit

    made = build(network, train.layout, train.channels, train.outputs, seed=seed)
    chosen = network.training.model_dump(exclude_none=True)
    result = fit(made, train, test, seed=seed, device=device, checkpoint_dir=scratch, **chosen)
    return made, result.history


def train(parts: Parts, settings: Settings, compute: Compute, scratch: Path) -> tuple[nn.Module, pd.DataFrame]:
    """(network, history) trained on the training part."""
    return fitted(*parts, settings.network, seed=settings.seed, device=compute.device, scratch=scratch)


def trained_network(training: Training | None, sequences: SequenceSet, settings: Settings) -> nn.Module:
    """The network whose layers are measured: the one trained here, or that of the study's checkpoint."""
    weights = settings.network.checkpoint if training is None else training.weights
    return build(settings.network, sequences.layout, sequences.channels, sequences.outputs, checkpoint=weights)


def untrained_network(sequences: SequenceSet, settings: Settings) -> nn.Module:
    """A network of the same shape with fresh random weights: the control of every curve."""
    return build(
        settings.network, sequences.layout, sequences.channels, sequences.outputs,
        checkpoint=settings.network.checkpoint, seed=settings.seed + 1, weights="fresh",
    )  # fmt: skip


def evaluate_test(network: nn.Module, parts: Parts, compute: Compute) -> Evaluation | TargetEvaluation:
    """What the network predicts for the test part."""
    return _evaluated(network, parts[1], parts[0], compute.device)


def _evaluated(network: nn.Module, data: SequenceSet, train: SequenceSet, device: str) -> Any:
    """What a network that was trained on `train` predicts for recordings: their classes, or their targets."""
    from stgcnlib.training import evaluate, evaluate_targets

    if data.class_names:
        return evaluate(network, data, device=device)
    return evaluate_targets(network, data, like=train, device=device)


def name_recordings(
    network: nn.Module,
    nodes: SequenceSet,
    parts: Parts,
    evaluation: Evaluation | TargetEvaluation,
    settings: Settings,
    compute: Compute,
) -> pd.DataFrame:
    """One row per node of the DS-Graphs: `recordings_table`, or for targets `estimates_table`."""
    from stgcnlib.tables import estimates_table, recordings_table

    found: Any = evaluation
    if settings.graph.part != "test":
        found = _evaluated(network, nodes, parts[0], compute.device)
    return recordings_table(nodes, found) if nodes.class_names else estimates_table(nodes, found)


def record_nodes(network: nn.Module, nodes: SequenceSet, settings: Settings, compute: Compute, path: Path) -> None:
    """Every layer's features of the nodes."""
    from stgcnlib.activations import record

    axes = settings.network.axes
    record(network, nodes, layers=settings.layers, axes=axes, store=path, device=compute.device)


def list_layers(activations: LayerStore) -> list[dict[str, Any]]:
    """Name, title and index of every recorded layer, the input first."""
    return [
        {"name": name, "title": activations[name].title, "index": activations[name].index}
        for name in activations.layers
    ]


def name_layers(layers: list[dict[str, Any]]) -> list[str]:
    """Names of the recorded layers, the input first."""
    return [layer["name"] for layer in layers]

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
    from stgcnlib.training import Evaluation

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

    made = build(network, train.layout, train.channels, len(train.class_names), seed=seed)
    chosen = network.training.model_dump(exclude_none=True)
    result = fit(made, train, test, seed=seed, device=device, checkpoint_dir=scratch, **chosen)
    return made, result.history


def train(parts: Parts, settings: Settings, compute: Compute, scratch: Path) -> tuple[nn.Module, pd.DataFrame]:
    """(network, history) trained on the training part."""
    return fitted(*parts, settings.network, seed=settings.seed, device=compute.device, scratch=scratch)


def trained_network(training: Training | None, sequences: SequenceSet, settings: Settings) -> nn.Module:
    """The network whose layers are measured: the one trained here, or that of the study's checkpoint."""
    weights = settings.network.checkpoint if training is None else training.weights
    return build(settings.network, sequences.layout, sequences.channels, len(sequences.class_names), checkpoint=weights)


def untrained_network(sequences: SequenceSet, settings: Settings) -> nn.Module:
    """A network of the same shape with fresh random weights: the control of every curve."""
    return build(
        settings.network, sequences.layout, sequences.channels, len(sequences.class_names),
        checkpoint=settings.network.checkpoint, seed=settings.seed + 1, weights="fresh",
    )  # fmt: skip


def evaluate_test(network: nn.Module, parts: Parts, compute: Compute) -> Evaluation:
    """What the network predicts for the test part."""
    from stgcnlib.training import evaluate

    return evaluate(network, parts[1], device=compute.device)


def name_recordings(
    network: nn.Module, nodes: SequenceSet, evaluation: Evaluation, settings: Settings, compute: Compute
) -> pd.DataFrame:
    """One row per node of the DS-Graphs: node, name, label, class_name, predicted, correct, and its groups."""
    from stgcnlib.tables import recordings_table

    if settings.graph.part != "test":
        from stgcnlib.training import evaluate

        evaluation = evaluate(network, nodes, device=compute.device)
    return recordings_table(nodes, evaluation)


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

"""What holds where a key of a study file is null: for the list of keys, and for the settings that a report shows."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["NO_VALUE", "no_value_words"]

_BY_FILE = "by the file"
NO_VALUE: Mapping[str, str] = {
    "data.classes": "all",
    "data.format": "found by the content of the files",
    "data.skip": "none",
    "data.layout": _BY_FILE,
    "data.pattern": _BY_FILE,
    "data.names": _BY_FILE,
    "data.windows": "none: recordings are not cut",
    "data.windows.block": "20 blocks of each series",
    "data.windows.joints": "all",
    "data.demo": "not used: for path demo",
    "data.sensor_demo": "not used: for path sensor-demo",
    "data.split": "none: all recordings are in the test part",
    "split.test": "all that are not in train",
    "network.folder": "that of the study file",
    "network.checkpoint": "none: trained here",
    "network.axes": "as the network states them",
    "layers": "those that the network names",
    "training.epochs": "60",
    "transfer.training.epochs": "15",
    "transfer.training.learning_rate": "0.002; from scratch 0.005",
    "training.batch_size": "16",
    "training.learning_rate": "0.005",
    "training.weight_decay": "0.01",
    "training.loss": "cross-entropy of classes, mse of real targets",
    "training.label_smoothing": "0.1",
    "training.frames": "by the lengths of the recordings",
    "training.augment": "True",
    "training.augment.crop": "0.6",
    "training.augment.tempo": "1.25",
    "training.augment.rotation": "20.0",
    "training.augment.tilt": "5.0",
    "training.augment.scale": "0.1",
    "training.augment.jitter": "0.01",
    "training.augment.mirror": "False",
    "training.patience": "none: trained for all epochs",
    "training.precision": "float32",
    "training.threads": "2",
    "dtw.band": "none: time may be warped without limit",
    "dtw.normalize": "none: distances are not normalised by length",
    "graph.k": "by the number of candidates of a node's own class",
    "graph.sample": "none: all recordings are nodes",
    "graph.sample.per_class": "not used: nodes is given",
    "graph.sample.nodes": "not used: per_class is given",
    "graph.leave_out": "none: every other recording may be a neighbour",
    "geometry.resample": "none: random parts of the recordings",
    "sensitivity": "not measured",
    "sensitivity.layers": "all",
    "noise": "not measured",
    "noise.layers": "all",
    "transfer": "not measured",
    "transfer.source.classes": "not used",
    "transfer.source.checkpoint": "not used",
    "transfer.source.path": "not used",
    "transfer.source.format": "found by the content of the files",
    "transfer.source.split": "as data.split",
    "transfer.frozen": "all numbers of blocks",
    "compute.workers": "as many as cores",
    "compute.memory_limit": "none",
}
"""Dotted key -> what holds where it is null. Keys of a section that occurs in several begin with the section's name."""


def no_value_words(name: str) -> str | None:
    """What holds where a key (dotted `name`) is null; `None` where nothing is known of it."""
    parts = name.split(".")
    ends = [".".join(parts[start:]) for start in range(len(parts))]
    return next((NO_VALUE[end] for end in ends if end in NO_VALUE), None)

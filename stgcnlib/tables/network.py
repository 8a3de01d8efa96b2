"""Tables of the network: what it is and how well it predicts, and the size of each recorded layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stgcnlib.sequences import SequenceSet
from stgcnlib.tables.targets import several_successes, success_facts, told_facts

if TYPE_CHECKING:
    from torch import nn

    from stgcnlib.activations import LayerStore
    from stgcnlib.training import Evaluation, TargetEvaluation

__all__ = ["layers_table", "network_facts", "preparations_table", "rounding_table"]


def network_facts(
    network: nn.Module,
    evaluation: Evaluation | TargetEvaluation,
    *,
    settings: Any,
    data: SequenceSet,
    layers: Sequence[Mapping[str, Any]],
    history: pd.DataFrame | None = None,
    accuracies: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Facts about the network, one per row, in the column "value".

    Args:
        network: the trained network, the first if there are several.
        evaluation: of the network, on the test part.
        settings: the study's section `network`: its `name`, `options` and `checkpoint`.
        data: all recordings.
        layers: name, title and index of each recorded layer; index 0 is the input.
        history: one row per epoch with its "seconds", of networks that were trained here; of several, `network` says
            which.
        accuracies: accuracy of each trained network, where there are several: network, seed, accuracy.
    """
    facts = {
        "network": settings.name,
        "layers": sum(layer["index"] > 0 for layer in layers),
        "parameters": f"{sum(p.numel() for p in network.parameters()):,}",
        "joints": len(data.layout),
        "channels": data.channels,
        **told_facts(data),
        **{name: str(value) for name, value in settings.options.items()},
    }
    if settings.checkpoint:
        facts["weights"] = str(settings.checkpoint)
    elif history is not None:
        first = history[history["network"] == history["network"].iloc[0]] if "network" in history else history
        facts["weights"] = f"trained here for {len(first)} epochs, {first['seconds'].sum():.0f} s"
    facts |= success_facts(evaluation)
    if accuracies is not None and len(accuracies) > 1:
        facts["trained networks"] = f"{len(accuracies)}, seeds {', '.join(map(str, accuracies['seed']))}"
        facts |= {f"{name} of all": value for name, value in several_successes(accuracies).items()}
    return pd.DataFrame({"value": facts})


def layers_table(store: LayerStore) -> pd.DataFrame:
    """One row per recorded layer: module, channels, joints, stride, frames of all recordings and size on disk."""
    rows = []
    for name in store.layers:
        layer = store[name]
        frames = int(layer.lengths.sum())
        rows.append(
            {
                "layer": layer.title,
                "module": name,
                "channels": layer.channels,
                "joints": layer.joints,
                "features per frame": layer.channels * layer.joints,
                "stride": layer.temporal_stride,
                "frames in all": frames,
                "MiB": round(frames * layer.channels * layer.joints * layer.dtype.itemsize / 2**20, 1),
            }
        )
    return pd.DataFrame(rows).set_index("layer")


def rounding_table(rounding: pd.DataFrame) -> pd.DataFrame:
    """One row per layer: relative change of the features and of DTW distances by rounding, in per mille.

    Args:
        rounding: of `stgcnlib.geometry.rounding_error`.
    """
    shown = {"features (rms)": "features", "distances (median)": "median", "distances (largest)": "largest"}
    table = {words: (1000 * rounding[name]).map("{:.3f} ‰".format) for words, name in shown.items()}
    return pd.DataFrame(table | {"pairs": rounding["pairs"]}).set_axis(rounding["title"]).rename_axis("layer")


def preparations_table(preparations: pd.DataFrame, *, most: int = 8) -> pd.DataFrame:
    """How many recordings a checkpoint predicts right on each preparation that was tried, the best first.

    Args:
        preparations: of `stgcnlib.training.try_preparations`.
        most: rows at most; the preparation in use is always among them.
    """
    shown = preparations[(np.arange(len(preparations)) < most) | preparations["given"].astype(bool)]
    return pd.DataFrame(
        {
            "data": shown["preparation"] + np.where(shown["given"].astype(bool), " (in use)", ""),
            "right": shown["accuracy"].map("{:.0%}".format),
            "99% interval": [f"{low:.0%} to {high:.0%}" for low, high in zip(shown["low"], shown["high"], strict=True)],
            "recordings": shown["n"],
        }
    ).set_index("data")

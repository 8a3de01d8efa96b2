"""Tables of the recordings: what each part of the data holds, and what the network predicts for each node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stgcnlib.errors import SequenceError
from stgcnlib.groups import plural
from stgcnlib.sequences import SequenceSet
from stgcnlib.tables.targets import told_facts

if TYPE_CHECKING:
    from stgcnlib.sampling import NodeSample
    from stgcnlib.training import Evaluation

__all__ = ["parts_table", "recordings_table", "sample_table"]


def parts_table(parts: tuple[SequenceSet | None, SequenceSet], *, nodes: SequenceSet) -> pd.DataFrame:
    """One row per part: recordings, classes, or mean and deviation of each target where there are none, values of each
    group, lengths in frames, most people in a recording.

    Args:
        parts: (train, test) recordings; without a training part, `None`, it has no row.
        nodes: recordings that are nodes of the DS-Graphs.
    """
    rows = []
    for name, part in {"train": parts[0], "test": parts[1], "nodes of the DS-Graphs": nodes}.items():
        if part is None:
            continue
        row: dict[str, Any] = {"part": name, "recordings": len(part), **told_facts(part, short=True)}
        row |= {plural(group): len(np.unique(values)) for group, values in part.groups.items()}
        row |= {"shortest": part.lengths.min(), "mean length": round(part.lengths.mean(), 1)}
        row |= {"longest": part.lengths.max(), "most people": part.people_counts.max()}
        rows.append(row)
    return pd.DataFrame(rows).set_index("part")


def sample_table(sample: NodeSample) -> pd.DataFrame:
    """One row per class, or quarter of the target, of the part: its recordings, and how many of them are nodes.

    `sample` is what `stgcnlib.sampling.draw_nodes` drew.
    """
    share = sample.taken / np.maximum(sample.held, 1)
    shown = {"recordings": sample.held, "nodes": sample.taken, "share": [f"{each:.0%}" for each in share]}
    return pd.DataFrame(shown, index=pd.Index(sample.kinds, name=sample.by[0]))[sample.held > 0]


def recordings_table(nodes: SequenceSet, evaluation: Evaluation) -> pd.DataFrame:
    """One row per node: node, name, label, class_name, predicted, correct, and a column "group NAME" per group.

    Args:
        nodes: N recordings.
        evaluation: what the network predicts for these recordings.

    Raises:
        SequenceError: the evaluation is of other recordings.
    """
    predicted = evaluation.predictions
    if not np.array_equal(evaluation.labels, nodes.labels):
        raise SequenceError(
            f"the evaluation is of {len(predicted)} recordings that are not these {len(nodes)}; evaluate the nodes"
        )
    columns: dict[str, Any] = {
        "node": np.arange(len(nodes)),
        "name": list(nodes.names),
        "label": nodes.labels,
        "class_name": [nodes.class_names[c] for c in nodes.labels],
        "predicted": predicted,
        "correct": predicted == nodes.labels,
    }
    return pd.DataFrame(columns | {f"group {name}": values for name, values in nodes.groups.items()})

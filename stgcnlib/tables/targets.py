"""Tables of real targets: what a network estimates of each recording, its errors, and the class or target as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from stgcnlib.training import Evaluation, TargetEvaluation

__all__ = ["errors_table", "estimates_table", "several_successes", "success_facts", "told", "told_facts"]


def told(data: SequenceSet, i: int) -> str:
    """A recording's class or target as text; targets with three digits, and by name where there are several."""
    if data.class_names:
        return data.class_names[int(data.labels[i])]
    if data.targets is None:
        return ""
    if data.outputs == 1:
        return f"target {data.targets[i, 0]:.3g}"
    return ", ".join(f"{name} {value:.3g}" for name, value in zip(data.target_names, data.targets[i], strict=True))


def told_facts(data: SequenceSet, *, short: bool = False) -> dict[str, Any]:
    """Facts on classes or targets: the number of classes, or each target.

    Args:
        data: some recordings.
        short: mean and deviation of each target, for a column of a table; else the targets' names.
    """
    if data.class_names:
        present, named = len(np.unique(data.labels)), len(data.class_names)
        return {"classes": present if short or present == named else f"{present} of {named} named"}
    if data.targets is None:
        return {}
    if not short:
        return {"target" if len(data.target_names) == 1 else "targets": "; ".join(data.target_names)}
    return {
        name: f"{column.mean():.3g} ± {column.std():.2g}"
        for name, column in zip(data.target_names, data.targets.T, strict=True)
    }


def success_facts(evaluation: Evaluation | TargetEvaluation) -> dict[str, str]:
    """How well one network does on the test part: accuracy, or R² and mean absolute errors."""
    found: Any = evaluation
    if hasattr(found, "accuracy"):
        return {"test accuracy": f"{found.accuracy:.1%} of {len(found.labels)} recordings"}
    return {
        "test R²": f"{found.r2:.2f}, {len(found.targets)} recordings",
        "mean absolute error": "; ".join(f"{mae:.3g}" for mae in found.mae),
    }


def several_successes(accuracies: pd.DataFrame) -> dict[str, str]:
    """'84.1% (82.0%, 84.8%, 85.5%)': mean and each trained network's; one network's alone; of targets R².

    Args:
        accuracies: `accuracy`, or `r2`, on the test part, one row per trained network.
    """
    name, column, form = ("test accuracy", "accuracy", ".1%") if "accuracy" in accuracies else ("test R²", "r2", ".2f")
    each = [f"{value:{form}}" for value in accuracies[column]]
    mean = f"{accuracies[column].mean():{form}}"
    return {name: each[0] if len(each) == 1 else f"{mean} ({', '.join(each)})"}


def errors_table(evaluation: TargetEvaluation) -> pd.DataFrame:
    """One row per target: errors of the estimates on the test part, and those of always estimating the training mean.

    Columns: R² (1: exact, 0: no better than the mean of the test part), mean absolute error, root mean square error,
    both in the target's unit, and the same of the mean of the training part.
    """
    rows = []
    for q, name in enumerate(evaluation.target_names):
        y, found, constant = evaluation.targets[:, q], evaluation.estimates[:, q], evaluation.mean[q]
        spread = float(((y - y.mean()) ** 2).sum())
        rows.append(
            {
                "target": name,
                "R²": f"{1 - float(((y - found) ** 2).sum()) / spread:.3f}" if spread > 0 else "",
                "MAE": f"{evaluation.mae[q]:.3g}",
                "RMSE": f"{evaluation.rmse[q]:.3g}",
                "MAE of the training mean": f"{np.abs(y - constant).mean():.3g}",
                "RMSE of the training mean": f"{np.sqrt(((y - constant) ** 2).mean()):.3g}",
            }
        )
    return pd.DataFrame(rows).set_index("target")


def estimates_table(nodes: SequenceSet, evaluation: TargetEvaluation) -> pd.DataFrame:
    """One row per node: node, name, and for each target its value, "estimated …" and "error …" (estimate − value).

    A column "group NAME" per group follows.

    Raises:
        SequenceError: the evaluation is of other recordings.
    """
    if nodes.targets is None or not np.array_equal(evaluation.targets, nodes.targets):
        raise SequenceError(
            f"the evaluation is of {len(evaluation.targets)} recordings that are not these {len(nodes)}; "
            "evaluate the nodes"
        )
    columns: dict[str, Any] = {"node": np.arange(len(nodes)), "name": list(nodes.names)}
    for q, name in enumerate(nodes.target_names):
        columns[name] = nodes.targets[:, q]
        columns[f"estimated {name}"] = evaluation.estimates[:, q]
        columns[f"error {name}"] = evaluation.estimates[:, q] - nodes.targets[:, q]
    return pd.DataFrame(columns | {f"group {name}": values for name, values in nodes.groups.items()})

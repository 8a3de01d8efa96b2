"""Results that are tables, each a parquet file: which columns each has to have when it is read.

A file with other columns is refused, as a damaged one is, before a page or a figure asks for a column.
"""

from __future__ import annotations

from stgcnlib.artefacts import table_of, tables_of
from stgcnlib.pipeline.line.forms import EPOCHS

__all__ = ["ACCURACIES", "ADVICE", "BASELINES", "DENSITY", "FINDINGS", "HISTORY", "PREPARATIONS",
           "RECORDINGS", "REPEATED", "ROUNDING", "SENSITIVITY"]  # fmt: skip

NETWORK = {"network": "s", "seed": "i"}
LAYER = {"layer": "s", "index": "i", "title": "s"}
ENDS = {"low": "f", "high": "f"}
CLASS = {"class_index": "i", "class_name": "s"}
NODE = {"node": "i", "name": "s"}

REPEATED = table_of(
    {"index": "i"} | dict.fromkeys(("name", "part", "class_name", "equals", "equals_part", "equals_class"), "s")
)
HISTORY = table_of(*(NETWORK | epoch for epoch in EPOCHS))
PREPARATIONS = table_of({"preparation": "s", "accuracy": "f", **ENDS, "n": "i", "chance": "f", "given": "b"})
ACCURACIES = table_of({**NETWORK, "n": "i", "accuracy": "f"}, {**NETWORK, "n": "i", "r2": "f", "mae": "f"})
RECORDINGS = table_of(
    {**NODE, "label": "i", "class_name": "s", "predicted": "i", "correct": "b"},
    {**NODE, "estimated *": "f", "error *": "f"},
)
ROUNDING = table_of({**LAYER, "features": "f", "pairs": "i", "median": "f", "largest": "f"})
BASELINES = table_of(
    {**LAYER, "baseline": "s", "smoothness": "f", **ENDS, "floor": "f", "dtw": "f", "gain": "f", "gain_low": "f"}
    | {"gain_high": "f", "n": "i"}
)
DENSITY = table_of(
    {**LAYER, "rule": "s", "share": "f", "n": "i", "k": "i", "draws": "i", "smoothness": "f", **ENDS, "floor": "f"}
)
SENSITIVITY = table_of(
    {**LAYER, "varied": "s", "choice": "s", "k": "i", "smoothness": "f", **ENDS, "null_mean": "f", "floor": "f"}
    | {"rescaled": "f", "fall": "f", "fall_low": "f", "fall_high": "f", "neighbor_count": "f", "n": "i"}
)
ADVICE = table_of(
    {"frozen": "i", "validation": "f", "behind": "f", "standard_error": "f", "as_good": "b"}
    | {"accuracy": "f", "smoothness": "f"}
)

_FOUND = {"rank": "i", **NODE, "label": "i", "class_name": "s", "score": "f"}
_SHARES = {"own_share": "f", "alternative_share": "f"}
FINDINGS = tables_of(
    {
        "class_confusions": LAYER | CLASS | ENDS
        | {"other_index": "i", "other_name": "s", "share": "f", "chance": "f", "rank": "i"},
        "class_separation": CLASS | ENDS | {"layer": "s", "title": "s", "index": "f", "n": "i", "status": "s"}
        | dict.fromkeys(("half", "half_least", "half_most", "input", "at", "drop", "p", "p_adjusted", "last"), "f"),
        "suspects": _FOUND | _SHARES | {"alternative": "i", "alternative_name": "s", "agreeing": "i", "layers": "i"}
        | {"verdict": "s"},
        "suspect_layers": {"node": "i", **LAYER, **_SHARES, "evidence": "f"},
        "outliers": _FOUND | {"distance": "f"},
        "outlier_layers": {"node": "i", **LAYER, "distance": "f", "z": "f"},
    }
)  # fmt: skip

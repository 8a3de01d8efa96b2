"""The paper's experiments as functions: noise on the input, transfer to another task, several studies side by side.

Each gives tables with intervals and a verdict in words, and keeps its runs so that a stop costs little. Pictures are
drawn in `stgcnlib.figures`, stages are run in `stgcnlib.pipeline`, pages made in `stgcnlib.report`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stgcnlib.studies.advice import Advice, advise_frozen
    from stgcnlib.studies.comparison import Comparison, compare_studies, paired_test
    from stgcnlib.studies.noise import NoiseResult, noise_study
    from stgcnlib.studies.transfer import TransferResult, split_classes, transfer_study

_HOME = {
    "Advice": "advice",
    "Comparison": "comparison",
    "NoiseResult": "noise",
    "TransferResult": "transfer",
    "advise_frozen": "advice",
    "compare_studies": "comparison",
    "noise_study": "noise",
    "paired_test": "comparison",
    "split_classes": "transfer",
    "transfer_study": "transfer",
}

__all__ = [
    "Advice",
    "Comparison",
    "NoiseResult",
    "TransferResult",
    "advise_frozen",
    "compare_studies",
    "noise_study",
    "paired_test",
    "split_classes",
    "transfer_study",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:  # processes of a study import only what they need
        raise AttributeError(f"module 'stgcnlib.studies' has no attribute {name!r}")
    return getattr(importlib.import_module(f"stgcnlib.studies.{_HOME[name]}"), name)

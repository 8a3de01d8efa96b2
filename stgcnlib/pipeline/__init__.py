"""Studies: one file says what is measured, stage notebooks measure and explain it.

Pages of the executed notebooks are made in `stgcnlib.report`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stgcnlib.pipeline.run import StudyRun, open_study
    from stgcnlib.pipeline.study import Study

_HOME = {"Study": "study", "StudyRun": "run", "open_study": "run"}

__all__ = ["Study", "StudyRun", "open_study"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:  # each notebook has its own process, which imports only what it needs
        raise AttributeError(f"module 'stgcnlib.pipeline' has no attribute {name!r}")
    return getattr(importlib.import_module(f"stgcnlib.pipeline.{_HOME[name]}"), name)

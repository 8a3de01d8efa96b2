"""Reports: executed notebooks as pages, an index that is there while a study runs, finished studies side by side.

What the notebooks say is their own business, running them that of `stgcnlib.pipeline`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stgcnlib.report.html import render_report
    from stgcnlib.report.study import run_study

_HOME = {"render_report": "html", "run_study": "study"}

__all__ = ["render_report", "run_study"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:  # a notebook that writes the summary need not import what makes pages
        raise AttributeError(f"module 'stgcnlib.report' has no attribute {name!r}")
    return getattr(importlib.import_module(f"stgcnlib.report.{_HOME[name]}"), name)

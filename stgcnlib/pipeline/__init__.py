"""Studies: one file says what is measured, stage notebooks measure and explain it, a report shows it."""

from __future__ import annotations

from stgcnlib.pipeline.run import StudyRun, open_study
from stgcnlib.pipeline.study import Study

__all__ = ["Study", "StudyRun", "open_study"]

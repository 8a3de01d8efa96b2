"""trust_study: allow your own network that a study names to run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stgcnlib.errors import StudyError
from stgcnlib.pipeline.refused import file_named
from stgcnlib.pipeline.study import Study
from stgcnlib.trust import is_trusted, remember

__all__ = ["asked_for", "trust_study"]


def asked_for(study: Study) -> tuple[str, Path] | None:
    """(network's name, file of its module) of code that the study names and that may not run yet; else `None`."""
    name, source = study.network.name, study.network.source
    return None if source is None or is_trusted(name, source) else (name, Path(source))


def trust_study(study: Study | Mapping[str, Any] | str | os.PathLike[str]) -> None:
    """Allow your own network that a study names to run here: now, and as long as its code stays the same.

    Read the code first: it can do whatever you can do. Your permission is kept in your own state folder.

    Args:
        study: a `Study`, its fields, a path to a study file, or the name of a bundled one.

    Raises:
        StudyError: the study names your own network, and its module is not found.
    """
    loaded = Study.load(study)
    if (own := asked_for(loaded)) is not None:
        remember(*own)
    elif ":" in loaded.network.name and loaded.network.source is None:
        with file_named(study):
            raise StudyError(f"network.name: there is no module of {loaded.network.name!r}; set network.folder")

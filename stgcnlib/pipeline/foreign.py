"""Whether a study or a comparison may be written to a folder: not where a user's own files would be replaced.

A folder that is new, that an earlier run or comparison left, or that holds none of the files that would be written, is
accepted. What lies beside these files stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stgcnlib.artefacts import MANIFEST
from stgcnlib.errors import OutputError, shorten
from stgcnlib.pipeline.study import Study
from stgcnlib.yaml_text import YAMLError, read_yaml_file, write_yaml

__all__ = ["COMPARISON", "check_comparison_folder", "check_study_folder"]

COMPARISON = "comparison.yml"
"""What a comparison writes first."""
_PAGES = ("index.html", "notebooks/*.ipynb", "pages/*.html", "tables/*.parquet", "assets/live.js")
_OF_STUDIES = ("study.yml", *_PAGES)
_OF_COMPARISONS = ("artefacts", "stages.json", "summary/*", *_PAGES)


def check_study_folder(output: Path) -> None:
    """Refuse to run a study in a folder where it would replace files that no run wrote.

    Raises:
        OutputError: names the files.
    """
    if (output / COMPARISON).exists():
        raise OutputError(f"{output}: holds a comparison; give another folder for the study with --output")
    if not _of_a_run(output):
        _refuse(output, _OF_STUDIES, "run of a study")


def check_comparison_folder(output: Path) -> None:
    """Refuse to write a comparison to a folder where it would replace files that no comparison wrote.

    Raises:
        OutputError: names the files.
    """
    if not (output / COMPARISON).exists():
        _refuse(output, _OF_COMPARISONS, "comparison")


def _refuse(output: Path, patterns: Sequence[str], writer: str) -> None:
    found = sorted(path.relative_to(output).as_posix() for pattern in patterns for path in output.glob(pattern))
    if found:
        raise OutputError(
            f"{output}: holds {shorten(found, 3)}, which no {writer} wrote there; choose another folder with --output, "
            "or move these files elsewhere"
        )


def _of_a_run(output: Path) -> bool:
    """Whether a run, or a notebook that made results, has written to a folder, even if it was ended at once."""
    artefacts = output / "artefacts"
    return (
        any((output / name).exists() for name in ("stages.json", "progress.json"))
        or (artefacts / ".locks").is_dir()
        or any(artefacts.rglob(f"*{MANIFEST}"))
        or _as_written(output / "study.yml")
    )


def _as_written(file: Path) -> bool:
    """Whether a study file is one that a run wrote: with every default filled in, and without a comment."""
    try:
        content, text = read_yaml_file(file), file.read_text(encoding="utf-8")
    except (OSError, ValueError, YAMLError):
        return False
    return isinstance(content, dict) and content.keys() >= Study.model_fields.keys() and write_yaml(content) == text

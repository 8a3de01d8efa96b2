"""Where finished studies lie: found from the working directory upwards, so that a notebook finds them.

The search goes up to the first folder that is the top of a repository, to the home folder, or to the root.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from stgcnlib.errors import StgcnlibError, StudyError, shorten
from stgcnlib.files import is_remote, local_path
from stgcnlib.json_text import read_json_file
from stgcnlib.pipeline.study import Study

__all__ = [
    "find_file", "find_folder", "find_output", "nearest_study", "output_folder", "project_folder", "study_folder",
    "written",
]  # fmt: skip

_REPORTS = "reports"


def nearest_study(start: Path | None = None) -> Path:
    """The folder of the study to use where none is named.

    It is the study in whose folder `start` lies. Otherwise it is a finished study in the folder ``reports`` of `start`
    or of the nearest folder above that has one; of several, the one that was finished last.

    Args:
        start: a folder; `None`: the working directory.

    Raises:
        StudyError: there is none; says where it was looked for and how to make one.
    """
    looked: list[str] = []
    unfinished: list[str] = []
    for folder in _upwards(start):
        if _is_study(folder):
            return folder
        studies = [each for each in sorted((folder / _REPORTS).glob("*/")) if _is_study(each)]
        finished = [each for each in studies if not (each / "progress.json").exists()]
        if finished:
            return max(finished, key=written)
        looked.append(str(folder / _REPORTS))
        unfinished += [str(each) for each in studies]
    if unfinished:
        raise StudyError(
            f"{unfinished[0]}: this study is not finished, and no other is near; run it to its end with: "
            f"stgcnlib run {Path(unfinished[0]) / 'study.yml'} --output {unfinished[0]}"
        )
    raise StudyError(
        f"no finished study lies in {shorten(looked)}; make one with 'stgcnlib run demo', or give the folder of one"
    )


def output_folder(output: str | os.PathLike[str]) -> Path:
    """The folder of a study's artefacts, which a ``file://`` URL may name as well as a path.

    Raises:
        StudyError: it is a URL of another kind.
    """
    if is_remote(output):
        raise StudyError(
            f"output {output}: a run needs a folder, for several processes write to it, lock it and run notebooks in "
            "it; give one that all machines share under the same path"
        )
    return local_path(output)


def study_folder(study: Study, output: str | os.PathLike[str] | None) -> Path:
    """`output_folder`, or ``reports/NAME`` where none is given.

    Raises:
        StudyError: as `output_folder`, or the study's name would lead out of ``reports``.
    """
    if output is not None:
        return output_folder(output)
    if study.name in (".", "..") or re.search(r"[/\\]", study.name):
        raise StudyError(f"name: {study.name!r} cannot name a folder in {_REPORTS}; give one with --output")
    return Path(_REPORTS) / study.name


def find_output(study: Study, output: Path, start: Path | None = None) -> Path:
    """The folder that keeps a study's artefacts: `output`, or a folder of that name that is found further up.

    Args:
        study: whose artefacts. A folder further up is taken only where it keeps a study with the same settings, so
            that no study is written over another.
        output: as given; an absolute path and an existing folder are returned unchanged.
        start: where a relative `output` begins; `None`: the working directory.
    """
    if output.is_absolute() or (_start(start) / output).is_dir():
        return output
    above = (folder / output for folder in _upwards(start))
    return next((each for each in above if _is_study(each) and _same(each, study)), output)


def find_file(path: Path, start: Path | None = None) -> Path:
    """A file by its relative path, in the working directory or the nearest folder above that has it; else `path`."""
    return _found(path, start, Path.is_file)


def find_folder(path: str | os.PathLike[str], start: Path | None = None) -> Path:
    """The folder of a study by its relative path, as `find_file`; ``~`` and ``${NAME}`` expand.

    `start` is where to look first and then upwards; None: the working directory.
    """
    return _found(Path(os.path.expandvars(path)).expanduser(), start, _is_study)


def project_folder(start: Path | None = None) -> Path:
    """The nearest folder that has ``reports``, ``pyproject.toml`` or ``.git``; without one, `start` itself."""
    marks = (_REPORTS, "pyproject.toml", ".git")
    found = (folder for folder in _upwards(start) if any((folder / mark).exists() for mark in marks))
    return next(found, _start(start))


def written(folder: Path) -> datetime:
    """When the last page of a study was finished, or else when its study file was written."""
    try:
        pages = read_json_file(folder / "stages.json")["notebooks"].values()
        return max(datetime.fromisoformat(page["finished"]) for page in pages)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return datetime.fromtimestamp((folder / "study.yml").stat().st_mtime, UTC)


def _start(start: Path | None) -> Path:
    return (start or Path.cwd()).resolve()


def _found(path: Path, start: Path | None, fits: Callable[[Path], bool]) -> Path:
    if path.is_absolute() or (_start(start) / path).exists():
        return path
    return next((folder / path for folder in _upwards(start) if fits(folder / path)), path)


def _upwards(start: Path | None) -> Iterator[Path]:
    """A folder and those above it, to the top of its repository, the home folder or the root."""
    first = _start(start)
    for folder in (first, *first.parents):
        yield folder
        if (folder / ".git").exists() or folder == Path.home().resolve():
            return


def _is_study(folder: Path) -> bool:
    return (folder / "study.yml").is_file() and (folder / "artefacts").is_dir()


def _same(folder: Path, study: Study) -> bool:
    try:
        return Study.from_file(folder / "study.yml").fingerprint() == study.fingerprint()
    except StgcnlibError:  # of another version
        return False

"""verify: check that all results, tables and executed notebooks in a study's folder are as they were written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stgcnlib.artefacts import MANIFEST, Place, Sums, names_in, read_manifest, read_table
from stgcnlib.errors import ArtefactError, StgcnlibError
from stgcnlib.pipeline.finished import FinishedStudy, read_study
from stgcnlib.pipeline.record import Record

__all__ = ["Health", "verify_study"]


@dataclass(frozen=True)
class Health:
    """What `verify_study` found.

    Attributes:
        artefacts: number of results that were checked.
        files: number of their files.
        size: of these files, in bytes.
        problems: a sentence for each problem; empty if the folder is intact.
    """

    artefacts: int
    files: int
    size: int
    problems: tuple[str, ...]


def verify_study(folder: str | os.PathLike[str]) -> Health:
    """Read everything in a study's folder and compare it with its checksums; nothing is changed.

    Results are compared with their manifests and opened, tables with the results that they are copies of, executed
    notebooks with the record of the run.

    Args:
        folder: that ``stgcnlib run`` wrote to.

    Raises:
        StudyError: the folder holds no study with results.
    """
    study = read_study(folder)
    artefacts = files = size = 0
    problems: list[str] = []
    for path in _results(study.store.folder):
        artefacts += 1
        try:
            names = names_in(path)
            files += len(names)
            size += sum((path / name if name else path).lstat().st_size for name in names)
            problems += _wrong(study, path)
        except StgcnlibError as error:
            problems.append(str(error))
    problems += [*_strays(study.store.folder), *_notebooks(study.output)]
    return Health(artefacts, files, size, tuple(problems))


def _results(home: Path) -> Iterator[Path]:
    """Paths of the results that have a manifest."""
    for name in names_in(home):
        if name.endswith(MANIFEST) and not name.startswith("."):
            yield home / name.removesuffix(MANIFEST)


def _wrong(study: FinishedStudy, path: Path) -> list[str]:
    """What is wrong with one result; some problems are raised as a `StgcnlibError` instead."""
    mend = study.store.mend or ""
    manifest = read_manifest(path, mend)
    Sums(path, manifest["files"], mend).check()
    place = _place(study, path, str(manifest.get("artefact")))
    if place is None:
        return [f"{path}: is not a result that this version of stgcnlib knows; {mend}"]
    form = place.artefact.form
    if form is None or not study.keys.has(place.artefact):
        return []  # left by an earlier run, when the study had one section more
    value, found = study.store.load(place.name, form), []
    for each in getattr(value, "graphs", {}).values():  # a graph is read from disk here
        len(each)
    for title, member in place.artefact.tables.items():
        file = study.output / "tables" / f"{title}.parquet"
        kept = value if not member else value[member] if isinstance(value, dict) else getattr(value, member)
        try:
            if not read_table(file).equals(kept):
                found.append(
                    f"{file}: differs from {path}, of which it is a copy; remove it, and the next run writes it again"
                )
        except (OSError, ValueError) as error:
            found.append(f"{file}: cannot be read ({error}); remove it, and the next run writes it anew")
    return found


def _place(study: FinishedStudy, path: Path, name: str) -> Place | None:
    """The result that a manifest names; `None` if it is unknown or belongs at another path."""
    try:
        place = study.line.find(name)
    except ArtefactError:
        return None
    form = place.artefact.form
    return place if form is not None and study.store.path(place.name, form) == path else None


def _strays(home: Path) -> Iterator[str]:
    """Files among the results that belong to none."""
    results = {path.relative_to(home).as_posix() for path in _results(home)}
    for name in names_in(home):
        parts = name.split("/")
        above = {"/".join(parts[: k + 1]) for k in range(len(parts))}
        if not (parts[0].startswith(".") or name.endswith(MANIFEST) or above & results):
            yield f"{home / name}: has no manifest, so it cannot be checked; run the study again"


def _notebooks(output: Path) -> Iterator[str]:
    """Executed notebooks and pages that are missing, unknown, or changed since the run."""
    record, mend = Record.read(output), "run the study again"
    if not record.done:
        if (output / "index.html").exists():
            yield f"{record.file}: cannot be read, or names no notebook; {mend}"
        return
    for name in record.done:
        notebook, page = output / "notebooks" / f"{name}.ipynb", output / "pages" / f"{name}.html"
        if not notebook.is_file() or notebook.is_symlink():
            yield f"{notebook}: is missing; {mend}"
        elif not record.unchanged(name, notebook):
            yield f"{notebook}: is not as it was written; {mend}"
        if not page.is_file():
            yield f"{page}: is missing; write it anew with: stgcnlib report {output}"
    for file in sorted((output / "pages").glob("*.html")):
        if file.stem not in record.done:
            yield f"{file}: belongs to no notebook of this study; write the pages anew with: stgcnlib report {output}"

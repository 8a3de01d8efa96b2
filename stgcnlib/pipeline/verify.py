"""verify: check that all results, tables and executed notebooks in a study's folder are as they were written.

Whether the study has come to its end is another question, answered beside it: what is undamaged may be unfinished.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stgcnlib.artefacts import MANIFEST, Place, Sums, manifest_state, names_in, read_manifest, read_table
from stgcnlib.errors import ArtefactError, StgcnlibError
from stgcnlib.pipeline.finished import FinishedStudy, read_study
from stgcnlib.pipeline.guard import in_use
from stgcnlib.pipeline.record import Record
from stgcnlib.pipeline.stages import Stage, is_page, stages_of
from stgcnlib.pipeline.state import Progress
from stgcnlib.progress import track

__all__ = ["Health", "verify_study"]


@dataclass(frozen=True)
class Health:
    """What `verify_study` found.

    Attributes:
        artefacts: number of results that were checked.
        files: number of their files.
        size: of these files, in bytes.
        problems: a sentence for each problem; empty if nothing that is there is damaged.
        unfinished: which stages are missing, or that a run is writing now, and what to do; "" if the study is complete.
    """

    artefacts: int
    files: int
    size: int
    problems: tuple[str, ...]
    unfinished: str = ""


def verify_study(folder: str | os.PathLike[str], *, progress: bool | None = None) -> Health:
    """Read everything in a study's folder and compare it with its checksums; nothing is changed.

    Results are compared with their manifests and opened, tables with the results that they are copies of, executed
    notebooks with the record of the run. What a run is making now is not judged.

    Args:
        folder: that ``stgcnlib run`` wrote to.
        progress: draw a bar; `None` draws it on a terminal (`stgcnlib.progress.track`).

    Raises:
        StudyError: the folder holds no study with results.
    """
    study = read_study(folder)
    writing = in_use(study.output)
    artefacts = files = size = 0
    doubtful: dict[Path, list[int] | None] = {}
    for path in track(list(_results(study.store.folder)), "checking files", show=progress):
        artefacts, state = artefacts + 1, manifest_state(path)
        with suppress(OSError):  # what has just been replaced; `_problems` says what else cannot be read
            names = names_in(path)
            files += len(names)
            size += sum((path / name if name else path).lstat().st_size for name in names)
        if _problems(study, path):
            doubtful[path] = state
    writing = writing or in_use(study.output)
    problems: list[str] = []
    for path, state in doubtful.items():
        problems += _still(study, path, state, writing=writing)
    problems += [*([] if writing else _strays(study.store.folder)), *_notebooks(study.output, writing=writing)]
    return Health(artefacts, files, size, tuple(problems), _unfinished(study, writing=writing))


def _results(home: Path) -> Iterator[Path]:
    """Paths of the results that have a manifest."""
    for name in names_in(home):
        if name.endswith(MANIFEST) and not name.startswith("."):
            yield home / name.removesuffix(MANIFEST)


def _still(study: FinishedStudy, path: Path, state: list[int] | None, *, writing: bool) -> list[str]:
    """What is wrong with a result on a second look, too; nothing where a run has begun to make it again.

    `state` is that of its manifest before the first look.
    """
    if writing and (state is None or manifest_state(path) != state):
        return []
    found = _problems(study, path)
    return [] if writing and manifest_state(path) != state else found


def _problems(study: FinishedStudy, path: Path) -> list[str]:
    """What is wrong with one result."""
    try:
        return _wrong(study, path)
    except StgcnlibError as error:
        return [str(error)]
    except OSError as error:
        return [f"{path}: cannot be read ({error.strerror or error}); {study.store.mend}"]


def _wrong(study: FinishedStudy, path: Path) -> list[str]:
    """What is wrong with one result; some problems are raised as a `StgcnlibError` or `OSError` instead."""
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


def _notebooks(output: Path, *, writing: bool) -> Iterator[str]:
    """Executed notebooks and pages that are missing, unknown, or changed since the run; a run writes pages late."""
    record, mend = Record.read(output), "run the study again"
    if not record.done:
        if not writing and any(is_page(file.stem) for file in (output / "notebooks").glob("*.ipynb")):
            yield f"{record.file}: cannot be read, or names no notebook; {mend}"
        return
    found: dict[str, str] = {}
    for name in record.done:
        notebook, page = output / "notebooks" / f"{name}.ipynb", output / "pages" / f"{name}.html"
        try:
            if not notebook.is_file() or notebook.is_symlink():
                found[name] = f"{notebook}: is missing; {mend}"
            elif not record.unchanged(name, notebook):
                found[name] = f"{notebook}: is not as it was written; {mend}"
        except OSError as error:
            found[name] = f"{notebook}: cannot be read ({error.strerror or error}); {mend}"
        if not writing and not page.is_file():
            yield f"{page}: is missing; write it anew with: stgcnlib report {output}"
    again = Record.read(output).done  # a run takes out what it is about to remove or replace
    yield from (line for name, line in found.items() if again.get(name) == record.done[name])
    for file in [] if writing else sorted((output / "pages").glob("*.html")):
        if file.stem not in record.done:
            ours = is_page(file.stem) or file.stem in record.names
            anew = f"write the pages anew with: stgcnlib report {output}" if ours else "keep it elsewhere, or remove it"
            yield f"{file}: belongs to no notebook of this study; {anew}"


def _unfinished(study: FinishedStudy, *, writing: bool) -> str:
    """What is missing of a study, in words; "" if nothing is."""
    record, progress = Record.read(study.output), Progress.read(study.output)
    begun = {step.name for step in progress.steps if step.state not in ("done", "skipped")} if progress else set()
    stages = stages_of(study.study)
    missing = [stage.name for stage in stages if stage.name in begun or not _told(study, record, stage)]
    if writing:
        later = f"; not done yet: {', '.join(missing)}" if missing else ""
        return f"not finished: a run is writing to it now{later}. Check it again when the run has ended"
    goes_on = f"go on with: stgcnlib run {study.output / 'study.yml'} -o {study.output}"
    if missing:
        count = f"{len(missing)} of {len(stages)} stages {'are' if len(missing) > 1 else 'is'} missing"
        return f"not finished: {count} ({', '.join(missing)}); {goes_on}"
    return "" if progress is None else f"not finished: its last run was ended before the pages were written; {goes_on}"


def _told(study: FinishedStudy, record: Record, stage: Stage) -> bool:
    """Whether all notebooks of a stage are done."""
    if not stage.per_layer:
        return stage.name in record.done
    done = sum(name.startswith(f"{stage.name}_") for name in record.done)
    try:
        return study.has("layers") and done >= len(study["layers"])
    except StgcnlibError:  # damaged, which is one of the problems
        return done > 0

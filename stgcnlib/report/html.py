"""Executed notebooks as pages that need no network, and the index that leads to them.

`cells` makes the HTML of a notebook's cells, `index` what the first page shows; here they become files. Only a
page with a live figure runs script: ours, from one file written beside the pages.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from stgcnlib.errors import StageError
from stgcnlib.figures.live_page import live_assets
from stgcnlib.files import write_text
from stgcnlib.paths import check_contained
from stgcnlib.pipeline.expect import duration
from stgcnlib.pipeline.foreign import COMPARISON
from stgcnlib.pipeline.guard import in_use
from stgcnlib.pipeline.notebooks import opening, read_notebook
from stgcnlib.pipeline.record import Record
from stgcnlib.pipeline.stages import is_page, page_order
from stgcnlib.pipeline.state import Progress
from stgcnlib.report.cells import TEMPLATES, Cells, converted, unbroken
from stgcnlib.report.front import check_results
from stgcnlib.report.index import Entry, Link, contents, index_fields, layer_titles, planned
from stgcnlib.version import __version__
from stgcnlib.yaml_text import YAMLError, read_yaml_file

__all__ = ["Report", "render_report"]

_SCRIPT = "live.js"
"""Written once beside the pages, for all live figures of a report."""
_OLD_SCRIPTS = ("plotly.min.js", "player.js")
"""Those of older versions."""


def render_report(output: str | os.PathLike[str]) -> Path:
    """Write ``pages/*.html`` and ``index.html`` from the executed notebooks of an output folder.

    `output` is the folder that `run_study` wrote.

    Returns:
        Path of ``index.html``.

    Raises:
        StageError: the folder holds no study that was run.
        StudyError: in the folder lies a link out of it, or something that is neither a file nor a folder.
    """
    folder = Path(output)
    check_contained(folder)
    progress = Progress.read(folder)
    if progress is not None and progress.status == "running" and not in_use(folder):
        progress = progress.ended("stopped")  # its process was killed before it could write this
    return Report(folder).write(progress)


@dataclass(frozen=True)
class _Read:
    """An executed notebook as far as its page needs it, and the state of the file it was read from."""

    stamp: tuple[int, int]
    title: str
    about: str
    cells: Cells


@dataclass(frozen=True)
class _Page:
    link: Link
    layer: str
    record: Mapping[str, Any]
    read: _Read


class Report:
    """The pages of an output folder. A notebook is read and converted once, however often pages are written.

    Args:
        folder: that holds ``study.yml`` or ``comparison.yml``, and the executed notebooks.

    Raises:
        StageError: the folder holds no study that was run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        file = next((folder / name for name in ("study.yml", COMPARISON) if (folder / name).is_file()), None)
        if file is None:
            raise StageError(f"{folder}: holds no study.yml; give the folder that 'stgcnlib run' wrote to")
        self._file = file
        self._settings = _read_yaml(file)
        self._known: dict[str, _Read] = {}

    def write(self, progress: Progress | None = None) -> Path:
        """Write every page and the index.

        Args:
            progress: of a run that has not finished; its pages are those of the notebooks that are done.

        Returns:
            Path of ``index.html``.

        Raises:
            StageError: a notebook cannot be read, or is not as it was when the run recorded it.
            DamagedError: another result of a finished run, shown here, is not as it was written.
        """
        if progress is None:
            check_results(self.folder)
        record = Record.read(self.folder)
        pages = [self._page(path, record) for path in self._notebooks(progress, record)]
        names = {page.link.name for page in pages}
        for stale in (self.folder / "pages").glob("*.html"):  # what else lies there is not ours
            if stale.stem not in names and (stale.stem in record.names or is_page(stale.stem)):
                stale.unlink(missing_ok=True)
        entries = (
            planned(progress, layer_titles(self.folder), names)
            if progress is not None
            else contents([(page.link, page.read.about, page.record.get("seconds")) for page in pages])
        )
        self._write_pages(pages, entries)
        live = any(page.read.cells.live for page in pages)
        for script in _OLD_SCRIPTS if live else (*_OLD_SCRIPTS, _SCRIPT):
            (self.folder / "assets" / script).unlink(missing_ok=True)
        return self._write_index(entries, progress)

    def update(self, progress: Progress) -> Path:
        """Write the pages that are missing or older than their notebook, and the index; same result and errors.

        The other pages stay as they are: until `write` is called, their lists lack the pages made after them.
        """
        record = Record.read(self.folder)
        pages = [self._page(path, record) for path in self._notebooks(progress, record) if self._outdated(path)]
        there = {path.stem for path in (self.folder / "pages").glob("*.html")} | {page.link.name for page in pages}
        entries = planned(progress, layer_titles(self.folder), there)
        self._write_pages(pages, entries)
        return self._write_index(entries, progress)

    def announce(self, progress: Progress) -> Path:
        """Write the index alone, with links to the pages that are there already."""
        there = {path.stem for path in (self.folder / "pages").glob("*.html")}
        return self._write_index(planned(progress, layer_titles(self.folder), there), progress)

    # -- parts ---------------------------------------------------------------------------------

    def _notebooks(self, progress: Progress | None, record: Record) -> list[Path]:
        """Executed notebooks, without those of an earlier run that this one makes anew, and without the user's own."""
        paths = sorted((self.folder / "notebooks").glob("*.ipynb"), key=lambda path: page_order(path.stem))
        paths = [path for path in paths if not path.name.endswith(".failed.ipynb") and not path.name.startswith(".")]
        if progress is None:
            return [path for path in paths if path.stem in record.done] if record.done else paths
        steps = progress.steps
        done = {notebook.name for step in steps for notebook in step.notebooks if notebook.state == "done"}
        return [path for path in paths if path.stem in done]

    def _outdated(self, path: Path) -> bool:
        page = self.folder / "pages" / f"{path.stem}.html"
        return not page.exists() or page.stat().st_mtime_ns < path.stat().st_mtime_ns

    def _page(self, path: Path, record: Record) -> _Page:
        known = record.done.get(path.stem, {})
        if not record.unchanged(path.stem, path):
            raise StageError(f"{path}: is not as it was written; run the study again, which executes it anew")
        read = self._read(path)
        layer = str(known.get("parameters", {}).get("layer", ""))
        title, short = read.title, ""
        if layer:
            title, short = layer_titles(self.folder).get(layer, (layer.capitalize(), layer))
        return _Page(Link(path.stem, title, short), layer, known, read)

    def _read(self, path: Path) -> _Read:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if path.stem not in self._known or self._known[path.stem].stamp != stamp:
            notebook = read_notebook(path)
            try:
                title, about = opening(notebook, path.stem)
                self._known[path.stem] = _Read(stamp, title, about, converted(notebook, title))
            except (MemoryError, OSError):
                raise
            except Exception as error:  # a damaged notebook, or one of others, may hold cells of any form
                said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
                raise StageError(f"{path}: not readable as a notebook ({said}); run the study again") from None
        return self._known[path.stem]

    def _shared(self, entries: list[Entry]) -> dict[str, Any]:
        return {
            "study": str(self._settings.get("name", self.folder.name)),
            "entries": entries,
            "version": __version__,
            "style": Markup(_style()),
        }

    def _write_pages(self, pages: list[_Page], entries: list[Entry]) -> None:
        links = [link for entry in entries for link in entry.links if link.there]
        places = {link.name: i for i, link in enumerate(links)}
        for page in pages:
            at, cells = places[page.link.name], page.read.cells
            text = _templates().get_template("page.html.j2").render(
                **self._shared(entries),
                root="../",
                current=page.link.name,
                title=page.link.title,
                eyebrow=page.layer,
                body=cells.body,
                sections=cells.sections,
                # Only scripts with this word run, and notebooks could not know it when they wrote their outputs.
                nonce=secrets.token_urlsafe(16) if cells.live else "",
                live_style=Markup(live_assets()["live.css"]) if cells.live else "",
                before=links[at - 1] if at else None,
                after=links[at + 1] if at + 1 < len(links) else None,
                parameters=sorted(page.record.get("parameters", {}).items()),
                made=_made(page.record),
            )  # fmt: skip
            _write_page(self.folder / "pages" / f"{page.link.name}.html", text)
        if any(page.read.cells.live for page in pages):
            file, script = self.folder / "assets" / _SCRIPT, live_assets()[_SCRIPT]
            if not (file.exists() and file.read_text(encoding="utf-8") == script):
                write_text(file, script)

    def _write_index(self, entries: list[Entry], progress: Progress | None) -> Path:
        text = _templates().get_template("index.html.j2").render(
            **(shared := self._shared(entries)),
            **index_fields(self.folder, self._settings, self._file.name, progress),
            root="",
            current="",
            title=shared["study"],
            sections=[],
            nonce="",
            live_style="",
        )  # fmt: skip
        _write_page(self.folder / "index.html", text)
        return self.folder / "index.html"


def _write_page(file: Path, text: str) -> None:
    """Write a page; what UTF-8 cannot hold (half a pair of surrogates, from a file of others) becomes a "?"."""
    write_text(file, text.encode("utf-8", "replace").decode("utf-8"))


def _made(record: Mapping[str, Any]) -> str:
    if not record:
        return f"Rendered by stgcnlib {__version__}"
    finished = str(record.get("finished", ""))[:16].replace("T", " ")
    took = duration(float(record["seconds"])) if "seconds" in record else ""
    return f"Executed {finished} UTC in {took} by stgcnlib {record.get('stgcnlib', __version__)}"


@cache
def _style() -> str:
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


@cache
def _templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    templates.filters["unbroken"] = unbroken
    return templates


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml_file(path)
    except (OSError, YAMLError) as error:
        raise StageError(f"{path}: not readable ({' '.join(str(error).split())[:300]})") from None
    return content if isinstance(content, dict) else {}

"""The first page of a report: the result, and the list of pages with what each shows.

While a run works, and after one that failed or was stopped, it tells how far the run has come instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from textwrap import dedent
from typing import Any

from stgcnlib.pipeline.expect import about, duration
from stgcnlib.pipeline.stages import page_order
from stgcnlib.pipeline.state import Notebook, Progress, Step, left_in_words
from stgcnlib.report.front import front, read_json
from stgcnlib.report.settings import settings_rows
from stgcnlib.version import __version__

__all__ = ["Entry", "Link", "contents", "index_fields", "layer_titles", "planned"]

LAYERS = "Layer by layer"
SOFTWARE = (
    "numpy",
    "scipy",
    "torch",
    "lightning",
    "numba",
    "scikit-learn",
    "pandas",
    "zarr",
    "matplotlib",
    "papermill",
)

WORDS = {
    "waiting": "to come",
    "running": "running",
    "done": "done",
    "skipped": "done before",
    "failed": "failed",
    "stopped": "stopped",
}


@dataclass(frozen=True)
class Link:
    """A page that exists, or one that is still to come.

    Attributes:
        short: a few characters for it, if it is a layer's.
        state: of its notebook.
        there: whether the page can be opened.
    """

    name: str
    title: str
    short: str = ""
    state: str = "done"
    there: bool = True


@dataclass(frozen=True)
class Entry:
    """A line of the contents: a page, or all layers' pages together.

    Attributes:
        about: what it shows.
        time: how long it took, or is expected to take; `of` is the expected time of a stage that runs.
        state: of its stage; `word` says it in words, `detail` how far it has come.
        links: the page, or the layers' pages.
        layers: whether `links` are those of layers.
    """

    title: str
    about: str
    time: str
    links: tuple[Link, ...]
    layers: bool = False
    of: str = ""
    state: str = "done"
    word: str = ""
    detail: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the pages under this line."""
        return tuple(link.name for link in self.links)

    @property
    def first(self) -> Link | None:
        """The first page that can be opened."""
        return next((link for link in self.links if link.there), None)


def layer_titles(folder: Path) -> dict[str, tuple[str, str]]:
    """Layer's name -> its title and its number, as far as the folder knows."""
    layers = read_json(folder / "artefacts" / "layers.json")
    rows = [one for one in layers if isinstance(one, dict)] if isinstance(layers, list) else []
    return {
        (name := str(one.get("name"))): (str(one.get("title", name)).capitalize(), str(one.get("index", name)))
        for one in rows
    }


def contents(pages: Sequence[tuple[Link, str, float | None]]) -> list[Entry]:
    """The lines of a finished report from (page, what it shows, seconds), all layers on the line of the first."""
    entries: list[Entry] = []
    layers = [page for page in pages if page[0].short]
    for link, text, seconds in pages:
        if not link.short:
            entries.append(Entry(link.title, text, "" if seconds is None else duration(seconds), (link,)))
        elif link is layers[0][0]:
            took = duration(sum(each[2] or 0.0 for each in layers))
            entries.append(Entry(LAYERS, text, took, tuple(each[0] for each in layers), layers=True))
    return entries


def planned(progress: Progress, titles: Mapping[str, tuple[str, str]], there: set[str]) -> list[Entry]:
    """The lines of a run that has not finished; `there` are the pages that exist."""

    def link(step: Step, notebook: Notebook) -> Link:
        title, short = titles.get(notebook.layer, (notebook.layer, notebook.layer)) if notebook.layer else ("", "")
        exists = notebook.state == "done" and notebook.name in there
        return Link(notebook.name, title or step.title, short, notebook.state, exists)

    entries = []
    for step in progress.steps:
        running = progress.status == "running"
        time, of = _time(step, running=running)
        entries.append(
            Entry(
                title=LAYERS if step.per_layer else step.title or step.name,
                about=step.about,
                time=time,
                of=of,
                links=tuple(link(step, notebook) for notebook in step.notebooks),
                layers=step.per_layer,
                state="done" if step.state == "skipped" else step.state,
                word=WORDS[step.state] if running or step.state != "waiting" else "not begun",
                detail=_detail(step),
            )
        )
    return entries


def _time(step: Step, *, running: bool) -> tuple[str, str]:
    """The time of a stage, and words that compare it with the expected time."""
    took = "" if step.elapsed is None else duration(step.elapsed)
    match step.state:
        case "done" | "skipped":
            return duration(sum(notebook.seconds or 0.0 for notebook in step.notebooks)), ""
        case "running" if step.expected is not None and step.elapsed is not None:
            longer = step.elapsed > step.expected
            return took, "longer than expected" if longer else f"of {about(step.expected)}"
        case "waiting":
            return about(step.expected) if running and step.expected is not None else "", ""
        case _:
            return f"after {took}" if took and step.state != "running" else took, ""


def _detail(step: Step) -> str:
    if step.state in ("done", "skipped") or (step.state == "waiting" and not step.ended):
        return ""
    if step.making:
        return "making results" + (f", {step.made} made" if step.made else "")
    if step.total > 1:
        return f"{step.ended} of {step.total}"
    return next((f"cell {notebook.cell} of {notebook.of}" for notebook in step.notebooks if notebook.cell), "")


def index_fields(folder: Path, settings: Mapping[str, Any], file: str, progress: Progress | None) -> dict[str, Any]:
    """What the template of the first page shows besides the list of pages."""
    # An earlier run's result says nothing about this one.
    now = datetime.now(UTC)
    return {
        "front": front(folder) if progress is None else {},
        "progress": progress,
        "told": None if progress is None else _told(progress),
        "failures": sorted(
            (path.stem for path in (folder / "notebooks").glob("*.failed.ipynb")),
            key=lambda name: page_order(name.removesuffix(".failed")),
        ),
        "settings": settings_rows(settings),
        "settings_file": file,
        "software": _software(),
        "made": f"Written {now:%Y-%m-%d %H:%M} UTC by stgcnlib {__version__}",
    }


def _told(progress: Progress) -> dict[str, str]:
    """Head and text of the box that says how far a run has come."""
    came = f"{progress.done} of {len(progress.steps)} stages done"
    started, changed = f"{progress.started:%Y-%m-%d %H:%M:%S}", f"{progress.changed:%H:%M:%S}"
    head, _, rest = progress.error.partition("\n")
    match progress.status:
        case "failed":
            text = f"Started {started} UTC, failed {changed} UTC with {came}."
            more = "Finished pages stay below. Once the cause is removed, the same command goes on from here."
            return {"head": f"The run has failed: {head}", "text": f"{text} {more}", "error": dedent(rest)}
        case "stopped":
            text = f"Started {started} UTC, last changed {changed} UTC with {came}."
            more = "Finished pages stay below. The same command goes on from here."
            return {"head": "The run was stopped before its end", "text": f"{text} {more}", "error": ""}
        case _:
            left = left_in_words(progress)
            text = f"Started {started} UTC. At {changed} UTC: {duration(progress.elapsed)} so far"
            text += f", {left}." if left else "."
            return {"head": f"Running: {came}", "text": f"{text} Reload this page to see more.", "error": ""}


@cache
def _software() -> list[tuple[str, str]]:
    rows = [("stgcnlib", __version__), ("Python", python_version())]
    for name in SOFTWARE:
        try:
            rows.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return rows

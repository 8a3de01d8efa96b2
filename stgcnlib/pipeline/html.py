"""Executed notebooks as pages that need no network, and the index that leads to them.

nbconvert renders the cells with our template; every name, label and output is escaped or cleaned on
the way, and images are embedded. Only a page with a skeleton player runs script: ours, from files written
beside the pages. What the notebooks say is their own business.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

import jinja2
import nbformat
import yaml
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors.sanitize import SanitizeHTML

from stgcnlib import __version__
from stgcnlib.artefacts import write_text
from stgcnlib.errors import StageError
from stgcnlib.figures.player_page import PLAYER_MIME, player_assets, player_markup

__all__ = ["COMPARISON", "render_report"]

COMPARISON = "comparison.yml"
TEMPLATES = Path(__file__).resolve().parent / "template"
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

_TAGS = [
    "a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "div", "dl", "dt",
    "em", "h1", "h2", "h3", "h4", "hr", "i", "kbd", "li", "ol", "p", "pre", "s", "small", "span", "strong",
    "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "var", "math", "mi", "mn", "mo",
    "mrow", "mtext", "msub", "msup", "msubsup", "mfrac", "msqrt", "munder", "mover", "munderover", "mspace",
    "mtable", "mtr", "mtd",
]  # fmt: skip
_ATTRIBUTES = {
    "*": ["class", "id"],
    "a": ["href", "title"],
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan", "scope"],
    "ol": ["start"],
}

_SCRIPTS = ("plotly.min.js", "player.js")
"""Written once beside the pages, for all players of a report."""

_INTERVAL = re.compile(r"(\d%?) to ([-+\d])")
_INDEX_NAME = re.compile(
    r"(<thead>\s*<tr>\s*<th>)(</th>(?:(?!</tr>).)*</tr>)\s*<tr>\s*<th>([^<]*)</th>(?:\s*<th></th>)*\s*</tr>", re.DOTALL
)
"""pandas gives the name of the index a row of its own; it reads better above its column."""


@dataclass(frozen=True)
class Page:
    """One executed notebook and what the other pages need to know of it."""

    name: str
    title: str
    about: str
    notebook: Any
    record: Mapping[str, Any]
    short: str = ""
    layer: str = ""

    @property
    def took(self) -> str:
        """How long the notebook ran."""
        seconds = self.record.get("seconds")
        return "" if seconds is None else _duration(float(seconds))


@dataclass(frozen=True)
class Entry:
    """A line of the contents: a page, or all layers' pages together."""

    name: str
    title: str
    about: str
    took: str
    layers: tuple[Page, ...] = ()

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the pages under this line."""
        return tuple(page.name for page in self.layers)


def render_report(output: str | os.PathLike[str]) -> Path:
    """Write ``pages/*.html`` and ``index.html`` from the executed notebooks of an output folder.

    Returns:
        Path of ``index.html``.

    Raises:
        StageError: the folder holds no study that was run.
    """
    folder = Path(output)
    file = next((folder / name for name in ("study.yml", COMPARISON) if (folder / name).is_file()), None)
    if file is None:
        raise StageError(f"{folder}: holds no study.yml; give the folder that 'stgcnlib run' wrote to")
    settings = _read_yaml(file)
    pages = _pages(folder)
    shared = {
        "study": str(settings.get("name", folder.name)),
        "pages": _contents(pages),
        "version": __version__,
        "style": Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
    }
    scripted = False
    for i, page in enumerate(pages):
        body, sections = _body(page)
        players = _holds_player(page.notebook)
        scripted |= players
        text = _templates().get_template("page.html.j2").render(
            **shared,
            root="../",
            current=page.name,
            title=page.title,
            eyebrow=page.layer,
            body=body,
            sections=sections,
            # Scripts run by a word that the notebooks could not know when they wrote their outputs.
            nonce=secrets.token_urlsafe(16) if players else "",
            player_style=Markup(player_assets()["player.css"]) if players else "",
            before=pages[i - 1] if i else None,
            after=pages[i + 1] if i + 1 < len(pages) else None,
            parameters=sorted(page.record.get("parameters", {}).items()),
            made=_made(page),
        )  # fmt: skip
        write_text(folder / "pages" / f"{page.name}.html", text)
    for name in _SCRIPTS:
        if scripted:
            write_text(folder / "assets" / name, player_assets()[name])
        else:
            (folder / "assets" / name).unlink(missing_ok=True)
    names = {page.name for page in pages}
    for stale in (folder / "pages").glob("*.html"):
        if stale.stem not in names:
            stale.unlink()
    write_text(folder / "index.html", _index(folder, settings, shared, file.name))
    return folder / "index.html"


def _index(folder: Path, settings: Mapping[str, Any], shared: Mapping[str, Any], file: str) -> str:
    summary = _read_json(folder / "summary.json")
    figure = folder / str(summary.get("figure", "")) if summary else folder
    return (
        _templates()
        .get_template("index.html.j2")
        .render(
            **shared,
            root="",
            current="",
            title=shared["study"],
            summary=summary,
            verdict=_markdown(str(summary.get("verdict", "")), escape=True),
            figure=_data_uri(figure) if figure.is_file() else "",
            failures=sorted(path.stem for path in (folder / "notebooks").glob("*.failed.ipynb")),
            settings=_flat(settings),
            settings_file=file,
            software=_software(),
            sections=[],
            nonce="",
            player_style="",
            made=f"Written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by stgcnlib {__version__}",
        )
    )


# -- pages -------------------------------------------------------------------------------------


def _pages(folder: Path) -> list[Page]:
    record = _read_json(folder / "stages.json").get("notebooks", {})
    layers = _read_json(folder / "layers.json")
    titles = {str(one.get("name")): one for one in layers if isinstance(one, dict)} if isinstance(layers, list) else {}
    pages = []
    for path in sorted((folder / "notebooks").glob("*.ipynb")):
        if path.name.endswith(".failed.ipynb") or path.name.startswith("."):
            continue
        try:
            notebook = nbformat.read(path, as_version=4)
        except Exception as error:
            raise StageError(f"{path}: not readable as a notebook ({' '.join(str(error).split())[:200]})") from None
        known = record.get(path.stem, {})
        title, about = _opening(notebook, path.stem)
        layer = str(known.get("parameters", {}).get("layer", ""))
        short = ""
        if layer:
            shown = titles.get(layer, {"title": layer, "index": layer})
            title, short = str(shown["title"]).capitalize(), str(shown["index"])
        pages.append(Page(path.stem, title, about, notebook, known, short, layer))
    return pages


def _contents(pages: list[Page]) -> list[Entry]:
    entries: list[Entry] = []
    layers = tuple(page for page in pages if page.layer)
    for page in pages:
        if not page.layer:
            entries.append(Entry(page.name, page.title, page.about, page.took))
        elif page is layers[0]:
            took = _duration(sum(float(one.record.get("seconds", 0)) for one in layers))
            entries.append(Entry(page.name, "Layer by layer", page.about, took, layers))
    return entries


def _opening(notebook: Any, name: str) -> tuple[str, str]:
    """Title and first sentence of a notebook, as plain text."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            head, _, rest = cell.source.partition("\n")
            text = re.sub(r"[*`]", "", " ".join(rest.split("\n\n")[0].split()))
            sentence = re.match(r".*?[.!?](?=\s|$)", text)
            return head.removeprefix("# ").strip(), sentence[0] if sentence else text
    return name, ""


def _body(page: Page) -> tuple[Markup, list[dict[str, str]]]:
    """The cells as HTML without the title, and the sections in them."""
    notebook = nbformat.from_dict(json.loads(json.dumps(page.notebook)))
    heading = page.title
    for cell in notebook.cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            if line.startswith("#"):
                heading = line.lstrip("# ").strip()
        if cell.cell_type == "code":
            cell.metadata["alt"] = f"Figure: {heading}"
    text, _ = _exporter().from_notebook_node(notebook)
    text = re.sub(r"<h1\b.*?</h1>", "", text, count=1, flags=re.DOTALL)
    sections: list[dict[str, str]] = []

    def numbered(match: re.Match[str]) -> str:
        words = re.sub(r"<[^>]*>", "", match[1]).replace("¶", "").strip()
        sections.append({"id": f"s{len(sections) + 1}", "text": html.unescape(words)})
        return f'<h2 id="{sections[-1]["id"]}">{match[1]}</h2>'

    text = re.sub(r"<h2\b[^>]*>(.*?)</h2>", numbered, text, flags=re.DOTALL)
    return Markup(text), sections  # made of cleaned parts only, see the template


def _holds_player(notebook: Any) -> bool:
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return any(PLAYER_MIME in output.get("data", {}) for output in outputs)


def _player(output: Any) -> Markup:
    """A skeleton player's element; without its picture or with damaged numbers, nothing."""
    content, about = output["data"][PLAYER_MIME], output.get("metadata", {}).get(PLAYER_MIME, {})
    try:
        picture = base64.b64decode(output["data"]["image/png"])
        return Markup(
            player_markup(content, picture, width=int(about.get("width", 960)), alt=str(about.get("alt", "player")))
        )
    except (KeyError, TypeError, ValueError):
        return Markup("")


@cache
def _exporter() -> HTMLExporter:
    exporter = HTMLExporter(
        template_name="stgcnlib", extra_template_basedirs=[str(TEMPLATES)], exclude_anchor_links=True
    )
    exporter.register_filter("safe_markdown", _markdown)
    exporter.register_filter("shown_markdown", lambda text: _markdown(text, escape=True))
    exporter.register_filter("safe_html", _table)
    exporter.register_filter("player", _player)
    exporter.register_filter("base64", lambda text: base64.b64encode(text.encode()).decode())
    exporter.register_filter("one_line", lambda text: re.sub(r"[^A-Za-z0-9+/=]", "", text))
    return exporter


def _markdown(text: str, *, escape: bool = False) -> Markup:
    """Markdown to HTML; harmless HTML in it is kept, unless all of it is to be shown as text (`escape`)."""
    renderer = IPythonRenderer(escape=escape, exclude_anchor_links=True)
    return Markup(_cleaned(MarkdownWithMath(renderer=renderer).render(text)))


def _table(text: str) -> Markup:
    """A table's HTML, cleaned; cells may wrap, but not within an interval."""
    return Markup(_unbroken(_cleaned(text)))


def _unbroken(text: object) -> str:
    return _INTERVAL.sub("\\1\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}\\2", str(text))


def _cleaned(text: str) -> str:
    """HTML with harmless tags only: no script, style, image, form or event handler."""
    bare = re.sub(r"<(script|style)\b.*?</\1\s*>", "", text, flags=re.DOTALL | re.IGNORECASE)
    cleaned: str = _cleaner().sanitize_html_tags(bare)
    return _INDEX_NAME.sub(r"\1\3\2", cleaned)


@cache
def _cleaner() -> SanitizeHTML:
    return SanitizeHTML(tags=_TAGS, attributes=_ATTRIBUTES, strip=False)


@cache
def _templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    templates.filters["unbroken"] = _unbroken
    return templates


# -- facts -------------------------------------------------------------------------------------


def _made(page: Page) -> str:
    record = page.record
    if not record:
        return f"Rendered by stgcnlib {__version__}"
    finished = str(record.get("finished", ""))[:16].replace("T", " ")
    return f"Executed {finished} UTC in {page.took} by stgcnlib {record.get('stgcnlib', __version__)}"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"


def _flat(settings: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as (dotted key, text) rows."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            rows += _flat(value, f"{prefix}{key}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else value
            rows.append((f"{prefix}{key}", "default" if text is None or text == {} else str(text)))
    return rows


def _software() -> list[tuple[str, str]]:
    rows = [("stgcnlib", __version__), ("Python", python_version())]
    for name in SOFTWARE:
        try:
            rows.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return rows


def _data_uri(path: Path) -> str:
    kind = "image/svg+xml" if path.suffix == ".svg" else "image/png"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise StageError(f"{path}: not readable ({' '.join(str(error).split())})") from None
    return content if isinstance(content, dict) else {}

"""The cells of an executed notebook as safe HTML.

nbconvert renders them with our template; every label and output is escaped or cleaned on the way, and images
are embedded. The page around them is made in `html`. nbconvert takes a second to import, so it
is imported with the first page, after a run has shown its index.
"""

from __future__ import annotations

import base64
import html
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from stgcnlib.figures.live_page import LIVE_MIME, live_markup

if TYPE_CHECKING:
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors.sanitize import SanitizeHTML

__all__ = ["TEMPLATES", "Cells", "converted", "markdown", "unbroken"]

TEMPLATES = Path(__file__).resolve().parent / "template"

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

_INTERVAL = re.compile(r"(\d%?) to ([-+\d])")
_INDEX_NAME = re.compile(
    r"(<thead>\s*<tr>\s*<th>)(</th>(?:(?!</tr>).)*</tr>)\s*<tr>\s*<th>([^<]*)</th>(?:\s*<th></th>)*\s*</tr>", re.DOTALL
)
"""pandas gives the name of the index a row of its own; it reads better above its column."""


@dataclass(frozen=True)
class Cells:
    """A notebook's cells as HTML.

    Attributes:
        body: the HTML.
        sections: identifier and text of each second-level heading in it.
        live: whether it holds a live figure, which needs our scripts.
    """

    body: Markup
    sections: tuple[dict[str, str], ...]
    live: bool


def converted(notebook: Any, title: str) -> Cells:
    """The cells of an executed notebook as HTML, without its title; the notebook is changed on the way."""
    heading = title
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
    return Cells(Markup(text), tuple(sections), _holds_live(notebook))  # made of cleaned parts only, see the template


def _holds_live(notebook: Any) -> bool:
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return any(LIVE_MIME in output.get("data", {}) for output in outputs)


def _live(output: Any) -> Markup:
    """A live figure's element; empty if its picture is missing or its numbers are damaged."""
    figure, about = output["data"][LIVE_MIME], output.get("metadata", {}).get(LIVE_MIME, {})
    try:
        picture = base64.b64decode(output["data"]["image/png"])
        width, alt = int(about.get("width", 960)), str(about.get("alt", "live figure"))
        return Markup(live_markup(figure["kind"], figure["content"], picture, width=width, alt=alt, light=True))
    except (KeyError, TypeError, ValueError):
        return Markup("")


@cache
def _exporter() -> HTMLExporter:
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="stgcnlib", extra_template_basedirs=[str(TEMPLATES)], exclude_anchor_links=True
    )
    exporter.register_filter("safe_markdown", markdown)
    exporter.register_filter("shown_markdown", lambda text: markdown(text, escape=True))
    exporter.register_filter("safe_html", _table)
    exporter.register_filter("live", _live)
    exporter.register_filter("base64", lambda text: base64.b64encode(text.encode()).decode())
    exporter.register_filter("one_line", lambda text: re.sub(r"[^A-Za-z0-9+/=]", "", text))
    return exporter


def markdown(text: str, *, escape: bool = False) -> Markup:
    """Markdown to HTML; harmless HTML in it is kept, unless all of it is to be shown as text (`escape`)."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=escape, exclude_anchor_links=True)
    return Markup(_cleaned(MarkdownWithMath(renderer=renderer).render(text)))


def _table(text: str) -> Markup:
    """A table's HTML, cleaned; cells may wrap, but not within an interval."""
    return Markup(unbroken(_cleaned(text)))


def unbroken(text: object) -> str:
    """A text whose intervals ("0.1 to 0.2") stay on one line."""
    return _INTERVAL.sub("\\1\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}\\2", str(text))


def _cleaned(text: str) -> str:
    """HTML with harmless tags only: no script, style, image, form or event handler."""
    bare = re.sub(r"<(script|style)\b.*?</\1\s*>", "", text, flags=re.DOTALL | re.IGNORECASE)
    cleaned: str = _cleaner().sanitize_html_tags(bare)
    return _INDEX_NAME.sub(r"\1\3\2", cleaned)


@cache
def _cleaner() -> SanitizeHTML:
    from nbconvert.preprocessors.sanitize import SanitizeHTML

    return SanitizeHTML(tags=_TAGS, attributes=_ATTRIBUTES, strip=False)

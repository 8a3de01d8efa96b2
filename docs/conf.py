"""The site: the pages of this folder, the tutorials, and reference pages that `written` makes from the code.

Nothing is executed and nothing is fetched: tutorials are shown with their committed outputs, and MathJax comes from
an installed package. `make docs` builds it.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import written  # noqa: E402  # beside this file

from stgcnlib.version import __version__  # noqa: E402

written.write_all(HERE / "generated")

project = "stgcnlib"
version = release = __version__
copyright = "the authors of stgcnlib, MIT licence"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "myst_nb"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]

# Pages and tutorials.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # no tutorial has a widget in its outputs; the scripts would come from the network
nb_render_image_options = {"alt": "Output of the code above."}

# Docstrings: Google style, with single backticks around names.
default_role = "py:obj"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_type_aliases = {"ArrayLike": "ArrayLike"}  # in overloads too
napoleon_use_ivar = True  # an attribute that is a property too is described once
suppress_warnings = ["ref.python"]  # a word in backticks may be an attribute of several classes


def setup(app: Sphinx) -> None:
    """Stars and bars of docstrings are what they look like: products and absolute values, not mark-up."""
    app.connect("autodoc-process-docstring", plain_marks, priority=100)  # before napoleon
    app.connect("autodoc-process-signature", short_types)


def plain_marks(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Escape them in place, outside of backticks."""
    for number, line in enumerate(lines):
        parts = re.split(r"(`+[^`]*`+)", line)
        lines[number] = "".join(part if part.startswith("`") else re.sub(r"([*|])", r"\\\1", part) for part in parts)


_TYPE = r"[~\w.]*"
_ARRAY = rf"{_TYPE}_SupportsArray\[{_TYPE}dtype\[{_TYPE}Any\]\]"
_SCALARS = r"complex \| bytes \| str"
_ARRAY_LIKE = re.compile(
    rf"{_TYPE}_Buffer \| {_ARRAY} \| {_TYPE}_NestedSequence\[{_ARRAY}\] \| {_SCALARS} "
    rf"\| {_TYPE}_NestedSequence\[{_SCALARS}\]"
)
_ND_ARRAY = re.compile(rf"{_TYPE}ndarray\[{_TYPE}tuple\[{_TYPE}Any, \.\.\.\], {_TYPE}dtype\[([^\[\]]+)\]\]")


def short_types(
    app: Sphinx, what: str, name: str, thing: object, options: object, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """`ArrayLike` and `NDArray[…]`, as they are written, and not what numpy makes of them."""
    return _shortened(signature), _shortened(returned)


def _shortened(text: str | None) -> str | None:
    return text and _ND_ARRAY.sub(r"NDArray[\1]", _ARRAY_LIKE.sub("ArrayLike", text))


# The browser's part: one script of MathJax, drawing formulas as SVG, so that it needs no fonts.
_mathjax = Path(find_spec("sphinx-mathjax-offline").submodule_search_locations[0]) / "static" / "mathjax"
mathjax_path = "tex-svg.js"
html_theme = "pydata_sphinx_theme"
html_title = "stgcnlib"
html_static_path = ["_static", str(_mathjax / "tex-svg.js")]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_search_summary = False  # summaries are fetched, which browsers refuse for pages opened as files
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": {"**": ["page-toc"], "formats": []},  # its tables need the room
    "footer_start": ["copyright"],
    "footer_end": [],
}

"""How every figure looks: one palette for classes, one for layers, sizes for a report's column, and small helpers.

Figures are independent of pyplot: one is shown by being returned from a cell, and need not be closed.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BAD", "COUNTS", "GOOD", "INK", "LEFT", "MIDDLE", "MUTED", "RIGHT", "SIGNAL", "SMOOTHNESS", "WIDTH", "RELEVANCE",
    "ReportFigure", "band", "class_styles", "direct_labels", "halo", "head", "layer_colors", "layer_ticks",
    "least_shown", "new_figure", "spread", "styled", "text_color",
]  # fmt: skip

P = ParamSpec("P")
Color = tuple[float, float, float]

WIDTH = 9.6
"""Inches: 960 px at a report's 100 px per inch."""
DPI = 160  # pixels made per inch; shown at 100, so that text stays sharp on dense screens

INK, MUTED, FAINT = "#1f2933", "#6b7785", "#dfe3e8"
_EDGE = 0.45  # opacity of the edge of a band
_LINE, _BETWEEN = 11.0, 2.5  # points: height of a line of a label, and room between two labels
LEFT, RIGHT, MIDDLE = "#2a6fb0", "#d1601f", "#4a5560"
GOOD, BAD = "#117733", "#b3341f"

# Paul Tol's "muted" scheme, for readers with the common colour blindnesses. When colours repeat, markers change.
_CLASS_COLORS = ("#332288", "#cc6677", "#117733", "#88ccee", "#aa4499", "#ddaa33", "#44aa99", "#882255", "#999933")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h", "*")

COUNTS: Colormap = sns.color_palette("Blues", as_cmap=True)
# Without mako's black end, on which printed numbers would be hard to read.
SMOOTHNESS: Colormap = ListedColormap(sns.color_palette("mako", as_cmap=True)(np.linspace(0.22, 0.98, 256)))
SIGNAL: Colormap = sns.color_palette("viridis", as_cmap=True)
RELEVANCE: Colormap = sns.color_palette("rocket_r", as_cmap=True)

_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "text.parse_math": False,  # a class name may hold a dollar sign
    "text.usetex": False,  # a matplotlibrc in the working directory may ask for it, and LaTeX reads other files
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 6.0,
    "axes.titlecolor": INK,
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#aab2bb",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "white",
    "axes.grid": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.color": "#aab2bb",
    "ytick.color": "#aab2bb",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "hatch.linewidth": 0.5,
    "figure.facecolor": "white",
    "figure.titlesize": 10.5,
    "figure.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.05,
}


class ReportFigure(Figure):
    """A figure that a notebook shows at its own width in sharp pixels, with a text for those who cannot see it.

    Attributes:
        alt: what the picture shows, in one sentence.
    """

    alt: str = ""

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=DPI)
        image = base64.b64encode(buffer.getvalue()).decode("ascii")
        return (
            {"image/png": image, "text/plain": f"<Figure: {self.alt}>"},
            {"image/png": {"width": round(self.get_figwidth() * 100), "alt": self.alt}},
        )


def new_figure(height: float, *, alt: str, width: float = WIDTH) -> ReportFigure:
    """An empty figure of this size in inches, laid out so that nothing overlaps."""
    figure = ReportFigure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.alt = alt
    return figure


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw inside the house style; matplotlib's settings are as before afterwards."""

    @wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context():
            # Settings of the user's notebook must not leak in; the backend is the user's own.
            settings: Any = mpl.rcParams
            settings.update({k: v for k, v in mpl.rcParamsDefault.items() if k not in _UNTOUCHED})
            settings.update(_RC)
            return draw(*args, **kwargs)

    return inner


_UNTOUCHED = {key for key in mpl.rcParamsDefault if key.startswith(("backend", "interactive", "toolbar", "webagg"))}


def class_styles(count: int) -> list[tuple[Color, str]]:
    """(colour, marker) per class: nine colours, then the same with the next marker."""
    colors = [to_rgb(c) for c in _CLASS_COLORS]
    return [(colors[i % len(colors)], _MARKERS[i // len(colors) % len(_MARKERS)]) for i in range(count)]


def layer_colors(count: int) -> list[Color]:
    """One colour per layer, light (input) to dark (last)."""
    ramp = sns.color_palette("crest", as_cmap=True)
    return [to_rgb(ramp(x)) for x in np.linspace(0.0, 1.0, max(count, 2))[:count]]


def layer_ticks(ax: Axes, titles: Sequence[str], positions: ArrayLike | None = None) -> None:
    """Layer titles along x; "layer 3" becomes 3, and the axis says "layer"."""
    places = np.arange(len(titles)) if positions is None else np.asarray(positions)
    short = [re.sub(r"^layer (\d+)$", r"\1", t) for t in titles]
    numbered = any(s != t for s, t in zip(short, titles, strict=True))
    crowded = max((len(line) for s in short for line in s.splitlines()), default=0) > 8
    ax.set_xticks(places, short, rotation=45 if crowded else 0, ha="right" if crowded else "center")
    ax.set_xlabel("layer" if numbered else "")


SHARE = (0.0, 1.0)
"""Bounds of a share, such as label smoothness or accuracy."""
SMOOTH = (0.0, np.inf)
"""Bounds of smoothness of labels or of a target, which may pass 1."""


def band(
    ax: Axes,
    x: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    color: Any,
    *,
    alpha: float = 0.16,
    hatched: bool = False,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> None:
    """An interval around a line, with a thin edge, so that bands which overlap can be told apart.

    A `hatched` band is not filled: what lies below keeps its colour. The band is cut at `bounds`, which the quantity
    cannot pass.
    """
    places = np.asarray(x), np.clip(np.asarray(low), *bounds), np.clip(np.asarray(high), *bounds)
    edge, face = to_rgba(color, _EDGE), to_rgba(color, 0.0 if hatched else alpha)
    ax.fill_between(*places, facecolor=face, edgecolor=edge, linewidth=0.7, hatch="//" if hatched else None)


def spread(values: ArrayLike, gap: ArrayLike, low: float = -np.inf, high: float = np.inf) -> NDArray[np.float64]:
    """Values moved as little as needed so that any two are `gap` apart, kept within low..high where they fit.

    Of sizes, one `gap` for each value, two neighbours are half of both apart.
    """
    wanted = np.asarray(values, dtype=np.float64)
    order = np.argsort(wanted, kind="stable")
    # Pool adjacent violators on values minus their offsets: the least-squares solution.
    sizes = np.broadcast_to(np.asarray(gap, dtype=np.float64), wanted.shape)[order]
    offsets = np.cumsum(np.concatenate([[0.0], (sizes[:-1] + sizes[1:]) / 2]))[: len(wanted)]
    blocks: list[tuple[float, int]] = []
    for value in wanted[order] - offsets:
        blocks.append((float(value), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (b, m), (a, n) = blocks.pop(), blocks.pop()
            blocks.append(((a * n + b * m) / (n + m), n + m))
    placed = np.concatenate([np.full(n, v) for v, n in blocks]) + offsets if blocks else offsets
    if len(placed):
        placed = np.minimum(placed, high - (offsets[-1] - offsets))
        placed = np.maximum(placed, low + offsets)
    result = np.empty_like(wanted)
    result[order] = placed
    return result


def direct_labels(ax: Axes, x: float, ends: Sequence[tuple[float, str, Any]]) -> None:
    """Names of curves at their right ends, kept from overlapping; axes limits must be final.

    Args:
        x: data coordinate of the ends.
        ends: (y, text, colour) per curve; a text may have several lines.
    """
    low, high = ax.get_ylim()
    figure = ax.get_figure(root=True)
    place = ax.get_subplotspec()
    height = 3.0 if figure is None or place is None else figure.get_figheight() * place.get_position(figure).height
    point = (high - low) / (72 * max(height * 0.85, 0.1))
    sizes = [(_LINE * (text.count("\n") + 1) + _BETWEEN) * point for _, text, _ in ends]
    for (_, text, color), y in zip(ends, spread([e[0] for e in ends], sizes), strict=True):
        ax.annotate(
            text, (x, y), xytext=(9, 0), textcoords="offset points", color=color, va="center", annotation_clip=False
        )


def least_shown(values: ArrayLike) -> float:
    """Where an axis of R² begins: at 0, or at the least of the values, but not below -1; NaN does not count."""
    return max(-1.0, float(np.nanmin(np.asarray(values, dtype=np.float64), initial=0.0)))


def head(figure: Figure, text: str) -> None:
    """A line of text at the figure's upper left."""
    figure.suptitle(text, x=0.006, ha="left", fontsize=9, fontweight="normal")


def halo(width: float = 2.5) -> list[Any]:
    """A white rim that keeps text readable on top of a drawing."""
    return [withStroke(linewidth=width, foreground="white")]


def text_color(color: Any) -> str:
    """Black or white, whichever reads better on this colour (relative luminance)."""
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color))
    return "white" if 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.3 else INK

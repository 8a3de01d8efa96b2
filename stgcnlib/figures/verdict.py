"""The tests of a verdict: intervals beside the line of no effect and the smallest effect that counts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stgcnlib.errors import StudyError
from stgcnlib.figures.style import FAINT, INK, MUTED, new_figure, styled
from stgcnlib.verdicts.outcome import Outcome, Test

__all__ = ["verdict_figure"]

ANSWERED = {True: ("#1b7f5c", "o", "✓"), False: ("#b4541a", "X", "✗"), None: ("#5b6475", "o", "?")}
"""Answer -> colour (as in the pages' style), marker and sign, so that answers differ not only in colour."""
LEFTMOST, RIGHTMOST = -5.0, 10.0  # in units of the smallest effect that counts; what lies beyond gets an arrow
_WORDS = 26  # characters of a question in one line
_NOTE = 32  # and of a note
_INSET = 0.5  # a value beyond the picture has its point this far inside of the edge, beside the arrow
_UP = 0.1  # a bar lies this much above the middle of its row: numbers stand below it


@styled
def verdict_figure(outcome: Outcome) -> Figure:
    """One row per test: its value and interval, a line at no effect, a shaded zone of effects that are too small.

    Rows have different units, so each row is scaled: 0 is its value of no effect, 1 its smallest effect that counts.
    So the lines and zones of all rows are aligned, and a bar's position shows its answer. The values at both ends of
    the zone are written below it in the row's unit. Rows without a smallest effect have only the line; those of one
    unit share a scale. An interval that goes on beyond the picture ends in an arrow; a value that lies beyond it is a
    hollow point at the edge, with the value as a number.

    Raises:
        StudyError: the outcome has no tests.
    """
    tests = outcome.tests
    if not tests:
        raise StudyError(f"the verdict {outcome.question!r} has no tests to draw; show its text")
    figure = new_figure(
        0.45 + 0.5 * len(tests), width=7.0, alt="; ".join(f"{test.question}: {test.word}" for test in tests)
    )
    ax = figure.subplots()
    units = _units(tests)
    reach = [place for test, unit in zip(tests, units, strict=True) for place in _places(test, unit)]
    reach = [place for place in reach if np.isfinite(place)]
    left = float(np.clip(min(reach, default=0.0), LEFTMOST, -0.8)) - 0.3
    right = float(np.clip(max(reach, default=0.0), 1.8, RIGHTMOST)) + 0.3
    ax.set_xlim(left, right)
    ax.set_ylim(len(tests) - 0.4, -0.5)
    drawn = [_row(ax, row, test, unit) for row, (test, unit) in enumerate(zip(tests, units, strict=True))]
    arrows, beyond = (any(column) for column in zip(*drawn, strict=True))
    ax.set_yticks(np.arange(len(tests)) - _UP, [textwrap.fill(test.question, _WORDS) for test in tests])
    ax.tick_params(axis="both", length=0, pad=10, labelbottom=False)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(_legend(outcome, arrows=arrows, beyond=beyond), fontsize=8, color=MUTED)
    return figure


def _units(tests: Sequence[Test]) -> list[float]:
    """The length of 1 on the x axis, for each test, in the test's unit.

    It is the smallest effect that counts minus no effect. Tests of one unit without such an effect share a scale.
    """
    reach: dict[str, float] = {}
    for test in tests:
        given = np.abs(np.array([test.low, test.value, test.high], dtype=np.float64) - test.against)
        if not _zone(test) and np.isfinite(given).any():
            reach[test.unit] = max(reach.get(test.unit, 0.0), float(np.nanmax(given)))
    return [
        float(test.relevant) - test.against if _zone(test) and test.relevant is not None
        else reach.get(test.unit, 0.0) / 2 or 1.0
        for test in tests
    ]  # fmt: skip


def _zone(test: Test) -> bool:
    """Whether effects up to some size are too small to count."""
    return test.relevant is not None and test.relevant != test.against


def _places(test: Test, unit: float) -> tuple[float, float, float]:
    """Low, value and high in the coordinate of the picture: 0 at no effect, 1 at the smallest effect that counts."""
    low, value, high = (np.array([test.low, test.value, test.high], dtype=np.float64) - test.against) / unit
    return float(low), float(value), float(high)


def _row(ax: Axes, y: int, test: Test, unit: float) -> tuple[bool, bool]:
    """Draw one test; returns whether its bar goes on beyond the picture, and whether its value lies there."""
    color, marker, sign = ANSWERED[test.answer]
    ax.annotate(
        f"{sign} {test.word}", (1, y - _UP), xycoords=("axes fraction", "data"), xytext=(6, 0), color=color,
        textcoords="offset points", va="center", fontweight="bold", annotation_clip=False,
    )  # fmt: skip
    low, value, high = _places(test, unit)
    if not np.isfinite(value):
        if test.note:
            text = textwrap.fill(test.note, _NOTE)
            ax.text(ax.get_xlim()[1], y - _UP, text, ha="right", va="center", fontsize=7.5, color=MUTED)
        return False, False
    if _zone(test) and test.relevant is not None:
        ax.fill_between([0, 1], y - 0.42, y + 0.2, color=FAINT, linewidth=0, zorder=0)
        _below(ax, 1, y, test.shown(test.relevant))
    ax.plot([0, 0], [y - 0.42, y + 0.2], color=INK, linewidth=1.2, zorder=1)
    _below(ax, 0, y, test.shown(test.against) if test.against else "0")
    if np.isfinite([low, high]).all():
        low, high = sorted((low, high))
    cut = _bar(ax, y - _UP, (low, value, high), color, marker if np.isfinite(low) else "")
    left, right = ax.get_xlim()
    if left <= value <= right:
        return cut, False
    edge, side = (left, "left") if value < left else (right, "right")
    ax.text(edge, y + 0.24, test.value_words, ha=side, va="top", fontsize=7, color=color)
    return cut, True


def _bar(ax: Axes, y: float, places: tuple[float, float, float], color: str, marker: str) -> bool:
    """Draw interval and value; returns whether the interval goes on beyond the picture."""
    (left, right), (low, value, high) = ax.get_xlim(), places
    cut = False
    if marker:
        ends = np.clip([low, high], left, right)
        ax.plot(ends, [y, y], color=color, linewidth=3.2, alpha=0.6, zorder=2)
        for end, sign, beyond in ((left, "<", low < left), (right, ">", high > right)):
            if beyond:
                ax.plot([end], [y], marker=sign, color=color, markersize=7, zorder=3, clip_on=False)
                cut = True
    inside = left <= value <= right
    place = value if inside else float(np.clip(value, left + _INSET, right - _INSET))
    face = color if marker and inside else "white"
    ax.plot([place], [y], marker=marker or "o", color=color, markerfacecolor=face, markersize=7.5, zorder=4)
    return cut


def _below(ax: Axes, x: float, y: int, text: str) -> None:
    ax.text(x, y + 0.24, text, ha="center", va="top", fontsize=7, color=MUTED)


def _legend(outcome: Outcome, *, arrows: bool, beyond: bool) -> str:
    confidence = outcome.numbers.get("confidence")
    bar = "interval" if confidence is None else f"{confidence:.0%} interval"
    zones = [_zone(test) for test in outcome.tests]
    limits = [test.against != 0 and not zone for test, zone in zip(outcome.tests, zones, strict=True)]
    line = "the limit" if all(limits) else "no effect, or the limit" if any(limits) else "no effect"
    parts = [f"bar: {bar}", f"line: {line}"]
    parts += ["grey: too small to count"] if any(zones) else []
    parts += ["arrow: goes on"] if arrows else []
    return " · ".join(parts) + ("\nhollow point with a number: the value lies beyond the picture" if beyond else "")

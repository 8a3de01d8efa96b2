"""The picture of a verdict's tests: bars lie where the answers say, nothing overlaps, and no answer needs a colour."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from stgcnlib import figures
from stgcnlib.errors import StudyError
from stgcnlib.verdicts import Outcome
from stgcnlib.verdicts.outcome import Test

NAN = float("nan")
TESTS = (
    Test("falls with depth", 0.2, 0.1, 0.3, True, 0.0, 0.06),
    Test("falls late", 0.45, 0.4, 0.55, False, 0.5, 0.6, unit="share"),
    Test("below untrained networks of the same shape, all of them", 0.02, -0.9, 2.0, None, 0.0, 0.05),
    Test("asked of nobody", NAN, NAN, NAN, None, note="no untrained network was measured in this study at all"),
    Test("loses little", 0.05, 0.01, 0.1, True, 0.2, unit="share"),
    Test("of no single number", NAN, NAN, NAN, False),
    Test("known without an interval", 0.3, NAN, NAN, None, 0.0, 0.1),
)


def outcome(*tests: Test) -> Outcome:
    return Outcome("It holds.", True, {"confidence": 0.9}, "claim", "Numbers.", tests)


def words(figure: Figure) -> list[str]:
    (ax,) = figure.axes
    return [text.get_text() for text in ax.texts]


def test_every_row_has_its_answer_and_its_own_unit() -> None:
    figure = figures.verdict_figure(outcome(*TESTS))
    shown = words(figure)
    assert [text for text in shown if text[0] in "✓✗?"] == [
        "✓ yes", "✗ no", "? not decided", "? not decided", "✓ yes", "✗ no", "? not decided"
    ]  # fmt: skip
    assert {"0", "0.060", "50%", "60%", "0.050", "20%"} <= set(shown)
    assert any("no untrained network" in text for text in shown)
    (ax,) = figure.axes
    assert [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()] == [t.question for t in TESTS]
    assert (
        ax.get_xlabel()
        == "bar: 90% interval · line: no effect, or the limit · grey: too small to count · arrow: goes on"
    )


def test_a_bar_lies_right_of_the_line_if_yes_and_left_of_the_zones_end_if_no() -> None:
    figure = figures.verdict_figure(outcome(*TESTS[:2]))
    (ax,) = figure.axes
    bars = [np.asarray(line.get_xdata(), dtype=float) for line in ax.lines if line.get_linewidth() == 3.2]
    np.testing.assert_allclose(bars[0], [0.1 / 0.06, 0.3 / 0.06])
    np.testing.assert_allclose(bars[1], [-1.0, 0.5])


def test_limits_of_one_unit_share_a_scale() -> None:
    tests = [Test("a", 0.3, 0.2, 0.4, False, 0.2, unit="share"), Test("b", 0.1, 0.1, 0.1, True, 0.0, unit="share")]
    figure = figures.verdict_figure(outcome(*tests, Test("c", 4.0, 3.0, 5.0, True, 1.0, unit="")))
    (ax,) = figure.axes
    bars = [np.asarray(line.get_xdata(), dtype=float) for line in ax.lines if line.get_linewidth() == 3.2]
    np.testing.assert_allclose(bars, [[0.0, 2.0], [1.0, 1.0], [1.0, 2.0]], atol=1e-12)


def test_a_value_beyond_the_picture_is_a_hollow_point_with_its_number() -> None:
    far = Test("falls with depth", -0.167, -0.51, 0.176, None, 0.0, 0.012, ways=("falls by", "rises by"))
    figure = figures.verdict_figure(outcome(far, Test("also", 0.9, 0.5, 2.0, True, 0.0, 0.01)))
    (ax,) = figure.axes
    left, right = ax.get_xlim()
    points = {line.get_marker(): line for line in ax.lines if line.get_markerfacecolor() == "white"}
    assert list(points) == ["o"]
    hollow = [
        float(np.asarray(line.get_xdata(), dtype=float)[0])
        for line in ax.lines
        if line.get_markerfacecolor() == "white"
    ]
    assert left < hollow[0] < left + 1
    assert right - 1 < hollow[1] < right
    assert {"rises by 0.167", "0.900"} <= set(words(figure))
    assert ax.get_xlabel().endswith("arrow: goes on\nhollow point with a number: the value lies beyond the picture")
    assert "hollow" not in figures.verdict_figure(outcome(*TESTS[:2])).axes[0].get_xlabel()


def test_nothing_overlaps_or_leaves_the_picture() -> None:
    far = Test("falls with depth", -0.167, -0.51, 0.176, None, 0.0, 0.012, ways=("falls by", "rises by"))
    figure = figures.verdict_figure(outcome(*TESTS, far, Test("also", 0.9, 0.5, 2.0, True, 0.0, 0.01)))
    assert figure.get_figwidth() <= 7.0
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (ax,) = figure.axes
    renderer = canvas.get_renderer()
    texts = [*ax.texts, *ax.get_yticklabels(), ax.xaxis.label]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts if text.get_text()]
    for number, (name, box) in enumerate(boxes):
        assert box.x0 >= -1, name
        assert box.x1 <= figure.bbox.width + 1, name
        assert box.y0 >= -1, name
        assert box.y1 <= figure.bbox.height + 1, name
        for other, second in boxes[number + 1 :]:
            apart = box.x1 <= second.x0 or second.x1 <= box.x0 or box.y1 <= second.y0 or second.y1 <= box.y0
            assert apart, (name, other)


def test_an_outcome_without_tests_is_refused() -> None:
    with pytest.raises(StudyError, match="no tests to draw"):
        figures.verdict_figure(outcome())


numbers = st.floats(-1e3, 1e3) | st.just(NAN) | st.just(0.0)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(numbers, numbers, numbers, st.floats(-2, 2), st.none() | st.floats(-2, 2)), min_size=1, max_size=4
    )
)
def test_any_numbers_can_be_drawn(given_: list[tuple[float, float, float, float, float | None]]) -> None:
    tests = [Test("any", value, low, high, None, against, relevant) for value, low, high, against, relevant in given_]
    figure = figures.verdict_figure(outcome(*tests))
    low, high = figure.axes[0].get_xlim()
    assert -5.5 < low < 0 < 1 < high < 10.5

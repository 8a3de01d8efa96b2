"""Figures of noise, transfer and comparison: they show what the tables hold, and refuse empty ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from stgcnlib import figures
from stgcnlib.errors import StudyError
from stgcnlib.verdicts.noise import LIMIT


def noise_tables(networks: tuple[str, ...] = ("trained",)) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows, scores = [], []
    conditions = [("clean", np.nan), ("jitter", 20.0), ("jitter", 10.0), ("rotation", 30.0)]
    for network in networks:
        for severity, (kind, level) in zip((0, 1, 2, 1), conditions, strict=True):
            where = {"network": network, "networks": 1, "kind": kind, "level": level, "severity": severity}
            loss = {"loss": 0.1 * severity, "loss_low": 0.1 * severity - 0.05, "loss_high": 0.1 * severity + 0.05}
            scores.append(where | loss)
            for index in range(4):
                value = 0.5 - 0.1 * index + 0.1 * severity
                rows.append(
                    where | loss | {"index": index, "title": f"layer {index}", "smoothness": value}
                    | {"lost": np.nan, "lost_low": np.nan, "lost_high": np.nan}
                    | {"low": value - 0.05, "high": value + 0.05}
                )  # fmt: skip
    return pd.DataFrame(rows), pd.DataFrame(scores)


def texts(figure: Figure) -> set[str]:
    figure.canvas.draw()
    return {text.get_text() for ax in figure.axes for text in [*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels()]}


def no_text_outside(figure: Figure) -> None:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = figure.bbox.width, figure.bbox.height
    renderer = canvas.get_renderer()
    for ax in figure.axes:
        for text in [*ax.texts, ax.title]:
            if text.get_text() and ax.get_visible():
                box = text.get_window_extent(renderer)
                assert box.x0 >= -2, text.get_text()
                assert box.x1 <= width + 2, text.get_text()
                assert box.y0 >= -2, text.get_text()
                assert box.y1 <= height + 2, text.get_text()


def test_noise_has_a_panel_per_kind_and_a_line_per_level() -> None:
    table, accuracy = noise_tables(("trained", "jitter, 20 dB"))
    figure = figures.noise_smoothness(table)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["Gaussian jitter", "Other views"]
    assert [len(ax.lines) for ax in figure.axes] == [3, 2]
    assert {"clean", "20 dB", "10 dB", "±30°"} <= texts(figure)
    line = figure.axes[0].lines[-1]
    np.testing.assert_allclose(line.get_ydata(), 0.7 - 0.1 * np.arange(4))
    no_text_outside(figure)
    losses = figures.noise_loss(table, accuracy)
    assert len(losses.axes) == 4
    np.testing.assert_allclose(losses.axes[0].lines[0].get_ydata(), [0.1, 0.2])
    assert any(np.allclose(line.get_ydata(), LIMIT) for line in losses.axes[0].lines)
    no_text_outside(losses)
    # Where untrained networks are known, the share of what training gained is the main line.
    gained = table.assign(lost=2 * table["loss"], lost_low=table["loss"], lost_high=3 * table["loss"])
    losses = figures.noise_loss(gained, accuracy)
    np.testing.assert_allclose(losses.axes[0].lines[0].get_ydata(), [0.2, 0.4])
    np.testing.assert_allclose(losses.axes[0].lines[1].get_ydata(), [0.1, 0.2])
    assert losses.get_supylabel() == "share lost (below 0: gained),\nof what training gained"
    named = [text.get_text() for text in losses.legends[0].get_texts()]
    assert named == ["smoothness at layer 3", "accuracy", "of the way to shuffled labels", "limit 20%"]
    no_text_outside(losses)
    assert figures.noise_smoothness(table.assign(low=np.nan, high=np.nan)).axes  # two people give no interval
    with pytest.raises(StudyError, match="no network 'other'"):
        figures.noise_smoothness(table, network="other")


def transfer_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    accuracies = {("frozen", 0): 0.9, ("frozen", 2): 0.9, ("frozen", 4): 0.6, ("from scratch", -1): 0.7}
    rows = [
        {"method": m, "frozen": f, "accuracy": a, "low": a - 0.1, "high": a + 0.05} for (m, f), a in accuracies.items()
    ]
    smooth = [
        {"index": i, "smoothness": s, "low": s - 0.05, "high": s + 0.05, "null_mean": 0.9}
        for i, s in enumerate([0.4, 0.3, 0.25, 0.4, 0.5])
    ]
    return pd.DataFrame(rows), pd.DataFrame(smooth)


@pytest.mark.parametrize("advised", [None, 0, 4])
def test_transfer_shows_accuracy_above_smoothness(advised: int | None) -> None:
    table, smooth = transfer_tables()
    figure = figures.transfer_curve(table, smooth, advised=advised)
    upper, lower = figure.axes
    np.testing.assert_allclose(upper.lines[-1 if advised is None else -2].get_ydata(), [0.9, 0.9, 0.6])
    np.testing.assert_allclose(lower.lines[0].get_ydata(), smooth["smoothness"])
    assert "from scratch" in texts(figure)
    assert (f"advice: freeze {advised}" in texts(figure)) == (advised is not None)
    no_text_outside(figure)
    with pytest.raises(StudyError, match="no fit with frozen blocks"):
        figures.transfer_curve(table[table["method"] != "frozen"], smooth)


def comparison_tables(depths: tuple[int, ...]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    curves, classes = [], []
    for number, layers in enumerate(depths):
        for index in range(layers):
            where = {
                "study": f"study {number}",
                "index": index,
                "depth": index / (layers - 1),
                "title": f"layer {index}",
            }
            for kind in ("trained", "untrained"):
                curves.append(
                    where
                    | {"kind": kind, "smoothness": 0.3, "low": 0.2, "high": 0.4}
                    | {"rescaled": 0.25, "rescaled_low": 0.15, "rescaled_high": 0.35}
                )
            for c, name in enumerate(("wave", "kick", "a class with a long name")):
                classes.append(where | {"class_name": name, "smoothness": 0.1 * (3 - c) + 0.01 * index})
    pairs = [
        {
            "first": "study 0",
            "second": "study 1",
            "quantity": q,
            "scale": "S",
            "difference": 0.1,
            "low": low,
            "high": 0.2,
            "p": 0.125,
        }
        for q, low in (("input", 0.05), ("last layer", -0.05), ("accuracy", 0.0))
    ]
    return pd.DataFrame(curves), pd.DataFrame(classes), pd.DataFrame(pairs)


@pytest.mark.parametrize("depths", [(4, 4), (4, 7, 3)])
def test_comparison_figures(depths: tuple[int, ...]) -> None:
    curves, classes, pairs = comparison_tables(depths)
    figure = figures.compare_curves(curves)
    assert len(figure.axes[0].lines) == 2 * len(depths)
    assert figure.axes[0].get_xlabel() == ("layer" if len(set(depths)) == 1 else "depth (0: input, 1: last layer)")
    assert {f"study {i}" for i in range(len(depths))} <= texts(figure)
    no_text_outside(figure)
    other = figures.compare_curves(curves, rescaled=True)
    assert other.axes[0].lines[0].get_ydata().tolist() == [0.25] * depths[0]
    assert "floor" in other.axes[0].get_ylabel()
    no_text_outside(other)
    maps = figures.compare_classes(classes)
    assert len(maps.axes) == len(depths) + 1
    names = [label.get_text() for label in maps.axes[0].get_yticklabels()]
    assert names == ["a class with a long name", "kick", "wave"]  # smoothest at the last layer first
    no_text_outside(maps)
    differences = figures.compare_pairs(pairs)
    assert {"input", "last layer"} <= texts(differences)
    assert "accuracy" not in texts(differences)
    assert "rescaled" not in differences.axes[0].get_xlabel()
    assert "+0.100, p < 0.001" in texts(figures.compare_pairs(pairs.assign(p=0.0)))
    untested = figures.compare_pairs(pairs.assign(scale="rescaled", low=np.nan, high=np.nan, p=np.nan))
    assert "rescaled" in untested.axes[0].get_xlabel()
    assert "+0.100, not tested" in texts(untested)
    no_text_outside(differences)
    with pytest.raises(StudyError, match="nothing to pair"):
        figures.compare_pairs(pairs.iloc[:0])
    with pytest.raises(StudyError, match="no study to draw"):
        figures.compare_curves(curves.iloc[:0])


def test_a_transfer_without_intervals_can_be_drawn() -> None:
    accuracy, smooth = transfer_tables()
    figure = figures.transfer_curve(accuracy, smooth.assign(low=np.nan, high=np.nan))
    low, high = figure.axes[1].get_ylim()
    assert low < smooth["smoothness"].min() < smooth["smoothness"].max() < high

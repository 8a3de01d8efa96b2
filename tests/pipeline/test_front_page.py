"""What a study puts on the first page of its report, whatever its recordings are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from planted_layers import FALLING, measure

from stgcnlib.explain import RelevanceMap
from stgcnlib.pipeline.line.pages import summarize
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout, graph_layout, layout
from stgcnlib.tables import strip_example

SENSORS = graph_layout("sensors", [(0, 1), (1, 2), (2, 3), (3, 0)])


def nodes_on(where: SkeletonLayout, channels: int) -> SequenceSet:
    coordinates = np.random.default_rng(0).normal(size=(2, 9, len(where), channels))
    return SequenceSet(coordinates, labels=[0, 1], class_names=["a", "b"], layout=where)


def examples(nodes: SequenceSet, layers: int, *, frames: int = 9) -> list[Any]:
    def found(index: int) -> RelevanceMap:
        values = np.full((1, frames, len(nodes.layout)), index, dtype=np.float32)
        return RelevanceMap(values, values, f"block.{index}", index, f"layer {index}", 0)

    maps = {f"block.{index}": found(index) for index in range(1, layers + 1)}
    return [("a: one, explained as b", nodes.people(0)[0][:frames], maps), ("another", None, None)]


@pytest.mark.parametrize(("where", "channels"), [(layout("ntu-rgb+d"), 3), (SENSORS, 1)], ids=["body", "graph"])
@pytest.mark.parametrize("classes", [True, False])
def test_curve_classes_and_skeletons_come_first(
    where: SkeletonLayout, channels: int, classes: bool, tmp_path: Path
) -> None:  # fmt: skip
    geometry, nodes = measure(FALLING, k=6, permutations=20), nodes_on(where, channels)
    if not classes:
        geometry = replace(geometry, per_class=geometry.per_class.iloc[:0])
    home = tmp_path / "summary"
    leakage: Any = SimpleNamespace(sentences=lambda: ("Beware.",))
    sample: Any = SimpleNamespace(sentences=lambda: ["A sample."])
    name: Any = SimpleNamespace(name="it")
    summarize(
        geometry, None, None, nodes, examples(nodes, 5), {}, leakage, sample, None, {"probe": "No probe."}, name, home
    )
    content = json.loads((home / "summary.json").read_text())
    expected = ["curve.png", "classes.png", "strip.png"] if classes else ["curve.png", "strip.png"]
    assert [each["file"] for each in content["figures"]] == expected
    assert all((home / each["file"]).stat().st_size > 5000 for each in content["figures"])
    assert all(each["title"] and each["alt"] and 0 < each["width"] <= 960 for each in content["figures"])
    assert len(content["tests"]["rows"]) == 4
    assert content["claims"] == []
    assert content["warnings"] == ["Beware."]
    assert content["notes"] == ["A sample.", "No probe."]


def test_one_strip_stands_for_all_layers_and_frames() -> None:
    nodes = nodes_on(SENSORS, 1)
    title, _, maps, frames = strip_example(examples(nodes, 7))
    assert title == "a: one, explained as b"
    assert list(maps) == ["block.1", "block.4", "block.7"]
    assert frames[0] == 0
    assert frames[-1] == 8
    assert len(frames) == 6
    assert list(strip_example(examples(nodes, 2))[2]) == ["block.1", "block.2"]
    assert list(strip_example(examples(nodes, 1))[2]) == ["block.1"]
    assert strip_example(examples(nodes, 1, frames=1))[3] == [0]
    assert strip_example(examples(nodes, 1, frames=2))[3] == [0, 1]

"""Two studies as one: recordings in common, edges among them, maps turned onto each other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_study import small_study

import stgcnlib
from stgcnlib.errors import StudyError
from stgcnlib.workbench.pair import merge_contents

LAYERS = [{"name": name, "title": name, "index": k} for k, name in enumerate(("input", "last"))]


def content(title: str, names: list[str], seed: int, *, predicted: list[int] | None = None) -> dict[str, Any]:
    """Every recording's neighbours are the next two, at the last layer the two before."""
    rng, count = np.random.default_rng(seed), len(names)
    ends = [
        [(i + d) % count for i in range(count) for d in (1, 2)],
        [(i - d) % count for i in range(count) for d in (1, 2)],
    ]
    starts = np.arange(count + 1) * 2
    edges = {
        "starts": np.stack([starts, starts + 2 * count]).astype(np.uint32),
        "ends": np.concatenate(ends).astype(np.uint32),
        "weights": rng.random(4 * count, dtype=np.float32),
    }
    shared = {
        "key": "trained", "title": "trained network", "study": title, "layers": LAYERS, "edges": edges,
        "points": rng.normal(size=(2, count, 2)).astype(np.float32), "classes": None, "curve": np.zeros(2, np.float32),
        "smoothness": rng.random((2, count), dtype=np.float32),
    }  # fmt: skip
    codes = np.array([ord(name[0]) - ord("a") for name in names], np.uint16)
    taken = codes if predicted is None else np.array(predicted, np.uint16)
    letters = list("abcdefgh")
    item = {"nodes": [0, count - 1], "text": "t", "map": "trained", "layer": 1}
    return {
        "version": 1, "title": title, "subtitle": f"where {title} lies",
        "nodes": {
            "count": count, "names": names, "apart": None,
            "categories": [
                {"key": "class", "title": "class", "values": letters, "codes": codes},
                {"key": "predicted", "title": "predicted class", "values": letters, "codes": taken},
            ],
            "numbers": [{"key": "frames", "title": "frames", "values": codes.astype(np.float32)}],
        },
        "maps": [shared], "offered": [{"key": "untrained", "title": "untrained network"}],
        "poses": {"points": np.arange(count)[:, None].astype(np.int16)},
        "lists": [{"key": "x", "title": "X", "items": [item]}],
        "code": {"folders": [f"reports/{title}"]}, "state": {},
    }  # fmt: skip


def edges_of(shown: dict[str, Any], names: list[str], layer: int) -> set[tuple[str, str, float]]:
    starts, ends, weights = (shown["edges"][name] for name in ("starts", "ends", "weights"))
    return {
        (name, names[ends[e]], float(weights[e]))
        for i, name in enumerate(names)
        for e in range(starts[layer, i], starts[layer, i + 1])
    }


FIRST, SECOND = ["a", "b", "c", "d", "e"], ["f", "e", "c", "a", "b"]
SHARED = ["a", "b", "c", "e"]


def test_recordings_in_common_keep_what_belongs_to_them():
    first, second = content("one", FIRST, 0), content("two", SECOND, 1)
    merged = merge_contents(first, second)
    assert merged["nodes"]["names"] == SHARED
    assert merged["title"] == "one and two"
    assert merged["subtitle"].startswith("4 recordings in common; 1 of one and 1 of two left out")
    assert [each["key"] for each in merged["maps"]] == ["one/trained", "two/trained"]
    assert [each["key"] for each in merged["offered"]] == ["one/untrained", "two/untrained"]
    np.testing.assert_array_equal(merged["poses"]["points"][:, 0], [0, 1, 2, 4])
    for shown, source in zip(merged["maps"], (first, second), strict=True):
        names = source["nodes"]["names"]
        for layer in range(2):
            wanted = {edge for edge in edges_of(source["maps"][0], names, layer) if {edge[0], edge[1]} <= set(SHARED)}
            assert edges_of(shown, SHARED, layer) == wanted
            for k, name in enumerate(SHARED):
                assert shown["smoothness"][layer, k] == source["maps"][0]["smoothness"][layer, names.index(name)]
    assert [item["nodes"] for each in merged["lists"] for item in each["items"]] == [[0, 3], [1]]


def test_the_second_map_is_turned_as_a_whole_onto_the_first():
    first, second = content("one", FIRST, 0), content("two", FIRST, 1)
    angle = np.array([[0.6, -0.8], [0.8, 0.6]], np.float32)
    second["maps"][0]["points"] = np.stack([first["maps"][0]["points"][0] @ angle, second["maps"][0]["points"][1]])
    merged = merge_contents(first, second)
    one, two = (each["points"] for each in merged["maps"])
    np.testing.assert_allclose(two[0], one[0], atol=1e-5)
    np.testing.assert_allclose(two[1], second["maps"][0]["points"][1] @ angle.T, atol=1e-5)


def test_what_the_second_study_says_otherwise_is_added():
    first, second = content("one", FIRST, 0), content("two", SECOND, 1, predicted=[5, 4, 2, 1, 1])
    merged = merge_contents(first, second)["nodes"]
    titles = [each["title"] for each in merged["categories"]]
    assert titles == ["class", "predicted class", "predicted class, two"]
    assert merged["categories"][2]["codes"].tolist() == [1, 1, 2, 4]
    assert [each["title"] for each in merged["numbers"]] == ["frames"]


def test_a_study_of_labels_beside_one_of_a_target_says_both():
    first, second = content("one", FIRST, 0), content("two", FIRST, 1)
    assert merge_contents(first, second)["measured"] == "label"
    assert merge_contents(first, second | {"measured": "target"})["measured"] == "label or target"


def test_two_studies_of_one_name_are_told_apart_and_strangers_refused():
    merged = merge_contents(content("one", FIRST, 0), content("one", FIRST, 1))
    assert [each["key"] for each in merged["maps"]] == ["one/trained", "one (2)/trained"]
    with pytest.raises(StudyError, match="no recording of 'one' has the name of one of 'two'"):
        merge_contents(content("one", ["a", "b", "c"], 0), content("two", ["d", "e", "f"], 0))


def test_two_finished_studies_are_opened_as_one(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    first = small_study(tmp_path_factory)
    second = Path(shutil.copytree(first, tmp_path / "other"))
    workbench = stgcnlib.explore(first, second)
    source = workbench._opened()
    keys = [each["key"] for each in source.figure.content["maps"]]
    assert keys == ["small/trained", "small (2)/trained"]
    one, two = (each["points"] for each in source.figure.content["maps"])
    np.testing.assert_allclose(one, two, atol=1e-5)
    name = source.figure.content["nodes"]["names"][3]
    replies = [source.open(name, key, 1) for key in keys]
    assert replies[0]["neighbours"] == replies[1]["neighbours"]
    offered = [each["key"] for each in source.figure.content["offered"]]
    assert "small (2)/untrained" in offered
    untrained = [
        source.map(key, lambda share, text: None)["points"] for key in ("small/untrained", "small (2)/untrained")
    ]
    np.testing.assert_allclose(*untrained, atol=1e-4)
    workbench.close()

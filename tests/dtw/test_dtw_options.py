"""The options of windowed DTW: said once, shown by every function that takes them, and passed whole."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, get_type_hints

import numpy as np
import pytest

from stgcnlib.dsgraph import ds_graph
from stgcnlib.dtw import DTWOptions, dtw_distances, dtw_neighbors, dtw_options, dtw_path
from stgcnlib.dtw.options import DTWKeywords
from stgcnlib.errors import SequenceError
from stgcnlib.pipeline.study import Dtw

CHOSEN = {"window": 3, "band": 2, "metric": "sqeuclidean"}
RNG = np.random.default_rng(0)
SEQUENCES = [RNG.normal(size=(length, 4)) for length in (9, 12, 10, 14, 11, 8)]

TAKERS: dict[str, Callable[..., Any]] = {
    "dtw_distances": lambda **o: dtw_distances(SEQUENCES, **o),
    "dtw_neighbors": lambda **o: dtw_neighbors(SEQUENCES, 2, **o).distances,
    "dtw_path": lambda **o: dtw_path(SEQUENCES[0], SEQUENCES[1], **o)[0],
    "ds_graph": lambda **o: ds_graph(SEQUENCES, k=2, **o).weights,
}


def test_type_checkers_and_study_files_know_the_same_names_and_defaults() -> None:
    assert get_type_hints(DTWKeywords) == get_type_hints(DTWOptions)
    assert Dtw().model_dump() == asdict(DTWOptions())


@pytest.mark.parametrize("function", [dtw_distances, dtw_neighbors, dtw_path, ds_graph])
def test_signatures_name_the_options_with_their_defaults(function: Callable[..., Any]) -> None:
    shown = inspect.signature(function).parameters
    assert {f.name: shown[f.name].default for f in fields(DTWOptions)} == asdict(DTWOptions())
    assert all(shown[f.name].kind is inspect.Parameter.KEYWORD_ONLY for f in fields(DTWOptions))
    assert not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in shown.values())


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_whole_or_by_name_is_the_same(take: Callable[..., Any]) -> None:
    expected = take(**CHOSEN)
    assert not np.array_equal(expected, take(window=1, metric="cosine"))
    for way in ({"dtw": DTWOptions(**CHOSEN)}, {"dtw": CHOSEN}, {"dtw": {**CHOSEN, "window": 9}, "window": 3}):
        np.testing.assert_array_equal(take(**way), expected)


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_a_name_that_no_option_has(take: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'windw': .*did you mean 'window'"):
        take(windw=3)
    with pytest.raises(SequenceError, match="dtw: no option is named 'metrik'; did you mean 'metric'"):
        take(dtw={"metrik": "cosine"})


def test_options_from_anything_that_means_them() -> None:
    whole = DTWOptions(window=5)
    assert dtw_options() == dtw_options(None) == dtw_options({}) == DTWOptions()
    assert dtw_options(whole) is whole
    assert dtw_options(whole, stride=2) == DTWOptions(window=5, stride=2)
    with pytest.raises(SequenceError, match="window=0; expected a whole number of at least 1"):
        dtw_options(whole, window=0)

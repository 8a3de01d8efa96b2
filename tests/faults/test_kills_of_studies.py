"""Runs that are killed again and again: nothing finished is lost, nothing works on, nothing lies around afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from killing import Place, differences, kill_and_go_on, plan
from small_study import SMALL

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc"),
]

LAST = "st_gcn_networks.2"
STUDY: dict[str, Any] = {
    **SMALL,
    "network": {"name": "st-gcn", "options": {"width": 4, "depth": 3}, "training": {"epochs": 5}, "seeds": 2},
    "controls": {"untrained": 1, "initial": 1},
    "sensitivity": {"k": [3], "readings": ["frames"], "windows": [5], "normalizations": [], "layers": ["input", LAST]},
    "noise": {"jitter": [20], "joint_dropout": [], "frame_dropout": [], "rotation": [], "layers": [LAST]},
    "transfer": {"source": {"classes": 6}, "frozen": [0, 2, 3], "seeds": 1, "training": {"epochs": 2}},
}
"""Every stage has its section."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("undisturbed"), STUDY, "--workers", "2")
    place.finish()
    assert place.left() == []
    return place


@pytest.mark.parametrize("seed", [1, 2])
def test_a_study_that_is_killed_again_and_again_ends_as_one_that_is_not(
    undisturbed: Place, tmp_path: Path, seed: int, tally: Callable[..., None]
) -> None:
    place = Place(tmp_path, STUDY, "--workers", "2")
    counts = kill_and_go_on(place, plan(seed), 40, say=print)
    tally(
        "kills of runs", injected=counts.injected, survived=counts.survived, lost=counts.lost, orphans=counts.orphans,
        left=counts.left, **{f"of {victim}": number for victim, number in sorted(counts.by.items())},
    )  # fmt: skip
    assert counts.said == []
    assert (counts.survived, counts.lost, counts.orphans, counts.left) == (counts.injected, 0, 0, 0)
    assert differences(place, undisturbed) == []

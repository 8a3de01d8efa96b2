"""What making an artefact took: peaks of memory of blocks within each other, and what a manifest says of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from stgcnlib.artefacts import ARRAY, Artefact, Artefacts, Line
from stgcnlib.artefacts.effort import measured, peak_memory

MB = 2**20
LARGE = 160 * MB
counts_anew = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can count peaks anew")


class Settings(BaseModel):
    seed: int = 0


def hold(size: int) -> None:
    np.full(size, 1, dtype=np.uint8)


def large() -> np.ndarray:
    hold(LARGE)
    return np.arange(3)


def small(large: np.ndarray) -> np.ndarray:
    return large + 1


LINE = Line((Artefact("large", large, ARRAY), Artefact("small", small, ARRAY, needs={"large": "large"})), {})


def test_the_peak_is_what_was_held_at_most() -> None:
    before = peak_memory()
    assert before > 0
    with measured() as effort:
        hold(LARGE)
    assert effort.so_far()["peak"] >= LARGE
    assert effort.so_far()["seconds"] >= 0


@counts_anew
def test_a_block_does_not_count_what_was_held_before_it() -> None:
    hold(LARGE)
    most = peak_memory()
    with measured() as effort:
        hold(MB)
    assert effort.so_far()["peak"] < most - LARGE / 2


@counts_anew
@pytest.mark.parametrize("first", [True, False])
def test_blocks_within_each_other(*, first: bool) -> None:
    with measured() as outer:
        if first:
            hold(LARGE)
        with measured() as inner:
            hold(MB)
        if not first:
            hold(LARGE)
        told = outer.so_far()
    assert told["peak"] > inner.so_far()["peak"] + LARGE / 2 or not first
    assert told["peak"] >= LARGE


@counts_anew
def test_a_manifest_says_what_making_took(tmp_path: Path) -> None:
    made = Artefacts(LINE, Settings(), tmp_path)
    made["large"]
    made["small"]
    told = {name: made.store.about(name, ARRAY)["effort"] for name in ("large", "small")}
    assert set(told["large"]) == {"seconds", "processor", "peak"}
    assert told["large"]["peak"] > told["small"]["peak"] + LARGE / 2


@counts_anew
def test_what_is_made_on_the_way_counts_for_what_needs_it(tmp_path: Path) -> None:
    made = Artefacts(LINE, Settings(), tmp_path)
    made["small"]  # makes "large" within
    assert made.store.about("small", ARRAY)["effort"]["peak"] >= LARGE

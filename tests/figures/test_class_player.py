"""One recording of each class to play beside the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stgcnlib import figures
from stgcnlib.demo import demo_sequences
from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet


@pytest.fixture(scope="module")
def recordings() -> SequenceSet:
    return demo_sequences(subjects=3, repeats=1)


def test_each_class_has_its_recording_of_median_length(recordings: SequenceSet) -> None:
    kept = recordings.select(np.flatnonzero(recordings.labels < 3))
    player = figures.class_player(kept)
    assert player is not None
    bodies = player.content["bodies"]
    names = [body["title"].split(": ") for body in bodies]
    assert [name for _, name in names] == list(kept.class_names[:3])
    for c, (name, _) in enumerate(names):
        assert kept.lengths[kept.names.index(name)] == np.median(kept.lengths[kept.labels == c])
    assert player.content["path"] is None
    assert all(each in player.alt for each in kept.class_names[:3])


def test_of_many_classes_some_are_taken_evenly(recordings: SequenceSet) -> None:
    count = len(recordings.class_names)
    player = figures.class_player(recordings, most=2)
    assert player is not None
    names = [body["title"].split(": ")[1] for body in player.content["bodies"]]
    assert names == [recordings.class_names[0], recordings.class_names[count - 1]]
    six = figures.class_player(recordings)
    assert six is not None
    assert len(six.content["bodies"]) == min(6, count)


def test_nothing_is_drawn_where_there_are_no_positions_or_classes(recordings: SequenceSet) -> None:
    heights = SequenceSet(
        [each[..., :1] for each in recordings.coords], layout=replace(recordings.layout, dimensions=1)
    )
    assert figures.class_player(heights) is None
    with pytest.raises(SequenceError, match="no classes"):
        figures.class_player(SequenceSet(recordings.coords, layout=recordings.layout, targets=recordings.lengths))

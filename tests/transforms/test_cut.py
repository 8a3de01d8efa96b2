"""Windows of a series: what they hold, which block they are of, and their targets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib import SequenceSet, graph_layout
from stgcnlib.errors import SequenceError
from stgcnlib.transforms import windows

PATH = graph_layout("path", [(0, 1), (1, 2)], names=["a", "b", "c"])


def counted(frames: int = 30) -> np.ndarray:
    """(L, 3, 2): frame t holds t, and joint and channel as decimals."""
    return np.arange(frames)[:, None, None] + np.array([[0.0, 0.5], [0.1, 0.6], [0.2, 0.7]])


def test_by_hand() -> None:
    cut = windows(counted(), 4, 3, layout=PATH, horizon=2, block=10, joints=["a", 2], channel=1)
    # Blocks 0-9, 10-19, 20-29; 4 frames and 2 after them end by frame 9 from begins 0 and 3 only.
    assert cut.names[:4] == ("frames 0-3", "frames 3-6", "frames 10-13", "frames 13-16")
    assert cut.groups["block"].tolist() == [0, 0, 1, 1, 2, 2]
    assert cut.targets is not None
    assert cut.targets[0, 0] == pytest.approx(np.mean([4.5, 4.7, 5.5, 5.7]), rel=1e-6)
    assert cut.class_names == ()
    assert cut.target_names == ("mean of the next 2 frames of channel 1 at 2 joints",)
    assert "no classes, target 'mean of" in repr(cut)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 9), st.integers(0, 5), st.integers(0, 12), st.booleans())
def test_windows_of_different_blocks_share_no_frame(
    frames: int, length: int, stride: int, horizon: int, more: int, given_block: bool
) -> None:
    block = length + horizon + more if given_block else None
    values = counted(frames)
    if frames < length + horizon:
        with pytest.raises(SequenceError, match="longest series"):
            windows(values, length, stride, layout=PATH, horizon=horizon, block=block, target=None)
        return
    cut = windows(values, length, stride, layout=PATH, horizon=horizon, block=block, target=lambda w, after: w[0, 0, 0])
    owners: dict[int, int] = {}
    for i, recording in enumerate(cut.coords):
        np.testing.assert_array_equal(recording, values[int(recording[0, 0, 0]) :][:length].astype(np.float32))
        first = int(recording[0, 0, 0])
        for frame in range(first, first + length + horizon):
            assert owners.setdefault(frame, int(cut.groups["block"][i])) == cut.groups["block"][i]
        assert first + length + horizon <= frames
    if given_block:  # by a slow loop
        begins = [b for s in range(0, frames, block) for b in range(s, min(s + block, frames), stride)
                  if (b - s) % stride == 0 and b + length + horizon <= min(s + block, frames)]  # fmt: skip
        assert [int(c[0, 0, 0]) for c in cut.coords] == begins


def test_targets_by_function_and_array() -> None:
    two = windows(counted(), 4, 4, layout=PATH, horizon=3, target=lambda w, after: [w.max(), after[-1, 0, 0]],
                  target_name=["largest", "later"])  # fmt: skip
    assert two.targets is not None
    assert two.target_names == ("largest", "later")
    np.testing.assert_allclose(two.targets[0], [3.7, 6.0], rtol=1e-6)
    given_values = windows(counted(), 4, 4, layout=PATH, horizon=3, block=30, target=np.arange(30.0) ** 2)
    assert given_values.targets is not None
    assert given_values.targets[:2, 0].tolist() == [36, 100]
    assert windows(counted(), 4, 4, layout=PATH, target=None).targets is None


def test_several_series_have_blocks_of_their_own() -> None:
    both = SequenceSet([counted(20), counted(12) + 100], layout=PATH, names=["north", "south"], class_names=[])
    cut = windows(both, 4, 4, block=10)
    assert cut.groups["series"].tolist() == ["north"] * 4 + ["south"] * 2
    assert cut.groups["block"].tolist() == [0, 0, 1, 1, 2, 2]
    assert cut.names[-1] == "south frames 4-7"


def test_a_matrix_is_one_channel_and_blocks_are_twenty() -> None:
    cut = windows(counted(400)[..., 0], 5, 5, layout=PATH)
    assert cut.channels == 1
    assert len(np.unique(cut.groups["block"])) == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 0}, "at least 1"),
        ({"stride": 0}, "at least 1"),
        ({"horizon": -1}, "at least 0"),
        ({"block": 4}, r"length \+ horizon"),
        ({"horizon": 0}, "horizon of at least 1"),
        ({"channel": 2}, "channels 0 to 1"),
        ({"joints": [3]}, "joints 0 to 2"),
        ({"joints": []}, "do not exist"),
        ({"target": "median"}, "unknown"),
        ({"target": np.zeros(7)}, "one value or row per frame"),
        ({"target": lambda w, after: "high"}, "not all numbers"),
        ({"layout": None}, "needs a layout"),
    ],
)
def test_what_does_not_fit(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        windows(counted(), **{"length": 4, "layout": PATH, **arguments})  # type: ignore[arg-type]

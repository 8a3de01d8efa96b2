"""Fused scores: sums by hand, what each stream adds, and what may not be added."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.errors import SequenceError
from stgcnlib.studies import fuse_scores
from stgcnlib.training import Evaluation

NAMES = ("wave", "kick", "sit")


def evaluation(logits: object, labels: object = (0, 1, 2, 0)) -> Evaluation:
    return Evaluation(np.asarray(logits, dtype=np.float32), np.asarray(labels), NAMES)


JOINT = evaluation([[2, 0, 0], [0, 2, 0], [3, 0, 0], [0, 1, 0]])  # right, right, wrong, wrong
BONE = evaluation([[1, 0, 0], [3, 0, 0], [0, 0, 4], [0, 3, 0]])  # right, wrong, right, wrong


def test_sums_by_hand() -> None:
    found = fuse_scores({"joint": JOINT, "bone": BONE})
    np.testing.assert_array_equal(found.evaluation.logits, [[3, 0, 0], [3, 2, 0], [3, 0, 4], [0, 4, 0]])
    assert found.evaluation.accuracy == 0.5
    table = found.table.set_index("stream")
    assert table["accuracy"].tolist() == [0.5, 0.5]
    assert table["without"].tolist() == [0.5, 0.5]
    assert table["adds"].tolist() == [0, 0]
    assert table.loc["joint", ["gained", "lost"]].tolist() == [0, 0]  # bone alone is right on the same two
    assert table.loc["bone", ["gained", "lost"]].tolist() == [1, 1]
    assert table.loc["bone", "p"] == 1
    np.testing.assert_array_equal(found.errors, [[1, 0.5], [0.5, 1]])


def test_weights_decide() -> None:
    found = fuse_scores({"joint": JOINT, "bone": BONE}, weights=[2, 0.5])
    np.testing.assert_allclose(found.evaluation.logits[1], [1.5, 4, 0])
    assert found.evaluation.predictions.tolist() == [0, 1, 0, 1]
    alone = fuse_scores({"joint": JOINT, "bone": BONE}, weights=[1, 0])
    np.testing.assert_array_equal(alone.evaluation.predictions, JOINT.predictions)
    table = alone.table.set_index("stream")
    assert table.loc["bone", "adds"] == 0
    assert table.loc["joint", "without"] == 0.5  # nothing is left, and the first class is taken


def test_probabilities_do_not_let_one_shout() -> None:
    loud = evaluation([[0, 50, 0]] * 4)
    sure = evaluation(np.eye(3)[[0, 1, 2, 0]] * 8)
    third = evaluation(np.eye(3)[[0, 1, 2, 0]] * 8)
    streams = {"loud": loud, "sure": sure, "third": third}
    assert fuse_scores(streams).evaluation.accuracy == 0.25
    assert fuse_scores(streams, of="probabilities").evaluation.accuracy == 1
    by_hand = sum(np.exp(each.logits) / np.exp(each.logits).sum(axis=1, keepdims=True) for each in streams.values())
    np.testing.assert_allclose(fuse_scores(streams, of="probabilities").evaluation.logits, by_hand, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 4), st.floats(0.1, 9))
def test_order_and_scale_of_weights_do_not_matter(seed: int, count: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 20)
    streams = {f"s{k}": evaluation(rng.normal(size=(20, 3)), labels) for k in range(count)}
    weights = rng.uniform(0.1, 1, count)
    one = fuse_scores(streams, weights=weights)
    other = fuse_scores(dict(reversed(streams.items())), weights=scale * weights[::-1])
    np.testing.assert_array_equal(one.evaluation.predictions, other.evaluation.predictions)
    for row in one.table.itertuples():
        assert row.adds == pytest.approx((row.gained - row.lost) / 20)
        assert row.without + row.adds == pytest.approx(one.evaluation.accuracy)
        assert 0 < row.p <= 1


def test_a_stream_that_knows_more_adds_beyond_chance() -> None:
    labels = np.arange(60) % 3
    blind, seeing = evaluation(np.zeros((60, 3)), labels), evaluation(np.eye(3)[labels], labels)
    found = fuse_scores({"blind": blind, "seeing": seeing})
    table = found.table.set_index("stream")
    assert table.loc["seeing", "gained"] == 40
    assert table.loc["seeing", "p"] < 1e-9
    assert table.loc["blind", "p"] == 1
    assert np.isnan(found.errors[1]).all()


def test_what_may_not_be_added_is_refused() -> None:
    with pytest.raises(SequenceError, match="two networks at least"):
        fuse_scores({"joint": JOINT})
    with pytest.raises(SequenceError, match="'bone' is of other recordings"):
        fuse_scores({"joint": JOINT, "bone": evaluation(BONE.logits, (0, 1, 1, 0))})
    with pytest.raises(SequenceError, match="'bone' is of other recordings or classes"):
        fuse_scores({"joint": JOINT, "bone": Evaluation(BONE.logits, BONE.labels, ("a", "b", "c"))})
    for weights in ([1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.nan]):
        with pytest.raises(SequenceError, match="weights are"):
            fuse_scores({"joint": JOINT, "bone": BONE}, weights=weights)
    with pytest.raises(SequenceError, match="of='softmax' is unknown"):
        fuse_scores({"joint": JOINT, "bone": BONE}, of="softmax")  # type: ignore[arg-type]

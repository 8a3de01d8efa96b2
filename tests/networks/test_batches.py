"""What goes into a network, and what may come out of one that somebody else wrote."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from stgcnlib.errors import SequenceError
from stgcnlib.explain import grad_cam
from stgcnlib.sequences import SequenceSet
from stgcnlib.training import evaluate, fit


class Odd(nn.Module):
    """A linear network that gives its scores in some form."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form, self.linear = form, nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Any:
        scores = self.linear(x.permute(0, 4, 2, 3, 1))  # (N, M, T, V, classes)
        match self.form:
            case "scores":
                return scores.mean(dim=(1, 2, 3))
            case "people":
                return scores.mean(dim=(2, 3)).flatten(0, 1)
            case "frames":
                return scores.mean(dim=(1, 3))
            case _:
                return scores.mean(dim=(1, 2, 3)), None


@pytest.fixture
def pairs(rng: np.random.Generator) -> SequenceSet:
    return SequenceSet(rng.normal(size=(4, 2, 8, 20, 3)), labels=[0, 1, 0, 1], layout="kinect-v1")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("people", r"a tensor \(\d+, 2\) for a batch .*expected class scores \(\d+, classes\), one row per recording"),
        ("frames", r"a tensor \(\d+, \d+, 2\)"),
        ("tuple", "a tuple"),
    ],
)
def test_what_is_no_class_scores_is_refused_everywhere(pairs: SequenceSet, form: str, message: str) -> None:
    for use in (evaluate, lambda n, d: fit(n, d, epochs=1, progress=False)):
        with pytest.raises(SequenceError, match=message):
            use(Odd(form), pairs)
    with pytest.raises(SequenceError, match=message):
        grad_cam(Odd(form), pairs.coords[0], layers="linear", axes="NMTVC")


def test_a_plain_module_goes_through(pairs: SequenceSet) -> None:
    network = Odd("scores")
    fit(network, pairs, epochs=1, progress=False)
    assert evaluate(network, pairs).logits.shape == (4, 2)
    network.layout = "something else"  # type: ignore[assignment]
    values = grad_cam(network, pairs.coords[0], layers="linear", axes="NMTVC")["linear"].values
    assert values.shape == (2, 8, 20)

"""Fitting real targets: losses, standardisation by the training part, measures, validation by blocks, and refusals."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch import nn

from stgcnlib import SequenceSet, evaluate, evaluate_targets, fine_tune, fit, graph_layout
from stgcnlib.errors import SequenceError, StudyError
from stgcnlib.explain import grad_cam, grad_cam_set
from stgcnlib.training import TargetEvaluation
from stgcnlib.training.goals import goal_of

PATH = graph_layout("path", [(0, 1), (1, 2)])


class Linear(nn.Module):
    """Mean over frames and joints of each channel, then a linear head: a least-squares problem."""

    layer_names = ("mix",)

    def __init__(self, outputs: int = 1, channels: int = 2) -> None:
        super().__init__()
        self.layout, self.classes, self.channels = PATH, outputs, channels
        self.mix = nn.Conv2d(channels, channels, 1)
        self.head = nn.Linear(channels, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.mix(x.mean(dim=-1))
        return self.head(y.mean(dim=(2, 3)))

    def reset_head(self, outputs: int) -> None:
        self.classes, self.head = outputs, nn.Linear(self.channels, outputs)


def planted(count: int = 60, columns: int = 1, seed: int = 0) -> SequenceSet:
    rng = np.random.default_rng(seed)
    levels = rng.normal(size=(count, 2))
    coords = levels[:, None, None, :] + 0.1 * rng.normal(size=(count, 6, 3, 2))
    y = 500 + 40 * levels @ np.array([[1.0, 0.5], [-2.0, 1.0]])[:, :columns]
    return SequenceSet(
        coords, layout=PATH, targets=y, target_names=[f"heat {q} (W)" for q in range(columns)],
        groups={"block": np.arange(count) // 10},
    )  # fmt: skip


@pytest.mark.parametrize(("loss", "columns"), [(None, 1), ("mse", 2), ("mae", 1), ("mae", 2)])
def test_a_linear_target_is_learned_in_its_own_unit(loss: Any, columns: int) -> None:
    torch.manual_seed(0)
    data = planted(columns=columns)
    train, test = data.split("block", range(4))
    network = Linear(columns)
    result = fit(network, train, test, loss=loss, epochs=60, learning_rate=0.05, augment=False, progress=False)
    assert result.r2 > 0.95
    found = evaluate_targets(network, test, like=train)
    assert found.r2 == pytest.approx(result.r2)
    assert result.history["test_r2"].iloc[-1] == pytest.approx(result.r2)
    np.testing.assert_allclose(found.mean, train.targets.mean(axis=0))  # type: ignore[union-attr]
    assert found.estimates == pytest.approx(test.targets, abs=40)


def test_measures_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    y, estimates = rng.normal(size=(2, 20, 3)) * [1, 10, 100]
    found = TargetEvaluation(estimates, y, ("a", "b", "c"), np.zeros(3), np.array([1.0, 10, 100]))
    np.testing.assert_allclose(found.mae, mean_absolute_error(y, estimates, multioutput="raw_values"))
    np.testing.assert_allclose(found.rmse, root_mean_squared_error(y, estimates, multioutput="raw_values"))
    assert found.r2 == pytest.approx(r2_score(y, estimates, multioutput="variance_weighted"))
    scaled = (estimates - y) / [1, 10, 100]
    assert found.loss("mse") == pytest.approx((scaled**2).mean())
    assert found.loss("mae") == pytest.approx(np.abs(scaled).mean())


def test_losses_and_progress_of_a_batch() -> None:
    data = planted(columns=2)
    outputs, wanted = torch.zeros(60, 2), goal_of(data, "mse", 0.0).wanted(data)
    assert wanted.mean(dim=0).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert wanted.std(dim=0, unbiased=False).tolist() == pytest.approx([1, 1])
    assert float(goal_of(data, "mse", 0.0).criterion()(outputs, wanted)) == pytest.approx(1)
    assert goal_of(data, "mae", 0.0).reached(outputs, wanted) == pytest.approx(0, abs=1e-4)
    assert goal_of(data, "mae", 0.0).reached(wanted, wanted) == pytest.approx(60)


def test_the_scale_is_that_of_all_training_recordings_with_validation(tmp_path: Path) -> None:
    torch.manual_seed(1)
    train, test = planted().split("block", range(4))
    network = Linear()
    result = fit(
        network, train, test, epochs=20, patience=4, learning_rate=0.05, augment=False, checkpoint_dir=tmp_path
    )
    assert "validation_r2" in result.history
    assert result.r2 == pytest.approx(evaluate_targets(network, test, like=train).r2)


def test_another_loss_is_another_training(tmp_path: Path) -> None:
    from stgcnlib.errors import CheckpointError

    data, network = planted(), Linear()
    fit(deepcopy(network), data, epochs=1, augment=False, checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointError, match=r"\(loss differ\)"):
        fit(network, data, epochs=1, loss="mae", augment=False, checkpoint_dir=tmp_path)


def test_fine_tuning_to_more_targets_replaces_the_head() -> None:
    network = Linear(1)
    fine_tune(network, planted(columns=2), frozen=0, epochs=1, augment=False)
    assert network.classes == 2


def test_a_set_of_both_can_be_fitted_to_either() -> None:
    one = planted()
    both = SequenceSet(
        one.coords, labels=np.arange(60) % 3, layout=PATH, targets=one.targets, target_names=one.target_names
    )
    assert both.class_names == ("class 0", "class 1", "class 2")
    assert fit(Linear(3), both, epochs=1, augment=False).history.columns[2] == "train_accuracy"
    assert fit(Linear(1), both, epochs=1, loss="mse", augment=False).history.columns[2] == "train_r2"


def test_what_does_not_fit() -> None:
    data = planted()
    classes = SequenceSet(data.coords, layout=PATH)
    with pytest.raises(SequenceError, match="2 outputs for 1 targets; load a network with classes=1"):
        fit(Linear(2), data, epochs=1)
    with pytest.raises(SequenceError, match="have no classes; choose 'mse'"):
        fit(Linear(), data, loss="cross-entropy", epochs=1)
    with pytest.raises(SequenceError, match="have no targets"):
        fit(Linear(), classes, loss="mae", epochs=1)
    with pytest.raises(StudyError, match="'cross-entropy' for classes"):
        fit(Linear(), data, loss="huber", epochs=1)  # type: ignore[arg-type]
    with pytest.raises(SequenceError, match="evaluate_targets"):
        evaluate(Linear(), data)
    with pytest.raises(SequenceError, match="both must have the same targets"):
        evaluate_targets(Linear(), classes, like=data)
    with pytest.raises(SequenceError, match="2 outputs for 1 targets"):
        evaluate_targets(Linear(2), data, like=data)


def test_grad_cam_of_an_output_has_the_sign_of_its_effect() -> None:
    """Output 0 grows with channel 0, output 1 falls with it: relevance in the input says so."""
    network = Linear(2).eval()
    with torch.no_grad():
        network.mix.weight.copy_(torch.eye(2)[:, :, None, None])
        network.mix.bias.zero_()
        network.head.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    x = np.full((6, 3, 2), 2.0)
    more, less = (grad_cam(network, x, layers=["mix"], target=q, signed=True)["mix"].values for q in (0, 1))
    assert (more > 0).all()
    np.testing.assert_allclose(less, -more)
    assert (grad_cam(network, x, layers=["mix"], target=1)["mix"].values == 0).all()


def test_grad_cam_of_recordings_without_classes_needs_the_output() -> None:
    data = planted(4, columns=2)
    with pytest.raises(SequenceError, match="number of the network's output"):
        grad_cam_set(Linear(2), data, layers=["mix"])
    assert grad_cam_set(Linear(2), data, layers=["mix"], target=1)[0]["mix"].target == 1
    assert grad_cam_set(Linear(1), planted(4), layers=["mix"])[0]["mix"].target == 0
    with pytest.raises(SequenceError, match="there is no class 2"):
        grad_cam_set(Linear(2), data, layers=["mix"], target=2)

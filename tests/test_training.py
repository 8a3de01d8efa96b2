"""Fitting, fine-tuning, resuming and evaluating, on sets so small that each takes a moment."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from rounding import in_double
from torch import nn

from stgcnlib.errors import CheckpointError, LayoutError, SequenceError, StudyError
from stgcnlib.networks import load_network
from stgcnlib.sequences import SequenceSet
from stgcnlib.training import Augmentation, evaluate, fine_tune, fit
from stgcnlib.training.augment import TrainingBatches


@pytest.fixture
def toy() -> SequenceSet:
    """Sixteen recordings of four subjects: class 0 lifts the left hand, class 1 the right one."""
    rng = np.random.default_rng(0)
    body = rng.normal(0, 1, (20, 3))
    coords, labels, subjects = [], [], []
    for n in range(16):
        T, label = int(rng.integers(9, 18)), n % 2
        person = np.repeat(body[None], T, axis=0)
        person[:, [7, 11][label], 2] += np.sin(np.linspace(0, np.pi, T)) * 2
        coords.append(person + rng.normal(0, 0.01, person.shape))
        labels.append(label)
        subjects.append(n // 4 + 1)
    return SequenceSet(
        coords, labels=labels, class_names=["left", "right"], groups={"subject": subjects}, layout="kinect-v1"
    )


def small(classes: int = 2, **options: object) -> nn.Module:
    return load_network("st-gcn", layout="kinect-v1", classes=classes, seed=1, **{"width": 4, "depth": 3, **options})


def state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in network.state_dict().items()}


def same(one: nn.Module, two: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_a_toy_set_is_learnt(toy: SequenceSet) -> None:
    network = small()
    result = fit(network, toy, toy, epochs=25, batch_size=4, learning_rate=0.02)
    assert result.accuracy == evaluate(network, toy).accuracy == 1
    assert list(result.history.columns) == ["epoch", "train_loss", "train_accuracy", "test_accuracy", "seconds"]
    assert result.best_epoch == len(result.history) == 25
    assert result.history["train_loss"].iloc[-1] < result.history["train_loss"].iloc[0]
    assert not any(module.training for module in network.modules())


def test_same_seed_same_weights_and_nothing_global_changes(
    toy: SequenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    one, two, other = small(dropout=0.3), small(dropout=0.3), small(dropout=0.3)
    handler = signal.getsignal(signal.SIGINT)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    fit(one, toy, epochs=2, batch_size=8, progress=False)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    fit(two, toy, toy, epochs=2, batch_size=8, progress=False)
    fit(other, toy, epochs=2, batch_size=8, seed=1, progress=False)
    assert same(one, two)
    assert not same(one, other)
    assert signal.getsignal(signal.SIGINT) is handler
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("patience", [None, 3])
def test_an_interrupted_fit_goes_on_to_the_same_end(
    toy: SequenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: int | None
) -> None:
    settings = {"epochs": 4, "batch_size": 8, "patience": patience}
    whole = small(dropout=0.2)
    expected = fit(whole, toy, **settings)  # type: ignore[arg-type]

    forward, calls = type(whole).forward, 0

    def interrupted(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += self.training
        if calls == 6:  # in the third epoch
            raise KeyboardInterrupt
        return forward(self, x)

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(type(whole), "forward", interrupted)
    stopped = small(dropout=0.2)
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, toy, checkpoint_dir=tmp_path / "kept", **settings)  # type: ignore[arg-type]
    assert same(stopped, small(dropout=0.2))  # so that the same call, with the same network, goes on
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is handler
    assert [p.name for p in (tmp_path / "kept").iterdir()] == ["training.ckpt"]

    resumed = small(dropout=0.2)
    result = fit(resumed, toy, checkpoint_dir=tmp_path / "kept", **settings)  # type: ignore[arg-type]
    assert same(resumed, whole)
    columns = ["epoch", "train_loss", "train_accuracy"]
    assert result.history[columns].equals(expected.history[columns])
    finished = small(dropout=0.2)
    again = fit(finished, toy, checkpoint_dir=tmp_path / "kept", **settings)  # type: ignore[arg-type]
    assert same(finished, whole)
    assert again.history.equals(result.history)


def test_a_kept_training_is_not_mistaken_for_another(toy: SequenceSet, tmp_path: Path) -> None:
    fit(small(), toy, epochs=1, checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointError, match="learning_rate differ"):
        fit(small(), toy, epochs=1, learning_rate=0.1, checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointError, match=r"network, starting weights differ"):
        fit(small(width=8), toy, epochs=1, checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointError, match="starting weights differ"):
        fit(load_network("st-gcn", layout="kinect-v1", classes=2, seed=2, width=4, depth=3), toy, epochs=1,
            checkpoint_dir=tmp_path)  # fmt: skip
    file = tmp_path / "training.ckpt"
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="remove it to start anew"):
        fit(small(), toy, epochs=1, checkpoint_dir=tmp_path)


def test_a_failing_save_leaves_no_half_written_checkpoint(
    toy: SequenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lightning.pytorch as pl

    def torn(self: pl.Trainer, path: Path, *args: object, **kwargs: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", torn)
    with pytest.raises(OSError, match="disk full"):
        fit(small(), toy, epochs=1, checkpoint_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_interrupt_signal_reaches_the_caller(toy: SequenceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    network = small()
    forward = type(network).forward

    def struck(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
        signal.raise_signal(signal.SIGINT)
        return forward(self, x)

    monkeypatch.setattr(type(network), "forward", struck)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits "ignored"
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(network, toy, epochs=1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not network.training


def test_patience_keeps_the_best_weights_by_a_validation_part(toy: SequenceSet) -> None:
    network = small()
    result = fit(network, toy, toy, epochs=30, batch_size=8, learning_rate=0.02, patience=4)
    best = result.history.sort_values(["validation_accuracy", "epoch"], ascending=[False, True])
    assert result.history["validation_accuracy"][result.best_epoch - 1] == best["validation_accuracy"].iloc[0]
    assert len(result.history) == min(30, result.best_epoch + 4)
    assert result.accuracy == evaluate(network, toy).accuracy


@pytest.mark.parametrize("frozen", [0, 1, 3])
def test_frozen_blocks_stay_bit_identical(toy: SequenceSet, frozen: int) -> None:
    network = small(dropout=0.2)
    fit(network, toy, epochs=1)
    before = state(network)
    fine_tune(network, toy, frozen=frozen, epochs=2, batch_size=8)
    kept = tuple(f"{name}." for name in network.layer_names[:frozen]) + (("data_bn.",) if frozen else ())
    for key, value in network.state_dict().items():
        still = key.startswith(kept) or key == "A" or key in {f"edge_importance.{i}" for i in range(frozen)}
        assert torch.equal(before[key], value) == still, key
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_fine_tuning_replaces_the_head_for_other_classes(toy: SequenceSet) -> None:
    target = SequenceSet(
        toy.coords, labels=np.arange(16) % 3, class_names=["a", "b", "c"], layout=toy.layout, groups=toy.groups
    )
    one, two = small(), small()
    fine_tune(one, target, frozen=2, epochs=1)
    fine_tune(two, target, frozen=2, epochs=1)
    assert one.classes == 3
    assert same(one, two)
    assert evaluate(one, target).logits.shape == (16, 3)
    with pytest.raises(StudyError, match="choose 0 to 3"):
        fine_tune(one, target, frozen=4)
    with pytest.raises(StudyError, match="reset_head"):
        fine_tune(Headless(), target, frozen=0)


class Headless(nn.Module):
    layer_names = ("a",)
    classes = 2


def test_evaluation_is_the_network_run_on_each_recording_alone(toy: SequenceSet) -> None:
    pair = np.stack([toy.coords[0], toy.coords[0] + 0.1])
    data = toy.with_coords([pair, *toy.coords[1:]])
    network = in_double(small(classes=3)).train()
    result = evaluate(network, data)
    assert network.training
    network.eval()
    for i in range(len(data)):
        x = torch.from_numpy(data.people(i).transpose(3, 1, 2, 0)[None].copy())
        np.testing.assert_allclose(result.logits[i], network(x)[0].detach().numpy(), rtol=1e-9, atol=1e-12)
    confusion = result.confusion()
    assert confusion.shape == (3, 3)
    assert confusion.sum() == len(data)
    assert np.trace(confusion) / len(data) == pytest.approx(result.accuracy)
    np.testing.assert_array_equal(confusion.sum(axis=1)[:2], np.bincount(data.labels))
    shares = result.per_class()
    assert np.isnan(shares[2])
    assert np.mean(shares[:2]) == pytest.approx(result.accuracy)


def test_what_does_not_fit_is_refused(toy: SequenceSet) -> None:
    wrong = load_network("st-gcn", layout="nw-ucla", classes=2, width=4, depth=1)
    with pytest.raises(LayoutError, match="nw-ucla"):
        fit(wrong, toy)
    with pytest.raises(LayoutError, match="nw-ucla"):
        evaluate(wrong, toy)
    with pytest.raises(SequenceError, match="classes=2"):
        fit(small(classes=1), toy)
    with pytest.raises(StudyError, match="epochs is 0"):
        fit(small(), toy, epochs=0)
    with pytest.raises(StudyError, match="learning_rate"):
        fit(small(), toy, learning_rate=0)
    with pytest.raises(StudyError, match="diverged"):
        fit(small(), toy, epochs=4, learning_rate=1e30)


# -- batches ------------------------------------------------------------------------------------


def batches(data: SequenceSet, **options: object) -> TrainingBatches:
    settings = {"batch_size": 4, "frames": None, "augment": Augmentation(), "seed": 0, **options}
    return TrainingBatches(data, **settings)  # type: ignore[arg-type]


def test_every_recording_comes_once_per_epoch_and_epochs_repeat_themselves(toy: SequenceSet) -> None:
    source = batches(toy, batch_size=5)
    first = list(source)
    assert len(first) == len(source) == 4
    labels = torch.cat([y for _, y in first])
    assert sorted(labels.tolist()) == sorted(toy.labels.tolist())
    for (x, _), (again, _) in zip(first, source, strict=True):
        assert torch.equal(x, again)
    source.epoch = 1
    assert any(x.shape != y.shape or not torch.equal(x, y) for (x, _), (y, _) in zip(first, source, strict=True))


def test_without_augmentation_equal_recordings_come_as_they_are() -> None:
    rng = np.random.default_rng(0)
    data = SequenceSet(rng.normal(size=(6, 11, 20, 3)), labels=np.arange(6), layout="kinect-v1")
    for x, y in batches(data, augment=None):
        for recording, label in zip(x, y, strict=True):
            np.testing.assert_allclose(recording[..., 0].permute(1, 2, 0), data.coords[int(label)], atol=1e-6)


def test_resampling_is_linear_in_time(toy: SequenceSet) -> None:
    ramp = np.arange(7.0)[:, None, None] * np.ones((1, 20, 3))
    data = SequenceSet([ramp], layout="kinect-v1")
    ((x, _),) = batches(data, augment=None, frames=13)
    assert x.shape == (1, 3, 13, 20, 1)
    np.testing.assert_allclose(x[0, 0, :, 0, 0], np.linspace(0, 6, 13), atol=8 * 6 * 2.0**-24)  # eight roundings


def test_variation_keeps_bodies_and_absent_people(toy: SequenceSet) -> None:
    data = toy.with_coords([np.stack([c, np.zeros_like(c)]) if i else c for i, c in enumerate(toy.coords)])
    rigid = Augmentation(crop=1, tempo=1, scale=0, jitter=0, rotation=90, tilt=30)
    for x, _ in batches(data, augment=rigid, batch_size=1):
        assert not x[..., 1:].any()
    assert sum(x.shape[-1] == 2 for x, _ in batches(data, augment=Augmentation(), batch_size=1)) == len(toy) - 1
    for x, _ in batches(data, augment=Augmentation(), batch_size=1):
        assert not x[..., 1:].any()
    # A rigid turn changes no distance between joints; batches of one recording are not resampled.
    spread = sorted(float(np.linalg.norm(c[0, 3] - c[0, 15])) for c in toy.coords)
    turned = sorted(
        float((x[0, :, 0, 3, 0] - x[0, :, 0, 15, 0]).norm()) for x, _ in batches(data, augment=rigid, batch_size=1)
    )
    np.testing.assert_allclose(turned, spread, rtol=1e-4)
    upright = Augmentation(crop=1, tempo=1, scale=0, jitter=0, rotation=90, tilt=0)
    heights = sorted(float(x[0, 2].sum()) for x, _ in batches(toy, augment=upright, batch_size=1))
    np.testing.assert_allclose(heights, sorted(float(c[..., 2].sum()) for c in toy.coords), rtol=1e-3, atol=1e-3)


def test_mirroring_swaps_sides(toy: SequenceSet) -> None:
    mirror = Augmentation(crop=1, tempo=1, scale=0, jitter=0, rotation=0, tilt=0, mirror=True)
    found = 0
    for x, _ in batches(toy, augment=mirror, batch_size=1):
        frames = x[0, ..., 0].permute(1, 2, 0).numpy()
        candidates = [c for c in toy.coords if c.shape == frames.shape]
        if any(np.allclose(frames, c, atol=1e-6) for c in candidates):
            continue
        swap = np.arange(20)
        for left, right in toy.layout.mirror:
            swap[left], swap[right] = right, left
        assert any(np.allclose(frames, c[:, swap] * [-1, 1, 1], atol=1e-6) for c in candidates)
        found += 1
    assert 0 < found < len(toy)


def test_confidence_of_planar_skeletons_is_left_alone() -> None:
    rng = np.random.default_rng(0)
    coords = rng.normal(size=(4, 9, 18, 3))
    coords[..., 2] = 0.5
    for x, _ in batches(SequenceSet(coords, layout="openpose-18")):
        assert (x[:, 2] == 0.5).all()


def test_batches_have_as_many_people_as_their_recordings() -> None:
    rng = np.random.default_rng(0)
    coords = [rng.normal(size=(2, 8, 20, 3)) if n % 3 == 0 else rng.normal(size=(8, 20, 3)) for n in range(20)]
    data = SequenceSet(coords, labels=[n % 2 for n in range(20)], class_names=["a", "b"], layout="kinect-v1")
    made = batches(data, batch_size=4, augment=None, frames=None, wanted=torch.arange(20))
    found = [(x.shape[-1], members) for x, members in made]
    assert len(found) == len(made) == 2 + 4
    for people, members in found:
        assert set(data.people_counts[members.numpy()].tolist()) == {people}
    assert sorted(torch.cat([members for _, members in found]).tolist()) == list(range(20))
    x, members = next((x, members) for x, members in made if x.shape[-1] == 1)
    np.testing.assert_allclose(x[0, ..., 0].permute(1, 2, 0).numpy(), data.coords[int(members[0])], atol=1e-5)

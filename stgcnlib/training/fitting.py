"""Fitting a network to recordings, from fresh weights or from those of another task.

One recipe serves small and medium-sized skeleton sets: AdamW with one learning-rate cycle, smoothed labels, and batches
of recordings that are cropped, resampled in time and slightly turned, near their own tempo.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from stgcnlib.errors import SequenceError, StudyError, suggest
from stgcnlib.files import fingerprint
from stgcnlib.networks.batches import check_fit
from stgcnlib.sequences import SequenceSet
from stgcnlib.threads import TRAINING_THREADS
from stgcnlib.training.augment import Augmentation, TrainingBatches
from stgcnlib.training.goals import Goal, Loss, goal_of

__all__ = ["FitResult", "fine_tune", "fit"]

Precision = Literal["float32", "bfloat16"]

VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class FitResult:
    """The result of a training; the network itself was changed in place.

    Attributes:
        history: one row per epoch: `epoch` (from 1), `train_loss`, `train_accuracy` (on varied batches),
            `test_accuracy` (NaN where it was not measured), `seconds`, and with `patience` `validation_accuracy`; for
            targets R² in their place, `train_r2` and so on.
        best_epoch: the epoch whose weights the network has: the last, or with `patience` the best by validation.
        accuracy: test accuracy of those weights; NaN without a test part, and for targets.
        r2: test R² of those weights over all targets; NaN without a test part, and for classes.
    """

    history: pd.DataFrame
    best_epoch: int
    accuracy: float
    r2: float = float("nan")


def fit(
    network: nn.Module,
    train: SequenceSet,
    test: SequenceSet | None = None,
    *,
    epochs: int = 60,
    batch_size: int = 16,
    learning_rate: float = 0.005,
    weight_decay: float = 0.01,
    loss: Loss | None = None,
    label_smoothing: float = 0.1,
    frames: int | None = None,
    augment: bool | Literal["mirror"] | Augmentation | Mapping[str, Any] = True,
    patience: int | None = None,
    frozen: int = 0,
    seed: int = 0,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    precision: Precision = "float32",
    threads: int = TRAINING_THREADS,
    progress: bool | None = None,
) -> FitResult:
    """Train a network on recordings; it is changed in place and left in evaluation mode.

    Args:
        network: takes (N, C, T, V, M), gives (N, classes) or (N, Q) targets, for example from `load_network`
            (``classes=Q``). It learns targets less their mean, in multiples of their standard deviation, both over
            `train`; `evaluate_targets` gives estimates in the targets' unit.
        train: recordings to learn from, normalised (`stgcnlib.transforms.normalize`).
        test: recordings whose accuracy, or R², is measured about ten times over the training, and after its last epoch.
            It never decides which weights are kept.
        epochs: times that every recording is seen.
        batch_size: most recordings in a batch.
        learning_rate: highest rate of the cycle.
        weight_decay: of AdamW, on everything but biases and batch norm.
        loss: "cross-entropy" of classes, or of targets the mean square ("mse") or absolute error ("mae"); `None` takes
            classes where the recordings have them, else "mse".
        label_smoothing: of classes: share of the target that is spread over all classes.
        frames: resample every batch to so many frames; `None` keeps batches near the recordings' own tempo, at
            which they are evaluated and recorded.
        augment: how recordings are varied; True means `Augmentation()`, False feeds them as they are, and "mirror"
            means `Augmentation(mirror=True)`: left and right swapped in half of them, correct only where no class
            depends on the side. A mapping gives fields of `Augmentation`.
        patience: stop after so many epochs without a better accuracy or R² on a validation part, taken out of `train`
            (a fifth: whole subjects or blocks of time where they are known), and keep the best weights by it. `None`
            trains on all of `train` for all epochs and keeps the last weights.
        frozen: number of first blocks kept as they are, see `fine_tune`.
        seed: decides order, variation, dropout and validation part. Same seed, same weights, on CPUs of one kind;
            torch's own generator is left as it was.
        checkpoint_dir: folder in which the training is kept after every epoch. Called again with the same
            arguments, and a network of the same starting weights, an interrupted training goes on from there, to the
            same end; an interruption leaves the network with its starting weights.
        device: where to train, for example "cuda".
        precision: "bfloat16" multiplies in half precision (weights stay float32): twice as fast on processors that
            support it, much slower on others.
        threads: number of CPU threads, whatever the number of cores; with another number, sums are rounded in another
            order, and the weights differ.
        progress: whether to draw a bar; `None` decides by the terminal.

    Raises:
        LayoutError, SequenceError: if recordings and network do not belong together.
        StudyError: if an argument is out of range, or the loss is no longer finite.
        CheckpointError: if `checkpoint_dir` holds another training.
    """
    augmentation = _augmentation(how=augment)
    goal = goal_of(train, loss, label_smoothing)
    _check(network, train, test, goal, epochs, batch_size, learning_rate, frames, patience, precision, threads)
    modules, parameters = _first_blocks(network, frozen)
    settings: dict[str, Any] = {
        "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "weight_decay": weight_decay,
        "label_smoothing": label_smoothing, "frames": frames, "patience": patience, "seed": seed, "frozen": frozen,
        "precision": precision, "threads": threads,
        "augment": None if augmentation is None else asdict(augmentation), "train": train.fingerprint(),
        "test": None if test is None else test.fingerprint(),
    }  # fmt: skip
    if loss is not None or goal.measure == "r2":
        settings["loss"] = goal.loss
    shapes = [[key, list(value.shape)] for key, value in network.state_dict().items()]
    settings["network"] = fingerprint([type(network).__name__, shapes])
    if checkpoint_dir is not None:
        settings["starting weights"] = _weights_sum(network)
    validation = None
    if patience is not None:
        held = _validation_part(train, seed)
        train, validation = train.select(~held), train.select(held)

    from stgcnlib.training.loop import Task, train_task  # lightning takes seconds to import

    wanted = {parameter: parameter.requires_grad for parameter in parameters}
    start = None if checkpoint_dir is None else deepcopy(network.state_dict())
    try:
        for parameter in parameters:
            parameter.requires_grad_(False)
        task = Task(
            network,
            TrainingBatches(train, batch_size=batch_size, frames=frames, augment=augmentation, seed=seed,
                            wanted=goal.wanted(train)),
            test=test, validation=validation, patience=patience, frozen=modules, epochs=epochs,
            learning_rate=learning_rate, weight_decay=weight_decay, goal=goal, settings=settings,
        )  # fmt: skip
        folder = None if checkpoint_dir is None else Path(checkpoint_dir)
        train_task(task, folder=folder, device=device, half=precision == "bfloat16", threads=threads,
                   progress=progress)  # fmt: skip
    except BaseException:
        if start is not None:  # so that the same call goes on, with the same network
            network.load_state_dict(start)
        raise
    finally:
        for parameter, flag in wanted.items():
            parameter.requires_grad_(flag)
        network.eval()
    history = pd.DataFrame(task.history)
    epoch, reached = len(history), float(history[f"test_{goal.measure}"].iloc[-1])
    if task.best is not None:
        network.load_state_dict(task.best["state"])
        epoch = int(task.best["epoch"])
        reached = np.nan if test is None else goal.evaluate(network, test, device=device)[0]
    return FitResult(history, epoch, **{"accuracy": np.nan, goal.measure: reached})


def fine_tune(
    network: nn.Module,
    train: SequenceSet,
    test: SequenceSet | None = None,
    *,
    frozen: int,
    new_head: bool | None = None,
    epochs: int = 30,
    learning_rate: float = 0.002,
    seed: int = 0,
    **settings: Any,
) -> FitResult:
    """Go on training a network with its first `frozen` blocks, and the input's batch norm, kept as they are.

    Frozen blocks keep their weights, edge importance and batch statistics bit by bit. Other arguments, errors and
    the result are those of `fit`.

    Args:
        network: trained on a source task.
        train: recordings of the target task.
        test: recordings to measure.
        frozen: number of blocks kept, 0 (all is trained) to ``len(network.layer_names)`` (only the head is).
        new_head: replace the head by a fresh one for the new task's classes or targets; `None` does so where their
            number differs.
        epochs: see `fit`.
        learning_rate: see `fit`; lower than there, since the weights are good already.
        seed: see `fit`; also of the fresh head.
        **settings: further arguments of `fit`.
    """
    _first_blocks(network, frozen)  # refuses a wrong number before the head is touched
    outputs = goal_of(train, settings.get("loss"), 0.0).outputs
    if new_head is None:
        new_head = getattr(network, "classes", None) != outputs
    if new_head:
        _replace_head(network, outputs, seed)
    return fit(network, train, test, frozen=frozen, epochs=epochs, learning_rate=learning_rate, seed=seed, **settings)


def _check(
    network: nn.Module,
    train: SequenceSet,
    test: SequenceSet | None,
    goal: Goal,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    frames: int | None,
    patience: int | None,
    precision: str,
    threads: int,
) -> None:
    for data in (train, test):
        if data is not None:
            check_fit(network, data)
    outputs = getattr(network, "classes", goal.outputs)
    if goal.measure == "r2" and outputs != goal.outputs:
        raise SequenceError(
            f"the network has {outputs} outputs for {goal.outputs} targets; load a network with classes={goal.outputs}"
        )
    if outputs < goal.outputs:
        raise SequenceError(
            f"the network knows {outputs} classes, the recordings have {goal.outputs}; "
            f"load a network with classes={goal.outputs}"
        )
    if test is not None and test.class_names != train.class_names:
        raise SequenceError("train and test name different classes; read all recordings together, then split them")
    if test is not None and goal.measure == "r2" and test.target_names != train.target_names:
        raise SequenceError("train and test name different targets; read all recordings together, then split them")
    counts = {"epochs": epochs, "batch_size": batch_size, "frames": frames, "patience": patience, "threads": threads}
    for name, value in counts.items():
        if value is not None and value < 1:
            raise StudyError(f"{name} is {value}; it must be at least 1")
    if precision not in ("float32", "bfloat16"):
        raise StudyError(f"precision is {precision!r}; choose 'float32' or 'bfloat16'")
    if not learning_rate > 0:
        raise StudyError(f"learning_rate is {learning_rate}; it must be above 0")


def _augmentation(*, how: bool | str | Augmentation | Mapping[str, Any]) -> Augmentation | None:
    if isinstance(how, Augmentation):
        return how
    if isinstance(how, Mapping):
        known = [field.name for field in fields(Augmentation)]
        for name in how:
            if name not in known:
                raise StudyError(f"augment has no field {name!r}; {suggest(str(name), known)}")
        return Augmentation(**how)
    if isinstance(how, str) and how != "mirror":
        raise StudyError(f"augment is {how!r}; choose True, False, 'mirror' or an Augmentation")
    return Augmentation(mirror=how == "mirror") if how else None


def _first_blocks(network: nn.Module, count: int) -> tuple[list[nn.Module], list[nn.Parameter]]:
    """Modules and parameters up to and including block `count`; none for 0."""
    names: tuple[str, ...] = getattr(network, "layer_names", ())
    if not 0 <= count <= len(names):
        raise StudyError(
            f"frozen is {count}; {type(network).__name__} has {len(names)} blocks, so choose 0 to {len(names)}"
        )
    if count == 0:
        return [], []
    known = dict(network.named_modules())
    modules = [known[name] for name in ("data_bn", *names[:count]) if name in known]
    parameters = [parameter for module in modules for parameter in module.parameters()]
    importance = getattr(network, "edge_importance", None)
    if importance is not None:
        parameters += list(importance)[:count]
    return modules, parameters


def _replace_head(network: nn.Module, classes: int, seed: int) -> None:
    reset = getattr(network, "reset_head", None)
    if reset is None:
        raise StudyError(
            f"{type(network).__name__} has no reset_head(classes), so its classifier cannot be replaced; "
            f"give it one for {classes} classes and call with new_head=False"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reset(classes)


def _validation_part(train: SequenceSet, seed: int) -> NDArray[np.bool_]:
    """(N,) which recordings are held out: about a fifth, whole subjects or blocks where there are at least three."""
    rng = np.random.default_rng(seed)
    group = next((train.groups[name] for name in ("subject", "block") if name in train.groups), np.arange(0))
    values = np.unique(group)
    if len(values) >= 3:
        few = max(1, round(VALIDATION_SHARE * len(values)))
        return np.isin(group, rng.permutation(values)[:few])
    held = np.zeros(len(train), dtype=bool)
    for label in np.unique(train.labels):
        members = rng.permutation(np.flatnonzero(train.labels == label))
        held[members[: round(VALIDATION_SHARE * len(members))]] = True
    if not held.any():
        raise SequenceError(
            f"train: {len(train)} recordings are too few to take a validation part from; leave patience out"
        )
    return held


def _weights_sum(network: nn.Module) -> str:
    """A sum of all weights and buffers: a training that begins elsewhere is another one."""
    total = hashlib.sha256()
    for value in network.state_dict().values():
        total.update(value.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()[:16]

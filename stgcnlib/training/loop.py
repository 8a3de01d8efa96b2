"""The training loop on Lightning: one epoch's step, record keeping, early stopping, and resuming.

Lightning's own logging, files and messages are kept out. `stgcnlib.training.fitting` decides what is trained.
"""

from __future__ import annotations

import copy
import logging
import math
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from stgcnlib.devices import usable_device
from stgcnlib.errors import CheckpointError, StudyError
from stgcnlib.files import atomic_path
from stgcnlib.networks.batches import check_scores
from stgcnlib.progress import progress_shown
from stgcnlib.sequences import SequenceSet
from stgcnlib.threads import torch_threads
from stgcnlib.training.augment import TrainingBatches
from stgcnlib.training.goals import Goal

__all__ = ["Task", "train_task"]

FILE = "training.ckpt"
MEASUREMENTS = 10  # of the test part over a training, since each costs up to a third of an epoch


class Task(pl.LightningModule):
    """What one training is: the network, its optimiser, and the history that it leaves.

    Args:
        network: trained in place; parameters without ``requires_grad`` stay, and modules in `frozen` stay in
            evaluation mode, so that their batch statistics stay too.
        batches: the training part.
        test: measured about ten times, and after the last epoch; never used to choose anything.
        validation: measured after each epoch where `patience` is given.
        goal: what is trained for: it gives the loss, and the measure of success.
        patience: epochs without a better measure on the validation part after which training stops.
        settings: plain values that tell this training from others, kept in its checkpoint.
    """

    def __init__(
        self,
        network: nn.Module,
        batches: TrainingBatches,
        *,
        test: SequenceSet | None,
        validation: SequenceSet | None,
        patience: int | None,
        frozen: Sequence[nn.Module],
        epochs: int,
        learning_rate: float,
        weight_decay: float,
        goal: Goal,
        settings: dict[str, Any],
    ) -> None:
        super().__init__()
        self.network = network
        self.batches, self.test, self.validation, self.patience = batches, test, validation, patience
        self.frozen, self.epochs, self.settings = tuple(frozen), epochs, settings
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.goal, self.loss = goal, goal.criterion()
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Any] | None = None
        self.file: Path | None = None

    def configure_optimizers(self) -> Any:
        """AdamW with one cycle of the learning rate; batch-norm scales and biases are not decayed."""
        trained = [p for p in self.network.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=self.learning_rate)
        steps = max(2, self.epochs * len(self.batches))
        # A fifth of 5 steps is a single one: torch counts it as a rise of length 0, and divides by that.
        rise = 0.2 if steps != 5 else 0.199
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, total_steps=steps, pct_start=rise)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Modes, order and every random draw of an epoch follow from the seed and the epoch alone."""
        self.network.train()
        for module in self.frozen:
            module.eval()
        self.batches.epoch = self.current_epoch
        torch.manual_seed((self.batches.seed * 1_000_003 + self.current_epoch) % 2**63)
        self._seen, self._reached, self._summed = 0, 0.0, 0.0
        self._started = time.perf_counter()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch."""
        x, wanted = batch
        outputs = check_scores(self.network(x), x)
        loss = self.loss(outputs, wanted)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise StudyError(
                f"training diverged: the loss is {value} in epoch {self.current_epoch + 1}; "
                f"choose a learning_rate below {self.learning_rate:g}, and normalise the data"
            )
        self._seen += len(wanted)
        self._summed += value * len(wanted)
        self._reached += self.goal.reached(outputs.detach(), wanted)
        return loss

    def on_train_epoch_end(self) -> None:
        """Measure, remember the best by validation, and stop where it no longer gets better."""
        row: dict[str, float] = {
            "epoch": self.current_epoch + 1,
            "train_loss": self._summed / self._seen,
            f"train_{self.goal.measure}": self._reached / self._seen,
        }
        device = str(self.device)
        if self.validation is not None:
            reached, loss = self.goal.evaluate(self.network, self.validation, device=device)
            row[f"validation_{self.goal.measure}"] = reached
            score = (reached, -loss)
            if self.best is None or score > tuple(self.best["score"]):
                state = {key: value.detach().cpu().clone() for key, value in self.network.state_dict().items()}
                self.best = {"score": list(score), "epoch": self.current_epoch + 1, "state": state}
            if self.patience is not None and self.current_epoch + 1 - self.best["epoch"] >= self.patience:
                self.trainer.should_stop = True
        row[f"test_{self.goal.measure}"] = math.nan
        every = math.ceil(self.epochs / MEASUREMENTS)
        if self.test is not None and (self.epochs - self.current_epoch - 1) % every == 0:
            row[f"test_{self.goal.measure}"] = self.goal.evaluate(self.network, self.test, device=device)[0]
        row["seconds"] = time.perf_counter() - self._started
        self.history.append(row)
        # Not in a callback: those run before this hook, so that the epoch's own row would be lost.
        if self.file is not None:
            with atomic_path(self.file) as temporary:
                self.trainer.save_checkpoint(temporary)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what resuming needs: plain values and tensors only."""
        checkpoint["stgcnlib"] = {"history": self.history, "best": self.best, "settings": self.settings}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the history up again."""
        kept = checkpoint["stgcnlib"]
        self.history, self.best = copy.deepcopy(kept["history"]), kept["best"]


class _Progress(pl.Callback):
    """A bar over epochs with the latest numbers."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = [TextColumn("Training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        self.bar = Progress(
            *columns, TextColumn("{task.fields[numbers]}"), console=Console(stderr=True), transient=True
        )
        self.bar.start()
        self.task = self.bar.add_task("", total=trainer.max_epochs, completed=trainer.current_epoch, numbers="")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        history = pl_module.history if isinstance(pl_module, Task) else []
        last = history[-1] if history else {}
        numbers = ", ".join(f"{k.replace('_', ' ')} {v:.2f}" for k, v in last.items() if "_" in k and not math.isnan(v))
        self.bar.update(self.task, completed=len(history), numbers=numbers)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.bar.stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.bar.stop()


def train_task(
    task: Task, *, folder: Path | None, device: str, half: bool, threads: int, progress: bool | None
) -> None:
    """Train until `task.epochs`, from the last epoch kept in `folder` if there is one.

    Raises:
        CheckpointError: if `folder` holds another training, or one that cannot be read.
    """
    file = None if folder is None else folder / FILE
    resume = None
    if file is not None and file.exists():
        kept = _read(file)
        if kept["stgcnlib"]["settings"] != task.settings:
            changed = [k for k, v in task.settings.items() if kept["stgcnlib"]["settings"].get(k) != v]
            raise CheckpointError(
                f"{file}: belongs to another training ({', '.join(changed) or 'settings'} differ); "
                "give another checkpoint_dir, make the network anew as it was at the start, or remove the file"
            )
        if kept["epoch"] + 1 >= task.epochs or _stopped(kept["stgcnlib"], task.patience):
            task.on_load_checkpoint(kept)
            task.load_state_dict(kept["state_dict"])
            return
        resume = file
    callbacks: list[pl.Callback] = [_Progress()] if progress_shown(show=progress) else []
    task.file = file
    place = usable_device(device)
    home = next(task.network.parameters()).device
    with (
        _quiet(),
        _interruptible(),
        torch_threads(threads),
        torch.inference_mode(False),
        torch.autocast(place.type, enabled=False),
        torch.random.fork_rng(),
    ):
        trainer = pl.Trainer(
            max_epochs=task.epochs,
            accelerator="gpu" if place.type == "cuda" else place.type,
            devices=1 if place.index is None or place.type == "cpu" else [place.index],
            precision="bf16-mixed" if half else "32-true",
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        try:
            trainer.fit(task, task.batches, ckpt_path=resume, weights_only=True)
        finally:
            task.network.to(home)


def _read(file: Path) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        if isinstance(kept["stgcnlib"]["settings"], dict):
            return kept
        raise TypeError("no settings")
    except Exception as error:
        raise CheckpointError(
            f"{file}: not a training of stgcnlib that can be resumed ({type(error).__name__}); remove it to start anew"
        ) from None


def _stopped(kept: dict[str, Any], patience: int | None) -> bool:
    best = kept["best"]
    return patience is not None and best is not None and len(kept["history"]) - best["epoch"] >= patience


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide Lightning's notices and advice: they are about its own use, and users of stgcnlib do not need them."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\.")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Make Ctrl-C raise KeyboardInterrupt; Lightning would end the whole process and leave the signal ignored."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if main and handler is not None:
            signal.signal(signal.SIGINT, handler)

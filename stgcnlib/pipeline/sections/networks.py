"""Sections on networks: which, how it is trained, and how its features are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from stgcnlib.errors import AxesError
from stgcnlib.modules import imported_files, module_file
from stgcnlib.pipeline.fields import Number, Section, Whole

__all__ = ["Activations", "Augment", "Network", "Training"]

Scalar = bool | int | float | str | None


class Augment(Section):
    """How far a recording may be varied each time that the training sees it; `None` keeps the library's default.

    Args:
        crop: shortest piece of a recording that is cut out, as a share of its frames; 1 keeps all.
        tempo: largest factor by which a batch is slowed down or sped up; 1 keeps the tempo.
        rotation: largest turn about the vertical axis, in degrees; 3-D layouts only.
        tilt: largest turn about the horizontal axes, in degrees; 3-D layouts only.
        scale: largest change of the body's size, as a share.
        jitter: standard deviation of noise on each coordinate, in the unit of the prepared recordings.
        mirror: swap left and right in half of the recordings; right only where no class depends on the side.
    """

    crop: Number | None = Field(None, gt=0, le=1)
    tempo: Number | None = Field(None, ge=1)
    rotation: Number | None = Field(None, ge=0)
    tilt: Number | None = Field(None, ge=0)
    scale: Number | None = Field(None, ge=0, lt=1)
    jitter: Number | None = Field(None, ge=0)
    mirror: bool | None = None


class Training(Section):
    """How a network is trained, as by `stgcnlib.fit`; `None` keeps the library's default.

    Args:
        epochs: how often every training recording is seen.
        batch_size: most recordings in a batch.
        learning_rate: highest rate of the cycle.
        weight_decay: weight decay of AdamW, on everything but biases and batch norm.
        loss: what is minimised: cross-entropy of classes, or the mean square (mse) or absolute error (mae) of targets.
        label_smoothing: share of a class's target that is spread over all classes.
        frames: number of frames to which every batch is resampled; None: near the recordings' own lengths.
        augment: whether recordings are varied: true, false, `mirror` (as true, and left and right are swapped in half
            of them), or a section with the single amounts.
        patience: epochs without a better result on a held-out fifth of the training part after which training stops.
        precision: number format of the products; `bfloat16` is about twice as fast on processors that support it, and
            slow on others.
        threads: number of processor threads of a training; another number rounds sums in another order.
    """

    epochs: Whole | None = Field(None, ge=1)
    batch_size: Whole | None = Field(None, ge=2)
    learning_rate: Number | None = Field(None, gt=0)
    weight_decay: Number | None = Field(None, ge=0)
    loss: Literal["cross-entropy", "mse", "mae"] | None = None
    label_smoothing: Number | None = Field(None, ge=0, lt=1)
    frames: Whole | None = Field(None, ge=2)
    augment: bool | Literal["mirror"] | Augment | None = None
    patience: Whole | None = Field(None, ge=1)
    precision: Literal["float32", "bfloat16"] | None = None
    threads: Whole | None = Field(None, ge=1, le=1024)


class Network(Section):
    """Which network, of what size, trained here or loaded, and how many of it.

    Args:
        name: one of the zoo, `auto` for the family of the checkpoint, or `package.module:factory` for one of your own.
        folder: where the module of a network of your own lies; a path.
        checkpoint: file of trained weights; no network is trained then. A path.
        options: options of the network, by name, such as its width and depth (the published ones if left out);
            docs/networks.md lists those of each family.
        axes: names of the axes of its layers' outputs, such as "N C T V": for all layers, or by a layer's name or a
            pattern.
        training: how it is trained.
        seeds: number of networks that are trained, with the study's seed and the next ones; 1 with a checkpoint.
    """

    name: str = "st-gcn"
    folder: str | None = None
    checkpoint: str | None = None
    options: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)
    axes: str | dict[str, str] | None = None
    training: Training = Training()
    seeds: Whole = Field(1, ge=1, le=99)

    @model_validator(mode="after")
    def _one_checkpoint(self) -> Network:
        if self.checkpoint is not None and self.seeds > 1:
            raise ValueError(
                f"seeds: {self.seeds} networks are to be trained, but a checkpoint is one network; leave seeds or the "
                "checkpoint out"
            )
        return self

    @property
    def trained_here(self) -> Training | None:
        """How it is trained; `None` for a network from a checkpoint."""
        return self.training if self.checkpoint is None else None

    @property
    def loaded(self) -> bool | None:
        """`True` for a network from a checkpoint; `None` for one that is trained here."""
        return None if self.checkpoint is None else True

    @property
    def source(self) -> str | None:
        """Absolute path of the module that makes a network of one's own; `None` for the zoo's."""
        if ":" not in self.name:
            return None
        found = module_file(self.name.partition(":")[0], [*([self.folder] if self.folder else []), Path.cwd()])
        return None if found is None else str(found)

    @property
    def imports(self) -> tuple[str, ...] | None:
        """Absolute paths of the files beside this module that it imports; `None` for the zoo's."""
        if (source := self.source) is None:
            return None
        return tuple(str(file) for file in imported_files(self.name.partition(":")[0], Path(source)))

    @field_validator("axes")
    @classmethod
    def _axis_strings(cls, axes: str | dict[str, str] | None) -> str | dict[str, str] | None:
        if axes is None:
            return None
        from stgcnlib.activations.axes import parse  # torch is slow to import, and seldom needed here

        for text in [axes] if isinstance(axes, str) else axes.values():
            try:
                parse(text)
            except AxesError as error:
                raise ValueError(str(error)) from None
        return axes


class Activations(Section):
    """How features are kept on disk.

    Args:
        dtype: number format of the features; `float16` takes half the space, and page 02 shows how it changes the
            distances.
    """

    dtype: Literal["float32", "float16"] = "float32"

    @property
    def rounded(self) -> bool | None:
        """`True` where features are rounded; `None` where they are kept as float32."""
        return True if self.dtype != "float32" else None

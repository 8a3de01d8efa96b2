"""Sections on what is asked besides the curves: relevance maps, noise, transfer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from stgcnlib.pipeline.fields import Number, Section, Whole
from stgcnlib.pipeline.sections.networks import Training
from stgcnlib.pipeline.sections.recordings import Split, read_with

__all__ = ["Explain", "Noise", "Source", "Transfer"]

Numbers = tuple[Number, ...]


class Explain(Section):
    """Relevance maps: of which class, for how many recordings, and how they are put to the test.

    The tests cost (layers + draws + 1) * 2 * (steps - 1) forward passes per tested recording and unit.

    Args:
        target: whose relevance is shown: the predicted class, the true class, or the class (or target) of this number,
            from 0.
        examples: number of recordings that are shown with their maps.
        per_class: number of recordings of each class (or quarter of the target) that have maps.
        sequences: number of recordings with which the maps are tested.
        units: what the tests take away at a time: joints in all frames, frames, or single joints at single frames.
        replacement: what stands for a unit that is taken away: the mean pose of all classes, or interpolation of what
            is left.
        steps: number of steps from nothing taken away to all units taken away.
        draws: number of random maps with which each map is compared.
        jitter: standard deviation of the noise that tests stability, as a share of a recording's spread of positions.
        maps: how the label smoothness of maps is measured: by our definition, or as in the first author's script.
    """

    target: Literal["predicted", "true"] | Whole = "predicted"
    examples: Whole = Field(4, ge=1)
    per_class: Whole = Field(4, ge=1)
    sequences: Whole = Field(24, ge=2)
    units: tuple[Literal["joints", "frames", "joint-frames"], ...] = Field(
        ("joints", "frames", "joint-frames"), min_length=1
    )
    replacement: Literal["mean-pose", "interpolation"] = "mean-pose"
    steps: Whole = Field(6, ge=2)
    draws: Whole = Field(3, ge=1)
    jitter: Number = Field(0.01, gt=0)
    maps: Literal["own", "author"] = "own"


class Noise(Section):
    """Noise on the test recordings, levels per kind (an empty list leaves a kind out), and networks trained on noise.

    Args:
        jitter: levels of Gaussian noise on each coordinate, as signal-to-noise ratios in dB; lower is noisier.
        joint_dropout: levels of lost joints, as shares of all joints in all frames; from 0 to below 1, one above 0.
        frame_dropout: levels of lost frames, as shares; from 0 to below 1, one above 0.
        rotation: levels of other views, as the largest turn about the vertical axis in degrees; from 0 to 180.
        layers: names or patterns of the modules that are measured, besides the input.
        neighbours: whether a noisy recording's neighbours are searched among the noisy recordings of others, or among
            their clean ones.
        train: one further network is trained on each kind of noise that is named, at its level, as `jitter: 20`.
    """

    jitter: Numbers = (30.0, 20.0, 10.0)
    joint_dropout: Numbers = (0.05, 0.1, 0.2)
    frame_dropout: Numbers = (0.1, 0.25, 0.5)
    rotation: Numbers = (15.0, 30.0, 60.0)
    layers: tuple[str, ...] | None = Field(None, min_length=1)
    neighbours: Literal["noisy", "clean"] = "noisy"
    train: dict[Literal["jitter", "joint_dropout", "frame_dropout", "rotation"], Number] = Field(default_factory=dict)

    @property
    def levels(self) -> dict[Any, Numbers]:
        """Kind of noise, as `stgcnlib.studies` names it -> levels."""
        fields = ("jitter", "joint_dropout", "frame_dropout", "rotation")
        return {name.replace("_", " "): getattr(self, name) for name in fields if getattr(self, name)}

    @property
    def training_levels(self) -> list[tuple[str, float]]:
        """(kind, level) of the networks that are trained on noise."""
        return [(kind.replace("_", " "), float(level)) for kind, level in self.train.items()]

    @model_validator(mode="after")
    def _something(self) -> Noise:
        if not self.levels:
            raise ValueError("no kind of noise has a level; give at least one, or leave the section out")
        return self


class Source(Section):
    """Where a transfer starts: some classes of the study's data, a checkpoint, or another data set; one of them.

    Args:
        classes: the source's classes among the study's: how many first ones with recordings, or their names; the
            others are the target.
        checkpoint: file of a network that was trained on the source; a path.
        path: another data set, whose recordings have the same layout; a path.
        format: format of that data set, as `data.format`.
        split: which recordings of that data set train and which test, as `data.split`.
    """

    classes: Whole | tuple[str, ...] | None = None
    checkpoint: str | None = None
    path: str | None = None
    format: str | None = None
    split: Split | None = None

    @property
    def trained_here(self) -> bool | None:
        """`True` where the source network is trained here; `None` where it comes from a checkpoint."""
        return True if self.checkpoint is None else None

    @property
    def beside(self) -> tuple[str, ...] | None:
        """Absolute paths of what is read with `path` and lies outside of it."""
        return None if self.path is None else read_with(self.path)

    @model_validator(mode="after")
    def _one(self) -> Source:
        given = [name for name in ("classes", "checkpoint", "path") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of classes, checkpoint and path, not {' and '.join(given) or 'none'}")
        return self


class Transfer(Section):
    """Fine-tuning with the first blocks frozen.

    Args:
        source: what the network is trained on before it is fine-tuned.
        frozen: numbers of first blocks that are kept as they are, one fit each; from 0 to the number of blocks.
        seeds: number of fits of each kind.
        training: how each fit is trained.
    """

    source: Source
    frozen: tuple[Whole, ...] | None = Field(None, min_length=1)
    seeds: Whole = Field(3, ge=1)
    training: Training = Training()

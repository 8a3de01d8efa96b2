"""The sections of a study: their fields, defaults and limits. `data_sections` has those about recordings.

`study` reads study files and finds the paths that they name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from stgcnlib.errors import AxesError
from stgcnlib.modules import imported_files, module_file
from stgcnlib.pipeline.data_sections import Split, read_with
from stgcnlib.pipeline.fields import Number, Section, Whole

__all__ = [
    "Activations", "Augment", "Compute", "Controls", "Dtw", "Explain", "Geometry", "Graph", "LOCAL", "Network",
    "Noise", "Sample", "Sensitivity", "Source", "Statistics", "Training", "Transfer",
]  # fmt: skip

LOCAL = "local"
"""As `compute.scheduler`: no scheduler, but processes of this machine."""
Scalar = bool | int | float | str | None


class Augment(Section):
    """Fields of `stgcnlib.training.augment.Augmentation`; `None` keeps the default there."""

    crop: Number | None = Field(None, gt=0, le=1)
    tempo: Number | None = Field(None, ge=1)
    rotation: Number | None = Field(None, ge=0)
    tilt: Number | None = Field(None, ge=0)
    scale: Number | None = Field(None, ge=0, lt=1)
    jitter: Number | None = Field(None, ge=0)
    mirror: bool | None = None


class Training(Section):
    """Arguments of `stgcnlib.fit`; `None` keeps the default there."""

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

    `seeds` networks are trained, with the study's seed and the next ones; a checkpoint is always one network. `name`
    is one of the zoo, "auto" for the family of the checkpoint, or ``package.module:factory`` for one of your own; its
    module may lie in `folder` (the study file's, if left out). `axes` names the axes of its layers' outputs, as in
    `stgcnlib.record`: for all layers, or by a layer's name or a pattern.
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
    """How features are kept on disk: "float16" takes half the space; page 02 shows how it changes the distances."""

    dtype: Literal["float32", "float16"] = "float32"

    @property
    def rounded(self) -> bool | None:
        """`True` where features are rounded; `None` where they are kept as float32."""
        return True if self.dtype != "float32" else None


class Dtw(Section):
    """Arguments of `stgcnlib.dtw_distances`."""

    reading: Literal["sliding", "frames", "segments"] = "sliding"
    window: Whole = Field(9, ge=1)
    stride: Whole = Field(1, ge=1)
    band: Whole | None = Field(None, ge=0)
    segments: Whole = Field(4, ge=1)
    metric: Literal["euclidean", "sqeuclidean", "cosine"] = "euclidean"
    normalize: Literal["length", "path"] | None = "length"


class Sample(Section):
    """How many of the part's recordings are nodes: give either `per_class` or `nodes`.

    They are drawn by the study's seed. `nodes` is their number in all, in proportion to classes and subjects (else
    blocks), with at least two of each class. `per_class` is the same number for each class, spread evenly over its
    subjects. Where there are fewer recordings, all are taken. The network is still trained and tested on whole parts.
    """

    per_class: Whole | None = Field(None, ge=2)
    nodes: Whole | None = Field(None, ge=10)

    @model_validator(mode="after")
    def _one(self) -> Sample:
        if (self.per_class is None) == (self.nodes is None):
            given = "none" if self.nodes is None else "both"
            raise ValueError(
                f"give one of per_class and nodes, not {given}; or leave sample out to have all recordings"
            )
        return self


class Graph(Section):
    """DS-Graphs: which recordings are nodes, how many neighbours they have and which, and how edges are weighted.

    `k` candidates per node; `None`: the median number of candidates of a node's own class, or where there are no
    classes the square root of the number of nodes; both within 5 and 50, and no more than every node has.

    `leave_out` is the group whose members are no neighbours of each other, "auto" for subject (else block) where the
    data has it, or null for no group.

    `sample` has only some of the recordings of the `part` as nodes (`None`: all).

    `distances`: "all" computes those of all pairs of recordings, "neighbours" only those to the nearest of each, which
    graphs need; "auto" takes all pairs of up to 2,000 recordings.
    """

    k: Whole | None = Field(None, ge=1)
    sigma: Literal["mean-kth/3", "per-node", "pynnk"] | Number = "mean-kth/3"
    symmetrize: Literal["max", "mean", "mutual", "pynnk"] = "max"
    solver: Literal["exact", "pynnk"] = "exact"
    part: Literal["test", "train", "all"] = "test"
    sample: Sample | None = None
    leave_out: str | None = "auto"
    distances: Literal["auto", "all", "neighbours"] = "auto"


class Geometry(Section):
    """Uncertainty: shuffles of the labels, confidence of the intervals, and what these leave out.

    `resample` is the group whose recordings are left out as a whole, one at a time: "auto" for subject (else block)
    where the data has it, or null for random parts of the recordings.
    """

    permutations: Whole = Field(200, ge=1)
    confidence: Number = Field(0.95, gt=0, lt=1)
    resample: str | None = "auto"


class Controls(Section):
    """What every curve is compared with.

    `untrained` networks have fresh weights, and batch-norm statistics of the training part; `initial` ones have the
    same weights, and batch norm as it was initialised. Each costs the distances of all layers. `baselines` are
    distances without time warping; of more than 2,000 recordings "resampled" is left out.
    """

    untrained: Whole = Field(5, ge=1, le=99)
    initial: Whole = Field(1, ge=0, le=99)
    baselines: tuple[Literal["pooled", "resampled", "duration"], ...] = ("pooled", "resampled", "duration")


class Statistics(Section):
    """Layer statistics: neighbours that vote in k-NN accuracy, inverse penalty of the linear probe."""

    votes: Whole = Field(5, ge=1)
    probe: Number = Field(1.0, gt=0)


class Sensitivity(Section):
    """Other choices, each changed by itself: K, kind of graph, options of DTW, kernel width; layers (`None`: all).

    Each further reading, window and normalization costs all distances of these layers, as much as a network's
    curve; K, kinds and sigmas cost graphs only. Windows are changed where the study's reading is "sliding".
    """

    k: tuple[Annotated[Whole, Field(ge=1)], ...] = (10, 50, 100)
    kinds: tuple[Literal["nnk", "knn"], ...] = Field(("nnk", "knn"), min_length=1)
    readings: tuple[Literal["frames", "sliding", "segments"], ...] = ("frames", "sliding", "segments")
    windows: tuple[Annotated[Whole, Field(ge=1)], ...] = (5, 17)
    normalizations: tuple[Literal["length", "path"] | None, ...] = ("path",)
    sigmas: tuple[Literal["mean-kth/3", "per-node", "pynnk"] | Number, ...] = ("per-node",)
    layers: tuple[str, ...] | None = Field(None, min_length=1)


class Explain(Section):
    """Relevance maps: of which class, for how many recordings, and how they are put to the test.

    `sequences` recordings are tested, by taking away `units` in `steps` steps and comparing with `draws` random
    maps; that costs (layers + draws + 1) * 2 * (steps - 1) forward passes per recording and unit. `maps` chooses how
    the label smoothness of maps is measured: "own" by our definition, "author" as in the first author's script
    (`explain.map_smoothness`).
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


Numbers = tuple[Number, ...]


class Noise(Section):
    """Noise on the test recordings, levels per kind (an empty list leaves a kind out), and networks trained on noise.

    `neighbours` of a noisy recording are searched among the noisy recordings of others, or among their clean ones.
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
    """Where a transfer starts: some classes of the study's data, a checkpoint, or another data set; one of them."""

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
    """Fine-tuning with the first blocks frozen: the source, numbers of frozen blocks (`None`: all), number of seeds."""

    source: Source
    frozen: tuple[Whole, ...] | None = Field(None, min_length=1)
    seeds: Whole = Field(3, ge=1)
    training: Training = Training()


class Compute(Section):
    """Where the work runs; on processors of the same kind, all results are the same numbers.

    `workers` notebooks run at a time (`None`: as many as cores); a notebook that asks for more than `memory_limit`
    GiB fails with a MemoryError instead of bringing the machine down (`None`: no limit; Linux only). `scheduler` is
    "local", or the address or scheduler file of Dask's, whose workers then make the results. `activations`: "keep"
    stores every layer's features on disk; "recompute" records a layer again when it is read, which costs a pass of all
    nodes per layer; "auto" keeps a network's features if they take no more than a third of the free disk.
    """

    device: str = "cpu"
    workers: Whole | None = Field(None, ge=1)
    memory_limit: Number | None = Field(None, gt=0)
    activations: Literal["auto", "keep", "recompute"] = "auto"
    scheduler: str = Field(LOCAL, min_length=1)

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


class Dtw(Section):
    """How two recordings are compared at a layer: windowed dynamic time warping, as in `stgcnlib.dtw_distances`.

    Args:
        reading: what is matched: `sliding` windows of frames, single `frames`, or frames within equal `segments` of
            both recordings.
        window: length of a sliding window, in input frames.
        stride: distance from one sliding window to the next, in frames of the layer.
        band: how far the warping path may leave the diagonal, in items (windows, or input frames) of the shorter
            recording.
        segments: number of parts into which each recording is cut, for the reading `segments`.
        metric: cost of matching two items.
        normalize: what the total cost is divided by: the sum of both lengths, or the cells of the path.
    """

    reading: Literal["sliding", "frames", "segments"] = "sliding"
    window: Whole = Field(9, ge=1)
    stride: Whole = Field(1, ge=1)
    band: Whole | None = Field(None, ge=0)
    segments: Whole = Field(4, ge=1)
    metric: Literal["euclidean", "sqeuclidean", "cosine"] = "euclidean"
    normalize: Literal["length", "path"] | None = "length"


class Sample(Section):
    """How many of the part's recordings are nodes: give either `per_class` or `nodes`.

    They are drawn by the study's seed. Where there are fewer recordings, all are taken. The network is still trained
    and tested on whole parts; noise and transfer are tested on the nodes alone, and say on how many.

    Args:
        per_class: number of nodes of each class, spread evenly over its subjects.
        nodes: number of nodes in all, in proportion to classes and subjects (else blocks), with at least two of each
            class.
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

    Args:
        k: number of candidates of each node; None: the median number of candidates of a node's own class, or without
            classes the square root of the number of nodes; both within 5 and 50, and no more than every node has.
        sigma: width of the Gaussian kernel: a rule, or a number in the unit of the distances.
        symmetrize: how the two directions of an edge are joined: the larger, the mean or the smaller (`mutual`) weight,
            or the published code's rule.
        solver: how NNK weights are solved for: exactly, or as the published code does.
        part: which recordings are nodes: those of the test part, of the training part, or both.
        sample: have only some of the recordings of the part as nodes; None: all.
        leave_out: name of the group whose members are no neighbours of each other; `auto`: subject, else block, where
            the data has it; None: no group.
        distances: compute those of `all` pairs of recordings, or only those to the nearest `neighbours` of each, which
            graphs need; `auto`: all pairs of up to 2,000 recordings.
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

    Args:
        permutations: number of shuffles of the labels, for the smoothness that chance gives.
        confidence: confidence of all intervals, as a share; 0.95 gives 95% intervals.
        resample: name of the group whose recordings intervals leave out as a whole, one at a time; `auto`: subject,
            else block, where the data has it; None: random parts of the recordings.
    """

    permutations: Whole = Field(200, ge=1)
    confidence: Number = Field(0.95, gt=0, lt=1)
    resample: str | None = "auto"


class Controls(Section):
    """What every curve is compared with. Each network of these costs the distances of all layers.

    Args:
        untrained: number of networks with fresh weights and batch-norm statistics of the training part; fewer than 3
            usually leave the comparison with untrained networks undecided.
        initial: number of networks with fresh weights and batch norm as it was initialised.
        baselines: distances without time warping: of means over time (`pooled`), of recordings brought to one length
            (`resampled`; left out of more than 2,000 recordings), of the durations alone.
    """

    untrained: Whole = Field(5, ge=1, le=99)
    initial: Whole = Field(1, ge=0, le=99)
    baselines: tuple[Literal["pooled", "resampled", "duration"], ...] = ("pooled", "resampled", "duration")


class Statistics(Section):
    """Further measures of each layer.

    Args:
        votes: number of neighbours that vote in the k-NN accuracy.
        probe: inverse penalty of the linear probe, a logistic regression; a larger number penalises less.
    """

    votes: Whole = Field(5, ge=1)
    probe: Number = Field(1.0, gt=0)


class Sensitivity(Section):
    """Other choices, each changed by itself: K, kind of graph, options of DTW, kernel width.

    Each further reading, window and normalization costs all distances of these layers, as much as a network's
    curve; K, kinds and sigmas cost graphs only.

    Args:
        k: further numbers of candidates per node.
        kinds: kinds of graph: weighted by NNK, or by the kernel alone (`knn`).
        readings: further readings of DTW, as `dtw.reading`.
        windows: further lengths of a window, in input frames; used where the study's reading is `sliding`.
        normalizations: further values of `dtw.normalize`.
        sigmas: further kernel widths, as `graph.sigma`.
        layers: names of the modules that are measured.
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


Numbers = tuple[Number, ...]


class Noise(Section):
    """Noise on the test recordings, levels per kind (an empty list leaves a kind out), and networks trained on noise.

    Args:
        jitter: levels of Gaussian noise on each coordinate, as signal-to-noise ratios in dB; lower is noisier.
        joint_dropout: levels of lost joints, as shares of all joints in all frames; from 0 to below 1.
        frame_dropout: levels of lost frames, as shares; from 0 to below 1.
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


class Compute(Section):
    """Where the work runs; on processors of the same kind, all results are the same numbers.

    Args:
        device: where networks and distances are computed: `cpu`, or a GPU such as `cuda`.
        workers: number of results and notebooks that are made at a time.
        memory_limit: most memory of one process, in GiB; one that asks for more fails with a MemoryError instead of
            stopping the machine. Linux only.
        activations: `keep` stores every layer's features on disk; `recompute` records a layer again when it is read,
            which costs a pass of all nodes per layer; `auto` keeps a network's features if they take no more than a
            third of the free disk.
        scheduler: `local`, or the address or scheduler file of a Dask scheduler, whose workers then make the results.
    """

    device: str = "cpu"
    workers: Whole | None = Field(None, ge=1)
    memory_limit: Number | None = Field(None, gt=0)
    activations: Literal["auto", "keep", "recompute"] = "auto"
    scheduler: str = Field(LOCAL, min_length=1)

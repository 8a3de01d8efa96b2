"""Sections on distances, DS-Graphs and their geometry, and what curves are compared with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stgcnlib.pipeline.fields import Number, Section, Whole

__all__ = ["Controls", "Dtw", "Geometry", "Graph", "Sample", "Sensitivity", "Statistics"]


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

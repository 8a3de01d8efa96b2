"""Facts: the sizes that decide what a study costs, found from its recordings and from a pass of a few of them.

Of a folder with very many files, only some are read: drawn at random, they stand for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.artefacts import Artefacts, Line, Onlooker
from stgcnlib.errors import about
from stgcnlib.pipeline.estimate.longest import to_measure
from stgcnlib.pipeline.study import Study
from stgcnlib.sequences import SequenceSet
from stgcnlib.temporary import TemporaryFolder

__all__ = ["Facts", "Layer", "Part", "few_of", "find_facts", "looked_at"]

MOST_FILES = 2000
"""Most files that are read of a folder."""


@dataclass(frozen=True, eq=False)
class Part:
    """Recordings by their sizes. Attributes: lengths, (n,) frames; people, (n,) how many are in each."""

    lengths: NDArray[np.int64]
    people: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def frames(self) -> int:
        """Frames of all people together: what a network sees."""
        return int((self.lengths * self.people).sum())

    @property
    def longest(self) -> int:
        """Frames of all people of the recording with most; 0 without recordings."""
        return int((self.lengths * self.people).max(initial=0))

    def passes(self, frames: int) -> int:
        """Batches that `networks.batches.equal_batches` makes of them, with at most so many frames each."""
        alike, many = np.unique(np.stack([self.people, self.lengths]), axis=1, return_counts=True)
        return int(np.ceil(many / np.maximum(1, frames // alike.prod(axis=0))).sum())


@dataclass(frozen=True)
class Layer:
    """One layer's features of all nodes. Attributes: name; rows, all nodes' frames; width, numbers in a frame."""

    name: str
    rows: int
    width: int

    @property
    def bytes(self) -> int:
        """Bytes of its features as float32."""
        return 4 * self.rows * self.width


@dataclass(frozen=True, eq=False)
class Facts:
    """The sizes of a study.

    Attributes:
        study: the settings.
        nodes, train, test, every: the nodes of the DS-Graphs, the parts, and all recordings.
        layers: the input first.
        k: candidates per node.
        parts: how many parts the jackknife of a curve leaves out, one by one.
        classes, joints, channels: of the recordings; `classes` is 0 where there are none.
        explained: nodes with relevance maps.
        weights: bytes of the network's weights.
        transfer: parts "source", "train" and "test" of the transfer study, where there is one.
        fits: names of its fits.
        read: share of the recordings that was looked at.
        free: bytes that are free on the output's disk; `None`: unknown, counted as enough.
    """

    study: Study
    nodes: Part
    train: Part
    test: Part
    every: Part
    layers: tuple[Layer, ...]
    k: int
    parts: int
    classes: int
    joints: int
    channels: int
    explained: int
    weights: int
    transfer: Mapping[str, Part] = field(default_factory=dict)
    fits: tuple[str, ...] = ()
    read: float = 1.0
    free: int | None = None

    def layer(self, name: str) -> Layer:
        """The layer of a name."""
        return next(layer for layer in self.layers if layer.name == name)

    @property
    def activations(self) -> int:
        """Bytes of all layers' features of the nodes."""
        return sum(layer.bytes for layer in self.layers)


@contextmanager
def looked_at(study: Study, output: Path, line: Line) -> Iterator[tuple[Onlooker, float]]:
    """(its artefacts, share of the recordings) to find facts in; nothing is written into `output`.

    The share is below 1 where the recordings have not been prepared yet and are more than `MOST_FILES` files.
    """
    whole = Onlooker(line, study, output)
    skipped = [] if whole.held(whole.find("prepared")) else _skipped(study)
    if not skipped:
        yield whole, 1.0
        return
    names, share = skipped
    with TemporaryFolder() as scratch:
        file = scratch / "skipped.txt"
        already = "" if study.data.skip is None else Path(study.data.skip).read_text(encoding="utf-8")
        file.write_text("\n".join([already, *names]), encoding="utf-8")
        data = study.data.model_copy(update={"skip": str(file)})
        yield Onlooker(line, study.model_copy(update={"data": data}), scratch), share


def find_facts(look: Artefacts, study: Study, share: float = 1.0) -> Facts:
    """The sizes of a study.

    Args:
        look: artefacts of the study, or of one with a part of its recordings.
        study: the settings.
        share: of the recordings that are in `look`.
    """
    from stgcnlib.activations import record
    from stgcnlib.activations.passes import kept_people

    nodes, (train, test), every = look["nodes"], look["parts"], look["sequences"]
    parts = {name: _part(data, share) for name, data in
             {"train": train, "test": test, "every": every}.items()}  # fmt: skip
    parts["nodes"] = _part(nodes, share, most=_sampled(study, nodes))
    network = look["network/initial"]
    few = to_measure(study, nodes).select(few_of(nodes, 4))
    with TemporaryFolder() as scratch:
        store = record(
            network, few, layers=study.layers, axes=study.network.axes, store=scratch / "few.zarr",
            people=kept_people(nodes, "auto"), progress=False,
        )  # fmt: skip
        layers = tuple(
            Layer(name, int(np.ceil(parts["nodes"].lengths / store[name].temporal_stride).sum()), int(width))
            for name in store.layers
            for width in [store[name].features.shape[1]]
        )
    grouping = look["grouping"]
    transfer, fits = _transfer(look, study, network, share)
    return Facts(
        study, parts["nodes"], parts["train"], parts["test"], parts["every"], layers=layers,
        k=_k(look, study, len(parts["nodes"])), parts=_parts(grouping),
        classes=len(nodes.class_names), joints=len(nodes.layout), channels=nodes.channels,
        explained=len(look["explained"]),
        weights=sum(value.numel() * value.element_size() for value in network.state_dict().values()),
        transfer=transfer, fits=fits, read=share,
    )  # fmt: skip


def few_of(data: SequenceSet, count: int) -> NDArray[np.int64]:
    """Indices of about `count` recordings: shortest, longest, with most people, and others spread over the set."""
    special = [data.lengths.argmin(), data.lengths.argmax(), data.people_counts.argmax()]
    spread = np.linspace(0, len(data) - 1, min(count, len(data))).round().astype(np.int64)
    return np.unique(np.concatenate([np.asarray(special, dtype=np.int64), spread]))


def _sampled(study: Study, nodes: SequenceSet) -> int | None:
    """Most nodes that `graph.sample` allows; `None` without a sample."""
    sample = study.graph.sample
    if sample is None:
        return None
    return sample.nodes or (sample.per_class or 1) * max(1, len(np.unique(nodes.labels)))


def _part(data: SequenceSet | None, share: float, *, most: int | None = None) -> Part:
    """The sizes of a part, repeated up to its size in the whole set; empty where there is no such part."""
    if data is None:
        return Part(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    count = round(len(data) / share)
    count = count if most is None else min(count, max(most, len(data)))
    return Part(np.resize(data.lengths, count), np.resize(data.people_counts, count))


def _k(look: Artefacts, study: Study, nodes: int) -> int:
    from stgcnlib.geometry.floor import MOST_K

    chosen = int(look["graph-k"].k)
    if study.graph.k is not None or len(look["nodes"]) == nodes:
        return chosen
    return min(MOST_K, round(chosen * nodes / len(look["nodes"])))


def _parts(grouping: Any) -> int:
    from stgcnlib.geometry.uncertainty import deletion_groups
    from stgcnlib.groups import resampled_groups

    drawn = resampled_groups(grouping.resample, grouping.groups)
    if drawn is None:
        return MOST_PARTS
    return int(deletion_groups(len(drawn), groups=drawn).max()) + 1


MOST_PARTS = 20
"""Parts of a jackknife without groups, as in `deletion_groups`."""


def _transfer(look: Artefacts, study: Study, network: Any, share: float) -> tuple[dict[str, Part], tuple[str, ...]]:
    if study.transfer is None:
        return {}, ()
    from stgcnlib.pipeline.line.data import parts_of
    from stgcnlib.pipeline.line.transfer import name_fits
    from stgcnlib.studies import split_classes
    from stgcnlib.studies.transfer_plan import plan_fits

    chosen = study.transfer
    sources = study.network.seeds if chosen.source.checkpoint is None else 1
    fits = tuple(name_fits(plan_fits(network, chosen.frozen, chosen.seeds, sources=sources)))
    train, test = look["transfer-target"]
    source = look["sequences"]
    if chosen.source.classes is not None:
        with about("transfer.source.classes", "split_classes"):
            source = split_classes(source, chosen.source.classes)[0]
    elif chosen.source.path is not None:
        source = look["transfer-other"]
    parts = {"source": parts_of(source, study.data.split)[0], "train": train, "test": test}
    return {name: _part(data, share) for name, data in parts.items()}, fits


def _skipped(study: Study) -> tuple[list[str], float] | list[Any]:
    """(names of the files that are not read, share of those that are); empty where all are."""
    source = Path(study.data.path)
    if not source.is_dir():
        return []
    files = [file for file in source.rglob("*") if file.is_file() and not file.name.startswith(".")]
    if len(files) <= MOST_FILES:
        return []
    left = np.random.default_rng(0).permutation(len(files))[MOST_FILES:]
    return [files[i].stem for i in sorted(left.tolist())], MOST_FILES / len(files)

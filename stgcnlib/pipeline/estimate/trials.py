"""Trials: short measurements on this machine of the steps of a study, in processor seconds of one thread.

Processor seconds, because other work on the machine does not lengthen them much.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from stgcnlib.artefacts import Artefacts
from stgcnlib.pipeline.estimate.facts import Facts, Layer, few_of
from stgcnlib.pipeline.estimate.longest import to_measure
from stgcnlib.pipeline.study import Study
from stgcnlib.sequences import SequenceSet
from stgcnlib.temporary import TemporaryFolder
from stgcnlib.threads import limit_threads

__all__ = ["Passes", "Units", "measure_units"]

RECORDED = 32
"""Recordings that are recorded for the trials."""
COMPARED = 96
"""Recordings whose distances are measured."""
FEWEST = 8
REFERENCE = 0.052
"""Seconds of `_loop` on the machine on which the seconds of `costs` were measured."""
NODES = 200


@dataclass(frozen=True)
class Passes:
    """Time through a network. Attributes: each, seconds per batch; frame, seconds per frame of one person."""

    each: float
    frame: float

    def seconds(self, passes: float, frames: float) -> float:
        """Seconds of `passes` batches with `frames` frames in all."""
        return self.each * passes + self.frame * frames


@dataclass(frozen=True)
class Units:
    """Processor seconds of one thread.

    Attributes:
        read: of reading and preparing one recording; 0 where they are prepared.
        record: of recording all layers.
        forward: of a pass that keeps nothing.
        train: of one recording in one epoch; 0 where nothing is trained.
        pairs: layer -> of one distance.
        node: of the NNK problem of one node.
        cam: of the relevance maps of one recording.
        speed: how many times longer than on the reference machine everything else takes.
    """

    read: float
    record: Passes
    forward: Passes
    train: float
    pairs: Mapping[str, float] = field(default_factory=dict)
    node: float = 0.0
    cam: float = 0.0
    speed: float = 1.0

    @classmethod
    def usual(cls, facts: Facts) -> Units:
        """The usual units, without a measurement here: from sizes and constants that were measured on one machine."""
        per_frame = facts.activations / max(1, facts.nodes.frames)
        frame = 1.1e-8 * per_frame
        pairs = {}
        for layer in facts.layers:
            cells = (layer.rows / len(facts.nodes)) ** 2
            pairs[layer.name] = cells * (1e-8 + 1e-11 * layer.width) + 5e-6
        recording = frame * facts.nodes.frames / len(facts.nodes)
        return cls(
            read=0.003, record=Passes(0.004, frame), forward=Passes(0.003, 0.6 * frame), train=1.1 * recording,
            pairs=pairs, node=1.7e-5, cam=0.005 + 2 * recording,
        )  # fmt: skip


def measure_units(
    look: Artefacts, facts: Facts, *, trains: bool, tell: Callable[[str], None] = lambda text: None
) -> Units:
    """Measure them; some seconds of work, in this process on one thread.

    Args:
        look: artefacts of the study.
        facts: its sizes.
        trains: whether anything is to be trained.
        tell: called with what is measured next.
    """
    from stgcnlib.activations import record
    from stgcnlib.activations.passes import kept_people

    study, whole = facts.study, look["nodes"]
    nodes = to_measure(study, whole)
    longer = float(whole.lengths.mean() / nodes.lengths.mean())
    limit_threads(1)
    tell("speed of this machine")
    speed = _seconds(_loop) / REFERENCE
    read = 0.0 if look.held(look.find("prepared")) else _reading(look)
    network = look["network/initial"]
    some = nodes.select(few_of(nodes, RECORDED))
    alike = nodes.select([int(np.argsort(nodes.lengths, kind="stable")[len(nodes) // 2])] * RECORDED)
    people, axes = kept_people(whole, "auto"), study.network.axes
    with TemporaryFolder() as scratch:

        def recorded(data: SequenceSet, name: str) -> Any:
            place = scratch / f"{name}.zarr"
            return record(
                network, data, layers=study.layers, axes=axes, store=place, people=people, progress=False,
                device=study.compute.device,
            )  # fmt: skip

        tell("the network")
        recorded(some.select(few_of(some, 2)), "first")
        taken = _passes(recorded, some, alike)
        tell("distances")
        store = recorded(nodes.select(few_of(nodes, COMPARED)), "compared")
        pairs = {layer.name: _pairs(store[layer.name], study) for layer in _shapes(facts)}
    tell("graphs and relevance maps")
    return Units(
        read=read,
        record=taken,
        forward=_passes(lambda data, _: _forward(network, data, study.compute.device), some, alike),
        train=_training(look, study, tell) if trains else 0.0,
        pairs={layer.name: longer**2 * pairs[_like(layer, facts).name] for layer in facts.layers},
        node=_node(facts),
        cam=longer * _cam(network, some, facts),
        speed=speed,
    )


def _seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _loop() -> float:
    """A fixed amount of work of the interpreter and with small arrays."""
    total, row = 0.0, np.arange(64.0)
    for i in range(30_000):
        total += float((row * i).sum())
    return total


def _reading(look: Artefacts) -> float:
    """Seconds to read and prepare a recording."""
    look.release()
    return _seconds(lambda: look["prepared"]) / len(look["prepared"])


def _passes(work: Callable[[SequenceSet, str], Any], some: SequenceSet, alike: SequenceSet) -> Passes:
    """Fitted to recordings of many lengths, which take nearly a batch each, and to equal ones, which share batches."""
    from stgcnlib.activations.passes import _BATCH_FRAMES
    from stgcnlib.pipeline.estimate.facts import Part

    rows, taken = [], []
    for name, data in (("some", some), ("alike", alike)):
        part = Part(data.lengths, data.people_counts)
        rows.append([part.passes(_BATCH_FRAMES), part.frames])
        taken.append(min(_seconds(partial(work, data, f"{name}{n}")) for n in range(2)))
    (few, frames), (fewer, same) = rows
    frame = (taken[1] * few - taken[0] * fewer) / max(1, same * few - frames * fewer)
    frame = float(np.clip(frame, 0.3 * taken[1] / same, taken[1] / same))
    return Passes(max(0.0, (taken[0] - frame * frames) / few), frame)


def _forward(network: Any, data: SequenceSet, device: str) -> None:
    from stgcnlib.activations.observe import observing
    from stgcnlib.activations.passes import _BATCH_FRAMES
    from stgcnlib.networks.batches import equal_batches, network_batch

    with observing(network, [], device=device) as forward:
        for batch in equal_batches(data, _BATCH_FRAMES):
            forward(network_batch([data.people(i) for i in batch]))


def _shapes(facts: Facts) -> list[Layer]:
    """One layer of each shape."""
    return list({(layer.rows, layer.width): layer for layer in reversed(facts.layers)}.values())


def _like(layer: Layer, facts: Facts) -> Layer:
    return next(each for each in _shapes(facts) if (each.rows, each.width) == (layer.rows, layer.width))


def _pairs(activations: Any, study: Study) -> float:
    """Seconds of one distance of a layer, without the work that all distances share."""
    from stgcnlib.dtw import dtw_distances

    sequences, dtw = list(activations), study.dtw.model_dump()

    def taken(count: int) -> float:
        chosen = sequences[:: len(sequences) // count][:count]
        return _seconds(lambda: dtw_distances(chosen, dtw=dtw, progress=False))

    many, few = len(sequences), len(sequences) // 3
    if few < FEWEST:
        taken(many)  # loads kernels
        return taken(many) / max(1, many * (many - 1) / 2)
    taken(few)
    first, second = (min(taken(count), taken(count)) for count in (few, many))
    apart = (many * (many - 1) - few * (few - 1)) / 2
    return max((second - first) / apart, 0.3 * second / (many * many / 2))


def _node(facts: Facts) -> float:
    from stgcnlib.dsgraph import nnk_graph

    count = max(NODES, facts.k + 10)
    points = np.random.default_rng(0).normal(size=(count, 12))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    nnk_graph(distances[: facts.k + 2, : facts.k + 2], k=facts.k)
    graph = facts.study.graph
    return _seconds(lambda: nnk_graph(distances, k=facts.k, solver=graph.solver, sigma=graph.sigma)) / count


def _cam(network: Any, some: SequenceSet, facts: Facts) -> float:
    from stgcnlib.explain import grad_cam_set

    study = facts.study
    names = [layer.name for layer in facts.layers if layer.name != "input"]

    def explain(data: SequenceSet) -> None:
        grad_cam_set(network, data, layers=names, axes=study.network.axes, device=study.compute.device)

    explain(some.select([0]))
    few = some.select(few_of(some, 4))
    return _seconds(lambda: explain(few)) / len(few)


def _training(look: Artefacts, study: Study, tell: Callable[[str], None]) -> float:
    """Seconds of one recording in one epoch, as the section `network.training` says."""
    from stgcnlib.networks.copies import copied
    from stgcnlib.training import fit

    tell("training")
    whole = look["parts"][0]
    train = to_measure(study, whole)
    chosen = study.network.training.model_dump(exclude_none=True) | {"epochs": 1, "threads": 1}
    chosen.pop("patience", None)
    size = int(chosen.get("batch_size", 16))

    def taken(batches: int) -> float:
        few = train.select(np.linspace(0, len(train) - 1, size * batches).round().astype(np.int64))
        network = copied(look["network/initial"])
        return _seconds(lambda: fit(network, few, None, device=study.compute.device, progress=False, **chosen))

    taken(1)
    longer = float(whole.lengths.mean() / train.lengths.mean())
    return longer * max((taken(3) - taken(1)) / (2 * size), 1e-6)

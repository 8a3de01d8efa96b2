"""What recordings, networks, relevance maps and transfer take."""

from __future__ import annotations

from collections.abc import Callable

from stgcnlib.leakage.search import MOST_PAIRS
from stgcnlib.pipeline.estimate.cost import (
    BATCH_FRAMES,
    HASHED,
    MANY,
    MB,
    Axes,
    Cost,
    activations_on_disk,
    coordinates,
    forward_seconds,
    kept_by_passes,
    recorded_again,
    stored_size,
)
from stgcnlib.pipeline.estimate.facts import Facts
from stgcnlib.pipeline.estimate.trials import Units
from stgcnlib.pipeline.sections.networks import Training
from stgcnlib.threads import TRAINING_THREADS

__all__ = ["evaluated", "explained", "fields", "fitted", "leaks", "maps_tested", "read", "recorded",
           "recording_seconds", "repeated", "trained"]  # fmt: skip

KEPT_BY_TRAINING, KEPT_BY_MAPS = 400 * MB, 700 * MB
"""Memory that torch keeps after batches of very many lengths, as measured; see `process_variables`."""
TESTED = 10
"""How often a training evaluates the test part."""
EPOCHS, TRANSFER_EPOCHS = 60, 15
"""Epochs of `stgcnlib.fit` and of a transfer study, where the study file gives none."""
MAP_FRAMES, MAP_THREADS = 1024, 4
REMOVED, COMPARED = 1.3, 1.5
"""Time of passes with the removal of joints, over passes alone; and of maps with their comparison, over maps alone."""


def read(f: Facts, u: Units, axes: Axes) -> Cost:
    """The recordings, prepared."""
    size = coordinates(f, f.every)
    return Cost(u.read * len(f.every), memory=3.2 * size, disk=size)


def leaks(f: Facts, u: Units, axes: Axes) -> Cost:
    """Distances of all pairs of a training and a test recording, unless they are too many."""
    pairs = len(f.train) * len(f.test)
    compared = pairs if pairs <= MOST_PAIRS else 0
    memory = (compared > 0) * 1.5 * coordinates(f, f.every) + 8 * compared
    return Cost(0.6 * u.speed + u.pairs["input"] * compared, memory, 0.01 * MB, threads=MANY)


def repeated(f: Facts, u: Units, axes: Axes) -> Cost:
    """A checksum of each recording."""
    return Cost(1e-4 * u.speed * len(f.every), 20 * MB, 0.01 * MB)


def trained(part: str, *, tested: bool) -> Callable[[Facts, Units, Axes], Cost]:
    """A training on the study's training part ("train") or on that of the transfer's source ("source")."""

    def training(f: Facts, u: Units, axes: Axes) -> Cost:
        train = f.transfer["source"] if part == "source" else f.train
        epochs = f.study.network.training.epochs or EPOCHS
        seconds = u.train * len(train) * epochs + 2 * u.speed + tested * TESTED * forward_seconds(u, f.test)
        memory = 12 * f.weights + _batch(f)
        keeps = {"training": KEPT_BY_TRAINING, **kept_by_passes(f)}
        return Cost(
            seconds,
            memory,
            1.05 * f.weights + 0.01 * MB,
            scratch=3 * f.weights,
            keeps=keeps,
            threads=threads_of(f.study.network.training),
        )

    return training


def threads_of(training: Training) -> int:
    """On how many threads a training runs."""
    return training.threads or TRAINING_THREADS


def _batch(f: Facts) -> float:
    """Bytes that a network keeps of a batch for the backward pass: several arrays per layer."""
    return 12.0 * f.activations / len(f.nodes) * (f.study.network.training.batch_size or 16)


def evaluated(f: Facts, u: Units, axes: Axes) -> Cost:
    """The test part through the network: a batch on each thread, with a copy of the weights."""
    disk = 4 * len(f.test) * (f.classes + 3)
    threads = MANY if f.test.longest <= BATCH_FRAMES else 1
    return Cost(forward_seconds(u, f.test), 50 * MB + f.weights, disk, keeps=kept_by_passes(f), threads=threads)


def recorded(f: Facts, u: Units, axes: Axes) -> Cost:
    """Every layer's features of the nodes: in scratch files in the order of batches, then one layer after the other.

    Where features are not kept, only the recordings and the weights are, and one recording of each length passes.
    """
    size, largest = activations_on_disk(f), max(layer.bytes for layer in f.layers) * stored_size(f) / 4
    again, few = recorded_again(f), len(set(f.nodes.lengths.tolist())) / len(f.nodes)
    seconds = recording_seconds(f, u) * (1 - again + again * few)
    left = (1 - again) * size + again * (f.weights + coordinates(f, f.nodes))
    if axes.get("network", "").startswith("untrained"):
        seconds += forward_seconds(u, f.train)  # for its batch-norm statistics
    return Cost(seconds, 100 * MB + largest, left, scratch=largest, keeps=kept_by_passes(f))


def recording_seconds(f: Facts, u: Units) -> float:
    """Seconds of recording and keeping every layer's features of the nodes."""
    return u.record.seconds(f.nodes.passes(BATCH_FRAMES), f.nodes.frames) + activations_on_disk(f) / HASHED


def explained(f: Facts, u: Units, axes: Axes) -> Cost:
    """Relevance maps."""
    size = 4.0 * f.explained * f.joints * float(f.nodes.lengths.mean()) * (len(f.layers) - 1)
    return Cost(u.cam * f.explained, 150 * MB, 0.6 * size, keeps=kept_by_passes(f))


def fields(f: Facts, u: Units, axes: Axes) -> Cost:
    """Receptive fields: a backward pass from each layer, of two recordings and of a copy of them for each joint."""
    from stgcnlib.explain.fields import FRAMES, JOINT_CELLS, JOINT_FRAMES  # which imports torch

    layers = len(f.layers) - 1
    frames = 2.0 * (sum(FRAMES) + JOINT_FRAMES * f.joints)
    passes = 2 * (len(FRAMES) + f.joints * f.joints * JOINT_FRAMES / JOINT_CELLS)
    held = 6.0 * f.activations / max(1, f.nodes.frames) * max(FRAMES) / max(1, layers)
    return Cost((2 + layers) * u.forward.seconds(passes, frames), 50 * MB + held, 0.1 * MB,
                keeps=kept_by_passes(f))  # fmt: skip


def maps_tested(f: Facts, u: Units, axes: Axes) -> Cost:
    """Passes of bodies with parts taken away; maps of random, disturbed and other networks."""
    tests, layers = f.study.explain, len(f.layers) - 1
    few = min(tests.sequences, f.explained)
    bodies = few * len(tests.units) * (layers + tests.draws + 1) * 2 * (tests.steps - 1)
    frames = bodies * float((f.nodes.lengths * f.nodes.people).mean())
    passes = frames / MAP_FRAMES + few * len(tests.units)
    maps = few * (3 * (layers + 2) + 2 + 3)
    seconds = REMOVED * u.forward.seconds(passes, frames) + COMPARED * u.cam * maps
    memory = MAP_THREADS * (6.0 * f.activations / max(1, f.nodes.frames) * MAP_FRAMES / max(1, layers) + f.weights)
    threads = MANY if f.nodes.longest <= MAP_FRAMES else 1
    return Cost(seconds, memory, 0.1 * MB, keeps={"maps": KEPT_BY_MAPS, **kept_by_passes(f)}, threads=threads)


def fitted(f: Facts, u: Units, axes: Axes) -> Cost:
    """One training of a transfer study, or its probe; frozen blocks have no backward pass."""
    transfer = f.study.transfer
    assert transfer is not None
    method, _, rest = axes.get("fit", "frozen, 0 blocks").partition(", ")
    train, test = f.transfer["train"], f.transfer["test"]
    seconds = forward_seconds(u, test) + 0.3 * forward_seconds(u, train) + 1.0 * u.speed
    if method == "linear probe":
        return Cost(seconds + forward_seconds(u, train), 100 * MB, 0.01 * MB, keeps=kept_by_passes(f))
    share = 0.4 + 0.6 * (1 - min(1.0, max(0, int(rest.split()[0])) / max(1, len(f.layers) - 1)))
    seconds += u.train * 0.8 * len(train) * (transfer.training.epochs or TRANSFER_EPOCHS) * share
    memory = 12 * f.weights + _batch(f)
    keeps = {"training": KEPT_BY_TRAINING, **kept_by_passes(f)}
    return Cost(seconds, memory, 0.01 * MB, keeps=keeps, threads=threads_of(transfer.training))

"""What distances, DS-Graphs and everything that is read off them take."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

from stgcnlib.dtw.set_costs import WIDE_BYTES
from stgcnlib.dtw.source import RESIDENT_BYTES
from stgcnlib.geometry.planes import MOST_BY_DISTANCES
from stgcnlib.pipeline.estimate.cost import (
    BATCH_FRAMES,
    HASHED,
    MANY,
    MB,
    REACH,
    Axes,
    Cost,
    activations_on_disk,
    coordinates,
    forward_seconds,
    graph_bytes,
    kept_by_passes,
    known_pairs,
    matrices,
    recorded_again,
    stored_size,
)
from stgcnlib.pipeline.estimate.facts import Facts, Layer
from stgcnlib.pipeline.estimate.network_costs import recording_seconds
from stgcnlib.pipeline.estimate.trials import Units

__all__ = ["all_pairs", "baselines", "curve", "density", "findings", "geometry", "neighbours", "noise", "noise_level",
           "noise_trained_level", "planes", "sensitivity", "statistics", "transfer_geometry"]  # fmt: skip

CURVES = 2
"""A trained network has its graphs twice: among recordings of others, and among all."""


def all_pairs(f: Facts, u: Units, axes: Axes) -> Cost:
    """Distances of all pairs of nodes at a layer; almost nothing where the nearest are searched instead."""
    return _reading(_pairs(f, u, _layer(axes)), f, u) if _takes_all(f) else NOTHING


def neighbours(f: Facts, u: Units, axes: Axes) -> Cost:
    """The nearest of each node at a layer; almost nothing where all pairs are known."""
    if _takes_all(f):
        return replace(NOTHING, memory=4 * len(f.nodes) ** 2)
    return _reading(_search(f, u, _layer(axes), _curves(axes.get("network", ""))), f, u)


def _reading(cost: Cost, f: Facts, u: Units, layers: int = 1) -> Cost:
    """A cost, plus that of recording layers again to read them: a pass for each, and one layer on disk at a time."""
    again = recorded_again(f)
    if not again:
        return cost
    seconds = layers * again * (forward_seconds(u, f.nodes) + activations_on_disk(f) / len(f.layers) / HASHED)
    largest = max(layer.bytes for layer in f.layers) * stored_size(f) / 4
    return replace(cost, seconds=cost.seconds + seconds, scratch=max(cost.scratch, largest))


NOTHING = Cost(seconds=0.02, disk=1500)


def _layer(axes: Axes) -> str:
    return axes.get("layer") or axes.get("swept") or "input"


def _takes_all(f: Facts) -> bool:
    return known_pairs(f) == len(f.nodes) ** 2


def _pairs(f: Facts, u: Units, name: str) -> Cost:
    layer, count = f.layer(name), len(f.nodes)
    seconds = u.pairs[name] * count * (count - 1) / 2 + 1.5 * layer.bytes / HASHED + 0.05 * u.speed
    memory = READ * layer.bytes + 12 * count**2
    return Cost(seconds, memory, 4 * count**2 + 800, temporary=_files(layer), threads=MANY)


READ = 2.0
"""Memory of a layer's features while distances are computed, over their size: raw and centred features."""


def _files(layer: Layer) -> float:
    """Bytes of the temporary files in which large features lie meanwhile."""
    from stgcnlib.dtw.frames import SCRATCH_BYTES

    return READ * layer.bytes if layer.bytes > SCRATCH_BYTES else 0.0


def _search(f: Facts, u: Units, name: str, tables: int) -> Cost:
    """Lower bounds of all pairs, and distances of those that the bounds do not exclude."""
    layer, count = f.layer(name), len(f.nodes)
    left = min(count**2 / 2, LEFT * REACH * f.k * count)
    bound = min(u.pairs[name], u.speed * (BOUND + BOUND_CELL * (layer.rows / count) ** 2))
    seconds = tables * (bound * count**2 / 2 + 0.6 * u.pairs[name] * left) + 3 * layer.bytes / HASHED
    memory = READ * layer.bytes if layer.bytes < RESIDENT_BYTES else 2 * WIDE_BYTES
    memory += 2 * 4 * min(SHORT, layer.width) * layer.rows + 40 * left * tables
    return Cost(seconds, memory, tables * (12 * left + 12 * REACH * f.k * count), threads=MANY)


SHORT = 128
"""Coordinates of the short frames that a search holds of all nodes."""
LEFT = 1.6
"""Pairs that the bounds do not exclude, over the neighbours searched for; measured on layers of UTD-MHAD."""
BOUND, BOUND_CELL = 1.5e-6, 2.5e-9
"""Seconds of a bound of 64 coordinates, and for each cell of its recursion."""


def _distances(f: Facts, u: Units, name: str) -> Cost:
    return _pairs(f, u, name) if _takes_all(f) else _search(f, u, name, 1)


def _graphs(f: Facts, u: Units) -> float:
    """Seconds of one layer's graph, made once and once without each part of the jackknife."""
    each = 6e-9 if _takes_all(f) else 5e-8
    return (1 + f.parts) * (u.node * len(f.nodes) + each * u.speed * known_pairs(f))


def planes(f: Facts, u: Units, axes: Axes) -> Cost:
    """Places of the nodes in the plane."""
    count, layers = len(f.nodes), len(f.layers)
    each = 0.01 + (3e-7 * count**2 if _takes_all(f) and count <= MOST_BY_DISTANCES else 1e-3 * count)
    return Cost(u.speed * layers * each, matrices(f) + 32 * known_pairs(f), 8 * layers * count)


def curve(f: Facts, u: Units, axes: Axes) -> Cost:
    """Graphs of all layers of a network, and shuffled labels."""
    count, layers = len(f.nodes), len(f.layers)
    null = u.speed * layers * f.study.geometry.permutations * 2e-8 * count * f.k
    curves = _curves(axes.get("network", ""))
    seconds = curves * (layers * _graphs(f, u) + null) + 0.1 * u.speed
    return Cost(seconds, matrices(f) + 24 * known_pairs(f), graph_bytes(f) * curves)


def _curves(network: str) -> int:
    return CURVES if network.startswith("trained") else 1


def geometry(f: Facts, u: Units, axes: Axes) -> Cost:
    """The curves of all networks together."""
    networks = f.study.controls.untrained + f.study.controls.initial + CURVES * f.study.network.seeds
    size = graph_bytes(f) * networks
    return Cost(u.speed * (0.05 * networks + 2e-8 * size), 4 * size, size)


def baselines(f: Facts, u: Units, axes: Axes) -> Cost:
    """Curves by distances without warping."""
    count, layers = len(f.nodes), len(f.layers)
    each = 0.02 * u.speed + 4 * u.node * count + 5e-7 * u.speed * known_pairs(f)
    seconds = len(f.study.controls.baselines) * layers * each + 1.5e-9 * f.activations * u.speed
    cost = Cost(seconds, 2 * max(layer.bytes for layer in f.layers) + 32 * known_pairs(f), 0.01 * MB)
    return _reading(cost, f, u, layers)


def statistics(f: Facts, u: Units, axes: Axes) -> Cost:
    """Of every layer of two networks, and of every pair of layers."""
    layers = len(f.layers)
    seconds = u.speed * 2 * layers * (0.12 + 2.4e-6 * known_pairs(f)) + _probes(f, u)
    memory = 2 * matrices(f) + 16 * layers * known_pairs(f) + max(layer.bytes for layer in f.layers)
    cost = Cost(seconds, memory, 0.04 * MB, threads=MANY)
    return _reading(cost, f, u, 2 * layers)


def _probes(f: Facts, u: Units) -> float:
    """Seconds of the linear probes of all layers of two networks, on one thread."""
    from stgcnlib.geometry.readout import FEWER_FOLDS
    from stgcnlib.geometry.shortages import MOST

    count = min(len(f.nodes), MOST)
    coordinates = sum(min(layer.width, count) for layer in f.layers)
    return u.speed * FEWER_FOLDS * sum(PROBES) * count * coordinates * max(1, f.classes)


PROBES = 1.1e-7, 2e-8
"""Seconds of a fold of a probe, for each recording, coordinate and class: of a trained network, which takes some 900
steps, and of an untrained one. Measured on 1,800 recordings of 60 classes."""


def findings(f: Facts, u: Units, axes: Axes) -> Cost:
    """Classes and single recordings."""
    count, layers = len(f.nodes), len(f.layers)
    return Cost(
        u.speed * (0.3 + 6e-7 * layers * known_pairs(f)), matrices(f) + 16 * known_pairs(f), 60 * layers * count
    )


def density(f: Facts, u: Units, axes: Axes) -> Cost:
    """Graphs of parts of the nodes."""
    one = _graphs(f, u) / (1 + f.parts)
    seconds = len(f.layers) * (PARTS_GRAPHS * one + 0.01 * u.speed)
    return Cost(seconds, matrices(f) + 24 * known_pairs(f), 0.02 * MB)


PARTS_GRAPHS = 6
"""Nodes of all partial graphs, over those of the whole graph: a half and a quarter, four times, by two rules of K."""


def sensitivity(f: Facts, u: Units, axes: Axes) -> Cost:
    """Curves with one choice changed at a time."""
    chosen, variants = f.study.sensitivity, _variants(f)
    assert chosen is not None
    swept = len(f.layers) if chosen.layers is None else len(chosen.layers)
    curves = len(chosen.k) + len(chosen.kinds) + len(chosen.sigmas) + variants
    seconds = swept * curves * (2 * _graphs(f, u) + 0.1 * u.speed)
    return Cost(seconds, (variants + 1) * swept * 4 * known_pairs(f) + 24 * known_pairs(f), 0.02 * MB)


def _variants(f: Facts) -> int:
    from stgcnlib.dtw import DTWOptions
    from stgcnlib.geometry.sensitivity import dtw_variants

    chosen = f.study.sensitivity
    assert chosen is not None
    other = {name: getattr(chosen, name) for name in ("readings", "windows", "normalizations")}
    return len(dtw_variants(DTWOptions(**f.study.dtw.model_dump()), **other))


def noise_level(f: Facts, u: Units, axes: Axes) -> Cost:
    """One of the study's networks on noisy nodes."""
    return _level(f, u, clean=axes.get("level") == "clean", known=True)


def noise_trained_level(f: Facts, u: Units, axes: Axes) -> Cost:
    """A network trained on noise; its distances of clean nodes are not known either."""
    return _level(f, u, clean=axes.get("level") == "clean", known=False)


def _level(f: Facts, u: Units, *, clean: bool, known: bool) -> Cost:
    chosen, count = f.study.noise, len(f.nodes)
    assert chosen is not None
    wanted = ("input", *(chosen.layers or ("*",)))
    layers = [layer for layer in f.layers if any(fnmatchcase(layer.name, pattern) for pattern in wanted)]
    stores = 1 if clean or chosen.neighbours == "noisy" else 2
    size = sum(layer.bytes for layer in layers)
    once = u.record.seconds(f.nodes.passes(BATCH_FRAMES), f.nodes.frames) * (0.5 + 0.5 * size / f.activations)
    compared = 0 if clean and known else 2 * stores - 1
    pairs = sum(_distances(f, u, layer.name).seconds for layer in layers)
    seconds = stores * once + compared * pairs + len(layers) * _graphs(f, u) + 0.15 * u.speed
    memory = 100 * MB + READ * max(layer.bytes for layer in layers) + 28 * known_pairs(f) + 2 * coordinates(f, f.nodes)
    return Cost(seconds, memory, 100 * count, temporary=1.2 * stores * size, keeps=kept_by_passes(f), threads=MANY)


def noise(f: Facts, u: Units, axes: Axes) -> Cost:
    """The tables of all levels."""
    return Cost(u.speed * (0.3 + 6e-3 * len(f.nodes)), matrices(f), 1500 * len(f.nodes))


def transfer_geometry(f: Facts, u: Units, axes: Axes) -> Cost:
    """Graphs of the target's test part at all layers of the source networks."""
    share = len(f.transfer["test"]) / len(f.nodes)
    networks = f.study.network.seeds
    each = recording_seconds(f, u) * share
    each += sum(_distances(f, u, layer.name).seconds for layer in f.layers) * share**2 + 1.0
    size, disk = activations_on_disk(f) * share, CURVES * networks * graph_bytes(f) * share
    memory = 100 * MB + READ * size / len(f.layers)
    return Cost(networks * each, memory, disk, temporary=size, keeps=kept_by_passes(f), threads=MANY)


def rounding(f: Facts, u: Units, axes: Axes) -> Cost:
    """A few nodes' distances from exact and from rounded features."""
    share = min(1.0, FEW / len(f.nodes))
    seconds = u.record.seconds(FEW, share * f.nodes.frames) + sum(u.pairs.values()) * FEW**2 + 0.5 * u.speed
    return Cost(seconds, 100 * MB + 3 * share * f.activations, 0.01 * MB, keeps=kept_by_passes(f), threads=MANY)


FEW = 40
"""Nodes that show what rounding does."""

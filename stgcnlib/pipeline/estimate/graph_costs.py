"""What distances, DS-Graphs and everything that is read off them take."""

from __future__ import annotations

from fnmatch import fnmatchcase

from stgcnlib.pipeline.estimate.cost import (
    BATCH_FRAMES,
    HASHED,
    MB,
    NO_AXES,
    Axes,
    Cost,
    activations_on_disk,
    coordinates,
    graph_bytes,
    kept_by_passes,
    matrices,
)
from stgcnlib.pipeline.estimate.facts import Facts
from stgcnlib.pipeline.estimate.network_costs import recorded
from stgcnlib.pipeline.estimate.trials import Units

__all__ = ["baselines", "curve", "density", "distances", "findings", "geometry", "noise", "noise_level",
           "noise_trained_level", "planes", "sensitivity", "statistics", "transfer_geometry"]  # fmt: skip

CURVES = 2
"""A trained network has its graphs twice: among recordings of others, and among all."""


def distances(f: Facts, u: Units, axes: Axes) -> Cost:
    """Of all pairs of nodes at a layer."""
    return _all_pairs(f, u, axes.get("layer") or axes.get("swept") or "input")


def _all_pairs(f: Facts, u: Units, name: str) -> Cost:
    layer, count = f.layer(name), len(f.nodes)
    seconds = u.pairs[name] * count * (count - 1) / 2 + 1.5 * layer.bytes / HASHED + 0.05 * u.speed
    return Cost(seconds, 3 * layer.bytes + 12 * count**2, 4 * count**2 + 128, threads=True)


def _graphs(f: Facts, u: Units) -> float:
    """Seconds of one layer's graph, made once and once without each part of the jackknife."""
    return (1 + f.parts) * (u.node * len(f.nodes) + 2e-8 * u.speed * len(f.nodes) ** 2)


def planes(f: Facts, u: Units, axes: Axes) -> Cost:
    """Places of the nodes in the plane."""
    count, layers = len(f.nodes), len(f.layers)
    return Cost(u.speed * layers * (0.01 + 3e-7 * count**2), matrices(f) + 32 * count**2, 8 * layers * count)


def curve(f: Facts, u: Units, axes: Axes) -> Cost:
    """Graphs of all layers of a network, and shuffled labels."""
    count, layers = len(f.nodes), len(f.layers)
    null = u.speed * layers * f.study.geometry.permutations * 6e-8 * count * f.k
    curves = _curves(axes.get("network", ""))
    seconds = curves * (layers * _graphs(f, u) + null) + 0.3 * u.speed
    return Cost(seconds, matrices(f) + 24 * count**2, graph_bytes(f) * curves)


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
    each = 0.02 * u.speed + 4 * u.node * count + 5e-7 * u.speed * count**2
    seconds = len(f.study.controls.baselines) * layers * each + 1.5e-9 * f.activations * u.speed
    return Cost(seconds, 2 * max(layer.bytes for layer in f.layers) + 32 * count**2, 0.01 * MB)


def statistics(f: Facts, u: Units, axes: Axes) -> Cost:
    """Of every layer of two networks, and of every pair of layers."""
    count, layers = len(f.nodes), len(f.layers)
    seconds = u.speed * 2 * layers * (0.12 + 2.4e-6 * count**2)
    memory = 2 * matrices(f) + 16 * layers * count**2 + max(layer.bytes for layer in f.layers)
    return Cost(seconds, memory, 0.04 * MB)


def findings(f: Facts, u: Units, axes: Axes) -> Cost:
    """Classes and single recordings."""
    count, layers = len(f.nodes), len(f.layers)
    return Cost(u.speed * (0.3 + 6e-7 * layers * count**2), matrices(f) + 16 * count**2, 60 * layers * count)


def density(f: Facts, u: Units, axes: Axes) -> Cost:
    """Graphs of parts of the nodes."""
    one = _graphs(f, u) / (1 + f.parts)
    seconds = len(f.layers) * (PARTS_GRAPHS * one + 0.1 * u.speed)
    return Cost(seconds, matrices(f) + 24 * len(f.nodes) ** 2, 0.02 * MB)


PARTS_GRAPHS = 6
"""Nodes of all parts together, over those of the whole graph: half and a quarter, four times, for two rules of K."""


def sensitivity(f: Facts, u: Units, axes: Axes) -> Cost:
    """Curves with one choice changed at a time."""
    chosen, count, variants = f.study.sensitivity, len(f.nodes), _variants(f)
    assert chosen is not None
    swept = len(f.layers) if chosen.layers is None else len(chosen.layers)
    curves = len(chosen.k) + len(chosen.kinds) + len(chosen.sigmas) + variants
    seconds = swept * curves * (2 * _graphs(f, u) + 0.1 * u.speed)
    return Cost(seconds, (variants + 1) * swept * 4 * count**2 + 24 * count**2, 0.02 * MB)


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
    once = u.record.seconds(f.nodes.passes(BATCH_FRAMES), f.nodes.frames) * (0.7 + 0.3 * size / f.activations)
    compared = 0 if clean and known else 2 * stores - 1
    pairs = sum(u.pairs[layer.name] for layer in layers) * count**2 / 2
    seconds = stores * once + compared * pairs + len(layers) * _graphs(f, u) + 0.3 * u.speed
    memory = 100 * MB + 3 * max(layer.bytes for layer in layers) + 28 * count**2 + 2 * coordinates(f, f.nodes)
    return Cost(seconds, memory, 100 * count, temporary=1.2 * stores * size, keeps=kept_by_passes(f), threads=True)


def noise(f: Facts, u: Units, axes: Axes) -> Cost:
    """The tables of all levels."""
    return Cost(u.speed * (0.3 + 6e-3 * len(f.nodes)), matrices(f), 1500 * len(f.nodes))


def transfer_geometry(f: Facts, u: Units, axes: Axes) -> Cost:
    """Graphs of the target's test part at all layers of the source networks."""
    share = len(f.transfer["test"]) / len(f.nodes)
    networks = f.study.network.seeds
    each = recorded(f, u, NO_AXES).seconds * share
    each += sum(_all_pairs(f, u, layer.name).seconds for layer in f.layers) * share**2 + 1.0
    size, disk = activations_on_disk(f) * share, CURVES * networks * graph_bytes(f) * share
    memory = 100 * MB + 3 * size / len(f.layers)
    return Cost(networks * each, memory, disk, temporary=size, keeps=kept_by_passes(f), threads=True)

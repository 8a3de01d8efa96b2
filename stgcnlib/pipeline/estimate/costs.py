"""Costs: what each artefact and page takes, as a count of things times what one of them costs here.

What `trials` does not measure here (tables, statistics, pages) has seconds that were measured on one machine, for the
bundled demo and for UTD-MHAD, scaled by `Units.speed`. An artefact without a row here takes `USUAL`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from stgcnlib.pipeline.estimate import graph_costs as graphs
from stgcnlib.pipeline.estimate import network_costs as networks
from stgcnlib.pipeline.estimate.cost import MB, Axes, Cost, coordinates, matrices
from stgcnlib.pipeline.estimate.facts import Facts
from stgcnlib.pipeline.estimate.trials import Units

__all__ = ["BASE", "COSTS", "USUAL", "cost_of", "page_cost"]

BASE = 400 * MB
"""Memory of a process that has imported the library and compiled its kernels."""
USUAL = Cost(seconds=0.2, memory=20 * MB, disk=0.02 * MB)

COSTS: Mapping[str, Callable[[Facts, Units, Axes], Cost]] = {
    "prepared": networks.read,
    "repeated": networks.repeated,
    "leakage": networks.leaks,
    "training/{trained}": networks.trained("train", tested=True),
    "evaluations/{trained}": networks.evaluated,
    "activations/{network}": networks.recorded,
    "rounding": graphs.rounding,
    "all-pairs/{network}/{layer}": graphs.all_pairs,
    "neighbours/{network}/{layer}": graphs.neighbours,
    "planes/{network}": graphs.planes,
    "curves/{network}": graphs.curve,
    "geometry": graphs.geometry,
    "statistics": graphs.statistics,
    "findings": graphs.findings,
    "baselines": graphs.baselines,
    "density": graphs.density,
    "variant-pairs/{variant}/{swept}": graphs.all_pairs,
    "variant-neighbours/{variant}/{swept}": graphs.neighbours,
    "sensitivity": graphs.sensitivity,
    "maps": networks.explained,
    "fields": networks.fields,
    "map-evaluation": networks.maps_tested,
    "noise-training/{trained_level}": networks.trained("train", tested=False),
    "noise-level/{trained}/{level}": graphs.noise_level,
    "noise-trained-level/{trained_level}/{level}": graphs.noise_trained_level,
    "noise": graphs.noise,
    "transfer-training/{trained}": networks.trained("source", tested=False),
    "transfer-fit/{fit}": networks.fitted,
    "transfer-geometry": graphs.transfer_geometry,
    "summary": lambda f, u, axes: Cost(2.0 * u.speed, 100 * MB + matrices(f) / 4, 0.6 * MB),
}
"""Name of an artefact as declared -> what it takes."""

WITHOUT_RECORDINGS = (
    "prepared", "history", "accuracies", "layers", "all-pairs/{network}/{layer}", "variant-pairs/{variant}/{swept}",
    "planes/{network}", "geometry", "statistics", "baselines", "density",
)  # fmt: skip
"""What is made without reading the recordings; "prepared" counts them itself."""
LOADED, LOADING = 1.25, 7e-9
"""Memory of recordings that are read from the store, as a multiple of their size, and seconds per byte to read."""
DRAWING = 3e-7
"""Seconds per byte that a page draws of its nodes."""
SHOWN = 4000
"""Most nodes that a page draws one by one."""
PAGE = (2.0, 0.5 * MB, 0)
PAGES: Mapping[str, tuple[float, float, float]] = {
    "00_data": (4.0, 0.6 * MB, 200),
    "01_network": (1.5, 0.4 * MB, 0),
    "02_activations": (2.0, 0.1 * MB, 0),
    "03_ds_graphs": (3.5, 0.6 * MB, 9000),
    "04_geometry": (3.4, 1.3 * MB, 0),
    "04a_classes": (2.5, 1.0 * MB, 800),
    "05_layer": (4.2, 1.4 * MB, 2500),
    "06_relevance": (7.0, 3.1 * MB, 1000),
    "07_noise": (3.0, 0.3 * MB, 1000),
    "08_transfer": (3.0, 0.2 * MB, 0),
    "09_summary": (2.0, 0.3 * MB, 200),
}
"""Stage -> seconds, bytes, and bytes per node, of a page; `PAGE` for others."""


def cost_of(name: str, axes: Axes, facts: Facts, units: Units) -> Cost:
    """The cost of an artefact by its name as declared and the values of its axes."""
    made = COSTS.get(name)
    cost = USUAL if made is None else made(facts, units, axes)
    if name in WITHOUT_RECORDINGS:
        return cost
    size = coordinates(facts, facts.every)
    seconds = cost.seconds + LOADING * units.speed * size
    return replace(cost, seconds=seconds, memory=cost.memory + LOADED * size)


def page_cost(stage: str, facts: Facts, units: Units) -> Cost:
    """The cost of one page of a stage: its kernel and its pictures; it is stored in a notebook and again in HTML."""
    seconds, size, per_node = PAGES.get(stage, PAGE)
    drawn = per_node * min(len(facts.nodes), SHOWN)
    disk = 2 * (size + drawn)
    seconds += DRAWING * drawn + LOADING * coordinates(facts, facts.every)
    memory = 250 * MB + matrices(facts) / 2 + LOADED * coordinates(facts, facts.every)
    return Cost(seconds * units.speed, memory, disk)

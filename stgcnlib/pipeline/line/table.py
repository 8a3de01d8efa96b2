"""The table of everything that a study makes: each artefact, how it is made, and what decides it.

Adding a row is all that a new result takes: its key, its place on disk, its order and its pages' marks follow.
"""

from __future__ import annotations

from stgcnlib.artefacts import ARRAY, JSON, TABLE, TABLES, Artefact, Axis, Line
from stgcnlib.pipeline.line import data, forms, geometry, maps, networks

__all__ = ["LINE"]

NETWORK = ("network.name", "network.options")
PREPARED = ("data.format", "data.normalize", "data.centre", "data.published", "data.frame_step")
READING = ("dtw.window", "dtw.stride", "dtw.band", "dtw.segments", "dtw.metric", "dtw.normalize")
GRAPH = ("graph.k", "graph.sigma", "graph.symmetrize", "graph.solver")
TESTS = ("explain.sequences", "explain.units", "explain.replacement", "explain.steps", "explain.draws",
         "explain.jitter")  # fmt: skip
BOTH = {"distances": "distances/trained/*", "untrained_distances": "distances/untrained/*"}
STORES = {"trained": "activations/trained", "untrained": "activations/untrained"}

AXES = {
    "network": Axis(("trained", "untrained")),
    "layer": Axis(networks.name_layers, needs={"layers": "layers"}),
    "reading": Axis(geometry.other_readings, settings=("sensitivity.readings", "dtw.reading")),
    "swept": Axis(geometry.swept_layers, needs={"layers": "layers"}, settings=("sensitivity.layers",)),
}

RECORDINGS = (
    Artefact("demo", data.make_demo, settings=("data.demo", "seed"), section="data.demo"),
    Artefact(
        "sequences",
        data.read_recordings,
        forms.SEQUENCES,
        needs={"demo": "demo?"},
        settings=PREPARED,
        files=("data.path", "data.skip"),
    ),
    Artefact("parts", data.split_parts, needs={"sequences": "sequences"}, settings=("data.split",)),
    Artefact("nodes", data.pick_nodes, needs={"sequences": "sequences", "parts": "parts"}, settings=("graph.part",)),
    Artefact("groups", data.group_nodes, needs={"nodes": "nodes"}, settings=("graph.leave_out",)),
    Artefact("explained", data.explained_nodes, needs={"nodes": "nodes"}, settings=("explain.per_class",)),
)

NETWORKS = (
    Artefact(
        "training",
        networks.train,
        forms.TRAINING,
        needs={"parts": "parts"},
        settings=(*NETWORK, "network.training", "seed"),
        files=("network.source",),
        section="network.trained_here",
        tables={"training": "history"},
    ),
    Artefact(
        "network/trained",
        networks.trained_network,
        needs={"training": "training?", "sequences": "sequences"},
        settings=NETWORK,
        files=("network.source", "network.checkpoint"),
    ),
    Artefact(
        "network/untrained",
        networks.untrained_network,
        needs={"sequences": "sequences"},
        settings=(*NETWORK, "seed"),
        files=("network.source", "network.checkpoint"),
    ),
    Artefact(
        "evaluation",
        networks.evaluate_test,
        forms.EVALUATION,
        needs={"network": "network/trained", "parts": "parts"},
    ),
    Artefact(
        "recordings",
        networks.name_recordings,
        TABLE,
        needs={"network": "network/trained", "nodes": "nodes", "evaluation": "evaluation"},
        settings=("graph.part",),
        tables={"recordings": ""},
    ),
    Artefact(
        "activations/{network}",
        networks.record_nodes,
        forms.ACTIVATIONS,
        needs={"network": "network/{network}", "nodes": "nodes"},
        settings=("layers", "network.axes"),
    ),
    Artefact("layers", networks.list_layers, JSON, needs={"activations": "activations/trained"}),
)

GEOMETRY = (
    Artefact(
        "distances/{network}/{layer}",
        geometry.distances,
        ARRAY,
        needs={"activations": "activations/{network}"},
        settings=("dtw",),
    ),
    Artefact(
        "geometry",
        geometry.measure_geometry,
        forms.GEOMETRY,
        needs={**STORES, "nodes": "nodes", "groups": "groups", **BOTH},
        settings=(*GRAPH, "geometry", "seed"),
        tables={"smoothness": "table", "classes": "per_class", "nodes": "per_node"},
    ),
    Artefact(
        "statistics",
        geometry.measure_statistics,
        forms.STATISTICS,
        needs={**STORES, "geometry": "geometry", **BOTH},
        settings=("statistics",),
        tables={"statistics": "table", "layer_pairs": "pairs"},
    ),
    Artefact(
        "findings",
        geometry.find_recordings,
        TABLES,
        needs={"geometry": "geometry", "nodes": "nodes", "layers": "layers"},
        settings=("graph.part",),
        tables={name: name for name in geometry.FINDINGS},
    ),
    Artefact(
        "readings/{reading}/{swept}",
        geometry.distances_by_reading,
        ARRAY,
        needs={"activations": "activations/trained"},
        settings=READING,
        section="sensitivity",
    ),
    Artefact(
        "sensitivity",
        geometry.measure_sensitivity,
        TABLE,
        needs={
            "activations": "activations/trained",
            "nodes": "nodes",
            "groups": "groups",
            "distances": "distances/trained/*",
            "others": "readings/*/*",
        },
        settings=("sensitivity", "dtw", "graph.sigma", "geometry", "seed"),
        section="sensitivity",
        tables={"sensitivity": ""},
    ),
)

MAPS = (
    Artefact(
        "maps",
        maps.explain,
        forms.MAPS,
        needs={"network": "network/trained", "nodes": "nodes", "explained": "explained", "layers": "layers"},
        settings=("network.axes", "explain.target"),
    ),
    Artefact(
        "map-evaluation",
        maps.evaluate,
        forms.MAP_EVALUATION,
        needs={
            "network": "network/trained",
            "nodes": "nodes",
            "parts": "parts",
            "explained": "explained",
            "groups": "groups",
            "maps": "maps",
            "distances": "distances/trained/*",
        },
        settings=(*TESTS, "network.axes", "dtw", "graph.k", "seed"),
    ),
)

LINE = Line((*RECORDINGS, *NETWORKS, *GEOMETRY, *MAPS), AXES)

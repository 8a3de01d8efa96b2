"""The table of everything that a study makes: each artefact, how it is made, and what it depends on.

A new result needs only a new row: its key, its place on disk, its order and its pages' marks follow from it.
"""

from __future__ import annotations

from stgcnlib.artefacts import ARRAYS, JSON, Artefact, Axis, Line
from stgcnlib.pipeline.line import columns, data, distances, forms, geometry, maps, networks, noise, pages, transfer

__all__ = ["LINE", "NO_EFFECT"]

NETWORK = ("network.name", "network.options")
SEEDS = ("network.seeds",)
PREPARED = ("data.format", "data.normalize", "data.centre", "data.published", "data.frame_step", "data.split")
READ = (*PREPARED, "data.pattern", "data.target", "data.windows", "data.classes")
GROUPS = ("graph.leave_out", "geometry.resample")
SOURCE = ("network.source", "network.imports")
RECORDED = ("data.path", "data.beside", "data.skip", "data.layout", "data.names")
GRAPH = ("graph.sigma", "graph.symmetrize", "graph.solver")
TESTS = ("explain.sequences", "explain.units", "explain.replacement", "explain.steps", "explain.draws",
         "explain.jitter", "explain.maps")  # fmt: skip
LEVELS = ("noise.jitter", "noise.joint_dropout", "noise.frame_dropout", "noise.rotation")
BOTH = {"distances": "distances/trained/*", "untrained_distances": "distances/untrained/*"}
REACH = {"grouping": "grouping", "k": "graph-k"}
STORES = {"trained": "activations/trained", "untrained": "activations/untrained"}

AXES = {
    "trained": Axis(networks.name_trained, settings=SEEDS, kinds=("trained",)),
    "untrained": Axis(networks.name_untrained, settings=("controls.untrained",), kinds=("untrained",)),
    "initial": Axis(networks.name_initial, settings=("controls.initial",), kinds=("initial",)),
    "network": Axis(
        networks.name_networks,
        settings=(*SEEDS, "controls.untrained", "controls.initial"),
        kinds=("trained", "untrained", "initial"),
    ),
    "layer": Axis(networks.name_layers, needs={"layers": "layers"}),
    "variant": Axis(
        geometry.name_variants,
        settings=("sensitivity.readings", "sensitivity.windows", "sensitivity.normalizations", "dtw"),
    ),
    "level": Axis(noise.levels_and_clean, settings=LEVELS),
    "trained_level": Axis(noise.trainings, settings=("noise.train",)),
    "fit": Axis(transfer.name_fits, needs={"plan": "transfer-plan"}),
    "swept": Axis(geometry.swept_layers, needs={"layers": "layers"}, settings=("sensitivity.layers",)),
}

# fmt: off
RECORDINGS = (
    Artefact("demo", data.make_demo, settings=("data.demo", "seed"), section="data.demo"),
    Artefact("sensor-demo", data.make_sensors, settings=("data.sensor_demo", "seed"), section="data.sensor_demo"),
    Artefact("prepared", data.read_recordings, forms.SEQUENCES,
             needs={"demo": "demo?", "sensors": "sensor-demo?"}, settings=READ, files=RECORDED),
    Artefact("repeated", data.find_repeated, columns.REPEATED,
             needs={"prepared": "prepared"}, settings=("data.split",)),
    Artefact("sequences", data.keep_recordings,
             needs={"prepared": "prepared", "repeated": "repeated"}, settings=("data.drop_duplicates",)),
    Artefact("parts", data.split_parts, needs={"sequences": "sequences"}, settings=("data.split",)),
    Artefact("sample", data.draw_sample, needs={"sequences": "sequences", "parts": "parts"},
             settings=("graph.part", "graph.sample", "seed"), section="graph.sample"),
    Artefact("nodes", data.pick_nodes, needs={"sequences": "sequences", "parts": "parts", "sample": "sample?"},
             settings=("graph.part",)),
    Artefact("leakage", data.find_leaks, forms.LEAKAGE,
             needs={"parts": "parts", "repeated": "repeated"}, settings=("data.drop_duplicates",),
             tables={"leakage": "pairs"}),
    Artefact("grouping", data.group_nodes, needs={"nodes": "nodes"}, settings=GROUPS),
    Artefact("graph-k", data.choose_candidates, needs={"nodes": "nodes", "grouping": "grouping"},
             settings=("graph.k",)),
    Artefact("explained", data.explained_nodes, needs={"nodes": "nodes"}, settings=("explain.per_class",)),
    Artefact("shortages", geometry.find_shortages,
             needs={"nodes": "nodes", "parts": "parts", "grouping": "grouping", "explained": "explained"},
             settings=("seed",)),
)

NETWORKS = (
    Artefact("training/{trained}", networks.train, forms.TRAINING,
             needs={"parts": "parts"}, settings=(*NETWORK, "network.training", "seed"), files=SOURCE,
             section="network.trained_here"),
    Artefact("history", networks.training_history, columns.HISTORY,
             needs={"trainings": "training/*"}, settings=("seed",),
             section="network.trained_here", tables={"training": ""}),
    Artefact("network/{trained}", networks.trained_network,
             needs={"training": "training/{trained}?", "sequences": "sequences"},
             settings=NETWORK, files=(*SOURCE, "network.checkpoint")),
    Artefact("network/{untrained}", networks.untrained_network, needs={"sequences": "sequences", "parts": "parts"},
             settings=(*NETWORK, "seed"), files=(*SOURCE, "network.checkpoint")),
    Artefact("network/{initial}", networks.initial_network, needs={"sequences": "sequences"},
             settings=(*NETWORK, "seed"), files=(*SOURCE, "network.checkpoint")),
    Artefact("evaluations/{trained}", networks.evaluate_test, forms.EVALUATION,
             needs={"network": "network/{trained}", "parts": "parts"}),
    Artefact("evaluation", networks.first_evaluation, needs={"evaluation": "evaluations/trained"}),
    Artefact("preparations", networks.find_preparation, columns.PREPARATIONS,
             needs={"network": "network/trained", "evaluation": "evaluation",
                    "demo": "demo?", "sensors": "sensor-demo?"},
             settings=READ, files=RECORDED,
             section="network.loaded", tables={"preparations": ""}),
    Artefact("accuracies", networks.measure_accuracy, columns.ACCURACIES,
             needs={"evaluations": "evaluations/*"}, settings=("seed",), tables={"accuracies": ""}),
    Artefact("recordings", networks.name_recordings, columns.RECORDINGS,
             needs={"network": "network/trained", "nodes": "nodes", "parts": "parts", "evaluation": "evaluation",
                    "sample": "sample?"},
             settings=("graph.part",), tables={"recordings": ""}),
    Artefact("activations/{network}", networks.record_nodes, forms.ACTIVATIONS,
             needs={"network": "network/{network}", "nodes": "nodes"},
             settings=(*NETWORK, "layers", "network.axes", "activations.dtype"), files=SOURCE),
    Artefact("rounding", networks.measure_rounding, columns.ROUNDING,
             needs={"network": "network/trained", "nodes": "nodes"},
             settings=("layers", "network.axes", "activations.dtype", "dtw", "seed"), section="activations.rounded",
             tables={"rounding": ""}),
    Artefact("layers", networks.list_layers, JSON, needs={"activations": "activations/trained"}),
)

GEOMETRY = (
    Artefact("all-pairs/{network}/{layer}", distances.all_pairs, forms.DISTANCES,
             needs={"activations": "activations/{network}"}, settings=("dtw", "graph.distances")),
    Artefact("neighbours/{network}/{layer}", distances.find_neighbours, forms.DISTANCES,
             needs={"activations": "activations/{network}", "pairs": "all-pairs/{network}/{layer}", **REACH},
             settings=("dtw", "seed")),
    Artefact("distances/{network}/{layer}", distances.known,
             needs={"activations": "activations/{network}", "pairs": "all-pairs/{network}/{layer}",
                    "neighbours": "neighbours/{network}/{layer}"}, settings=("dtw",)),
    Artefact("planes/{network}", geometry.place_nodes, ARRAYS,
             needs={"distances": "distances/{network}/*"}, settings=("seed",)),
    Artefact("curves/{network}", geometry.measure_curve, forms.GEOMETRY,
             needs={"activations": "activations/{network}", "nodes": "nodes", "grouping": "grouping", "k": "graph-k",
                    "distances": "distances/{network}/*"},
             settings=(*GRAPH, "geometry.permutations", "geometry.confidence", "seed")),
    Artefact("geometry", geometry.merge_curves, forms.GEOMETRY, needs={"curves": "curves/*"},
             tables={"smoothness": "table", "classes": "per_class", "nodes": "per_node"}),
    Artefact("statistics", geometry.measure_statistics, forms.STATISTICS,
             needs={**STORES, "geometry": "geometry", **BOTH}, settings=("statistics",),
             tables={"statistics": "table", "layer_pairs": "pairs"}),
    Artefact("findings", geometry.find_recordings, columns.FINDINGS,
             needs={"geometry": "geometry", "distances": "distances/trained/*", "nodes": "nodes", "layers": "layers"},
             settings=("graph.part",),
             tables={name: name for name in geometry.FINDINGS}),
    Artefact("baselines", geometry.measure_baselines, columns.BASELINES,
             needs={"activations": "activations/trained", "geometry": "curves/trained"},
             settings=("controls.baselines",),
             tables={"baselines": ""}),
    Artefact("density", geometry.measure_density, columns.DENSITY,
             needs={"geometry": "curves/trained", "distances": "distances/trained/*", "sample": "sample?"},
             settings=("seed",), tables={"density": ""}),
    Artefact("variant-pairs/{variant}/{swept}", distances.all_pairs_by_variant, forms.DISTANCES,
             needs={"activations": "activations/trained"}, settings=("dtw", "graph.distances"), section="sensitivity"),
    Artefact("variant-neighbours/{variant}/{swept}", distances.find_variant_neighbours, forms.DISTANCES,
             needs={"activations": "activations/trained", "pairs": "variant-pairs/{variant}/{swept}", **REACH},
             settings=("dtw", "seed"), section="sensitivity"),
    Artefact("variants/{variant}/{swept}", distances.known_by_variant,
             needs={"activations": "activations/trained", "pairs": "variant-pairs/{variant}/{swept}",
                    "neighbours": "variant-neighbours/{variant}/{swept}"},
             settings=("dtw",), section="sensitivity"),
    Artefact("sensitivity", geometry.measure_sensitivity, columns.SENSITIVITY,
             needs={"activations": "activations/trained", "nodes": "nodes", "grouping": "grouping", "k": "graph-k",
                    "distances": "distances/trained/*", "others": "variants/*/*"},
             settings=("sensitivity", "dtw", "graph.sigma", "graph.solver", "geometry.permutations",
                       "geometry.confidence", "seed"),
             section="sensitivity", tables={"sensitivity": ""}),
)

MAPS = (
    Artefact("maps", maps.explain, forms.MAPS,
             needs={"network": "network/trained", "nodes": "nodes", "explained": "explained", "layers": "layers"},
             settings=("network.axes", "explain.target")),
    Artefact("fields", maps.measure_fields, forms.FIELDS,
             needs={"network": "network/trained", "nodes": "nodes", "layers": "layers"},
             settings=("network.name", "network.axes", "seed")),
    Artefact("topologies", maps.read_topologies, forms.TOPOLOGIES,
             needs={"network": "network/trained", "nodes": "nodes", "explained": "explained", "layers": "layers"},
             settings=("network.axes",)),
    Artefact("map-evaluation", maps.evaluate, forms.MAP_EVALUATION,
             needs={"network": "network/trained", "nodes": "nodes", "parts": "parts", "explained": "explained",
                    "grouping": "grouping", "maps": "maps", "pairs": "all-pairs/trained/*",
                    "activations": "activations/trained"},
             settings=(*TESTS, "network.axes", "dtw", "seed")),
)

MEASURED = {"nodes": "nodes", "grouping": "grouping", "layers": "layers", "k": "graph-k"}
LEVEL = (*GRAPH, "graph.distances", "dtw", "network.axes", "noise.layers", "noise.neighbours", "seed")
NOISE = (
    Artefact("noise-training/{trained_level}", noise.train_noisy, forms.TRAINING,
             needs={"parts": "parts"}, settings=(*NETWORK, "network.training", "seed"), files=SOURCE, section="noise"),
    Artefact("noise-network/{trained_level}", noise.noisy_network,
             needs={"training": "noise-training/{trained_level}", "sequences": "sequences"},
             settings=NETWORK, files=SOURCE, section="noise"),
    Artefact("noise-level/{trained}/{level}", noise.measure, JSON,
             needs={"network": "network/{trained}", **MEASURED, "distances": "distances/{trained}/*"},
             settings=LEVEL, section="noise"),
    Artefact("noise-trained-level/{trained_level}/{level}", noise.measure_noisy_network, JSON,
             needs={"network": "noise-network/{trained_level}", **MEASURED}, settings=LEVEL, section="noise"),
    Artefact("noise", noise.collect, forms.NOISE,
             needs={"nodes": "nodes", "grouping": "grouping", "k": "graph-k", "geometry": "geometry",
                    "levels": "noise-level/*/*", "others": "noise-trained-level/*/*", "sample": "sample?"},
             settings=(*GRAPH, "geometry.confidence", "dtw", "noise.neighbours", "seed"), section="noise",
             tables={"noise": "table", "noise_accuracy": "accuracy", "noise_networks": "each",
                     "noise_nodes": "per_node"}),
)

SOURCES = {"sources": "transfer-source/*", "target": "transfer-target"}
TRANSFER = (
    Artefact("transfer-other", transfer.read_other,
             settings=(*PREPARED, "data.demo", "seed", "transfer.source.format", "transfer.source.split"),
             files=("transfer.source.path", "transfer.source.beside", "data.skip"), section="transfer.source.path"),
    Artefact("transfer-training/{trained}", transfer.train_source, forms.TRAINING,
             needs={"sequences": "sequences", "other": "transfer-other?"},
             settings=(*NETWORK, "network.training", "data.split",
                       "transfer.source.classes", "transfer.source.split", "seed"),
             files=SOURCE, section="transfer.source.trained_here"),
    Artefact("transfer-source/{trained}", transfer.source_network,
             needs={"training": "transfer-training/{trained}?", "sequences": "sequences"},
             settings=NETWORK, files=(*SOURCE, "transfer.source.checkpoint"), section="transfer"),
    Artefact("transfer-target", transfer.target_parts,
             needs={"sequences": "sequences", "parts": "parts", "sample": "sample?"},
             settings=("data.split", "transfer.source.classes"), section="transfer"),
    Artefact("transfer-plan", transfer.plan, needs={"source": "transfer-source/trained"},
             settings=("transfer.frozen", "transfer.seeds", *SEEDS), files=("transfer.source.checkpoint",),
             section="transfer"),
    Artefact("transfer-fit/{fit}", transfer.measure, JSON, needs=SOURCES,
             settings=(*NETWORK, "network.axes", "graph.leave_out", "transfer.training"), files=SOURCE,
             section="transfer"),
    Artefact("transfer-geometry", transfer.measure_target, forms.GEOMETRY,
             needs=SOURCES, files=("transfer.source.checkpoint",), section="transfer",
             settings=("graph.k", *GRAPH, *GROUPS, "geometry.permutations", "geometry.confidence", "dtw",
                       "network.axes", "seed")),
    Artefact("transfer", transfer.collect, forms.TRANSFER,
             needs={"target": "transfer-target", "plan": "transfer-plan",
                    "fits": "transfer-fit/*", "geometry": "transfer-geometry", "sample": "sample?"},
             settings=("transfer.training", "graph.leave_out"), section="transfer",
             tables={"transfer_fits": "fits", "transfer_table": "table",
                     "transfer_smoothness": "smoothness", "transfer_predictions": "predictions"}),
    Artefact("advice", transfer.advise, columns.ADVICE,
             needs={"transfer": "transfer"}, section="transfer", tables={"transfer_advice": ""}),
)

PAGES = (
    Artefact("dtw", distances.dtw_options, settings=("dtw",)),
    Artefact("examples", pages.choose_examples,
             needs={"nodes": "nodes", "explained": "explained", "maps": "maps"}, settings=("explain.examples",)),
    Artefact("network-facts", pages.describe_network,
             needs={"network": "network/trained", "evaluation": "evaluation", "sequences": "sequences",
                    "layers": "layers", "history": "history?", "accuracies": "accuracies"},
             settings=NETWORK, files=("network.checkpoint",)),
    Artefact("facts", pages.describe_report,
             needs={"sequences": "sequences", "parts": "parts", "nodes": "nodes", "layers": "layers",
                    "accuracies": "accuracies", "k": "graph-k", "leakage": "leakage", "sample": "sample?"},
             settings=("network.name",)),
    Artefact("settings", pages.describe_settings,
             needs={"nodes": "nodes", "grouping": "grouping", "k": "graph-k", "sample": "sample?"},
             settings=("dtw", "graph", "geometry", "seed")),
    Artefact("transfer-facts", transfer.describe,
             needs={"transfer": "transfer", "sequences": "sequences"},
             settings=("transfer.source",), section="transfer"),
    Artefact("summary", pages.summarize, forms.SUMMARY,
             needs={"geometry": "geometry", "noise": "noise?", "transfer": "transfer?", "nodes": "nodes",
                    "examples": "examples", "facts": "facts", "leakage": "leakage", "sample": "sample?",
                    "preparations": "preparations?", "shortages": "shortages"},
             settings=("name",)),
)
# fmt: on

LINE = Line((*RECORDINGS, *NETWORKS, *GEOMETRY, *MAPS, *NOISE, *TRANSFER, *PAGES), AXES)

NO_EFFECT = {
    "compute.device": "says where the work runs; results agree within rounding",
    "compute.workers": "says how much is made at a time",
    "compute.activations": "says whether features are kept or recorded again, by the same batches",
    "compute.memory_limit": "ends a process that would need more",
    "compute.scheduler": "says whose processes make it",
    "network.folder": "says where a network's module lies; the module itself counts, as network.source",
}
"""Settings that no artefact declares, and why none has to."""

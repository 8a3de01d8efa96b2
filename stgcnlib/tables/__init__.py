"""Results as the DataFrames that notebooks and reports show, and the examples that their pictures draw.

Every function takes plain results and settings, computes nothing new, and reads no file. A function whose name ends
in ``_table`` gives one row per item, one that ends in ``_facts`` one fact per row.

What each takes:

    arms_table(evaluation)
    checks_table(evaluation)
    faithfulness_table(evaluation, *, unit, mode)
    class_joint_relevance(nodes, explained, maps, *, layer)
    limb_relevance(nodes, explained, maps)
    kinds(nodes)
    confusions_table(confusions, *, layer, most=3)
    doubtful_labels(suspects)
    odd_performances(outliers)
    outliers_table(outliers, *, most=8)
    separation_table(separation)
    suspects_table(suspects, *, most=12)
    fusion_table(fusion)
    pairs_table(comparison)
    studies_table(comparison)
    unequal_table(comparison)
    baselines_table(baselines)
    density_table(density)
    graphs_table(geometry)
    layer_facts(geometry, *, layer)
    smoothness_table(geometry)
    field_facts(fields, *, layer)
    topology_facts(topologies, layout, *, layer)
    layers_table(store)
    rounding_table(rounding)
    preparations_table(preparations, *, most=8)
    network_facts(network, evaluation, *, settings, data, layers, history=None, accuracies=None)
    leakage_table(leakage, *, most=10)
    parts_table(parts, *, nodes)
    sample_table(sample)
    recordings_table(nodes, evaluation)
    errors_table(evaluation)
    estimates_table(nodes, evaluation)
    sensitivity_table(sensitivity)
    statistics_table(statistics)
    noise_table(result)
    transfer_table(result)
    transfer_facts(result, *, source, data)
    advice_table(evidence)
    verdict_table(outcome)
    report_facts(study, *, data, parts, nodes, layers, accuracies, k, compared, sample='')
    settings_facts(study, *, nodes, k, left_out, resampled, sample='')
    main_graphs(geometry)
    example_pair(nodes, distances, *, groups=None)
    all_pairs_told(distances)
    alignment(pair, activations, *, nodes, options)
    example_nodes(geometry, *, layer)
    example_maps(nodes, explained, maps, *, count)
    layer_maps(examples, *, layer)
    strip_example(examples, *, layers=3, frames=6)
    extremes(nodes, explained, maps, *, layer, distances)
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

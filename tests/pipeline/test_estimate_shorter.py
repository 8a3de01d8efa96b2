"""What `estimate` says of the longest stages: keys that are there, and that do shorten them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from small_study import SECTIONS, SMALL, small_study

from stgcnlib.artefacts import Onlooker
from stgcnlib.pipeline.estimate import Forecast
from stgcnlib.pipeline.estimate.facts import Facts, Part, find_facts
from stgcnlib.pipeline.estimate.forecast import forecast
from stgcnlib.pipeline.estimate.shorter import LARGER, SHORTER, ShorterKey, ShorterStage, shorter_lines, shorter_stages
from stgcnlib.pipeline.estimate.trials import Units
from stgcnlib.pipeline.keys import key_lines
from stgcnlib.pipeline.line.table import LINE
from stgcnlib.pipeline.notebooks import notebook_folder
from stgcnlib.pipeline.stages import STAGES, TARGET_STAGES, stages_of
from stgcnlib.pipeline.study import Study

LARGE: dict[str, Any] = {
    **SMALL,
    **SECTIONS,
    "network": {**SMALL["network"], "seeds": 2, "training": {"epochs": 20}},
    "controls": {},
    "explain": {},
    "transfer": {**SECTIONS["transfer"], "seeds": 2, "training": {"epochs": 4}},
    "noise": {**SECTIONS["noise"], "joint_dropout": [0.1], "frame_dropout": [0.1], "rotation": [15]},
}
STUDY = Study.load(LARGE)
LOWER: dict[str, Any] = {
    "network.training.epochs": 5, "network.seeds": 1, "controls.untrained": 1, "controls.initial": 0,
    "controls.baselines": (), "explain.sequences": 3, "explain.steps": 2, "explain.draws": 1,
    "explain.units": ("joints",), "noise.jitter": (), "noise.joint_dropout": (), "noise.frame_dropout": (),
    "noise.rotation": (), "noise.train": {}, "noise.layers": ("st_gcn_networks.0",), "transfer.frozen": (0,),
    "transfer.seeds": 1, "transfer.training.epochs": 1, "sensitivity.readings": (), "sensitivity.windows": (),
    "sensitivity.normalizations": (),
}  # fmt: skip
OF_FACTS = ("data.classes", "network.options", "data.frame_step", "data.skip", "graph.sample", "layers",
            "sensitivity.layers", "data.windows.stride", "explain.per_class")  # fmt: skip
"""Keys that change the recordings, the nodes, the layers or their sizes, of which every cost is a multiple."""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return find_facts(Onlooker(LINE, STUDY, small_study(tmp_path_factory)), STUDY)


def forecast_of(folder: Path, facts: Facts, study: Study) -> Forecast:
    facts = replace(facts, study=study)
    if study.transfer is not None and study.transfer.frozen == (0,):
        facts = replace(facts, fits=tuple(fit for fit in facts.fits if "frozen" not in fit or ", 0 " in fit))
    if study.transfer is not None and study.transfer.seeds == 1:
        facts = replace(facts, fits=facts.fits[: len(facts.fits) // 2])
    return forecast(
        Onlooker(LINE, study, folder), facts, Units.usual(facts), stages_of(study), sources=notebook_folder(),
        workers=1, threads=1,
    )  # fmt: skip


def seconds(found: Forecast, stage: str) -> float:
    return next(each.seconds for each in found.stages if each.name == stage)


def changed(study: Any, path: list[str], value: Any) -> Any:
    new = value if len(path) == 1 else changed(getattr(study, path[0]), path[1:], value)
    return study.model_copy(update={path[0]: new})


def test_every_key_is_one_of_the_study() -> None:
    for keys in (*SHORTER.values(), LARGER):
        for key in keys:
            model: Any = Study
            for name in key.split("."):
                assert name in model.model_fields, key
                kind = model.model_fields[name].annotation
                kinds = [each for each in (kind, *get_args(kind)) if isinstance(each, type)]
                model = next((each for each in kinds if issubclass(each, BaseModel)), None)


def test_every_stage_has_its_keys() -> None:
    assert set(SHORTER) == {stage.name for stage in (*STAGES, *TARGET_STAGES)}
    tried = {*LOWER, *OF_FACTS}
    assert {key for keys in SHORTER.values() for key in keys} == tried


@pytest.mark.parametrize(
    ("stage", "key"),
    [(stage.name, key) for stage in STAGES for key in SHORTER[stage.name] if key in LOWER],
)
def test_a_lower_value_shortens_the_stage(stage: str, key: str, facts: Facts, tmp_path: Path) -> None:
    shorter = changed(STUDY, key.split("."), LOWER[key])
    before, after = (forecast_of(tmp_path, facts, study) for study in (STUDY, shorter))
    assert seconds(after, stage) < seconds(before, stage)


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES if "layers" in SHORTER[stage.name]])
def test_fewer_layers_shorten_the_stage(stage: str, facts: Facts, tmp_path: Path) -> None:
    fewer = replace(facts, layers=facts.layers[:2])
    assert seconds(forecast_of(tmp_path, fewer, STUDY), stage) < seconds(forecast_of(tmp_path, facts, STUDY), stage)


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES if "graph.sample" in SHORTER[stage.name]])
def test_fewer_nodes_shorten_the_stage(stage: str, facts: Facts, tmp_path: Path) -> None:
    half = len(facts.nodes) // 2
    layers = tuple(replace(layer, rows=layer.rows // 2) for layer in facts.layers)
    fewer = replace(facts, nodes=Part(facts.nodes.lengths[:half], facts.nodes.people[:half]), layers=layers)
    assert seconds(forecast_of(tmp_path, fewer, STUDY), stage) < seconds(forecast_of(tmp_path, facts, STUDY), stage)


def only(found: Forecast, **times: float) -> Forecast:
    """The forecast with other times: those given, by a stage's name with an underscore before it, and 1 s else."""
    return replace(found, stages=tuple(replace(each, seconds=times.get(f"_{each.name}", 1.0)) for each in found.stages))


def test_the_longest_stages_are_named_with_their_keys_and_values(facts: Facts, tmp_path: Path) -> None:
    study = changed(STUDY, ["explain", "draws"], 1)
    found = only(forecast_of(tmp_path, facts, study), _06_relevance=900, _07_noise=300)
    assert shorter_lines(found, study) == [
        "Keys of the study file that shorten the longest stages, with their values now:",
        "  06_relevance: explain.sequences: 24, explain.steps: 6, explain.units: [joints, frames, joint-frames]",
        "  07_noise: noise.jitter: [20.0], noise.joint_dropout: [0.1], noise.frame_dropout: [0.1], "
        "noise.rotation: [15.0], noise.train: {jitter: 10.0}, noise.layers: all, or leave the section noise out",
    ]
    relevance, noise = shorter_stages(found, study)
    assert relevance == ShorterStage(
        "06_relevance",
        (
            ShorterKey("explain.sequences", 24, larger=False),
            ShorterKey("explain.steps", 6, larger=False),
            ShorterKey("explain.units", ["joints", "frames", "joint-frames"], larger=False),
        ),
        None,
    )
    assert noise.section == "noise"
    assert noise.keys[-2:] == (
        ShorterKey("noise.train", {"jitter": 10.0}, larger=False),
        ShorterKey("noise.layers", None, larger=False),
    )
    data = only(forecast_of(tmp_path, facts, study), _00_data=900)
    assert shorter_stages(data, study)[0].keys[:2] == (
        ShorterKey("data.classes", [], larger=False),
        ShorterKey("data.frame_step", 1, larger=True),
    )
    line = "  00_data: data.classes: all, data.frame_step: 1 (larger), data.skip: none"
    assert shorter_lines(data, study)[1:] == [line]


def test_what_is_there_or_cannot_be_shortened_has_no_line(facts: Facts, tmp_path: Path) -> None:
    found = only(forecast_of(tmp_path, facts, STUDY), _01_network=900)
    assert shorter_lines(found, STUDY)[1:] == [
        "  01_network: data.classes: all, network.options: {width: 4, depth: 3}, network.training.epochs: 20, "
        "network.seeds: 2"
    ]
    network = STUDY.network.model_copy(update={"checkpoint": "a.pt", "seeds": 1})
    loaded = STUDY.model_copy(update={"network": network})
    assert shorter_lines(found, loaded)[1:] == ["  01_network: data.classes: all"]
    there = replace(found, stages=tuple(replace(each, results=0, seconds=0.0) for each in found.stages))
    assert shorter_lines(there, STUDY) == shorter_stages(there, STUDY) == []


def test_every_key_has_a_value(facts: Facts, tmp_path: Path) -> None:
    usual = Study.load({"network": {"name": "ms-g3d"}, "transfer": {"source": {"classes": 6}}, "sensitivity": {}})
    found = forecast_of(tmp_path, facts, STUDY)
    for stage in STAGES:
        if (stage.section is None or getattr(usual, stage.section)) and SHORTER[stage.name]:
            for line in shorter_lines(only(found, **{f"_{stage.name}": 900.0}), usual)[1:]:
                keys = line.partition(": ")[2].partition(", or leave")[0]
                assert [key for key in SHORTER[stage.name] if key in keys and f"{key}: " not in keys] == []


def test_values_that_the_library_chooses(facts: Facts, tmp_path: Path) -> None:
    found = only(forecast_of(tmp_path, facts, STUDY), _01_network=900)
    assert shorter_lines(found, Study.load({"network": {"options": {"depth": 5}}}))[1:] == [
        "  01_network: data.classes: all, network.options: {width: 64, depth: 5}, network.training.epochs: 60"
    ]
    assert "network.options: {width: 96}," in shorter_lines(found, Study.load({"network": {"name": "ms-g3d"}}))[1]
    own = Study.load({"network": {"name": "mine:Net", "options": {"size": 3}}})
    assert "network.options" not in shorter_lines(found, own)[1]
    values = Study.load({"data": {"target": "value"}})
    stages = tuple(replace(each, name=each.name.replace("01_network", "01_estimates")) for each in found.stages)
    only_training = replace(found, stages=tuple(each for each in stages if each.name == "01_estimates"))
    assert shorter_lines(only_training, values)[1:] == [
        "  01_estimates: network.options: {width: 64, depth: 10}, network.training.epochs: 60"
    ]


def test_few_untrained_networks_leave_the_comparison_undecided(facts: Facts, tmp_path: Path) -> None:
    said = "fewer than 3 usually leave the comparison with untrained networks undecided"
    found = only(forecast_of(tmp_path, facts, STUDY), _03_ds_graphs=900)
    line = shorter_lines(found, STUDY)[1]
    assert f"graph.sample: none, layers: those that the network names, controls.untrained: 5 ({said})" in line
    assert said in " ".join(" ".join(key_lines(Study, "controls")).split())

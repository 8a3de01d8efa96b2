"""What makes a stage shorter: the keys of the study file on which its costs depend most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stgcnlib.pipeline.estimate.forecast import Forecast
from stgcnlib.pipeline.fields import Section
from stgcnlib.pipeline.stages import stages_of
from stgcnlib.pipeline.study import Study

__all__ = ["LARGER", "SHORTER", "shorter_lines"]

_TRAINING = ("network.training.epochs", "network.seeds")
_GRAPHS = ("graph.sample", "layers", "controls.untrained", "controls.initial")
_MEASURED = ("graph.sample", "layers", "controls.baselines")

SHORTER: Mapping[str, tuple[str, ...]] = {
    "00_data": ("data.classes", "data.frame_step", "data.skip"),
    "01_network": _TRAINING,
    "02_activations": (),
    "03_ds_graphs": _GRAPHS,
    "04_geometry": _MEASURED,
    "04a_classes": ("graph.sample", "layers"),
    "04b_sensitivity": ("sensitivity.layers", "sensitivity.readings", "sensitivity.windows",
                        "sensitivity.normalizations"),
    "05_layer": ("layers",),
    "06_relevance": ("explain.sequences", "explain.steps", "explain.draws", "explain.units"),
    "07_noise": ("noise.jitter", "noise.joint_dropout", "noise.frame_dropout", "noise.rotation", "noise.train",
                 "noise.layers"),
    "08_transfer": ("transfer.frozen", "transfer.seeds", "transfer.training.epochs"),
    "09_summary": ("graph.sample",),
    "00_series": ("data.windows.stride",),
    "01_estimates": _TRAINING,
    "03_neighbours": _GRAPHS,
    "04_smoothness": _MEASURED,
    "06_outputs": ("explain.per_class", "layers"),
    "05_one_layer": ("layers",),
    "09_result": ("graph.sample",),
}  # fmt: skip
"""Stage -> keys that shorten it: those that `costs` multiplies its longest work by. 02 shows what 01 has made."""
LARGER = ("data.frame_step", "data.windows.stride")
"""Keys of which a larger value is shorter; of all others, a smaller number or fewer entries."""
EMPTY_IS_ALL = ("data.classes",)
MOST = 3
"""Stages that are named."""
LEAST = 0.1
"""Share of the whole time from which a stage is named."""


def shorter_lines(forecast: Forecast, study: Study) -> list[str]:
    """For the longest stages, the keys that shorten them and their values now; empty where there is nothing to do.

    Args:
        forecast: of the study.
        study: its settings. Keys that cannot be lowered any further are left out.
    """
    stages = {stage.name: stage for stage in stages_of(study)}
    long = [stage for stage in forecast.stages if stage.seconds > LEAST * forecast.seconds]
    rows = []
    for stage in sorted(long, key=lambda stage: -stage.seconds)[:MOST]:
        if not stage.results and not stages[stage.name].per_layer:
            continue  # only its page is made
        keys = [told for key in SHORTER.get(stage.name, ()) if (told := _told(key, study))]
        if (section := stages[stage.name].section) is not None:
            keys.append(f"or leave the section {section} out")
        if keys:
            rows.append(f"  {stage.name}: {', '.join(keys)}")
    return ["Keys of the study file that shorten the longest stages, with their values now:", *rows] if rows else []


def _told(key: str, study: Study) -> str:
    """A key with its value; "" if the study cannot be shortened by it."""
    if key.startswith("network.") and study.network.checkpoint is not None:
        return ""
    section: Any = study
    *path, name = key.split(".")
    for part in path:
        section = getattr(section, part)
        if section is None:
            return ""
    value = getattr(section, name)
    if value is None or (key in EMPTY_IS_ALL and not value):
        return key
    if key not in LARGER and _least(section, name, value):
        return ""
    return f"{key}: {_text(value)}" + (" (larger)" if key in LARGER else "")


def _least(section: Section, name: str, value: Any) -> bool:
    """Whether a value is the lowest, or has the fewest entries, that its field allows."""
    bounds = type(section).model_fields[name].metadata
    if isinstance(value, tuple | dict):
        return len(value) <= max([0, *(getattr(bound, "min_length", 0) for bound in bounds)])
    return any(value <= bound.ge for bound in bounds if hasattr(bound, "ge"))


def _text(value: Any) -> str:
    if isinstance(value, Section):
        value = value.model_dump(exclude_none=True)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {each}" for name, each in value.items()) + "}"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)

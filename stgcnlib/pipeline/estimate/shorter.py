"""What makes a stage shorter: the keys of the study file on which its costs depend most."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stgcnlib.pipeline.estimate.forecast import Forecast
from stgcnlib.pipeline.fields import Section
from stgcnlib.pipeline.no_value import no_value_words
from stgcnlib.pipeline.stages import stages_of
from stgcnlib.pipeline.study import Study

__all__ = ["LARGER", "SHORTER", "ShorterKey", "ShorterStage", "shorter_lines", "shorter_stages"]

_TRAINING = ("data.classes", "network.options", "network.training.epochs", "network.seeds")
_GRAPHS = ("data.classes", "network.options", "graph.sample", "layers", "controls.untrained", "controls.initial")
_MEASURED = ("graph.sample", "layers", "controls.baselines")

SHORTER: Mapping[str, tuple[str, ...]] = {
    "00_data": ("data.classes", "data.frame_step", "data.skip"),
    "01_network": _TRAINING,
    "02_activations": (),
    "03_ds_graphs": _GRAPHS,
    "04_geometry": _MEASURED,
    "04a_classes": ("graph.sample",),
    "04b_sensitivity": ("sensitivity.layers", "sensitivity.readings", "sensitivity.windows",
                        "sensitivity.normalizations"),
    "05_layer": ("layers",),
    "06_relevance": ("explain.sequences", "explain.steps", "explain.draws", "explain.units"),
    "07_noise": ("noise.jitter", "noise.joint_dropout", "noise.frame_dropout", "noise.rotation", "noise.train",
                 "noise.layers"),
    "08_transfer": ("network.options", "transfer.frozen", "transfer.seeds", "transfer.training.epochs"),
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
SIZES = ("width", "depth")
"""Options of a network that say how large it is."""
REMARKS = {
    "controls.untrained": "fewer than 3 usually leave the comparison with untrained networks undecided",
}
"""What a smaller number costs besides time."""
MOST = 3
"""Stages that are named."""
LEAST = 0.1
"""Share of the whole time from which a stage is named."""


@dataclass(frozen=True)
class ShorterKey:
    """A key that shortens a stage.

    Attributes:
        key: its name, with the sections that it lies in.
        value: what it is now, as plain values: of `network.options` the sizes alone, the published ones where none are
            given; `None` where `no_value_words` says what holds.
        larger: whether a larger value is shorter; else a smaller number, or fewer entries.
    """

    key: str
    value: Any
    larger: bool


@dataclass(frozen=True)
class ShorterStage:
    """What shortens one stage.

    Attributes:
        stage: its name.
        keys: those that shorten it and can still be changed.
        section: the section of the study file without which the stage is not made; `None` if it always is.
    """

    stage: str
    keys: tuple[ShorterKey, ...]
    section: str | None


def shorter_stages(forecast: Forecast, study: Study) -> list[ShorterStage]:
    """What shortens the longest stages, the longest first; empty where there is nothing to do.

    Args:
        forecast: of the study.
        study: its settings. Keys that cannot be lowered any further are left out.
    """
    stages = {stage.name: stage for stage in stages_of(study)}
    long = [stage for stage in forecast.stages if stage.seconds > LEAST * forecast.seconds]
    found = []
    for stage in sorted(long, key=lambda stage: -stage.seconds)[:MOST]:
        if not stage.results and not stages[stage.name].per_layer:
            continue  # only its page is made
        keys = tuple(each for key in SHORTER.get(stage.name, ()) if (each := _changeable(key, study)) is not None)
        section = stages[stage.name].section
        if keys or section is not None:
            found.append(ShorterStage(stage.name, keys, section))
    return found


def shorter_lines(forecast: Forecast, study: Study) -> list[str]:
    """What `shorter_stages` finds, as lines of text; empty where it finds nothing."""
    rows = []
    for stage in shorter_stages(forecast, study):
        leave_out = [] if stage.section is None else [f"or leave the section {stage.section} out"]
        rows.append(f"  {stage.stage}: {', '.join([*map(_words, stage.keys), *leave_out])}")
    return ["Keys of the study file that shorten the longest stages, with their values now:", *rows] if rows else []


def _changeable(key: str, study: Study) -> ShorterKey | None:
    """A key with its value; `None` if the study cannot be shortened by it."""
    if key.startswith("network.") and study.network.checkpoint is not None:
        return None
    if key == "network.options":
        return ShorterKey(key, sizes, larger=False) if (sizes := _sizes(study)) else None
    if key == "data.classes" and study.data.target != "class":
        return None
    section: Any = study
    *path, name = key.split(".")
    for part in path:
        section = getattr(section, part)
        if section is None:
            return None
    value, larger = getattr(section, name), key in LARGER
    if value is not None and not (key in EMPTY_IS_ALL and not value) and not larger and _least(section, name, value):
        return None
    if isinstance(value, Section):
        value = value.model_dump(exclude_none=True)
    if value is None and (words := no_value_words(key) or "").isdecimal():
        value = int(words)
    return ShorterKey(key, list(value) if isinstance(value, tuple) else value, larger)


def _sizes(study: Study) -> dict[str, Any]:
    """The sizes of the study's network: as given, else the published ones; of a network of one's own those given."""
    from stgcnlib.networks import NETWORKS  # which imports torch

    given, kind = study.network.options, NETWORKS.get(study.network.name)
    if kind is None:
        return {name: given[name] for name in SIZES if name in given}
    taken = inspect.signature(kind).parameters
    return {name: given.get(name, taken[name].default) for name in SIZES if name in taken}


def _words(found: ShorterKey) -> str:
    if found.value is None or (found.key in EMPTY_IS_ALL and not found.value):
        value = (no_value_words(found.key) or "").partition(":")[0]
    else:
        value = _text(found.value)
    remarks = ["larger"] if found.larger else []
    remarks += [REMARKS[found.key]] if found.key in REMARKS else []
    return f"{found.key}{f': {value}' if value else ''}" + (f" ({'; '.join(remarks)})" if remarks else "")


def _least(section: Section, name: str, value: Any) -> bool:
    """Whether a value is the lowest, or has the fewest entries, that its field allows."""
    bounds = type(section).model_fields[name].metadata
    if isinstance(value, tuple | dict):
        return len(value) <= max([0, *(getattr(bound, "min_length", 0) for bound in bounds)])
    return any(value <= bound.ge for bound in bounds if hasattr(bound, "ge"))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {each}" for name, each in value.items()) + "}"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)

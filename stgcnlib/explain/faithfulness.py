"""Deletion and insertion: does the class become less probable when its most relevant joints and frames are removed?

A map is compared with random maps of the same mass on the same recordings; maps that do no better than those say
nothing about the network. It is also compared with the joints' motion energy, which is computed without the network:
a useful map does better. Intervals are by jackknife over subjects where these are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stgcnlib.activations import observing
from stgcnlib.activations.observe import Pass
from stgcnlib.errors import SequenceError
from stgcnlib.explain.baseline import Replacement, mean_pose, motion_energy, moved, removed
from stgcnlib.explain.intervals import over_recordings
from stgcnlib.explain.relevance import Maps, RelevanceMap
from stgcnlib.explain.targets import check_classes
from stgcnlib.groups import SUBJECT, resampled_groups
from stgcnlib.networks.batches import check_fit, check_numbers, check_scores, network_batch
from stgcnlib.networks.copies import on_copies, one_at_a_time
from stgcnlib.progress import track
from stgcnlib.sequences import SequenceSet
from stgcnlib.transforms.presence import people_there

__all__ = ["UNITS", "Faithfulness", "Unit", "faithfulness"]

Unit: TypeAlias = Literal["joints", "frames", "joint-frames"]
"""What is removed at a time: a person's joint in all frames, a frame of all people, or single cells."""
UNITS: tuple[Unit, ...] = ("joints", "frames", "joint-frames")

COMPARISONS = ("random", "motion")
"""What maps are compared with: random maps, and the motion energy of the joints."""

_MEASURE = "deletion and insertion measure the probability of a class among others"

_BATCH_FRAMES = 1024  # frames of all people in one forward pass, of which there is one on each thread


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Deletion and insertion of a set of maps.

    Attributes:
        curves: mean probability of the explained class by layer, title, index, unit, mode ("deletion" or
            "insertion"), kind ("map", "random" or "motion") and fraction of the units replaced or inserted.
        areas: one row per recording, layer, unit and mode: `area` under its curve, `random` mean area of its
            random maps, `motion` area of its motion energy, `group` of the recording.
    """

    curves: pd.DataFrame
    areas: pd.DataFrame

    def summary(self, *, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
        """Areas by unit, mode and layer, with jackknife intervals over subjects (`intervals.over_recordings`).

        Columns layer, title, index, unit, mode, recordings; area, low, high; and for each of "random" and "motion" its
        area, `random_low`, `random_high`, and how far the map is better, paired by recording: `beats_random` with
        `beats_random_low` and `beats_random_high`. That is random − map for deletion and map − random for insertion,
        so that the map is better where it is above 0.
        """
        rows = []
        for (unit, mode, index), part in self.areas.groupby(["unit", "mode", "index"], sort=False):
            groups, sign = part["group"].to_numpy(), 1.0 if mode == "insertion" else -1.0
            area = part["area"].to_numpy()
            values = {"area": area}
            for other in COMPARISONS:
                values |= {other: part[other].to_numpy(), f"beats_{other}": sign * (area - part[other].to_numpy())}
            row = {
                "layer": part["layer"].iloc[0], "title": part["title"].iloc[0], "index": index, "unit": unit,
                "mode": mode, "recordings": len(part),
            }  # fmt: skip
            for name, each in values.items():
                mean = over_recordings(each, groups, confidence=confidence, seed=seed)
                low, high = mean.low, mean.high
                if not name.startswith("beats"):  # an area of probabilities lies between 0 and 1
                    low, high = max(low, 0.0), min(high, 1.0)
                ends = ("low", "high") if name == "area" else (f"{name}_low", f"{name}_high")
                row |= {name: mean.value, ends[0]: low, ends[1]: high}
            rows.append(row)
        return pd.DataFrame(rows)


def faithfulness(
    network: nn.Module,
    data: SequenceSet,
    maps: Maps,
    *,
    reference: SequenceSet | None = None,
    units: Sequence[Unit] = UNITS,
    replacement: Replacement = "mean-pose",
    steps: int = 10,
    draws: int = 5,
    groups: ArrayLike | None = None,
    resample: ArrayLike | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool | None = None,
) -> Faithfulness:
    """Deletion and insertion curves of every layer's maps (Petsiuk, Das and Saenko 2018, on joints and frames).

    Units are ordered by the sum of their relevance, largest first. Deletion replaces a growing share of them in this
    order; insertion starts with all of them replaced and puts them back in this order. Both measure the softmax
    probability of the class that the map explains. A random map is the recording's own map at a randomly drawn layer,
    with its joints shuffled and its frames rolled. So it has the same mass and the same smoothness in time, on which
    the effect of a removal depends, but at other places. The motion energy (`baseline.motion_energy`) is a comparison
    map that does not use the network. All layers are compared with the same random maps and motion energy. Cost:
    (layers + draws + 1) * 2 * (steps - 1) forward passes per recording and unit. People and frames that are not there
    are no units, and stay absent.

    Args:
        data: the N explained recordings.
        maps: layer -> map per recording, as `grad_cam_set` gives them.
        reference: recordings of the class-free mean pose, such as the training part; `None` takes `data`.
        units: what is removed at a time.
        replacement: see `removed`.
        steps: number of steps from no unit to all units.
        draws: random maps per recording.
        groups: (N,) subject of each recording; `None` takes the set's "subject" where it has one.
        resample: (N,) groups that intervals leave out as a whole; "recordings": every one by itself; `None`: `groups`.

    Raises:
        SequenceError: maps and recordings do not belong together, steps or draws are below 1, the recordings have no
            classes, or the network has only one output.
        StudyError: the network's scores are NaN or infinite.
    """
    check_fit(network, data)
    check_classes(_MEASURE, data)
    if len(maps) != len(data):
        raise SequenceError(f"there are {len(maps)} maps for {len(data)} recordings; give one dictionary each")
    if steps < 1 or draws < 1:
        raise SequenceError(f"steps={steps}, draws={draws}; each must be at least 1")
    known = resampled_groups(resample, data.groups.get(SUBJECT) if groups is None else groups)
    source = data if reference is None else reference
    fractions = np.linspace(0, 1, steps + 1)
    curves: dict[tuple[str, str, str, str], list[NDArray[np.float64]]] = {}
    areas = []
    generator = np.random.default_rng(seed)
    jobs: list[_Job] = []
    for i in range(len(data)):
        people, layers = data.people(i), maps[i]
        _check_maps(layers, people, data.names[i])
        pose = mean_pose(source, *people.shape[:2]) if replacement == "mean-pose" else None
        target, names = next(iter(layers.values())).target, list(layers)
        energy, there = motion_energy(people, data.layout), people_there(people, data.layout)
        for unit in units:
            random = [
                moved(layers[names[generator.integers(len(names))]].values, generator, there) for _ in range(draws)
            ]
            ranked = [*(each.values for each in layers.values()), *random, energy]
            orders = np.stack([_order(each, unit, there) for each in ranked])
            jobs.append(_Job(i, unit, orders, target, pose))

    def tested(own: nn.Module, job: _Job) -> NDArray[np.float64]:
        with observing(own, [], device=device) as forward:
            return _curves(forward, data, job, steps, replacement)

    alone = one_at_a_time(data, _BATCH_FRAMES, device)
    with observing(network, [], device=device):  # it goes to its device once, and not for each job
        found = list(
            track(
                on_copies(network, jobs, tested, alone=alone),
                "Deleting and inserting",
                total=len(jobs),
                show=progress,
            )
        )
    for job, values in zip(jobs, found, strict=True):
        i, unit, layers = job.recording, job.unit, maps[job.recording]
        chance, motion = values[len(layers) : -1], values[-1]
        for own, (name, each) in zip(values, layers.items(), strict=False):
            for m, mode in enumerate(("deletion", "insertion")):
                curve, others = own[m], chance[:, m]
                curves.setdefault((name, unit, mode, "map"), []).append(curve)
                curves.setdefault((name, unit, mode, "random"), []).append(others.mean(axis=0))
                curves.setdefault((name, unit, mode, "motion"), []).append(motion[m])
                areas.append({
                    "recording": i, "group": "" if known is None else str(known[i]), "layer": name,
                    "title": each.title, "index": each.index, "unit": unit, "mode": mode,
                    "area": float(np.trapezoid(curve, fractions)),
                    "random": float(np.trapezoid(others, fractions, axis=1).mean()),
                    "motion": float(np.trapezoid(motion[m], fractions)),
                })  # fmt: skip
    about = {name: (each.title, each.index) for name, each in maps[0].items()}
    table = pd.concat([
        pd.DataFrame({
            "layer": name, "title": about[name][0], "index": about[name][1], "unit": unit, "mode": mode, "kind": kind,
            "fraction": fractions, "probability": np.mean(values, axis=0),
        })
        for (name, unit, mode, kind), values in curves.items()
    ], ignore_index=True)  # fmt: skip
    return Faithfulness(table, pd.DataFrame(areas))


@dataclass(frozen=True, eq=False)
class _Job:
    """One recording and unit: the orders (orders, units) in which the units that are there are removed, the explained
    class, and the mean pose."""

    recording: int
    unit: Unit
    orders: NDArray[np.int64]
    target: int
    pose: NDArray[np.float32] | None


def _curves(forward: Pass, data: SequenceSet, job: _Job, steps: int, replacement: Replacement) -> NDArray[np.float64]:
    """(orders, 2, steps + 1) probability while units are removed (0) or put back (1), most relevant first."""
    orders, unit, people = job.orders, job.unit, data.people(job.recording)
    M, T, V = people.shape[:3]
    total = orders.shape[1]
    rank = np.full((len(orders), {"joints": M * V, "frames": T}.get(unit, M * T * V)), total)
    np.put_along_axis(rank, orders, np.arange(total)[None], axis=1)
    counts = np.round(np.linspace(0, total, steps + 1)).astype(np.int64)
    inner = counts[1:-1]
    # With no unit or with all units replaced, the recording is the same for every order.
    gone = rank[:, None, :] < inner[None, :, None]
    masks = np.concatenate([_cells(gone, unit, (M, T, V)), _cells(~gone, unit, (M, T, V))], axis=1)
    ends = np.stack([np.zeros((M, T, V), bool), np.ones((M, T, V), bool)])
    flat = np.concatenate([ends, masks.reshape(-1, M, T, V)])
    size = max(1, _BATCH_FRAMES // (M * T))
    parts = []
    for k in range(0, len(flat), size):
        copies = removed(people, flat[k : k + size], replacement=replacement, pose=job.pose, layout=data.layout)
        batch = network_batch(list(copies))
        logits = check_scores(forward(batch)[0], batch)
        check_classes(_MEASURE, data, logits)
        check_numbers(logits.cpu().numpy(), "the network's outputs", data.names[job.recording])
        parts.append(torch.softmax(logits.double(), dim=1)[:, job.target].cpu().numpy())
    probabilities = np.concatenate(parts)
    whole, empty = probabilities[:2]
    inside = probabilities[2:].reshape(len(orders), 2, len(inner))
    result = np.empty((len(orders), 2, steps + 1))
    result[:, :, 1:-1] = inside
    result[:, 0, 0] = result[:, 1, -1] = whole
    result[:, 0, -1] = result[:, 1, 0] = empty
    return result


def _order(values: NDArray[np.floating], unit: Unit, there: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Units of a map (M, T, V), the most relevant first; those of which nothing is there (M, T) are left out."""
    axes: tuple[int, ...]
    match unit:
        case "joints":
            axes = (1,)
        case "frames":
            axes = (0, 2)
        case "joint-frames":
            axes = ()
        case _:
            raise SequenceError(f"unit={unit!r} is unknown; give {', '.join(UNITS)}")
    score = values.sum(axis=axes, dtype=np.float64).ravel()
    known = np.asarray(np.broadcast_to(there[..., None], values.shape).any(axis=axes)).ravel()
    order = np.argsort(-score, kind="stable")
    return order[known[order]]


def _cells(chosen: NDArray[np.bool_], unit: Unit, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """(…, units) as (…, M, T, V)."""
    M, T, V = shape
    lead = chosen.shape[:-1]
    match unit:
        case "joints":
            return np.broadcast_to(chosen.reshape(*lead, M, 1, V), (*lead, M, T, V))
        case "frames":
            return np.broadcast_to(chosen.reshape(*lead, 1, T, 1), (*lead, M, T, V))
    return chosen.reshape(*lead, M, T, V)


def _check_maps(layers: Mapping[str, RelevanceMap], people: NDArray[np.float32], name: str) -> None:
    for each in layers.values():
        if each.values.shape != people.shape[:3]:
            raise SequenceError(
                f"{name}: the map of {each.layer!r} has shape {each.values.shape}, the recording {people.shape[:3]}; "
                "explain the same recordings"
            )

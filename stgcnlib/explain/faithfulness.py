"""Deletion and insertion: does the network lose its class when what a map points at is taken away?

A map is judged against random maps of the same mass on the same recordings; maps that do no better than those say
nothing about the network. Intervals are by bootstrap over recordings, by subject where subjects are known.
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
from stgcnlib.explain.baseline import Replacement, mean_pose, removed
from stgcnlib.explain.gradcam import RelevanceMap
from stgcnlib.geometry.uncertainty import bootstrap_counts, bootstrap_means, interval, paired_difference
from stgcnlib.groups import SUBJECT, at_least_two, resampled_groups
from stgcnlib.networks.batches import check_fit, check_scores, network_batch
from stgcnlib.progress import track
from stgcnlib.sequences import SequenceSet

__all__ = ["UNITS", "Faithfulness", "Maps", "Unit", "faithfulness"]

Unit: TypeAlias = Literal["joints", "frames", "joint-frames"]
"""What is taken away at a time: a person's joint in all frames, a frame of all people, or single cells."""
UNITS: tuple[Unit, ...] = ("joints", "frames", "joint-frames")
Maps: TypeAlias = Sequence[Mapping[str, RelevanceMap]]

_BATCH_FRAMES = 4096  # frames of all people in one forward pass


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Deletion and insertion of a set of maps.

    Attributes:
        curves: mean probability of the explained class by layer, title, index, unit, mode ("deletion" or
            "insertion"), kind ("map" or "random") and fraction of the units replaced or inserted.
        areas: one row per recording, layer, unit and mode: `area` under its curve, `random` mean area of its
            random maps, `group` of the recording.
    """

    curves: pd.DataFrame
    areas: pd.DataFrame

    def summary(self, *, draws: int = 1000, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
        """Areas by unit, mode and layer with bootstrap intervals over recordings (two-level by group where known).

        Columns area, low, high; random, random_low, random_high; difference, difference_low, difference_high:
        random − map for deletion and map − random for insertion, paired by recording, so above 0 is good.
        `apart`: the two intervals do not touch and the map is on the right side; `better`: the paired interval lies
        above 0.
        """
        rows = []
        for (unit, mode, index), part in self.areas.groupby(["unit", "mode", "index"], sort=False):
            groups = at_least_two(part["group"].to_numpy())
            counts = bootstrap_counts(len(part), draws=draws, groups=groups, seed=seed)
            area, random = part["area"].to_numpy(), part["random"].to_numpy()
            low, high = interval(bootstrap_means(area, counts), confidence)
            random_low, random_high = interval(bootstrap_means(random, counts), confidence)
            pair = (random, area) if mode == "deletion" else (area, random)
            difference, d_low, d_high = paired_difference(*pair, counts, confidence)
            rows.append({
                "layer": part["layer"].iloc[0], "title": part["title"].iloc[0], "index": index, "unit": unit,
                "mode": mode, "recordings": len(part), "area": area.mean(), "low": low, "high": high,
                "random": random.mean(), "random_low": random_low, "random_high": random_high,
                "difference": difference, "difference_low": d_low, "difference_high": d_high,
                "apart": bool(high < random_low if mode == "deletion" else low > random_high),
                "better": bool(d_low > 0),
            })  # fmt: skip
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

    Units are ordered by the sum of their relevance. Deletion replaces the first share of them, insertion starts
    from all replaced and puts the first share back; both read the softmax probability of the class that the map
    explains. A random map is the recording's own map at a layer drawn by lot, with its joints shuffled and its frames
    rolled: the same mass, and the same smoothness in time, which eases a removal, in other places. All layers are
    held against the same random maps. Cost: (layers + draws) * 2 * (steps - 1) forward passes per recording and unit.

    Args:
        data: the N explained recordings.
        maps: layer -> map per recording, as `grad_cam_set` gives them.
        reference: recordings of the class-free mean pose, the training part say; `None` takes `data`.
        units: what is taken away at a time.
        replacement: see `removed`.
        steps: steps from nothing to everything.
        draws: random maps per recording.
        groups: (N,) subject of each recording; `None` takes the set's "subject" where it has one.
        resample: (N,) groups that intervals resample as a whole; "recordings": every one by itself; `None`: `groups`.

    Raises:
        SequenceError: maps and recordings do not belong together, or steps or draws are below 1.
    """
    check_fit(network, data)
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
    with observing(network, [], device=device) as forward:
        for i in track(range(len(data)), "Deleting and inserting", total=len(data), show=progress):
            people, layers = data.people(i), maps[i]
            _check_maps(layers, people, data.names[i])
            pose = mean_pose(source, *people.shape[:2]) if replacement == "mean-pose" else None
            target, names = next(iter(layers.values())).target, list(layers)
            for unit in units:
                ranked = [_order(each.values, unit) for each in layers.values()]
                moved = [_moved(layers[names[generator.integers(len(names))]].values, generator) for _ in range(draws)]
                orders = np.stack([*ranked, *(_order(values, unit) for values in moved)])
                values = _curves(forward, people, orders, unit, steps, target, replacement, pose)
                chance = values[len(names) :]
                for own, (name, each) in zip(values, layers.items(), strict=False):
                    for m, mode in enumerate(("deletion", "insertion")):
                        curve, others = own[m], chance[:, m]
                        curves.setdefault((name, unit, mode, "map"), []).append(curve)
                        curves.setdefault((name, unit, mode, "random"), []).append(others.mean(axis=0))
                        areas.append({
                            "recording": i, "group": "" if known is None else str(known[i]), "layer": name,
                            "title": each.title, "index": each.index, "unit": unit, "mode": mode,
                            "area": float(np.trapezoid(curve, fractions)),
                            "random": float(np.trapezoid(others, fractions, axis=1).mean()),
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


def _curves(
    forward: Pass,
    people: NDArray[np.float32],
    orders: NDArray[np.int64],
    unit: Unit,
    steps: int,
    target: int,
    replacement: Replacement,
    pose: NDArray[np.float32] | None,
) -> NDArray[np.float64]:
    """(orders, 2, steps + 1) probability while units go (0) or come back (1), most relevant first."""
    M, T, V = people.shape[:3]
    total = orders.shape[1]
    rank = np.argsort(orders, axis=1)
    counts = np.round(np.linspace(0, total, steps + 1)).astype(np.int64)
    inner = counts[1:-1]
    # Whole and empty bodies are the same for every order.
    gone = rank[:, None, :] < inner[None, :, None]
    masks = np.concatenate([_cells(gone, unit, (M, T, V)), _cells(~gone, unit, (M, T, V))], axis=1)
    ends = np.stack([np.zeros((M, T, V), bool), np.ones((M, T, V), bool)])
    flat = np.concatenate([ends, masks.reshape(-1, M, T, V)])
    size = max(1, _BATCH_FRAMES // (M * T))
    parts = []
    for k in range(0, len(flat), size):
        copies = removed(people, flat[k : k + size], replacement=replacement, pose=pose)
        batch = network_batch(list(copies))
        logits = check_scores(forward(batch)[0], batch)
        parts.append(torch.softmax(logits.double(), dim=1)[:, target].cpu().numpy())
    probabilities = np.concatenate(parts)
    whole, empty = probabilities[:2]
    inside = probabilities[2:].reshape(len(orders), 2, len(inner))
    result = np.empty((len(orders), 2, steps + 1))
    result[:, :, 1:-1] = inside
    result[:, 0, 0] = result[:, 1, -1] = whole
    result[:, 0, -1] = result[:, 1, 0] = empty
    return result


def _order(values: NDArray[np.float32], unit: Unit) -> NDArray[np.int64]:
    """Units of a map (M, T, V), the most relevant first."""
    match unit:
        case "joints":
            score = values.sum(axis=1, dtype=np.float64).ravel()
        case "frames":
            score = values.sum(axis=(0, 2), dtype=np.float64)
        case "joint-frames":
            score = values.ravel().astype(np.float64)
        case _:
            raise SequenceError(f"unit={unit!r} is unknown; give {', '.join(UNITS)}")
    return np.argsort(-score, kind="stable")


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


def _moved(values: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    rolled = np.roll(values, int(generator.integers(values.shape[1])), axis=1)
    # Joints of all people change places, so that a lone actor of two is not given away.
    M, T, V = values.shape
    joints = rolled.transpose(1, 0, 2).reshape(T, M * V)[:, generator.permutation(M * V)]
    return joints.reshape(T, M, V).transpose(1, 0, 2)


def _check_maps(layers: Mapping[str, RelevanceMap], people: NDArray[np.float32], name: str) -> None:
    for each in layers.values():
        if each.values.shape != people.shape[:3]:
            raise SequenceError(
                f"{name}: the map of {each.layer!r} has shape {each.values.shape}, the recording {people.shape[:3]}; "
                "explain the same recordings"
            )

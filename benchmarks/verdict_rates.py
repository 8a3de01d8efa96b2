"""Do the intervals of label smoothness cover, and how often does the verdict on depth say yes where it must not?

    python benchmarks/verdict_rates.py            # the whole table, about an hour on two cores
    python benchmarks/verdict_rates.py --quick    # fewer sets, about five minutes

Sets of recordings are simulated again and again: nine classes, three repetitions by each of 4, 8 or 20 people. People
are alike, or differ in how far apart they keep the classes (by a factor exp(0.25 z) or exp(0.5 z), z normal), the same
at all layers or anew at each. A set has three layers and is judged by the library as a study would be: graphs by NNK
with neighbours by other people, and anew without each person. "equal": all layers are as good as each other, so that
nothing falls. "even": the middle layer has half of the fall, so that it is not late. What is to be covered is the
expectation over sets of this size, from further sets that are not judged. "bootstrap" is the interval that earlier
versions had (people and recordings drawn over fixed graphs), for comparison. With --networks each set has that many
networks, which differ from each other.

Exit status 1 if a rate is out of its range, beyond what chance explains at 99%: coverage 93 to 98% (of the curve and of
differences; the depth of half of the fall, whose interval is wide by its nature, at least 93%), false yes at most 5%.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import binomtest

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.geometry import LayerGeometry, label_smoothness
from stgcnlib.geometry.measure import values_without
from stgcnlib.geometry.uncertainty import Jackknife, deletion_groups
from stgcnlib.verdicts.depth import depth_of_half, depth_tests

CLASSES, REPEATS, DIMENSION, K = 9, 3, 8, 20
COVERAGE, FALSE_YES = (0.93, 0.98), 0.05
STRONG, WEAK = 1.1, 0.55  # of the classes, in the unit of the scatter within a class
DIFFER = 0.04  # how the strength of networks varies


@dataclass(frozen=True)
class World:
    """How sets are simulated: people, how far they differ, whether anew at each layer, and the layers' strengths."""

    subjects: int
    apart: float
    by_layer: bool
    strengths: tuple[float, ...]
    networks: int = 1

    @property
    def groups(self) -> NDArray[np.int64]:
        return np.tile(np.repeat(np.arange(self.subjects), REPEATS), CLASSES)

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(CLASSES), self.subjects * REPEATS)

    def distances(self, seed: int) -> Iterator[list[NDArray[np.float64]]]:
        """For each network, the distances at each layer of one set."""
        centres = np.random.default_rng(1).normal(size=(CLASSES, DIMENSION))  # the actions are the same in every set
        rng = np.random.default_rng([2, seed])
        own = rng.normal(size=(len(self.labels), DIMENSION))
        fixed = rng.normal(size=self.subjects)
        for _ in range(self.networks):
            shift = DIFFER * rng.normal() if self.networks > 1 else 0.0
            made = []
            for index, strength in enumerate(self.strengths):
                anew = rng.normal(size=self.subjects)
                factors = np.exp(self.apart * (anew if self.by_layer else fixed))[self.groups]
                places = factors[:, None] * (strength + (shift if index else 0.0)) * centres[self.labels] + own
                places += 0.3 * rng.normal(size=own.shape)
                made.append(cdist(places, places))
            yield made


def smoothness(world: World, seed: int) -> NDArray[np.float64]:
    """(layers,) mean smoothness of one set, over its networks."""
    return np.mean([[_values(matrix, world).mean() for matrix in layers] for layers in world.distances(seed)], axis=0)


def _values(matrix: NDArray[np.float64], world: World) -> NDArray[np.float64]:
    return label_smoothness(nnk_graph(matrix, k=K, exclude=world.groups), world.labels, per="node")


def geometry(world: World, seed: int) -> LayerGeometry:
    """One set as a study measures it, without what the verdict's first two questions do not need."""
    jackknife = Jackknife(deletion_groups(len(world.labels), groups=world.groups))
    rows, nodes, left_out = [], [], {}
    for number, layers in enumerate(world.distances(seed), 1):
        network = "trained" if number == 1 else f"trained-{number}"
        for index, matrix in enumerate(layers):
            values = _values(matrix, world)
            key = {"layer": str(index), "index": index, "network": network, "neighbours": "other subjects"}
            rows.append(key | {"title": str(index), "smoothness": values.mean(), "null_mean": 0.9, "null_low": 0.85})
            nodes.append(pd.DataFrame(key | {"node": np.arange(len(values)), "smoothness": values}))
            left_out[(str(index), network, "other subjects")] = values_without(
                jackknife, matrix, world.labels, k=K, exclude=world.groups
            )
    settings = {"confidence": 0.95, "seed": 0, "k": K}
    tables = pd.DataFrame(rows), pd.DataFrame(), pd.concat(nodes)
    return LayerGeometry(*tables, {}, world.labels, world.groups, settings, left_out=left_out)


def judged(task: tuple[World, int]) -> dict[str, float]:
    """Intervals and answers of one set."""
    world, seed = task
    found, ends = geometry(world, seed), np.eye(len(world.strengths))
    last, fall = found.contrast({"trained": ends[-1]}), found.contrast({"trained": ends[0] - ends[-1]})
    low, _, high = depth_of_half(found)
    falls, late = depth_tests(found)[:2]
    nodes = np.mean([found.node_values(name) for name in found.networks()], axis=0)
    curve_low, curve_high = _bootstrap(nodes[-1], world.groups, seed)
    fall_low, fall_high = _bootstrap(nodes[0] - nodes[-1], world.groups, seed)
    return {
        "last_low": last.low, "last_high": last.high, "fall_low": fall.low, "fall_high": fall.high,
        "half_low": low, "half_high": high, "falls": falls.answer is True, "not": falls.answer is False,
        "late": late.answer is True, "old_last_low": curve_low, "old_last_high": curve_high,
        "old_fall_low": fall_low, "old_fall_high": fall_high, "old_falls": fall_low > 0,
    }  # fmt: skip


def _bootstrap(values: NDArray[np.float64], groups: NDArray[np.int64], seed: int) -> tuple[float, float]:
    """The two-level percentile bootstrap over people, then recordings, that versions before 0.3 had."""
    rng, people = np.random.default_rng([3, seed]), int(groups.max()) + 1
    members = [np.flatnonzero(groups == person) for person in range(people)]
    means = [
        np.concatenate(
            [values[rng.choice(members[p], len(members[p]))] for p in rng.integers(0, people, people)]
        ).mean()
        for _ in range(300)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def expected(world: World, sets: int, pool: ProcessPoolExecutor) -> NDArray[np.float64]:
    """(layers,) the expectation of the curve, from sets that are not judged."""
    return np.mean(list(pool.map(smoothness, [world] * sets, range(10**6, 10**6 + sets), chunksize=8)), axis=0)


def even(world: World, sets: int, pool: ProcessPoolExecutor) -> tuple[float, ...]:
    """Strengths of three layers, of which the middle one has half of the fall."""
    grid = np.linspace(WEAK, STRONG, 5)
    curve = expected(World(world.subjects, world.apart, world.by_layer, tuple(grid)), sets, pool)
    middle = np.interp(-(curve[0] + curve[-1]) / 2, -curve, grid)
    return WEAK, float(middle), STRONG


def row(world: World, name: str, sets: int, truth: int, pool: ProcessPoolExecutor) -> dict[str, object]:
    """One row of the table."""
    mean = expected(world, truth, pool)
    found = pd.DataFrame(list(pool.map(judged, [(world, seed) for seed in range(sets)], chunksize=4)))
    fall = mean[0] - mean[-1]
    place = np.linspace(0, 1, len(mean))
    dense = np.linspace(0, 1, 10_001)
    half = dense[(np.interp(dense, place, mean) <= (mean[0] + mean[-1]) / 2).argmax()]

    def covered(what: str, value: float) -> float:
        return float(((found[f"{what}_low"] <= value) & (value <= found[f"{what}_high"])).mean())

    old = {"curve, bootstrap": covered("old_last", mean[-1]), "difference, bootstrap": covered("old_fall", fall)}
    shown = {
        "subjects": world.subjects, "people differ by": world.apart,
        "by layer": world.by_layer, "networks": world.networks, "layers": name, "curve": covered("last", mean[-1]),
        "difference": covered("fall", fall),
    }  # fmt: skip
    if name == "equal":
        return shown | {"falls: yes": found["falls"].mean(), **old, "yes, bootstrap": found["old_falls"].mean()}
    return shown | {
        "half": covered("half", half),
        "late: yes": found["late"].mean(),
        "power": found["falls"].mean(),
        **old,
    }


def outside(table: pd.DataFrame, sets: int) -> list[str]:
    """Which rates are out of their range by more than chance explains."""
    wrong = []
    for _, line in table.iterrows():
        where = f"{line['subjects']} subjects, differing by {line['people differ by']}"
        where += f"{' by layer' if line['by layer'] else ''}, layers {line['layers']}"
        for name in ("curve", "difference", "half"):
            if np.isfinite(line[name]):
                found = binomtest(round(line[name] * sets), sets).proportion_ci(0.99)
                if found.high < COVERAGE[0] or (found.low > COVERAGE[1] and name != "half"):
                    wrong.append(f"{where}: the {name}'s interval covers {line[name]:.1%}")
        for name in ("falls: yes", "late: yes"):
            if (
                np.isfinite(line[name])
                and binomtest(round(line[name] * sets), sets).proportion_ci(0.99).low > FALSE_YES
            ):
                wrong.append(f"{where}: {name} in {line[name]:.1%}")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer sets, of 4 and 8 people")
    parser.add_argument("--sets", type=int, help="sets that are judged in each row")
    parser.add_argument("--workers", type=int, help="processes; as many as cores, if left out")
    parser.add_argument("--networks", type=int, default=1, help="trained networks of each set")
    parser.add_argument("--subjects", type=int, nargs="+", help="numbers of people; 4, 8 and 20, if left out")
    options = parser.parse_args()
    sets = options.sets or (40 if options.quick else 250)
    truth, began, rows = 2 * sets, time.monotonic(), []
    with ProcessPoolExecutor(options.workers) as pool:
        for subjects in options.subjects or ((4, 8) if options.quick else (4, 8, 20)):
            for apart, by_layer in ((0.0, False), (0.25, False), (0.25, True), (0.5, False), (0.5, True)):
                world = World(subjects, apart, by_layer, (0.8,) * 3, options.networks)
                strengths = even(world, sets, pool)
                rows.append(row(world, "equal", sets, truth, pool))
                falling = World(subjects, apart, by_layer, strengths, options.networks)
                rows.append(row(falling, "even", sets, truth, pool))
                print(pd.DataFrame(rows[-2:]).to_string(float_format="{:.3f}".format), flush=True)
    table = pd.DataFrame(rows)
    print(f"\n{sets} sets a row\n" + table.to_string(index=False, float_format="{:.3f}".format, na_rep="-"))
    wrong = outside(table, sets)
    print("\n".join(wrong) if wrong else "every rate is in its range")
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

"""Do the 95% bootstrap intervals of label smoothness cover? Resampled demo sets of new people, again and again.

    python benchmarks/interval_coverage.py --subjects 4 --repeats 2 --k 20

Every set is a fresh sample of simulated people. The value to cover is the expectation of smoothness over sets of this
size, taken from as many further sets that are not judged: with K fixed, smoothness falls as a set grows denser, so
the limit of ever larger sets would be another quantity. Input coordinates, every third frame, windows of three.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from numpy.typing import NDArray

from stgcnlib import transforms
from stgcnlib.demo import demo_sequences
from stgcnlib.dsgraph import nnk_graph
from stgcnlib.dtw import dtw_distances
from stgcnlib.geometry import bootstrap_counts, label_smoothness
from stgcnlib.geometry.uncertainty import bootstrap_means, deletion_groups, interval, jackknife_interval


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--truth", type=int, default=200, help="sets that only serve the expectation")
    parser.add_argument("--draws", type=int, default=1000)
    options = parser.parse_args()
    rows, truth = [], []
    for seed in range(options.repetitions + options.truth):
        distances, labels, subjects = demo_distances(options.subjects, options.repeats, 10_000 + seed)
        graph = nnk_graph(distances, k=options.k, exclude=subjects)
        nodes = label_smoothness(graph, labels, per="node")
        if seed >= options.repetitions:
            truth.append(nodes.mean())
            continue
        counts = bootstrap_counts(len(labels), draws=options.draws, groups=subjects, seed=seed)
        part = deletion_groups(len(labels), groups=subjects)
        left_out = []
        for each in np.unique(part):
            keep = part != each
            other = nnk_graph(distances[np.ix_(keep, keep)], k=options.k, exclude=subjects[keep])
            left_out.append(label_smoothness(other, labels[keep]))
        rows.append(
            (
                float(nodes.mean()),
                *interval(bootstrap_means(nodes, counts)),
                *jackknife_interval(float(nodes.mean()), left_out),
            )
        )
    table = np.array(rows)
    target = float(np.mean(truth))
    result = {
        "subjects": options.subjects,
        "repeats": options.repeats,
        "k": options.k,
        "repetitions": options.repetitions,
        "expectation": round(target, 4),
        "standard deviation over sets": round(float(table[:, 0].std()), 4),
        "two-level bootstrap": judged(table[:, 1:3], target),
        "jackknife over subjects, graphs rebuilt": judged(table[:, 3:5], target),
    }
    print(json.dumps(result, indent=1))


def demo_distances(subjects: int, repeats: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray]:
    """Distances, labels and subjects of one set."""
    data = transforms.normalize(demo_sequences(subjects=subjects, repeats=repeats, seed=seed))
    coarse = [sequence[::3].reshape(-(-len(sequence) // 3), -1) for sequence in map(data.sequence, range(len(data)))]
    return dtw_distances(coarse, window=3, progress=False), data.labels, data.groups["subject"]


def judged(intervals: NDArray[np.float64], target: float) -> dict[str, float]:
    low, high = intervals.T
    covered = (low <= target) & (target <= high)
    return {"coverage": round(float(covered.mean()), 3), "mean width": round(float((high - low).mean()), 4)}


if __name__ == "__main__":
    main()

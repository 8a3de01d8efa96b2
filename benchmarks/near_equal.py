"""When is a recording nearly equal to another? Distances of different performances, and of disturbed copies.

    python benchmarks/near_equal.py [UTD_MHAD NW_UCLA]

Distances are shares of the median distance of a training and a test recording, as in `stgcnlib.leakage.find_leakage`,
whose threshold has to lie between the two. The demo data are measured always.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

import stgcnlib
from stgcnlib import SequenceSet
from stgcnlib.dtw import dtw_distances
from stgcnlib.leakage.search import NEAR
from stgcnlib.transforms import normalize

COPIES = 60
Change = Callable[[NDArray[np.float32]], NDArray[np.floating]]


def changes(rng: np.random.Generator) -> dict[str, Change]:
    """What may happen to a recording that is stored a second time."""
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], dtype=float)
    return {
        "moved, turned, scaled": lambda c: 1.3 * c @ turn + [1, 0, 2],
        "half precision": lambda c: c.astype(np.float16).astype(float),
        "rounded to 1 mm": lambda c: np.round(c, 3),
        "rounded to 10 mm": lambda c: np.round(c, 2),
        "noise of 1 mm": lambda c: c + rng.normal(0, 0.001, c.shape),
        "noise of 5 mm": lambda c: c + rng.normal(0, 0.005, c.shape),
        "without the first frame": lambda c: c[1:] if len(c) > 6 else c,
        "without 3 frames": lambda c: c[3:] if len(c) > 8 else c,
        "every second frame": lambda c: c[::2],
    }


def sets(folders: list[str]) -> Iterator[tuple[str, SequenceSet, str, list[int], Callable[[SequenceSet], SequenceSet]]]:
    """Name, recordings, group and values of the usual split, and preparation."""
    yield "demo", stgcnlib.demo_sequences(seed=0), "subject", [1, 3, 5, 7], normalize
    for folder in folders:
        data = stgcnlib.read(folder)
        by, train = ("view", [1, 2]) if "view" in data.groups else ("subject", [1, 3, 5, 7])
        yield folder, data, by, train, partial(normalize, per="frame" if by == "view" else "sequence")


def main() -> None:
    """Print both kinds of distances, and the time that the comparison of the parts takes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folders", nargs="*", help="of UTD-MHAD and NW-UCLA")
    for name, data, by, train, prepare in sets(parser.parse_args().folders):
        rng = np.random.default_rng(0)
        prepared = prepare(data)
        dtw_distances(prepared.select(range(4)), progress=False)  # compiles
        began = time.perf_counter()
        parts = prepared.split(by, train)
        between = dtw_distances(parts[1], parts[0], progress=False)
        seconds = time.perf_counter() - began
        usual = float(np.median(between))
        everyone = dtw_distances(prepared, progress=False) / usual
        subjects = data.groups["subject"]
        same = subjects[:, None] == subjects[None, :]
        pairs = (everyone > 0) & ~np.eye(len(data), dtype=bool)
        print(f"{name}: {between.size} pairs in {seconds:.1f} s; threshold {NEAR}")
        print(f"  nearest of the other part   least above 0: {between[between > 0].min() / usual:.3f}")
        print(f"  two by other people         least above 0: {everyone[pairs & ~same].min():.3f}")
        print(f"  two by one person           least above 0: {everyone[pairs & same].min():.3f}")
        few = data.select(np.sort(rng.permutation(len(data))[:COPIES]))
        clean = prepare(few)
        for title, change in changes(rng).items():
            other = prepare(few.with_coords([change(c) for c in few.coords]))
            found = [
                float(dtw_distances([clean.sequence(i)], [other.sequence(i)], progress=False)[0, 0]) / usual
                for i in range(len(few))
            ]
            print(
                f"  {title:26s}  median {np.median(found):.3f}, 90% below {np.quantile(found, 0.9):.3f}, "
                f"found {np.mean(np.array(found) <= NEAR):.0%}"
            )


if __name__ == "__main__":
    main()

"""A made-up data set of the size of NTU RGB+D 60's cross-subject test, to try the whole line on.

Usage: python benchmarks/ntu_sized.py FOLDER [--recordings 16487] [--width 64] [--epochs 2]

Writes into FOLDER ntu_sized.pkl (PYSKL's annotations: 60 classes, each two actions of the demo body one after the
other; 40 people in the test part, 8 others in the training part; 79 frames on average), network.pt (an ST-GCN
trained for a few epochs on the training part), and study.yml, which has 2,000 of the test recordings as nodes. Then:

    stgcnlib estimate FOLDER/study.yml
    stgcnlib run FOLDER/study.yml --output FOLDER/report
"""

from __future__ import annotations

import argparse
import itertools
import pickle
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

import stgcnlib
from stgcnlib.networks import save_checkpoint

CLASSES, TESTED, TRAINED = 60, 40, 8
TRIALS, TRAINING_TRIALS = 7, 2


def composed(people: int, trials: int, seed: int) -> list[tuple[int, int, int, NDArray[np.float32]]]:
    """(person, trial, class, coordinates (T, 25, 3)) of every pair of actions, the second where the first ended."""
    base = stgcnlib.demo_sequences(subjects=people, repeats=trials, seed=seed)
    actions = len(base.class_names)
    pairs = list(itertools.permutations(range(actions), 2))[:: max(actions * (actions - 1) // CLASSES, 1)][:CLASSES]
    keys = zip(base.groups["subject"], base.groups["trial"], base.labels, strict=True)
    where = {(int(s), int(t), int(c)): i for i, (s, t, c) in enumerate(keys)}
    made = []
    for person, trial in itertools.product(range(1, people + 1), range(1, trials + 1)):
        for label, (first, second) in enumerate(pairs):
            a, b = (base.coords[where[(person, trial, c)]] for c in (first, second))
            a, b = a[::2], b[::2]  # twice as fast: of one recording's length together
            made.append((person, trial, label, np.concatenate([a, b + (a[-1, 0] - b[0, 0])]).astype(np.float32)))
    return made


def main() -> None:
    """Write the set, the checkpoint and the study."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--recordings", type=int, default=16_487, help="in the test part")
    arguments.add_argument("--width", type=int, default=64)
    arguments.add_argument("--epochs", type=int, default=2)
    given = arguments.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)

    tested = composed(TESTED, TRIALS, seed=0)
    kept = np.sort(np.random.default_rng(0).permutation(len(tested))[: given.recordings])
    parts = {"xsub_val": [tested[i] for i in kept], "xsub_train": composed(TRAINED, TRAINING_TRIALS, seed=1)}
    annotations, split = [], {}
    for part, recordings in parts.items():
        first = 1 if part == "xsub_val" else TESTED + 1
        names = [f"S001C001P{first + p - 1:03d}R{t:03d}A{c + 1:03d}" for p, t, c, _ in recordings]
        split[part] = names
        annotations += [
            {"frame_dir": name, "label": c, "total_frames": len(x), "keypoint": x[None]}
            for name, (_, _, c, x) in zip(names, recordings, strict=True)
        ]
    file = given.folder / "ntu_sized.pkl"
    file.write_bytes(pickle.dumps({"split": split, "annotations": annotations}, protocol=4))
    frames = np.array([each["total_frames"] for each in annotations])
    print(f"{file}: {len(annotations)} recordings, {frames.mean():.0f} frames on average, {frames.max()} at most")

    data = stgcnlib.transforms.normalize(stgcnlib.read(file))
    train, test = data.split("xsub", ["train"], ["val"])
    network = stgcnlib.load_network("st-gcn", layout=data.layout, classes=CLASSES, width=given.width)
    few = test.select(np.arange(0, len(test), 50))
    stgcnlib.fit(network, train, few, epochs=given.epochs, seed=0)
    save_checkpoint(network, given.folder / "network.pt")
    study = {
        "name": "NTU RGB+D 60 in size",
        "data": {"path": str(file), "split": {"by": "xsub", "train": ["train"], "test": ["val"]}},
        "network": {
            "name": "st-gcn",
            "checkpoint": str(given.folder / "network.pt"),
            "options": {"width": given.width},
        },
        "graph": {"sample": {"nodes": 2000}},
        "controls": {"untrained": 1, "initial": 0},
    }
    (given.folder / "study.yml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()

"""What explaining costs: Grad-CAM of all layers of a batch against one forward-backward pass of the same batch.

    python benchmarks/gradcam_cost.py --network st-gcn --width 64

The pass is what a training step does before its update: logits, the sum of the true classes' scores, gradients of all
weights. Both are timed in turn and the medians compared, in processor seconds, so that other work on the machine
counts little.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from stgcnlib.explain import grad_cam_set
from stgcnlib.networks import load_network
from stgcnlib.networks.batches import network_batch
from stgcnlib.sequences import SequenceSet


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="st-gcn")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    network = load_network(options.network, layout="ntu-rgb+d", classes=60, width=options.width, seed=0)
    rng = np.random.default_rng(0)
    coords = list(rng.normal(size=(options.batch, 1, options.frames, 25, 3)).astype(np.float32))
    data = SequenceSet(coords, layout="ntu-rgb+d")
    x = network_batch([data.people(i) for i in range(len(data))])

    def step() -> None:
        network.zero_grad()
        network(x)[:, 0].sum().backward()

    def explain() -> None:
        grad_cam_set(network, data, target=0, progress=False)

    for work in (step, explain):
        work()
    pairs = [(seconds(step), seconds(explain)) for _ in range(options.rounds)]
    one, all_layers = (statistics.median(column) for column in zip(*pairs, strict=True))
    layers = len(list(network.layer_names))  # type: ignore[arg-type]
    print(f"{options.network}, width {options.width}, {options.batch} x {options.frames} frames, {layers} layers")
    print(f"forward-backward {one:.3f} s, Grad-CAM of all layers {all_layers:.3f} s: {all_layers / one:.2f} times")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

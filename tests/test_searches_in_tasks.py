"""A search for neighbours in tasks that other processes may run: the same bytes, and none of them twice."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stgcnlib.activations import LayerStore
from stgcnlib.activations.store import FORMAT, VERSION, write_layer
from stgcnlib.artefacts import Tasks
from stgcnlib.dsgraph.distances import nearest_distances
from stgcnlib.dtw import DTWOptions, LayerDistances, dtw_neighbors

OPTIONS = DTWOptions(window=4)
GROUPS = np.arange(90) // 6 % 5


@pytest.fixture(scope="module")
def sequences() -> list[np.ndarray]:
    """Ninety sequences in a plane of 80 features, of six classes."""
    rng = np.random.default_rng(1)
    plane, centres = rng.normal(size=(3, 80)), rng.normal(size=(6, 3)) * 3
    return [
        (centres[i % 6] + rng.normal(size=3) + rng.normal(size=(t, 3)).cumsum(axis=0) * 0.1).astype(np.float32) @ plane
        for i, t in enumerate(rng.integers(3, 12, size=90))
    ]


class Counting(ThreadPoolExecutor):
    """Two threads, which may stop after some tasks."""

    done = 0

    def __init__(self, most: int = 10**6) -> None:
        super().__init__(2)
        self.most = most

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        if Counting.done >= self.most:
            raise KeyboardInterrupt
        Counting.done += 1
        return super().submit(*args, **kwargs)


def told(known: LayerDistances, tmp_path: Path) -> bytes:
    known.save(tmp_path / "known.npz")
    with np.load(tmp_path / "known.npz") as stored:
        return b"".join(stored[name].tobytes() for name in sorted(stored.files) if "seconds" not in name)


def stored(sequences: list[np.ndarray], folder: Path) -> Any:
    """The same as a layer of a store on disk."""
    import zarr

    lengths = np.array([len(each) for each in sequences])
    root = zarr.create_group(str(folder))
    starts = np.cumsum(lengths) - lengths
    write_layer(root, "layer00", np.concatenate(sequences).astype(np.float32), starts, lengths)
    entry = {"name": "input", "index": 0, "title": "input", "joints": 1, "temporal_stride": 1, "array": "layer00"}
    root.attrs.update(format=FORMAT, version=VERSION, layers=[{**entry, "lengths": lengths.tolist()}])
    return LayerStore.open(folder)["input"]


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_the_same_bytes_wherever_tasks_run(
    sequences: list[np.ndarray], tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer: Any = [each.astype(np.float32) for each in sequences]
    if where == "disk":  # read by blocks, by each process for itself
        layer = stored(sequences, tmp_path / "layer.zarr")
        monkeypatch.setattr("stgcnlib.dtw.source.RESIDENT_BYTES", 0)
    asked: dict[str, Any] = {"k": 5, "exclude": GROUPS, "parts": GROUPS, "everyone": True}
    expected = told(nearest_distances(layer, OPTIONS, **asked), tmp_path)
    Counting.done = 0
    with Tasks(tmp_path / "elsewhere", Counting) as tasks:
        assert told(nearest_distances(layer, OPTIONS, **asked, executor=tasks), tmp_path) == expected
    assert (count := Counting.done) >= 4
    with Tasks(tmp_path / "here") as tasks:
        assert told(nearest_distances(layer, OPTIONS, **asked, executor=tasks), tmp_path) == expected
    Counting.done = 0
    with pytest.raises(KeyboardInterrupt), Tasks(tmp_path / "cut", lambda: Counting(3)) as tasks:
        nearest_distances(layer, OPTIONS, **asked, executor=tasks)
    with Tasks(tmp_path / "cut", Counting) as tasks:
        assert told(nearest_distances(layer, OPTIONS, **asked, executor=tasks), tmp_path) == expected
    assert Counting.done == count


def test_neighbours_alone(sequences: list[np.ndarray], tmp_path: Path) -> None:
    expected = dtw_neighbors(sequences, 4, exclude=GROUPS, dtw=OPTIONS)
    with Tasks(tmp_path, Counting) as tasks:
        found = dtw_neighbors(sequences, 4, exclude=GROUPS, dtw=OPTIONS, executor=tasks)
    np.testing.assert_array_equal(found.indices, expected.indices)
    assert found.distances.tobytes() == expected.distances.tobytes()

"""The same numbers on any number of threads, and no number that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from tiny_network import TinyNetwork

import stgcnlib
from stgcnlib import threads, transforms
from stgcnlib.dtw import dtw_distances
from stgcnlib.errors import StudyError
from stgcnlib.explain import grad_cam
from stgcnlib.networks import copies as network_copies
from stgcnlib.sequences import SequenceSet
from stgcnlib.threads import INFERENCE_THREADS, TRAINING_THREADS, limit_threads, pass_threads, torch_threads
from stgcnlib.training import calibrate_batch_norm, evaluate, evaluation


@pytest.fixture
def free() -> Iterator[None]:
    """Threads as they were, whatever a test chose."""
    before = torch.get_num_threads()
    yield
    limit_threads(before)


def features(network: torch.nn.Module, data: SequenceSet) -> np.ndarray:
    store = stgcnlib.record(network, data, progress=False)
    return np.concatenate([np.concatenate(list(store[name])).ravel() for name in store.layers])


def weights(data: SequenceSet) -> np.ndarray:
    network = stgcnlib.load_network("st-gcn", layout=data.layout, classes=2, width=4, depth=2, seed=0)
    stgcnlib.fit(network, data, epochs=2, batch_size=4, progress=False)
    return np.concatenate([value.numpy().ravel() for value in network.state_dict().values()])


def calibrated(data: SequenceSet) -> np.ndarray:
    network = stgcnlib.load_network("st-gcn", layout=data.layout, classes=2, width=4, depth=2, seed=0)
    calibrate_batch_norm(network, data)
    return np.concatenate([value.numpy().ravel() for value in network.state_dict().values()])


def relevance(network: torch.nn.Module, data: SequenceSet) -> np.ndarray:
    maps = grad_cam(network, data.coords[0], target=0)
    return np.concatenate([each.values.ravel() for each in maps.values()])


@pytest.mark.usefixtures("free")
def test_networks_give_the_same_numbers_on_any_number_of_threads(small_set: SequenceSet) -> None:
    data = transforms.normalize(small_set)
    network = stgcnlib.load_network("st-gcn", layout=data.layout, classes=2, width=64, depth=2, seed=0)
    measures: dict[str, Callable[[], np.ndarray]] = {
        "weights": lambda: weights(data),
        "batch norm": lambda: calibrated(data),
        "features": lambda: features(network, data),
        "scores": lambda: evaluate(network, data).logits,
        "relevance": lambda: relevance(network, data),
        "distances": lambda: dtw_distances(data, progress=False),
    }
    found = {}
    for count in (1, 2, 4):
        limit_threads(count)
        found[count] = {name: measure() for name, measure in measures.items()}
        assert torch.get_num_threads() == min(count, torch.get_num_threads())
    for name in measures:
        np.testing.assert_array_equal(found[1][name], found[2][name], err_msg=name)
        np.testing.assert_array_equal(found[1][name], found[4][name], err_msg=name)


class Counting(TinyNetwork):
    """Notes on how many threads it runs; a copy tells the same list."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes=classes)
        self.noted = Noted()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.threads = torch.get_num_threads()
        self.noted.append((self, self.threads))
        return super().forward(x)


class Noted(list[tuple[TinyNetwork, int]]):
    """A list that copies share."""

    def __deepcopy__(self, memo: object) -> Noted:
        return self


@pytest.mark.usefixtures("free")
def test_a_network_runs_on_threads_of_its_own_number(small_set: SequenceSet) -> None:
    """Also where rounding happens to agree; afterwards torch has as many as before."""
    network = Counting(classes=2)
    torch.set_num_threads(3)
    stgcnlib.record(network, small_set, progress=False)
    assert network.threads == INFERENCE_THREADS
    network.noted.clear()
    evaluate(network, small_set)
    assert {count for _, count in network.noted} == {INFERENCE_THREADS}
    stgcnlib.fit(network, small_set, epochs=1, progress=False)
    assert network.threads == TRAINING_THREADS
    stgcnlib.fit(network, small_set, epochs=1, threads=1, progress=False)
    assert network.threads == 1
    assert torch.get_num_threads() == 3
    with pytest.raises(StudyError, match="threads is 0"):
        stgcnlib.fit(network, small_set, epochs=1, threads=0, progress=False)
    with pytest.raises(ZeroDivisionError), torch_threads(2):
        raise ZeroDivisionError
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("free")
@pytest.mark.parametrize(
    ("cores", "named", "share", "expected"),
    [(2, "", 1, 2), (2, "", 2, 2), (2, "1", 1, 1), (8, "", 2, 3), (8, "4", 4, 4), (1, "", 1, 1), (1, "", 4, 4)],
)
def test_batches_pass_on_one_thread_more_than_the_share(
    cores: int, named: str, share: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "cores", lambda: cores)
    monkeypatch.setenv("OMP_NUM_THREADS", named)
    torch.set_num_threads(share)
    assert pass_threads() == expected


class Forgetful(TinyNetwork):
    """Keeps what it was given, as networks of one's own may, and refuses recordings of some lengths."""

    refused: tuple[int, ...] = ()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.given = x
        scores = super().forward(x)
        assert self.given is x, "another thread's recordings"
        if x.shape[2] in self.refused:
            raise ZeroDivisionError(f"{x.shape[2]} frames")
        return scores


@pytest.mark.usefixtures("free")
def test_threads_that_evaluate_share_nothing_and_end_together(small_set: SequenceSet) -> None:
    rng = np.random.default_rng(0)
    coords = [rng.normal(size=(T, *small_set.coords[0].shape[1:])).astype(np.float32) for T in range(5, 45)]
    data = SequenceSet(coords, labels=[0, 1] * 20, class_names=["a", "b"], layout=small_set.layout)
    network = Forgetful(classes=2)
    torch.set_num_threads(4)
    found = evaluate(network, data).logits
    torch.set_num_threads(1)
    np.testing.assert_array_equal(found, evaluate(network, data).logits)
    torch.set_num_threads(4)
    for refused in [(5, 44), (44, 20), (30,)]:
        network.refused = refused
        network.train()
        with pytest.raises(ZeroDivisionError, match=f"{min(refused)} frames"):
            evaluate(network, data)
        assert network.training
        assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("free")
def test_recordings_longer_than_a_batch_do_not_pass_side_by_side(
    small_set: SequenceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each needs the memory that was looked for; short ones are divided among the networks of several threads."""
    copies: list[int] = []
    real = network_copies._copies
    monkeypatch.setattr(network_copies, "_copies", lambda network, count: copies.append(count) or real(network, count))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(3)
    for batch in (int(small_set.lengths.max()), int(small_set.lengths.max()) - 1):
        monkeypatch.setattr(evaluation, "BATCH_FRAMES", batch)
        evaluate(TinyNetwork(classes=2), small_set)
    assert copies[0] >= 3
    assert copies[1] == 1


def broken(value: float) -> TinyNetwork:
    network = TinyNetwork(classes=2)
    with torch.no_grad():
        list(network.parameters())[-1].fill_(value)
    return network


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused_and_recordings_are_not_blamed(small_set: SequenceSet, value: float) -> None:
    with pytest.raises(StudyError, match=r"network's outputs of 'recording 0' are NaN or infinite.*look at the net"):
        evaluate(broken(value), small_set)
    network = TinyNetwork(classes=2)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("blocks.1"):
                parameter.fill_(value)
    with pytest.raises(StudyError, match=r"features of layer 'blocks\.1' of 'recording 0' are NaN or infinite"):
        stgcnlib.record(network, small_set, progress=False)

"""The engine for CUDA devices, its very operations run by torch on the processor: what `dtw_distances` promises."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from dtw_reference import reference_distances
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rounding import tf32
from test_dtw_distances import (  # noqa: F401  once more, by this engine
    assert_close,
    pair_and_options,
    test_accepts_sets_layers_and_joints,
    test_adversarial_sets,
    test_costs_beyond_float32_are_refused,
    test_equals_slow_loops,
    test_equivalences,
    test_frames_equal_tslearn,
    test_symmetric_case_equals_both_sides_given,
    test_symmetric_non_negative_zero_on_self,
    test_widening_a_band_never_raises_the_cost,
    walks,
)

from stgcnlib.dtw import DTWOptions, dtw_distances, dtw_neighbors
from stgcnlib.dtw.frames import frame_table
from stgcnlib.dtw.gpu import device_pair_costs, device_tiles, dtw_device
from stgcnlib.dtw.source import FrameSource, frame_source
from stgcnlib.errors import DeviceError

PROCESSOR = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def engine():
    """The processor in the place of a device that is so small that tiles have few frames, of which few are on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stgcnlib.dtw.gpu._memory", lambda device: (5000, 2**17))
        patch.setattr("stgcnlib.dtw.distances.pair_costs", partial(device_pair_costs, device=PROCESSOR))
        yield


def tiles(a, b=None, *, cells=None, resident=None, **options):
    tables = frame_table(a), None if b is None else frame_table(b)
    sources = [None if table is None else FrameSource.of(table) for table in tables]
    return list(device_tiles(DTWOptions(**options), *sources, device=PROCESSOR, cells=cells, resident=resident))


def matrix(found, shape):
    costs = np.full(shape, np.nan)
    for tile in found:
        costs[np.ix_(tile.rows, tile.columns)] = tile.costs
    return costs


@settings(deadline=None, max_examples=15)
@given(pair_and_options(), st.integers(0, 2**32 - 1), st.integers(20, 4000), st.integers(5, 400))
def test_any_tiling_gives_each_pair_once_and_the_same_costs(case, seed, cells, resident):
    rng = np.random.default_rng(seed)
    a, b = (walks(rng, rng.integers(1, 25, size=count), features=3) for count in (17, 6))
    options = case[2]
    found = tiles(a, cells=cells, resident=resident, **options)
    visits = np.zeros((17, 17))
    for tile in found:
        assert tile.costs.shape == (len(tile.rows), len(tile.columns))
        block = np.array_equal(tile.rows, tile.columns)
        visits[np.ix_(tile.rows, tile.columns)] += 0.5 if block else 1.0
        if block:
            np.testing.assert_array_equal(tile.costs, tile.costs.T)
            np.testing.assert_array_equal(np.diag(tile.costs), 0)
    np.testing.assert_array_equal(visits + visits.T, 1)
    one = matrix(tiles(a, cells=10**6, resident=10**6, **options), (17, 17))
    some = matrix(found, (17, 17))
    there = ~np.isnan(some)
    np.testing.assert_allclose(some[there], one[there], rtol=2e-5, atol=1e-14)
    np.testing.assert_array_equal(some, matrix(tiles(a, cells=cells, resident=10**6, **options), (17, 17)))
    crossed = matrix(tiles(a, b, cells=cells, resident=resident, **options), (17, 6))
    np.testing.assert_allclose(crossed, reference_distances(a, b, **options), rtol=1e-5, atol=1e-14)


def test_a_block_of_very_different_lengths(rng):
    a = walks(rng, [1, 90, 2, 40], dtype=np.float32)
    for options in ({"window": 5}, {"reading": "frames", "band": 3}, {"reading": "segments"}):
        found = matrix(tiles(a, cells=10**7, resident=10**6, **options), (4, 4))
        np.testing.assert_allclose(found, reference_distances(a, **options), rtol=1e-5, atol=0)


def test_coarse_products_are_noticed_and_their_costs_recomputed(rng, monkeypatch):
    """A device that reads operands in TensorFloat-32 would be wrong by a hundred times what is promised."""
    from stgcnlib.dtw import gpu, wavefront

    def coarse(x, y):
        return (tf32(x.values) @ tf32(y.values).T).view(*x.rows.shape, *y.rows.shape)

    a = walks(rng, rng.integers(4, 12, size=9), features=40, dtype=np.float32)
    expected = reference_distances(a, reading="frames")
    with monkeypatch.context() as patch:
        for module in (gpu, wavefront):
            patch.setattr(module, "frame_products", coarse)
        assert_close(dtw_distances(a, reading="frames"), expected)
        patch.setattr(wavefront, "_recompute", lambda model, x, y, squares: squares.clamp_(min=0))
        trusted = dtw_distances(a, reading="frames")
    error = np.abs(trusted - expected)[expected > 0] / expected[expected > 0]
    assert error.max() > 1e-4


def test_between_two_tiles_torch_is_as_it_was(rng):
    a = walks(rng, [20] * 12)
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        for _ in device_tiles(DTWOptions(), frame_source(a), device=PROCESSOR, cells=400, resident=50):
            assert not torch.is_inference_mode_enabled()
            assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


@pytest.mark.parametrize("step", ["frame_products", "cell_costs", "path_costs"])
def test_a_full_device_is_said(rng, monkeypatch, step):
    def full(*given):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(f"stgcnlib.dtw.gpu.{step}", full)
    with pytest.raises(DeviceError, match=r"its memory is full; .* compute\.workers to 1"):
        tiles(walks(rng, [4, 5]))


def test_without_a_device_the_processor_does_it_and_says_so_once(rng, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: None)
    a = walks(rng, [6, 9, 4])
    with pytest.warns(UserWarning, match="device='cuda:1': .*; the processor is used instead") as told:
        found = dtw_distances(a, device="cuda:1")
    assert len(told) == 1
    np.testing.assert_array_equal(found, dtw_distances(a))


def test_devices_that_are_no_gpu_for_it_leave_it_to_the_processor(monkeypatch):
    assert dtw_device("cpu") is None
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("mps"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    with pytest.warns(UserWarning, match="device='mps': DTW is for CUDA devices and processors"):
        assert dtw_device("mps") is None
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
    assert dtw_device("cuda") == torch.device("cuda")


@pytest.fixture
def device(monkeypatch):
    """Its name; it is there, and is the processor."""
    monkeypatch.setattr("stgcnlib.dtw.gpu.dtw_device", lambda name: PROCESSOR)
    return "cuda"


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pair_and_options(), st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from(["none", "groups", "mask"]))
def test_neighbours_are_those_of_the_processor(device, case, seed, k, how):
    """Ties, near ties and equal sequences among them."""
    rng = np.random.default_rng(seed)
    a = walks(rng, rng.integers(1, 20, size=19), features=3)
    a += [a[0].copy(), a[3] + 1e-9 * rng.normal(size=a[3].shape), a[3] * (1 + 1e-7), a[5].copy()]
    exclude = {"none": None, "groups": rng.integers(0, 4, len(a)), "mask": rng.random((len(a), len(a))) < 0.3}[how]
    found = dtw_neighbors(a, k, exclude=exclude, device=device, **case[2])
    expected = dtw_neighbors(a, k, exclude=exclude, **case[2])
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.distances, expected.distances, rtol=2e-5, atol=1e-14)


def test_a_search_on_a_device_says_why_it_computes_all_pairs(rng, device):
    statistics = dtw_neighbors(walks(rng, [9] * 30), 3, device=device).statistics
    assert statistics["method"] == "brute force"
    assert "computes all pairs: bounds would save products alone" in statistics["reason"]
    assert statistics["pairs_computed"] == statistics["pairs"] == 30 * 29 / 2
    assert statistics["device"] == "cpu"

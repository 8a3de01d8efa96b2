"""LayerDistances: what a table and some pairs know is what all pairs would say; what they don't know is an error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.dtw.known import LayerDistances, as_layer_distances
from stgcnlib.dtw.neighbors import NeighborTable
from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.dtw.reach import needed_reach
from stgcnlib.errors import GraphError


def matrix_of(seed: int, count: int = 24, values: int | None = None) -> np.ndarray:
    """(N, N) float32 distances; with `values`, whole numbers below it, so that many are tied or 0."""
    rng = np.random.default_rng(seed)
    given = rng.random((count, count)) if values is None else rng.integers(0, values, (count, count))
    return np.triu(given, 1).astype(np.float32) + np.triu(given, 1).T.astype(np.float32)


def slow_nearest(matrix, k, codes=None):
    """Independent of the production code: sort tuples, one row at a time."""
    rows = []
    for i in range(len(matrix)):
        own = [
            (float(matrix[i, j]), j) for j in range(len(matrix)) if j != i and (codes is None or codes[i] != codes[j])
        ]
        rows.append(sorted(own)[:k])
    return np.array([[j for _, j in row] for row in rows]), np.array([[d for d, _ in row] for row in rows])


def table_of(matrix, reach, codes=None) -> NeighborTable:
    indices, distances = slow_nearest(matrix, reach, codes)
    return NeighborTable(indices.astype(np.int64), distances.astype(np.float32))


def from_table(matrix, reach, codes=None, **more) -> LayerDistances:
    return LayerDistances.of_table(table_of(matrix, reach, codes), KnownPairs(len(matrix)), exclude=codes, **more)


@given(st.integers(0, 10**6), st.sampled_from([None, 3, 8]), st.integers(1, 5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_nearest_of_tables_and_of_all_pairs(seed, values, k, grouped):
    matrix = matrix_of(seed, values=values)
    codes = np.random.default_rng(seed).integers(0, 4, 24) if grouped else None
    if grouped:
        codes[:4] = np.arange(4)
    expected = slow_nearest(matrix, k, codes)
    for known in (as_layer_distances(matrix), from_table(matrix, 7, codes)):
        found = known.nearest(k, exclude=codes)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
        assert found[0].dtype == np.int64
        assert found[1].dtype == np.float64


@given(st.integers(0, 10**6), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_nearest_of_some_recordings(seed, k):
    """A selection answers as a matrix of that selection does, or says which reach is needed."""
    rng = np.random.default_rng(seed)
    matrix, codes = matrix_of(seed), rng.permutation(np.arange(24) % 4)
    parts = rng.integers(0, 5, 24)
    known = from_table(matrix, 9, codes)
    needed = needed_reach(table_of(matrix, 9, codes).indices, parts, k)
    for part in range(5):
        kept = np.flatnonzero(parts != part)
        enough = (needed[kept] <= 9).all()
        if enough:
            indices, distances = known.nearest(k, exclude=codes[kept], kept=kept)
            expected = slow_nearest(matrix[np.ix_(kept, kept)], k, codes[kept])
            np.testing.assert_array_equal(indices, expected[0])
            np.testing.assert_array_equal(distances, expected[1])
            again = known.select(kept).select(np.arange(1, len(kept)))
            both = kept[1:]
            np.testing.assert_array_equal(again.among(np.array([[0, 3, 5]])), known.among(both[[[0, 3, 5]]]))


def test_needed_reach_is_the_least_that_is_enough(rng):
    matrix, parts, k = matrix_of(3), rng.integers(0, 4, 24), 3
    full = table_of(matrix, 23).indices
    needed = needed_reach(full, parts, k)
    for i in range(24):
        left = [sum(parts[full[i, : needed[i]]] != p) for p in range(4) if p != parts[i]]
        before = [sum(parts[full[i, : needed[i] - 1]] != p) for p in range(4) if p != parts[i]]
        assert min(left) == k
        assert min(before) < k
    short = needed_reach(full[:, :k], parts, k)
    assert ((short > k) == (needed > k)).all()
    assert (short <= needed).all()


def test_a_reach_that_is_not_enough_is_named():
    matrix = matrix_of(0)
    with pytest.raises(GraphError, match="reach of at least 6"):
        from_table(matrix, 5).nearest(6)
    known = from_table(matrix, 5)
    kept = np.setdiff1d(np.arange(24), table_of(matrix, 5).indices[0][:2])
    with pytest.raises(GraphError, match="have fewer known neighbours"):
        known.nearest(5, kept=kept)
    with pytest.raises(GraphError, match="has only 23 admissible candidates"):
        known.nearest(24)


def test_other_groups(rng):
    """Stricter groups are answered from a table of everyone, everyone from a second table, and nothing is guessed."""
    matrix, fine = matrix_of(1), np.arange(24) % 12
    coarse = fine % 6
    known = from_table(matrix, 15)
    np.testing.assert_array_equal(known.nearest(2, exclude=coarse)[0], slow_nearest(matrix, 2, coarse)[0])
    known = from_table(matrix, 15, fine)
    np.testing.assert_array_equal(known.nearest(2, exclude=coarse)[0], slow_nearest(matrix, 2, coarse)[0])
    with pytest.raises(GraphError, match="everyone"):
        known.nearest(2)
    with pytest.raises(GraphError, match="everyone"):
        from_table(matrix, 6, coarse).nearest(2, exclude=fine)
    with pytest.raises(GraphError, match="mask"):
        known.nearest(2, exclude=np.zeros((24, 24), bool))
    both = from_table(matrix, 6, fine, everyone=table_of(matrix, 4))
    np.testing.assert_array_equal(both.nearest(4)[0], slow_nearest(matrix, 4)[0])
    np.testing.assert_array_equal(both.nearest(6, exclude=fine)[0], slow_nearest(matrix, 6, fine)[0])
    with pytest.raises(GraphError, match="bars"):
        LayerDistances.of_table(table_of(matrix, 6), KnownPairs(24), exclude=fine)
    with pytest.raises(GraphError, match="bool"):
        as_layer_distances(matrix).nearest(2, exclude=np.zeros((24, 24)))
    mask = coarse[:, None] == coarse
    np.testing.assert_array_equal(as_layer_distances(matrix).nearest(3, exclude=mask)[0],
                                  slow_nearest(matrix, 3, coarse)[0])  # fmt: skip


def test_among_and_get(rng):
    matrix = matrix_of(5)
    codes = np.arange(24) % 5
    known, full = from_table(matrix, 6, codes), as_layer_distances(matrix)
    candidates = rng.permuted(np.tile(np.arange(24), (9, 1)), axis=1)[:, :8]
    truth = matrix[candidates[:, :, None], candidates[:, None, :]].astype(np.float64)
    np.testing.assert_array_equal(full.among(candidates), truth)
    found = known.among(candidates)
    there = ~np.isnan(found)
    assert 0.2 < there.mean() < 0.8
    np.testing.assert_array_equal(found[there], truth[there])
    i, j = candidates[:, :1], candidates
    np.testing.assert_array_equal(known.get(i, j), found[:, 0].astype(np.float32))
    np.testing.assert_array_equal(full.get(i, j), truth[:, 0].astype(np.float32))
    with pytest.raises(GraphError, match="needs all distances"):
        known.matrix()
    assert not known.complete
    assert (known.reach, full.reach) == (6, 23)
    np.testing.assert_array_equal(full.matrix(), matrix)


def test_what_is_asked_for_is_computed_once(rng):
    matrix, asked = matrix_of(7), []
    pairs = KnownPairs(24)

    def fill(wanted):
        asked.append(wanted)
        pairs.add(wanted[:, 0], wanted[:, 1], matrix[wanted[:, 0], wanted[:, 1]])

    known = LayerDistances.of_table(table_of(matrix, 4), pairs, fill=fill)
    kept = np.arange(2, 24)
    some = known.select(kept)
    every = np.arange(22)[None]
    i, j = (kept[part] for part in np.nonzero(np.triu(np.isnan(some.among(every)[0]))))
    some.ask(*np.nonzero(np.isnan(some.among(every)[0])))
    np.testing.assert_array_equal(asked[0], np.stack([i, j], axis=1))
    np.testing.assert_array_equal(some.among(every)[0], matrix[2:, 2:])
    some.ask([0, 1], [3, 4])
    assert len(asked) == 1
    with pytest.raises(GraphError, match="are unknown"):
        from_table(matrix, 4).ask(*np.nonzero(np.isnan(from_table(matrix, 4).among(np.arange(24)[None])[0])))
    as_layer_distances(matrix).ask([0], [1])


def test_kept_on_disk(tmp_path, rng):
    matrix, codes = matrix_of(2), np.arange(24) % 3
    path = tmp_path / "known.npz"
    many = np.tile(np.arange(24), (1, 1))
    for known in (as_layer_distances(matrix), from_table(matrix, 7, codes, everyone=table_of(matrix, 5)),
                  from_table(matrix, 9, codes).select(np.arange(3, 24))):  # fmt: skip
        known.save(path)
        read = LayerDistances.load(path)
        nodes = many[:, : known.count]
        np.testing.assert_array_equal(read.among(nodes), known.among(nodes))
        own = codes[-known.count :]
        np.testing.assert_array_equal(read.nearest(3, exclude=own)[0], known.nearest(3, exclude=own)[0])
        assert (read.complete, read.reach) == (known.complete, known.reach)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(GraphError, match=r"LayerDistances\.save"):
        LayerDistances.load(path)
    np.savez(path, a=np.zeros(3))
    with pytest.raises(GraphError, match=r"LayerDistances\.save"):
        LayerDistances.load(path)
    from_table(matrix, 7, codes).save(path)
    with np.load(path) as stored:
        broken = dict(stored)
    for name, wrong in {"known_0": broken["known_0"][1:], "indices_0": broken["indices_0"] + 24,
                        "keys": broken["keys"][::-1], "count": np.array(25)}.items():  # fmt: skip
        np.savez(path, **(broken | {name: wrong}))
        with pytest.raises(GraphError):
            LayerDistances.load(path)
    np.savez(path, **{name: value for name, value in broken.items() if name != "distances_0"})
    with pytest.raises(GraphError, match=r"LayerDistances\.save"):
        LayerDistances.load(path)


def test_mean(rng):
    """Of all pairs; of a large set of some pairs, always the same, of which a selection reads those that it has."""
    matrix = matrix_of(8, 300)
    full, asked = as_layer_distances(matrix), []
    assert full.mean() == pytest.approx(matrix[np.triu_indices(300, 1)].mean(), rel=1e-6)
    pairs = KnownPairs(300)

    def fill(wanted):
        asked.append(len(wanted))
        pairs.add(*wanted.T, matrix[wanted[:, 0], wanted[:, 1]])

    known = LayerDistances.of_table(table_of(matrix, 3), pairs, fill=fill)
    assert known.mean() == pytest.approx(full.mean(), rel=0.02)
    assert sum(asked) < 20_000
    kept = rng.permutation(300)[:200]
    assert known.select(kept).mean() == pytest.approx(full.select(kept).mean(), rel=0.03)
    assert len(asked) == 1
    small = from_table(matrix[:50, :50], 49)
    assert small.mean() == pytest.approx(as_layer_distances(matrix[:50, :50]).mean(), rel=1e-6)
    with pytest.raises(GraphError, match="are unknown"):
        from_table(matrix, 3).mean()


def test_halves_and_dtypes():
    matrix = matrix_of(4).astype(np.float64)
    off = matrix.copy()
    off[0, 1] += 1e-7
    assert (
        as_layer_distances(off).matrix()[0, 1] == as_layer_distances(off).matrix()[1, 0] == (off[0, 1] + off[1, 0]) / 2
    )
    assert as_layer_distances(matrix.astype(np.float32)).matrix().dtype == np.float32
    assert as_layer_distances(matrix.astype(np.float16)).matrix().dtype == np.float64
    known = as_layer_distances(matrix)
    assert as_layer_distances(known) is known

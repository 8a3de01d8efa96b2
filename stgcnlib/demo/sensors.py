"""The embedded sensor network: a substance that the wind carries over sensors, for trying a target that is no class.

It is generated, and stands for no real place. Its planted relation is known: what reaches the sensors in the east was
at sensors farther west before.
"""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.spatial.distance import cdist, pdist, squareform

from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout, graph_layout

__all__ = ["DAY", "sensor_demo"]

DAY = 96
"""Frames a day: one every quarter of an hour."""

_LINKS = 3  # nearest sensors that each is joined with
_LOSS = 0.05  # share that is gone per frame
_DRIFT = 0.45  # share that moves on per frame
_WARM_UP = 2  # days before the first frame


def sensor_demo(*, sensors: int = 20, days: int = 24, seed: int = 0, noise: float = 0.15) -> SequenceSet:
    """One recording of a sensor network: concentrations every quarter of an hour over some days.

    Sensors lie at random in a square, joined with their three nearest; wind blows from west to east, and each frame
    moves 45% of what is at a sensor to its neighbours downwind and loses 5%. Sources in the west emit bursts, more by
    day than at night; weaker local sources everywhere add bursts of their own. Sensors are named "sensor 0" (the most
    western) to the most eastern; the group "region" of the layout tells west, middle and east.

    Cut it with ``transforms.windows(series, 24, 8, block=DAY, horizon=4, joints=…)``: the mean concentration in the
    east over the next hour is a target that the last frames of the middle sensors predict, not those of the east.

    Args:
        sensors: V, at least 6.
        days: L = 96 days frames.
        seed: of places, bursts and noise.
        noise: standard deviation of the measurement, in multiples of the signal's.

    Returns:
        SequenceSet of one recording (L, V, 1), without classes.

    Raises:
        SequenceError: a size is too small, or `noise` negative.

    Examples:
        >>> import stgcnlib
        >>> stgcnlib.sensor_demo(sensors=6, days=2).coords[0].shape
        (192, 6, 1)
    """
    _expect_count("sensors", sensors, 6)
    _expect_count("days", days, 1)
    _expect_count("seed", seed, 0)
    if isinstance(noise, bool) or not isinstance(noise, int | float) or not 0 <= noise < np.inf:
        raise SequenceError(f"sensor_demo: noise={noise!r}; give 0 or more")
    rng = np.random.default_rng([seed, 3])
    places = _places(sensors, rng)
    edges = _edges(places)
    emitted = _emissions(places, (days + _WARM_UP) * DAY, rng)
    signal = _carried(emitted, _downwind(places, edges))[_WARM_UP * DAY :]
    signal = signal / signal.std()
    measured = signal + noise * rng.standard_normal(signal.shape)
    return SequenceSet([measured[:, :, None]], layout=_layout(places, edges), names=["sensors"], class_names=[])


def _expect_count(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise SequenceError(f"sensor_demo: {name}={value!r}; give a whole number, {least} or more")


def _places(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(V, 2) places in a square, west to east, kept apart by taking the best of several draws each."""
    places = rng.uniform(size=(1, 2))
    while len(places) < count:
        drawn = rng.uniform(size=(12, 2))
        far = cdist(drawn, places).min(axis=1)
        places = np.vstack([places, drawn[far.argmax()]])
    return places[places[:, 0].argsort()]


def _edges(places: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Each sensor with its nearest, and the shortest links that join the whole network."""
    from scipy.sparse.csgraph import minimum_spanning_tree

    distances = squareform(pdist(places))
    tree = minimum_spanning_tree(distances).tocoo()
    pairs = {tuple(sorted((int(i), int(j)))) for i, j in zip(*tree.coords, strict=True)}
    nearest = distances.argsort(axis=1)[:, 1 : _LINKS + 1]
    pairs |= {tuple(sorted((i, int(j)))) for i in range(len(places)) for j in nearest[i]}
    return sorted((a, b) for a, b in pairs)


def _downwind(places: NDArray[np.float64], edges: list[tuple[int, int]]) -> NDArray[np.float64]:
    """(V, V) share of what is at a column's sensor that moves to the row's in a frame; indices rise eastwards."""
    moves = np.zeros((len(places), len(places)))
    for west, east in edges:
        step = places[east] - places[west]
        moves[east, west] = step[0] / np.linalg.norm(step)
    total = moves.sum(axis=0)
    shares: NDArray[np.float64] = np.divide(_DRIFT * moves, total, out=np.zeros_like(moves), where=total > 0)
    return shares


def _emissions(places: NDArray[np.float64], frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(L, V) what is emitted: bursts that last about an hour, more by day; strong in the west, weak elsewhere."""
    hour = 2 * np.pi * np.arange(frames) / DAY
    day = 1 + 0.5 * np.sin(hour - np.pi / 2)
    strength = np.where(places[:, 0] <= np.quantile(places[:, 0], 0.25), 1.0, 0.12)
    rate = np.where(strength == 1.0, 0.02, 0.03)
    bursts = (rng.uniform(size=(frames, len(places))) < rate * day[:, None]) * rng.gamma(
        2.0, size=(frames, len(places))
    )
    return np.asarray(strength * lfilter([1.0], [1.0, -0.75], bursts, axis=0))


def _carried(emitted: NDArray[np.float64], moves: NDArray[np.float64]) -> NDArray[np.float64]:
    """(L, V) concentrations."""
    stays = 1 - _LOSS - _DRIFT
    level = np.zeros(emitted.shape[1])
    result = np.empty_like(emitted)
    for t, new in enumerate(emitted):
        level = stays * level + moves @ level + new
        result[t] = level
    return result


def _layout(places: NDArray[np.float64], edges: list[tuple[int, int]]) -> SkeletonLayout:
    third = len(places) / 3
    region = (np.arange(len(places)) // third).astype(int)
    return graph_layout(
        "sensor network",
        edges,
        names=[f"sensor {j}" for j in range(len(places))],
        positions=places.tolist(),
        groups={name: np.flatnonzero(region == r).tolist() for r, name in enumerate(("west", "middle", "east"))},
    )

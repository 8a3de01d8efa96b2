"""The embedded data set: a kinematic body performing labelled actions, for trying and testing.

It imitates what a depth sensor reports of a person standing before it. It is no model of human
movement: use it to check an analysis, never to support a claim about people.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from stgcnlib.demo.actions import ACTIONS
from stgcnlib.demo.body import JOINTS, joint_positions
from stgcnlib.demo.people import left_handers, make_person, perform, smooth_noise
from stgcnlib.demo.sensors import sensor_demo
from stgcnlib.errors import SequenceError, shorten, suggest
from stgcnlib.sequences import SequenceSet

__all__ = ["demo_actions", "demo_sequences", "sensor_demo"]

# Sensor noise by joint, in multiples of `noise`: least for the trunk, most for hands, finger tips and feet.
_NOISE = np.ones(JOINTS)
_NOISE[[0, 1, 2, 3, 20]] = 0.6
_NOISE[[7, 11, 15, 19]] = 1.5
_NOISE[[21, 22, 23, 24]] = 1.8


def demo_actions() -> tuple[str, ...]:
    """Names of all actions, in the order of the class labels."""
    return tuple(ACTIONS)


def demo_sequences(
    *, subjects: int = 8, repeats: int = 4, seed: int = 0, noise: float = 0.01, actions: Sequence[str] | None = None
) -> SequenceSet:
    """Recordings of simulated people, every subject doing every action `repeats` times.

    Layout "ntu-rgb+d": 25 joints in metres, 30 frames per second, 40 to 120 frames. The floor is z = 0 and
    z points up; a person facing the sensor looks along -y and has the left hand at +x. One-sided actions
    are done with the preferred hand or foot: subjects marked "left" in the group "hand" mirror them.
    Some actions share a kind of motion and differ only in some limbs ("squat" and "squat with
    arms forward"; "walk in place" and "walk while phoning"; "wave", "raise hand", "point", "phone call").

    Args:
        subjects: number of people S; their group values are 1..S.
        repeats: recordings of each action by each person; group "trial" is 1..repeats.
        seed: of all randomness. A recording depends on seed, subject, action and trial alone, handedness
            also on `subjects`.
        noise: standard deviation of the sensor noise in metres at knees and elbows; less for the trunk,
            more for hands and feet. Slow drift of two thirds of it is added. 0 adds neither.
        actions: which actions, in the order of the class labels; all of `demo_actions()` if None.

    Returns:
        SequenceSet of S * actions * repeats recordings (T, 25, 3), subject by subject, with groups
        "subject", "trial" and "hand".

    Raises:
        SequenceError: if a count is below 1, `noise` is negative, or an action is unknown or repeats.

    Examples:
        >>> import stgcnlib
        >>> data = stgcnlib.demo_sequences(subjects=2, repeats=1, actions=["wave", "squat"])
        >>> data.coords[0].shape[1:], data.groups["subject"].tolist()
        ((25, 3), [1, 1, 2, 2])
    """
    _expect_count("subjects", subjects)
    _expect_count("repeats", repeats)
    _expect_count("seed", seed, least=0)
    if isinstance(noise, bool) or not isinstance(noise, int | float) or not 0 <= noise < np.inf:
        raise SequenceError(f"demo_sequences: noise={noise!r}; give metres, 0 or more")
    chosen = _chosen(actions)

    hands = left_handers(subjects, np.random.default_rng([seed, 0]))
    people = [
        make_person(np.random.default_rng([seed, 1, s]), left_handed=bool(hands[s - 1])) for s in range(1, subjects + 1)
    ]
    position = {name: i for i, name in enumerate(ACTIONS)}
    keys = [(s, name, t) for s in range(1, subjects + 1) for name in chosen for t in range(1, repeats + 1)]
    generators = [np.random.default_rng([seed, 2, s, position[name], t]) for s, name, t in keys]
    angles = [
        perform(people[s - 1], ACTIONS[name](rng), rng) for (s, name, _), rng in zip(keys, generators, strict=True)
    ]

    lengths = np.array([len(a) for a in angles])
    starts = np.cumsum(lengths) - lengths
    subject = np.array([s for s, _, _ in keys])
    who = np.repeat(subject - 1, lengths)
    offsets = np.stack([person.offsets for person in people])
    places = joint_positions(np.concatenate(angles), offsets[who], hands[who], np.repeat(starts, lengths))
    coords = [
        _seen(body, people[s - 1].facing, float(noise), rng)
        for body, (s, _, _), rng in zip(np.split(places, starts[1:]), keys, generators, strict=True)
    ]
    return SequenceSet(
        coords,
        labels=[chosen.index(name) for _, name, _ in keys],
        class_names=chosen,
        groups={
            "subject": subject,
            "trial": np.array([t for _, _, t in keys]),
            "hand": np.where(hands, "left", "right")[subject - 1],
        },
        layout="ntu-rgb+d",
        names=[f"s{s:02d} {name} {t}" for s, name, t in keys],
    )


def _seen(body: NDArray[np.float64], facing: float, noise: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """The body (T, V, 3) somewhere before the sensor, turned, and measured with noise."""
    turn = np.radians(facing + rng.normal(0, 15))
    cos, sin = np.cos(turn), np.sin(turn)
    place = np.array([*rng.uniform(-0.4, 0.4, 2), 0.0])
    seen = body @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) + place
    drift = smooth_noise(len(body), JOINTS * 3, rng).reshape(body.shape)
    blur = rng.standard_normal(body.shape) + 0.67 * drift
    measured: NDArray[np.float64] = seen + noise * _NOISE[:, None] * blur
    return measured


def _expect_count(name: str, value: object, *, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise SequenceError(f"demo_sequences: {name}={value!r}; give a whole number, {least} or more")


def _chosen(actions: Sequence[str] | None) -> list[str]:
    """The actions asked for, each known and named once."""
    if actions is None:
        return list(ACTIONS)
    if isinstance(actions, str):
        raise SequenceError(f"demo_sequences: actions={actions!r} is one text; give a list of names, [{actions!r}]")
    chosen = list(actions)
    if not chosen:
        raise SequenceError("demo_sequences: actions is empty; name at least one, or leave it out for all")
    for name in chosen:
        if name not in ACTIONS:
            raise SequenceError(f"demo_sequences: no action is named {name!r}; {suggest(str(name), ACTIONS)}")
    if repeated := sorted({name for name in chosen if chosen.count(name) > 1}):
        raise SequenceError(f"demo_sequences: actions repeats {shorten(repeated)}; name each once")
    return chosen

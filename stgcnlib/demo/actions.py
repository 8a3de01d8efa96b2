"""The actions of the demo as scores: key poses in joint angles, varied at random.

A score says which pose comes when. `stgcnlib.demo.people` adds the spline through the poses, posture and tempo;
`stgcnlib.demo.body` has bones and limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["ACTIONS", "Score"]

Pose = Mapping[str, float]
Generator = np.random.Generator


@dataclass(frozen=True)
class Score:
    """Key poses of one recording; angles that a pose does not name stay at rest.

    Attributes:
        enter: seconds to get from rest to the first pose.
        cycle: (seconds to get there, pose), gone through from first to last and over again.
        most: how often the cycle may be repeated.
        fixed: angles that are the same for everybody, since the hand must reach a place; the others are scaled
            by a person's amplitude.
    """

    enter: float
    cycle: tuple[tuple[float, Pose], ...]
    most: int
    fixed: frozenset[str] = frozenset()


def _hold(rng: Generator, enter: float, pose: Pose, *, wobble: float = 3.0) -> Score:
    """Get into a pose and stay there, not quite still."""

    def near() -> Pose:
        return {name: angle + rng.normal(0, wobble) for name, angle in pose.items()}

    return Score(enter, ((0.3, near()), (0.9, near())), 3)


def _wave(rng: Generator) -> Score:
    """Forearm upright, swinging from side to side; some wave overhead, some beside the shoulder."""
    raised = rng.uniform(55, 110)
    middle, swing = rng.uniform(50, 85), rng.uniform(22, 38)
    arm = {"main.abd": raised, "main.flex": rng.uniform(5, 45), "main.rot": rng.uniform(-90, -70), "main.pron": 70.0}
    arm["main.shrug"] = 0.12 * raised
    beat = rng.uniform(0.24, 0.36)
    inward = {**arm, "main.elbow": middle + swing, "main.wrist": 12.0}
    outward = {**arm, "main.elbow": middle - swing, "main.wrist": -12.0}
    return Score(0.7, 2 * ((beat, inward), (beat, outward)), 4)


def _raise_hand(rng: Generator) -> Score:
    """The hand up and held: as high as it goes, or beside the head with a bent elbow."""
    raised = rng.uniform(88, 155)
    pose = {
        "main.abd": raised,
        "main.flex": rng.uniform(5, 60),
        "main.rot": rng.uniform(-90, -65),
        "main.elbow": float(np.interp(raised, [88, 155], [75, 12])) + rng.normal(0, 8),
        "main.pron": 60.0,
        "main.shrug": 0.12 * raised,
    }
    return _hold(rng, 0.8, pose)


def _point(rng: Generator) -> Score:
    """A straight arm towards something in front, to the side, higher or lower."""
    aside = np.radians(rng.uniform(-15, 60))
    raised = rng.uniform(62, 112)
    pose = {
        "main.flex": raised * np.cos(aside),
        "main.abd": raised * np.sin(aside),
        "main.rot": rng.uniform(-15, 35),
        "main.elbow": rng.uniform(3, 20),
        "main.pron": 20.0,
        "twist": rng.normal(0, 5),
        "turn": -0.4 * float(np.degrees(aside)),
    }
    return _hold(rng, 0.65, pose)


def _phone_arm(rng: Generator) -> dict[str, float]:
    """Hand at the ear."""
    return {
        "main.flex": 62 + rng.normal(0, 6),
        "main.abd": 53 + rng.normal(0, 6),
        "main.rot": -28 + rng.normal(0, 5),
        "main.elbow": 140 + rng.normal(0, 4),
        "main.pron": 20.0,
        "main.shrug": 5.0,
        "tilt": rng.uniform(-22, -4),
        "nod": rng.uniform(-2, 16),
    }


def _phone_call(rng: Generator) -> Score:
    """The hand goes to the ear and stays there."""
    arm = _phone_arm(rng)
    return replace(_hold(rng, 0.85, arm, wobble=2.0), fixed=frozenset(arm))


def _strides(rng: Generator) -> tuple[float, list[dict[str, float]]]:
    """One pair of steps on the spot: seconds per key, and the keys of legs and swinging arms."""
    lift, fold = rng.uniform(24, 58), rng.uniform(1.35, 1.75)
    swing, bent = rng.uniform(8, 30), rng.uniform(14, 45)
    first, second = ("main", "other") if rng.random() < 0.5 else ("other", "main")
    keys = []
    for up, down in ((first, second), (second, first)):
        sign = 1.0 if up == "main" else -1.0
        leg = {f"{up}.hip": lift, f"{up}.knee": lift * fold, f"{down}.hip": 0.0, f"{down}.knee": 3.0}
        arms = {f"{down}.flex": swing, f"{down}.elbow": bent + 0.4 * swing, f"{up}.flex": -0.7 * swing}
        arms[f"{up}.elbow"] = bent
        keys.append({**leg, **arms, "roll": 2.0 * sign, "twist": 4.0 * sign})
        between = {f"{up}.hip": 3.0, f"{up}.knee": 6.0, f"{down}.hip": 3.0, f"{down}.knee": 6.0}
        keys.append({**between, "main.elbow": bent, "other.elbow": bent, "roll": 0.0, "twist": 0.0})
    return rng.uniform(0.2, 0.27), keys


def _walk(rng: Generator) -> Score:
    """Steps on the spot, arms swinging against the legs."""
    beat, keys = _strides(rng)
    return Score(0.35, tuple((beat, key) for key in keys), 4)


def _walk_phoning(rng: Generator) -> Score:
    """The same steps, one hand at the ear."""
    beat, keys = _strides(rng)
    arm = _phone_arm(rng)
    return Score(0.7, tuple((beat, {**key, **arm}) for key in keys), 4, frozenset(arm))


def _squat_legs(rng: Generator) -> dict[str, float]:
    """The lowest point of a squat: shank and trunk lean forwards so that the weight stays over the feet."""
    knee = rng.uniform(55, 118)
    thigh = rng.uniform(0.62, 0.7) * knee
    pitch = rng.uniform(0.12, 0.34) * knee
    legs = {f"{side}.knee": knee for side in ("main", "other")} | {
        f"{side}.hip": thigh + pitch for side in ("main", "other")
    }
    return {**legs, "pitch": pitch, "bend": rng.uniform(0.04, 0.16) * knee, "nod": -0.2 * pitch}


def _squat(rng: Generator) -> Score:
    """Down and up, arms left hanging or a little in front."""
    low = _squat_legs(rng)
    forward = low["pitch"] + low["bend"] + rng.uniform(-4, 38)
    arms = {"main.flex": forward, "other.flex": forward, "main.elbow": 22.0, "other.elbow": 22.0}
    return Score(0.85, ((0.15, {**low, **arms}), (0.3, {**low, **arms}), (0.85, {}), (0.9, {**low, **arms})), 2)


def _squat_reaching(rng: Generator) -> Score:
    """The same squat, both arms straight out in front at its lowest point."""
    low = _squat_legs(rng)
    raised, bent = low["pitch"] + low["bend"] + rng.uniform(58, 98), rng.uniform(4, 25)
    arms = {f"{side}.{k}": v for side in ("main", "other") for k, v in {"flex": raised, "elbow": bent}.items()}
    return Score(0.85, ((0.15, {**low, **arms}), (0.3, {**low, **arms}), (0.85, {}), (0.9, {**low, **arms})), 2)


def _kick(rng: Generator) -> Score:
    """The preferred foot swings back, then forwards; the opposite arm goes along."""
    high = rng.uniform(28, 72)
    back = {"main.hip": -16.0, "main.knee": rng.uniform(25, 60), "main.flex": 15.0, "other.flex": -12.0}
    front = {"main.hip": high, "main.knee": rng.uniform(6, 40), "main.flex": -20.0, "other.flex": 0.5 * high}
    back |= {"roll": 2.5, "pitch": 4.0, "other.knee": 10.0, "other.hip": 8.0, "other.abd": 18.0}
    front |= {"roll": 2.5, "pitch": -6.0, "other.knee": 10.0, "other.hip": 2.0, "bend": 8.0, "other.abd": 25.0}
    return Score(0.45, ((0.1, back), (0.3, front), (0.45, {}), (0.4, back)), 2)


def _jumping_jack(rng: Generator) -> Score:
    """Legs and arms out in a jump, and in again in the next."""
    abd, legs, hop = rng.uniform(95, 160), rng.uniform(12, 24), rng.uniform(0.03, 0.11)

    def pose(open_: float, knee: float, height: float) -> Pose:
        both = {"abd": 8 + open_ * (abd - 8), "rot": -60 * open_, "elbow": 18.0, "shrug": 18 * open_}
        both |= {"hip_abd": 3 + open_ * (legs - 3), "knee": knee, "hip": 0.5 * knee}
        return {f"{side}.{k}": v for side in ("main", "other") for k, v in both.items()} | {"hop": height}

    beat = rng.uniform(0.2, 0.27)
    cycle = ((beat, pose(0.5, 5, hop)), (beat, pose(1, 18, 0)), (beat, pose(0.5, 5, hop)), (beat, pose(0, 22, 0)))
    return Score(0.25, cycle, 4)


# Order is the order of the class labels; a recording's random numbers depend on it too.
ACTIONS: dict[str, Callable[[Generator], Score]] = {
    "wave": _wave,
    "raise hand": _raise_hand,
    "point": _point,
    "phone call": _phone_call,
    "walk in place": _walk,
    "walk while phoning": _walk_phoning,
    "squat": _squat,
    "squat with arms forward": _squat_reaching,
    "kick": _kick,
    "jumping jack": _jumping_jack,
}
